//! Walks through the worlds of a sample, and judges each where it ends.

use std::{collections::BTreeMap, fmt};

use super::{
    super::{
        closing::Rules,
        event::{Event, Reason, UndoOutcome},
        machine::{EffectState, Machine},
    },
    case::{Crash, Fate, LONG, Mode, Trouble},
    sample::Sample,
    shell::{Boot, Point, Shell},
    world::{Call, Key, Maker, What, World},
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
    crashes: Vec<(&'a Crash, &'a Point)>,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = if self.policy { "on" } else { "off" };
        write!(f, "{}, epoch policy {policy}", self.sample.name)?;
        for (crash, point) in &self.crashes {
            write!(f, "; crash after event {} {}", crash.after, point.name)?;
            for (call, fate) in point.calls.iter().zip(&crash.fates) {
                write!(f, ", {:?} of {} arrives {fate:?}", call.what, call.key.target())?;
            }
            write!(f, ", {:?}, trouble {:?}", crash.mode, crash.trouble)?;
        }
        Ok(())
    }
}

impl Found {
    fn judge(&mut self, story: &Story<'_>, broken: &[String]) {
        if broken.is_empty() {
            return;
        }
        self.violations += 1;
        for words in broken {
            let of_kind = self.words.entry(words.clone());
            of_kind.or_insert_with(|| (0, story.to_string())).0 += 1;
        }
    }
}

/// What a process leaves when it is through.
struct After<'a> {
    shell: Shell<'a>,
    held: Vec<Call>,
}

/// Every world of a sample, or the first that breaks a rule if `first_only`.
pub fn explore(sample: &Sample, rules: Rules, first_only: bool) -> Found {
    let mut found = Found::default();
    let boot = Boot { id: "boot-0".to_owned(), zero: 0 };
    let mut shell = Shell::new(sample, World::new(), Machine::default(), boot);
    (shell.rules, shell.record, shell.calm) = (rules, true, true);
    shell.forward();
    let quiet = Story { sample, policy: true, crashes: Vec::new() };
    found.worlds += 1;
    let mut broken = shell.world.broken.clone();
    broken.extend(differences(sample, &shell.world, &shell.machine, false));
    found.judge(&quiet, &broken);
    let points = std::mem::take(&mut shell.points);

    for (after, point) in points.iter().enumerate() {
        for fates in Fate::assignments(&point.calls) {
            for mode in [Mode::SameBoot, Mode::OtherBoot, Mode::HourLater, Mode::Halted] {
                for trouble in Trouble::all(sample) {
                    let held = fates.contains(&Fate::AfterEnd);
                    for policy in [true, false] {
                        let crash = Crash { after, fates: fates.clone(), mode, trouble };
                        let open = point.machine.is_open();
                        if !crash.is_possible()
                            || !(policy || held)
                            || mode == Mode::Halted && !open
                        {
                            continue;
                        }
                        one(sample, rules, &crash, point, policy, &mut found);
                        if first_only && found.violations > 0 {
                            return found;
                        }
                    }
                }
            }
        }
    }
    found
}

/// One crash after a point of the undisturbed run, then a second one at every event of its
/// recovery.
fn one(
    sample: &Sample,
    rules: Rules,
    crash: &Crash,
    point: &Point,
    policy: bool,
    found: &mut Found,
) {
    let first = Recovery { sample, rules, policy };
    let after = first.run(crash, point, Vec::new(), 1, true);
    let points = after.shell.points.clone();
    let held = after.held.clone();
    found.worlds += 1;
    found.recoveries += 1;
    for broken in first.finish(after, crash.trouble) {
        let crashes = vec![(crash, point)];
        found.judge(&Story { sample, policy, crashes }, &broken);
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
                let after = first.run(&second, second_point, held.clone(), 2, false);
                found.worlds += 1;
                found.recoveries += 1;
                for broken in first.finish(after, crash.trouble) {
                    let crashes = vec![(crash, point), (&second, second_point)];
                    found.judge(&Story { sample, policy, crashes }, &broken);
                }
            }
        }
    }
}

/// The product of everything with everything would take hours and repeat itself: with trouble
/// about, a second crash comes in the boot of the first, and its calls arrive early or never.
fn is_worth_a_second_crash(first: &Crash, fates: &[Fate], mode: Mode) -> bool {
    if first.mode == Mode::HourLater || first.mode == Mode::Halted {
        return false;
    }
    let early = |fate: &Fate| matches!(fate, Fate::Never | Fate::BeforeLook);
    first.trouble == Trouble::None || mode == Mode::SameBoot && fates.iter().all(early)
}

struct Recovery<'a> {
    sample: &'a Sample,
    rules: Rules,
    policy: bool,
}

