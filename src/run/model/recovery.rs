//! What comes after a crash: a recovery, late arrivals, and sweeps, which may crash as well.

use super::{
    super::{
        closing::Rules,
        event::{Event, Reason},
    },
    case::{Crash, Fate, LONG, Mode, Trouble},
    judge::{differences, needless},
    sample::Sample,
    shell::{Boot, Point, Shell},
    world::{Call, Key, What},
};

/// What a process leaves when it is through.
pub struct After<'a> {
    pub shell: Shell<'a>,
    /// Calls that a proxy still holds.
    pub held: Vec<Call>,
}

/// Where a world ends.
#[derive(Debug)]
pub struct End {
    /// What came after the recovery, in words.
    pub note: String,
    pub broken: Vec<String>,
}

pub struct Recovery<'a> {
    pub sample: &'a Sample,
    pub rules: Rules,
    pub policy: bool,
}

impl<'a> Recovery<'a> {
    /// Lets the crash happen and recovers; snapshots are kept for the first crash.
    pub fn run(&self, crash: &Crash, point: &Point, mut held: Vec<Call>, number: u64) -> After<'a> {
        let mut world = point.world.clone();
        world.policy = self.policy;
        let prompt = |fate: &Fate| matches!(fate, Fate::Never | Fate::BeforeLook | Fate::AfterEnd);
        let calm = number == 1 && crash.trouble == Trouble::None && crash.fates.iter().all(prompt);
        crash.happen(&mut world, &point.calls, &mut held);
        let same_boot = crash.mode == Mode::SameBoot || crash.mode.lives();
        // The boot of the last event goes on, or one begins now.
        let zero = match (same_boot, point.machine.last_boot.strip_prefix("boot-")) {
            (true, Some(zero)) => zero.parse().unwrap_or(0),
            _ => world.now - 100,
        };
        let mut shell = Shell::new(self.sample, world, point.machine.clone(), Boot::at(zero));
        (shell.rules, shell.record, shell.calm) = (self.rules, number == 1, calm);
        match crash.mode {
            Mode::GoesOn => shell.go_on(),
            Mode::TimedOut => shell.try_again(),
            _ => {}
        }
        if crash.mode.lives() {
            shell.end(Reason::Halt);
            return After { shell, held };
        }
        shell.world.epoch += 1;
        shell.epoch = shell.world.epoch;
        if !shell.machine.is_ended() {
            let last_seq = shell.machine.next_seq - 1;
            let process = format!("process-{number}");
            shell.append(Event::RunRecovered { process, same_boot, last_seq });
            shell.end(Reason::Interrupted);
        }
        After { shell, held }
    }

    /// What was held arrives; sweeps go over the run, at once and again when all trouble is over.
    /// Then everything must be as it was, or be named. Where a Restore arrives, the sweep comes
    /// before, while and after Velero works on it. With `crashes`, a sweep also dies after each
    /// of its events.
    pub fn finish(&self, after: After<'a>, trouble: Trouble, crashes: bool) -> Vec<End> {
        let After { mut shell, mut held } = after;
        let mut early = needless(&shell.machine, &shell.world, trouble);
        early.append(&mut shell.world.broken);
        shell.world.advance(shell.world.now + 100);
        held.retain(|call| !shell.world.denies(call));
        for call in &held {
            shell.world.land(call);
        }
        let excused = trouble.excuses() || !held.is_empty() || shell.world.unforeseen;
        let restores =
            held.iter().any(|c| matches!(c.key, Key::Restore(_)) && c.what == What::Create);
        let gaps: &[u64] = if restores { &[100, 2000, 6000] } else { &[100] };
        let mut ends = Vec::new();
        for gap in gaps {
            let mut shell = shell.clone();
            shell.world.advance(shell.world.now + gap);
            shell.calm = false;
            shell.record = crashes && excused;
            shell.points.clear();
            shell.pass();
            let points = std::mem::take(&mut shell.points);
            shell.record = false;
            let note = || format!("; swept after {gap} ms");
            ends.push(self.last_sweeps(shell.clone(), trouble, excused, note));
            for point in points {
                for arrives in [false, true] {
                    if arrives && point.calls.is_empty() {
                        continue;
                    }
                    let mut again = shell.clone();
                    again.world = point.world.clone();
                    again.machine = point.machine.clone();
                    for call in point.calls.iter().filter(|_| arrives) {
                        again.world.land(call);
                    }
                    again.pass();
                    let name = point.name;
                    let note = || {
                        format!("; swept after {gap} ms, crash after {name}, arrives: {arrives}")
                    };
                    ends.push(self.last_sweeps(again, trouble, excused, note));
                }
            }
        }
        if let Some(end) = ends.first_mut() {
            end.broken.append(&mut early);
        }
        ends
    }

    /// In another boot, when all trouble is over.
    fn last_sweeps(
        &self,
        mut shell: Shell<'a>,
        trouble: Trouble,
        excused: bool,
        note: impl Fn() -> String,
    ) -> End {
        let over = match trouble {
            Trouble::VeleroDead(LONG) | Trouble::DeadAndCut(LONG, _) => {
                shell.world.velero_dead.until
            }
            Trouble::Cut(..) => shell.world.cut.until,
            _ => 0,
        };
        shell.world.advance(over.max(shell.world.now) + 6000);
        shell.boot = Boot::at(shell.world.now - 50);
        shell.pass();
        if excused {
            shell.world.advance(shell.world.now + 6000);
            shell.pass();
        }
        let mut broken = std::mem::take(&mut shell.world.broken);
        broken.extend(differences(&shell.world, &shell.machine, excused));
        End { note: if broken.is_empty() { String::new() } else { note() }, broken }
    }
}
