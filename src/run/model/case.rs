//! What may happen around a crash: where the calls in flight end up, who recovers, who interferes.

use super::{
    sample::{SETTLE, Sample},
    world::{Act, Call, Coming, Key, Span, What, World},
};

/// Where a call in flight ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Never,
    /// Before recovery looks for the first time.
    BeforeLook,
    /// Between the first look and what follows from it.
    AfterLook,
    /// Just before the server would have dropped it.
    LastMoment,
    /// A proxy lets it go after the settle time, while recovery may still be at work.
    TooLate,
    /// A proxy lets it go after RunEnded.
    AfterEnd,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Never,
        Self::BeforeLook,
        Self::AfterLook,
        Self::LastMoment,
        Self::TooLate,
        Self::AfterEnd,
    ];

    /// Every way that these calls may end up.
    pub fn assignments(calls: &[Call]) -> Vec<Vec<Self>> {
        let mut all = vec![Vec::new()];
        for _ in calls {
            all = all
                .iter()
                .flat_map(|fates| {
                    Self::ALL.iter().map(move |fate| {
                        let mut fates: Vec<Self> = fates.clone();
                        fates.push(*fate);
                        fates
                    })
                })
                .collect();
        }
        all
    }
}

/// Who goes on after the crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// There was no crash: the run is halted, and its answers are lost.
    Halted,
    /// There was no crash: the run settles what is in doubt, gives its node back, and then halts.
    GoesOn,
    /// There was no crash: the step's time is over, whatever is on its way, and it is tried again.
    TimedOut,
    /// A new process of the same boot.
    SameBoot,
    /// Another boot, at once.
    OtherBoot,
    /// Another boot, an hour later.
    HourLater,
}

impl Mode {
    pub const ALL: [Self; 6] = [
        Self::SameBoot,
        Self::OtherBoot,
        Self::HourLater,
        Self::Halted,
        Self::GoesOn,
        Self::TimedOut,
    ];

    /// Whether the process lives.
    pub fn lives(self) -> bool {
        matches!(self, Self::Halted | Self::GoesOn | Self::TimedOut)
    }

    pub fn gap(self) -> u64 {
        match self {
            Self::Halted | Self::GoesOn | Self::TimedOut => 0,
            Self::SameBoot | Self::OtherBoot => 300,
            Self::HourLater => 3_600_000,
        }
    }
}

/// What else goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Velero dies at the crash, for this long.
    VeleroDead(u64),
    /// Somebody does this, this long after the crash (`true`: between look and act of recovery).
    Act(Act, bool),
    /// The cluster is out of reach for this long; whether writes arrive all the same.
    Cut(u64, bool),
    /// Both: Velero dead and the cluster out of reach.
    DeadAndCut(u64, u64),
    /// The API server takes longer for an answer than the interval between two looks.
    Slow,
    /// And Velero is dead for good.
    SlowAndDead,
}

/// Longer than any pass of the model.
pub const LONG: u64 = 25_000;
/// One way to a slow server.
const SLOW: u64 = 350;
pub const FOREVER: u64 = 1_000_000_000_000;

impl Trouble {
    /// All that can matter to a sample.
    pub fn all(sample: &Sample) -> Vec<Self> {
        let mut all = vec![Self::None];
        for lands in [false, true] {
            all.extend([Self::Cut(3000, lands), Self::Cut(LONG, lands)]);
        }
        let mut acts = vec![Act::StripMarks];
        all.push(Self::Slow);
        if sample.has(Key::Restore(0)) {
            all.push(Self::SlowAndDead);
            all.extend([3000, LONG, FOREVER].map(Self::VeleroDead));
            all.extend([Self::DeadAndCut(3000, 2000), Self::DeadAndCut(LONG, 2000)]);
            acts.push(Act::RemakeSandbox);
        }
        if sample.has(Key::Node) {
            acts.extend([Act::Uncordon, Act::CordonAgain, Act::RemakeNode]);
        }
        for act in acts {
            all.extend([Self::Act(act, false), Self::Act(act, true)]);
        }
        all
    }

    /// Whether it may leave something behind when the run ends.
    pub fn excuses(self) -> bool {
        match self {
            Self::None | Self::Slow => false,
            Self::SlowAndDead => true,
            Self::VeleroDead(time) | Self::Cut(time, _) | Self::DeadAndCut(time, _) => time >= LONG,
            Self::Act(act, _) => matches!(act, Act::RemakeSandbox | Act::StripMarks),
        }
    }

    fn befall(self, world: &mut World, crash: u64, recovery: u64) {
        let dead = |time: u64| Span { from: crash, until: crash + time };
        let cut = |time: u64| Span { from: recovery, until: recovery + time };
        match self {
            Self::None => {}
            Self::Slow => world.way = SLOW,
            Self::SlowAndDead => {
                world.way = SLOW;
                world.velero_dead = dead(FOREVER);
            }
            Self::VeleroDead(time) => world.velero_dead = dead(time),
            Self::Cut(time, lands) => (world.cut, world.cut_lands) = (cut(time), lands),
            Self::DeadAndCut(time, out) => {
                world.velero_dead = dead(time);
                world.cut = cut(out);
            }
            Self::Act(act, late) => {
                // Recovery's first look is read 5 ms after it begins, its first act lands at 15.
                let at = if late { recovery + 12 } else { crash + 1 };
                world.coming.push((at, Coming::Act(act)));
            }
        }
    }
}

/// One crash (or halt) of a world.
#[derive(Clone, Debug)]
pub struct Crash {
    /// After this event of the stream so far.
    pub after: usize,
    pub fates: Vec<Fate>,
    pub mode: Mode,
    pub trouble: Trouble,
}

impl Crash {
    /// Whether this crash can be, and differs from others: an hour later nothing is on its way
    /// any more, and the policy matters to calls that a proxy holds.
    pub fn is_possible(&self, policy: bool) -> bool {
        let any = |fate| self.fates.contains(&fate);
        let on_its_way = any(Fate::AfterLook) || any(Fate::LastMoment) || any(Fate::TooLate);
        if self.mode == Mode::HourLater && on_its_way {
            return false;
        }
        policy || any(Fate::TooLate) || any(Fate::AfterEnd)
    }

    /// Lets the crash happen to a world; the clock then stands where recovery begins. Calls that
    /// a proxy holds go to `held`.
    pub fn happen(&self, world: &mut World, calls: &[Call], held: &mut Vec<Call>) {
        let crash = world.now;
        let recovery = crash + self.mode.gap();
        for (call, fate) in calls.iter().zip(&self.fates) {
            let mut late = *call;
            if call.what == What::Bump {
                // The process that would have cleared it is dead.
                late.what = What::HalfBump;
            }
            let dropped = match self.mode {
                Mode::OtherBoot => call.deadline.min(crash + SETTLE),
                _ => call.deadline,
            };
            match fate {
                Fate::Never => {}
                Fate::BeforeLook => drop(world.land(&late)),
                Fate::AfterLook => world.coming.push((recovery + 7, Coming::Call(late))),
                Fate::LastMoment => world.coming.push((dropped - 50, Coming::Call(late))),
                Fate::TooLate => world.coming.push((dropped + 400, Coming::Held(late))),
                Fate::AfterEnd => held.push(late),
            }
        }
        if self.mode == Mode::OtherBoot {
            // What an earlier process of that boot sent was sent before its crash.
            for (at, coming) in &mut world.coming {
                if matches!(coming, Coming::Call(_)) {
                    *at = (*at).min(crash + SETTLE - 50);
                }
            }
        }
        self.trouble.befall(world, crash, recovery);
        world.advance(recovery);
    }
}
