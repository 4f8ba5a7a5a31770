//! Which cases there are, and which of them a sample takes. Pure.

use std::fmt;

use sha2::{Digest, Sha256};

use super::scenario::{Scenario, Write};

/// How many journal points a sample takes.
const POINTS: usize = 12;
/// How many lost journals a sample takes.
const LOST: usize = 3;
/// At which request of the recovery a held write may be let go: before its first look, while it
/// raises the epoch, while it looks, while it undoes.
const REQUESTS: [usize; 4] = [1, 3, 5, 8];

/// A journal point: `FIREDRILL_CRASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Right before the N-th event is committed.
    Before(u32),
    /// Right after it was.
    After(u32),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(n) => write!(f, "before:{n}"),
            Self::After(n) => write!(f, "after:{n}"),
        }
    }
}

/// What recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The next `firedrill run`.
    Run,
    /// `firedrill undo`.
    Undo,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Undo => "undo",
        })
    }
}

/// When a held write is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetGo {
    /// With the recovery's N-th request.
    At(usize),
    /// When the recovery has ended.
    End,
}

/// What people do to nodes around a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    /// They have cordoned other nodes, before the run and after its death.
    Others,
    /// They uncordon our node and cordon it again while firedrill is dead.
    Renewed,
    /// They uncordon our node while firedrill is dead.
    Lifted,
}

impl Meddling {
    const ALL: [Self; 3] = [Self::Others, Self::Renewed, Self::Lifted];

    fn name(self) -> &'static str {
        match self {
            Self::Others => "others-cordon",
            Self::Renewed => "cordon-renewed",
            Self::Lifted => "cordon-lifted",
        }
    }
}

/// What happens to firedrill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Killed at a journal point.
    Killed(Point),
    /// Killed at a journal point, and the journal is deleted.
    Lost(Point),
    /// Killed while this write is held, which is let go then.
    Held(Write, LetGo),
    /// Killed while this write is held, and the journal is deleted. The cluster knows no epoch
    /// before, so the new journal begins with the same one.
    LostHeld(Write),
    /// Killed before its first eviction, while people cordon.
    Cordon(Meddling),
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What happens.
    pub fault: Fault,
    /// What recovers.
    pub by: Recovery,
}

impl Case {
    /// Whether it is a journal point alone.
    pub fn is_point(&self) -> bool {
        matches!(self.fault, Fault::Killed(_))
    }
}

/// Its id: what `--case` takes.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by;
        match self.fault {
            Fault::Killed(point) => write!(f, "{point}/{by}"),
            Fault::Lost(point) => write!(f, "lost:{point}/{by}"),
            Fault::Held(write, LetGo::At(request)) => {
                write!(f, "held:{}/{by}@{request}", write.name)
            }
            Fault::Held(write, LetGo::End) => write!(f, "held:{}/{by}@end", write.name),
            Fault::LostHeld(write) => write!(f, "lost-held:{}/{by}", write.name),
            Fault::Cordon(meddling) => write!(f, "{}/{by}", meddling.name()),
        }
    }
}

/// All cases of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    scenario: Scenario,
    events: u32,
}

impl Plan {
    /// For a drill whose undisturbed run has this many events.
    pub fn new(scenario: Scenario, events: u32) -> Self {
        Self { scenario, events }
    }

    /// Every case: all points by both recoveries, every held write at every moment.
    pub fn all(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for point in self.points() {
            cases.extend(both(Fault::Killed(point)));
        }
        cases.extend(self.held());
        cases.extend(self.cordons());
        cases.extend(self.lost());
        cases.extend(self.lost_held());
        cases
    }

    /// A sample: points and lost journals spread over the run, each write held once, and what
    /// people do to cordons.
    pub fn sample(&self, seed: u64) -> Vec<Case> {
        let killed =
            spread(&self.points(), POINTS, seed).into_iter().enumerate().map(|(at, point)| {
                // Fewer by `run`: each of those is a whole further drill.
                let by = if at % 3 == 0 { Recovery::Run } else { Recovery::Undo };
                Case { fault: Fault::Killed(point), by }
            });
        let mut cases: Vec<Case> = killed.collect();
        let held = self.held();
        for write in self.scenario.writes() {
            let of_write: Vec<Case> = held
                .iter()
                .filter(|case| matches!(case.fault, Fault::Held(w, _) if w == *write))
                .copied()
                .collect();
            cases.extend(spread(&of_write, 1, seed));
        }
        cases.extend(self.cordons());
        cases.extend(spread(&self.lost(), LOST, seed));
        cases.extend(spread(&self.lost_held(), 1, seed));
        cases
    }

