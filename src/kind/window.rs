//! Since when something holds, as far as watches can tell. PURE.
//!
//! A watch that was cut is blind: what happened meanwhile is only bounded by what was known before
//! and what a new list shows. So every instant is a pair of bounds, and a stretch of time counts
//! as unbroken only where nobody was blind.

use std::time::Duration;

use crate::clock::Mono;

/// An instant that lies between two others; both are the same where it was seen directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The earliest that it may have been.
    pub lower: Mono,
    /// The latest that it may have been: the figure that is reported.
    pub upper: Mono,
}

impl Bounds {
    /// An instant that was seen as it happened.
    #[must_use]
    pub fn exact(at: Mono) -> Self {
        Self { lower: at, upper: at }
    }

    /// The later of this instant and `floor`.
    #[must_use]
    pub fn at_least(self, floor: Mono) -> Self {
        Self { lower: self.lower.max(floor), upper: self.upper.max(floor) }
    }

    /// The later of two instants, bound by bound.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        Self { lower: self.lower.max(other.lower), upper: self.upper.max(other.upper) }
    }
}

/// A stretch of time through which something is known to have held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: Bounds,
    /// The first instant at which it may no longer have held; none = it holds.
    end: Option<Mono>,
}

/// When something held: a fold over what was seen.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// In order, none overlapping; only the last may be open.
    stretches: Vec<Stretch>,
}

impl Holding {
    /// It was seen to hold, or not, at `at`. Instants never go back.
    pub fn set(&mut self, holds: bool, at: Mono) {
        match (self.open(), holds) {
            (Some(last), false) => last.end = Some(at),
            (None, true) => self.stretches.push(Stretch { start: Bounds::exact(at), end: None }),
            _ => {}
        }
    }

    /// Nothing was seen after `from` until now, `at`, when it was found to hold or not.
    pub fn set_after_gap(&mut self, holds: bool, from: Mono, at: Mono) {
        // The earliest instant since which it may have held without a break. Where it held when
        // the gap began, that is the start of that stretch; where another watch saw it begin
        // within the gap, that; else the beginning of the gap.
        let lower = match self.open() {
            Some(last) => last.start.lower,
            None => from.max(self.stretches.last().and_then(|last| last.end).unwrap_or(from)),
        };
        // What was said about the time of the gap is not proven any more.
        while let Some(last) = self.stretches.last_mut() {
            if last.start.upper >= from {
                self.stretches.pop();
            } else {
                last.end = Some(last.end.map_or(from, |end| end.min(from)));
                break;
            }
        }
        if holds {
            self.stretches.push(Stretch { start: Bounds { lower, upper: at }, end: None });
        }
    }

    /// Whether it holds by the last that was seen.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.stretches.last().is_some_and(|last| last.end.is_none())
    }

    /// The start of the first stretch that holds for `stable_for` without a break, seen from `at`.
    /// Only time from `after` on counts, so the answer is never earlier than that.
    #[must_use]
    pub fn window(&self, after: Mono, stable_for: Duration, at: Mono) -> Option<Bounds> {
        self.stretches.iter().find_map(|stretch| {
            let start = stretch.start.at_least(after);
            let end = stretch.end.unwrap_or(at);
            (end >= start.upper && end.since(start.upper) >= stable_for && at >= start.upper)
                .then_some(start)
        })
    }

    fn open(&mut self) -> Option<&mut Stretch> {
        self.stretches.last_mut().filter(|last| last.end.is_none())
    }
}