impl<'a> Recovery<'a> {
    /// Lets the crash happen and recovers.
    fn run(
        &self,
        crash: &Crash,
        point: &Point,
        mut held: Vec<Call>,
        number: u64,
        record: bool,
    ) -> After<'a> {
        let mut world = point.world.clone();
        world.policy = self.policy;
        let calm = crash.trouble == Trouble::None
            && number == 1
            && !crash.fates.iter().any(|fate| *fate == Fate::AfterLook || *fate == Fate::LastMoment);
        crash.happen(&mut world, &point.calls, &mut held);
        let same_boot = matches!(crash.mode, Mode::SameBoot | Mode::Halted);
        // The boot of the last event goes on, or one begins now.
        let zero = match (same_boot, point.machine.last_boot.strip_prefix("boot-")) {
            (true, Some(zero)) => zero.parse().unwrap_or(0),
            _ => world.now - 100,
        };
        let boot = Boot { id: format!("boot-{zero}"), zero };
        let mut shell = Shell::new(self.sample, world, point.machine.clone(), boot);
        (shell.rules, shell.record, shell.calm) = (self.rules, record, calm);
        if crash.mode == Mode::Halted {
            shell.end(Reason::Halt);
            return After { shell, held };
        }
        shell.world.epoch += 1;
        shell.epoch = shell.world.epoch;
        if shell.machine.next_seq > 0 && !shell.machine.is_ended() {
            let last_seq = shell.machine.next_seq - 1;
            let process = format!("process-{number}");
            shell.append(Event::RunRecovered { process, same_boot, last_seq });
            shell.end(Reason::Interrupted);
        }
        After { shell, held }
    }

    /// What was held arrives; the sweep goes over the run, at once and again when all trouble is
    /// over. Then everything must be as it was, or be named. Where a Restore arrives, the sweep
    /// comes once before and once after Velero has seen it: two ends, else one.
    fn finish(&self, after: After<'a>, trouble: Trouble) -> Vec<Vec<String>> {
        let After { shell, held } = after;
        let restore = held.iter().any(|call| {
            call.key == Key::Restore && call.what == What::Create && !shell.world.denies(call)
        });
        if restore {
            let late = self.sweep(shell.clone(), &held, trouble, 2000);
            let later = self.sweep(shell.clone(), &held, trouble, 6000);
            return vec![self.sweep(shell, &held, trouble, 100), late, later];
        }
        vec![self.sweep(shell, &held, trouble, 100)]
    }

    fn sweep(
        &self,
        mut shell: Shell<'a>,
        held: &[Call],
        trouble: Trouble,
        gap: u64,
    ) -> Vec<String> {
        let mut early = Vec::new();
        if shell.machine.is_ended() && shell.machine.leftovers() > 0 && !trouble.excuses() {
            early.push("the run ended with a leftover that nothing excuses".to_owned());
        }
        if let Some(lease) = shell.machine.effects.get(&0) {
            let left = matches!(lease.state, EffectState::Left { .. });
            if left && !matches!(trouble, Trouble::Cut(LONG, _)) {
                early.push("the Lease was left though it could be deleted".to_owned());
            }
        }
        shell.world.advance(shell.world.now + 100);
        let arrives: Vec<&Call> = held.iter().filter(|call| !shell.world.denies(call)).collect();
        for call in &arrives {
            shell.world.land(call);
        }
        shell.record = false;
        shell.calm = false;
        shell.world.advance(shell.world.now + gap);
        shell.pass();
        let over = trouble_ends(trouble, &shell.world);
        shell.world.advance(over.max(shell.world.now) + 6000);
        shell.pass();
        if trouble.excuses() || !arrives.is_empty() {
            shell.world.advance(shell.world.now + 6000);
            shell.pass();
        }
        let excused = trouble.excuses() || !arrives.is_empty();
        early.append(&mut shell.world.broken);
        early.extend(differences(self.sample, &shell.world, &shell.machine, excused));
        early
    }
}

fn trouble_ends(trouble: Trouble, world: &World) -> u64 {
    match trouble {
        Trouble::VeleroDead(LONG) | Trouble::DeadAndCut(LONG, _) => world.velero_dead.until,
        Trouble::Cut(..) => world.cut.until,
        _ => world.now,
    }
}

/// Whatever is not as it was before the run and not named, or named without being there.
fn differences(sample: &Sample, world: &World, machine: &Machine, excused: bool) -> Vec<String> {
    let mut all = Vec::new();
    let first = World::new();
    for key in [Key::OtherNode, Key::OtherNamespace] {
        if world.objects.get(&key) != first.objects.get(&key) {
            all.push(format!("{} is not ours and was touched", key.target()));
        }
    }
    if machine.next_seq > 0 && !machine.is_ended() {
        all.push("the run did not end".to_owned());
    }
    let state = |key: Key| {
        let n = sample.keys.iter().position(|one| *one == key)?;
        machine.effects.get(&u32::try_from(n).unwrap_or(u32::MAX)).map(|effect| &effect.state)
    };
    for key in [Key::Lease, Key::Sandbox, Key::Policy, Key::Kept, Key::Restore, Key::Node] {
        let object = world.objects.get(&key);
        let is_left = matches!(state(key), Some(EffectState::Left { .. }));
        let differs = match (key, object) {
            (Key::Node, Some(node)) => {
                let cordon = world.human_cordon.then_some(Maker::Human);
                node.cordon != cordon || node.mark.is_some() || node.fence
            }
            // It goes with its namespace, and the namespace names it.
            (Key::Policy, Some(_)) => !world.objects.contains_key(&Key::Sandbox),
            (Key::Kept, Some(_)) => !matches!(
                state(key),
                Some(EffectState::Kept | EffectState::Cleared)
            ),
            (_, Some(object)) => object.maker != Maker::Human,
            (_, None) => false,
        };
        let stripped = object.is_some_and(|object| object.stripped.is_some());
        let not_ours = matches!(
            state(key),
            Some(EffectState::Over(UndoOutcome::NotOurs(_)) | EffectState::Foreign)
        );
        let target = key.target();
        if differs && !(is_left || stripped && not_ours) {
            all.push(format!("{target} stays and nothing names it: {:?}", state(key)));
        } else if differs && !excused {
            all.push(format!("{target} was left without need"));
        } else if is_left && !differs && object.is_none_or(|o| o.maker != Maker::Human) {
            all.push(format!("{target} is named as a leftover and is not there"));
        }
    }
    for effect in machine.effects.values() {
        let over = matches!(effect.state, EffectState::Left { .. } | EffectState::Cleared);
        if effect.was_left && !over {
            let target = &effect.intent.target;
            all.push(format!("leftover {target} is neither left nor cleared: {:?}", effect.state));
        }
    }
    all
}