    /// The case with an id; a point beyond the undisturbed run's end, too.
    pub fn find(&self, id: &str) -> Option<Case> {
        let wide = Self { events: self.events + 100, ..*self };
        wide.all().into_iter().find(|case| case.to_string() == id)
    }

    fn points(&self) -> Vec<Point> {
        (1..=self.events).flat_map(|n| [Point::Before(n), Point::After(n)]).collect()
    }

    fn held(&self) -> Vec<Case> {
        let moments = REQUESTS.map(LetGo::At).into_iter().chain([LetGo::End]);
        let faults =
            self.scenario.writes().iter().flat_map(move |write| {
                moments.clone().map(move |moment| Fault::Held(*write, moment))
            });
        faults.flat_map(both).collect()
    }

    fn cordons(&self) -> Vec<Case> {
        match self.scenario {
            Scenario::Shop => Vec::new(),
            Scenario::Node => {
                Meddling::ALL.into_iter().flat_map(|it| both(Fault::Cordon(it))).collect()
            }
        }
    }

    fn lost(&self) -> Vec<Case> {
        let point = |n| Case { fault: Fault::Lost(Point::After(n)), by: Recovery::Undo };
        (1..=self.events).map(point).collect()
    }

    fn lost_held(&self) -> Vec<Case> {
        let made = self.scenario.writes().iter().filter(|write| write.is_forward());
        made.flat_map(|write| both(Fault::LostHeld(*write))).collect()
    }
}

fn both(fault: Fault) -> [Case; 2] {
    [Recovery::Run, Recovery::Undo].map(|by| Case { fault, by })
}

/// One item of each of `count` equal stretches of `items`, decided by the seed.
fn spread<T: Copy + fmt::Display>(items: &[T], count: usize, seed: u64) -> Vec<T> {
    let count = count.min(items.len());
    let stretch = |at: usize| &items[at * items.len() / count..(at + 1) * items.len() / count];
    let rank = |item: &T| Sha256::digest(format!("{seed} {item}").as_bytes());
    (0..count).filter_map(|at| stretch(at).iter().min_by_key(|item| rank(item)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_an_id_of_its_own_and_is_found_by_it() {
        for scenario in [Scenario::Shop, Scenario::Node] {
            let plan = Plan::new(scenario, 40);
            let all = plan.all();
            let ids: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
            assert_eq!(ids.len(), all.len());
            assert!(all.len() > 2 * 2 * 40);
            assert_eq!(plan.find("after:40/undo").unwrap().to_string(), "after:40/undo");
            assert!(plan.find("after:41/run").is_some() && plan.find("after:0/run").is_none());
        }
    }

    #[test]
    fn a_sample_is_part_of_all_spread_over_the_run_and_decided_by_its_seed() {
        let plan = Plan::new(Scenario::Node, 40);
        let (all, sample) = (plan.all(), plan.sample(7));
        assert!(sample.iter().all(|case| all.contains(case)));
        assert_eq!(sample, plan.sample(7));
        assert_ne!(sample, plan.sample(8));
        let points: Vec<u32> = sample
            .iter()
            .filter_map(|case| match case.fault {
                Fault::Killed(Point::Before(n) | Point::After(n)) => Some(n),
                _ => None,
            })
            .collect();
        assert_eq!(points.len(), POINTS);
        assert!(points[0] <= 4 && points[POINTS - 1] >= 37, "{points:?}");
        assert!(points.is_sorted(), "{points:?}");
        let writes = Scenario::Node.writes().len();
        let held = sample.iter().filter(|case| matches!(case.fault, Fault::Held(..))).count();
        assert_eq!(held, writes);
        // A run shorter than the sample gives all its points.
        assert_eq!(spread(&Plan::new(Scenario::Node, 2).points(), POINTS, 1).len(), 4);
    }
}
