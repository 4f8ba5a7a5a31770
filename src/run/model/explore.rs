//! Walks through the worlds of a sample: a crash after every event of its undisturbed run, and a
//! second one after every event of the recovery.

use std::{collections::BTreeMap, fmt};

use super::{
    super::{
        closing::Rules,
        machine::{Machine, StepState},
    },
    case::{Crash, Fate, Mode, Trouble},
    judge::differences,
    recovery::{End, Recovery},
    sample::Sample,
    shell::{Boot, Point, Shell},
    world::World,
};

/// What a walk found.
#[derive(Debug, Default)]
pub struct Found {
    pub worlds: u64,
    pub recoveries: u64,
    pub violations: u64,
    /// Each kind of violation, how often, and the first world that shows it.
    pub words: BTreeMap<String, (u64, String)>,
}

/// A world's history, for a reader.
struct Story<'a> {
    sample: &'a Sample,
    policy: bool,
    crashes: &'a [(&'a Crash, &'a Point)],
    end: &'a End,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = if self.policy { "on" } else { "off" };
        write!(f, "{}, epoch policy {policy}", self.sample.name)?;
        for (crash, point) in self.crashes {
            write!(f, "; crash after event {} {}", crash.after, point.name)?;
            for (call, fate) in point.calls.iter().zip(&crash.fates) {
                write!(f, ", {:?} of {} arrives {fate:?}", call.what, call.key.target())?;
            }
            write!(f, ", then {:?}, trouble {:?}", crash.mode, crash.trouble)?;
        }
        write!(f, "{}", self.end.note)
    }
}

impl Found {
    fn judge(&mut self, story: &Story<'_>) {
        self.worlds += 1;
        self.violations += u64::from(!story.end.broken.is_empty());
        for words in &story.end.broken {
            let of_kind = self.words.entry(words.clone());
            of_kind.or_insert_with(|| (0, story.to_string())).0 += 1;
        }
    }

    fn has(&self, words: &str) -> bool {
        self.words.keys().any(|kind| kind.contains(words))
    }
}

/// Every world of a sample, or as many as it takes until a violation says `until`.
pub fn explore(sample: &Sample, rules: Rules, until: Option<&str>) -> Found {
    let mut found = Found::default();
    let mut shell = Shell::new(sample, World::new(), Machine::default(), Boot::at(0));
    (shell.rules, shell.record, shell.calm) = (rules, true, true);
    shell.forward();
    let mut broken = shell.world.broken.clone();
    broken.extend(differences(&shell.world, &shell.machine, false));
    let end = End { note: String::new(), broken };
    found.judge(&Story { sample, policy: true, crashes: &[], end: &end });

    let points = std::mem::take(&mut shell.points);
    for (after, point) in points.iter().enumerate() {
        for fates in Fate::assignments(&point.calls) {
            for mode in Mode::ALL {
                for trouble in Trouble::all(sample) {
                    let crash = Crash { after, fates: fates.clone(), mode, trouble };
                    for policy in [true, false] {
                        if crash.is_possible(policy)
                            && (matches!(mode, Mode::GoesOn | Mode::TimedOut)
                                || !is_told_elsewhere(sample, &point.machine))
                            && (mode != Mode::TimedOut || Shell::can_try_again(&point.machine))
                            && (!mode.lives() || point.machine.is_open())
                            && (mode != Mode::GoesOn || Shell::can_go_on(&point.machine))
                        {
                            walk(sample, rules, &crash, point, policy, &mut found);
                        }
                    }
                    if until.is_some_and(|words| found.has(words)) {
                        return found;
                    }
                }
            }
        }
    }
    found
}

/// Whether a crash here is one of another sample: a step that is tried again does at first what it
/// does where it is tried once.
fn is_told_elsewhere(sample: &Sample, machine: &Machine) -> bool {
    let is_first = |step: &StepState| match step {
        StepState::Pending => true,
        StepState::Active { attempt } | StepState::Ended { attempt, .. } => *attempt < 2,
        StepState::Retrying { .. } => false,
    };
    !sample.after_again().is_empty() && machine.steps.iter().all(is_first)
}

/// One crash after a point of the undisturbed run, then a second one at every event of its
/// recovery.
fn walk(
    sample: &Sample,
    rules: Rules,
    crash: &Crash,
    point: &Point,
    policy: bool,
    found: &mut Found,
) {
    let recovery = Recovery { sample, rules, policy };
    let mut after = recovery.run(crash, point, Vec::new(), 1);
    let points = std::mem::take(&mut after.shell.points);
    let held = after.held.clone();
    found.recoveries += 1;
    for end in &recovery.finish(after, crash.trouble, true) {
        found.judge(&Story { sample, policy, crashes: &[(crash, point)], end });
    }

    for (after, second_point) in points.iter().enumerate() {
        if second_point.name == "RunEnded" {
            continue;
        }
        for fates in Fate::assignments(&second_point.calls) {
            for mode in [Mode::SameBoot, Mode::OtherBoot] {
                if !is_worth_a_second_crash(crash, &fates, mode) {
                    continue;
                }
                let second = Crash { after, fates: fates.clone(), mode, trouble: Trouble::None };
                let after = recovery.run(&second, second_point, held.clone(), 2);
                found.recoveries += 1;
                for end in &recovery.finish(after, crash.trouble, false) {
                    let crashes = &[(crash, point), (&second, second_point)];
                    found.judge(&Story { sample, policy, crashes, end });
                }
            }
        }
    }
}

/// The product of everything with everything would take hours and repeat itself: with trouble
/// about, both crashes stay in one boot, and the calls of the second arrive early or never.
fn is_worth_a_second_crash(first: &Crash, fates: &[Fate], mode: Mode) -> bool {
    if first.mode == Mode::HourLater || first.mode == Mode::Halted {
        return false;
    }
    let early = |fate: &Fate| matches!(fate, Fate::Never | Fate::BeforeLook);
    let calm = first.trouble == Trouble::None && !fates.contains(&Fate::TooLate);
    let one_boot = first.mode == Mode::SameBoot && mode == Mode::SameBoot;
    calm || one_boot && fates.iter().all(early)
}