/// Cuts the time from `t0` into phases along the critical path: each ends at its own instant, or
/// where the phase before it ended if that is later, and never after `end`; so they sum to the
/// whole. A phase without an instant was not seen and is left out. `last` names the phase that
/// ends at `end`.
#[must_use]
pub fn cut<'a>(
    t0: Mono,
    phases: &[(&'a str, Option<Mono>)],
    last: &'a str,
    end: Mono,
) -> Vec<(&'a str, Mono)> {
    let mut ends = Vec::new();
    let mut before = t0;
    for &(name, at) in phases {
        if let Some(at) = at {
            before = at.max(before).min(end);
            ends.push((name, before));
        }
    }
    ends.push((last, end));
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_millis;

    fn bounds(lower: u64, upper: u64) -> Option<Bounds> {
        Some(Bounds { lower: Mono(lower), upper: Mono(upper) })
    }

    #[test]
    fn a_break_starts_the_window_anew() {
        let mut holding = Holding::default();
        holding.set(false, Mono(0));
        holding.set(true, Mono(10));
        holding.set(true, Mono(12));
        assert_eq!(holding.window(Mono(0), S(10), Mono(19)), None);
        holding.set(false, Mono(19));
        holding.set(true, Mono(20));
        assert_eq!(holding.window(Mono(0), S(10), Mono(29)), None);
        assert_eq!(holding.window(Mono(0), S(10), Mono(30)), bounds(20, 20));
        // The first window stays the answer, whatever comes later.
        holding.set(false, Mono(31));
        assert_eq!(holding.window(Mono(0), S(10), Mono(99)), bounds(20, 20));
        assert!(!holding.holds());
    }

    #[test]
    fn only_time_after_the_floor_counts() {
        let mut holding = Holding::default();
        holding.set(true, Mono(5));
        holding.set(false, Mono(21));
        // Held from 5 to 21, but the restore ended at 20: what broke at 21 was not there yet.
        assert_eq!(holding.window(Mono(20), S(10), Mono(25)), None);
        holding.set(true, Mono(40));
        assert_eq!(holding.window(Mono(20), S(10), Mono(50)), bounds(40, 40));
        let mut early = Holding::default();
        early.set(true, Mono(5));
        assert_eq!(early.window(Mono(20), S(10), Mono(29)), None);
        assert_eq!(early.window(Mono(20), S(10), Mono(30)), bounds(20, 20));
        assert_eq!(early.window(Mono(20), S(0), Mono(19)), None, "not before the floor itself");
    }

    #[test]
    fn a_gap_widens_the_start() {
        // It was not ready before the gap and is after it.
        let mut holding = Holding::default();
        holding.set(false, Mono(0));
        holding.set_after_gap(true, Mono(10), Mono(20));
        assert_eq!(holding.window(Mono(0), S(10), Mono(29)), None);
        assert_eq!(holding.window(Mono(0), S(10), Mono(30)), bounds(10, 20));
    }

    #[test]
    fn a_gap_may_hide_a_break() {
        let mut holding = Holding::default();
        holding.set(true, Mono(5));
        holding.set_after_gap(true, Mono(10), Mono(20));
        assert_eq!(holding.window(Mono(0), S(10), Mono(29)), None, "15 s were not all seen");
        assert_eq!(holding.window(Mono(0), S(10), Mono(30)), bounds(5, 20));
        // Long enough before the gap: proven, and exact.
        let mut proven = Holding::default();
        proven.set(true, Mono(5));
        proven.set_after_gap(false, Mono(15), Mono(20));
        assert_eq!(proven.window(Mono(0), S(10), Mono(20)), bounds(5, 5));
        assert_eq!(proven.window(Mono(0), S(11), Mono(90)), None);
    }

    #[test]
    fn what_another_watch_saw_within_the_gap_is_not_proven() {
        let mut holding = Holding::default();
        holding.set(true, Mono(0));
        holding.set(false, Mono(12));
        holding.set(true, Mono(14));
        // Only now it turns out that one of the watches saw nothing since 10.
        holding.set_after_gap(true, Mono(10), Mono(20));
        assert_eq!(holding.window(Mono(0), S(10), Mono(20)), bounds(0, 0));
        assert_eq!(holding.window(Mono(0), S(11), Mono(31)), bounds(14, 20));
    }

    #[test]
    fn phases_sum_to_the_whole() {
        let ends = cut(
            Mono(100),
            &[
                ("queued", Some(Mono(110))),
                ("restoring", Some(Mono(150))),
                ("scheduled", Some(Mono(140))),
                ("pulled", None),
                ("late", Some(Mono(900))),
            ],
            "ready",
            Mono(200),
        );
        assert_eq!(
            ends,
            [
                ("queued", Mono(110)),
                ("restoring", Mono(150)),
                ("scheduled", Mono(150)),
                ("late", Mono(200)),
                ("ready", Mono(200)),
            ]
        );
    }
}
