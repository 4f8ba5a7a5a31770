//! Freeze windows: times in which nothing may start, each beginning at a slot.
//!
//! PURE.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Cron, slots};

/// How far ahead the end of a window is looked for: windows that follow each other without a break
/// may have none.
const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A window that begins at each slot and lasts for the duration, in absolute time: a window of 24
/// hours over the change to summer time ends an hour later by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// When it begins.
    pub cron: Cron,
    /// The zone of the expression.
    pub zone: TimeZone,
    /// How long it lasts.
    pub duration: Duration,
}

/// The end of a freeze, all windows together that overlap or follow without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The first instant that is in no window.
    Instant(Timestamp),
    /// There is none before this instant, 400 days ahead; perhaps there is none at all.
    After(Timestamp),
}

impl Freeze {
    /// Whether an instant lies in a window, and until when that holds. The first instant of a
    /// window is in it, its end is not.
    #[must_use]
    pub fn frozen(&self, at: Timestamp) -> Option<Until> {
        let ends = |from: Timestamp| from.checked_add(self.duration).unwrap_or(Timestamp::MAX);
        // A window that began at or before this instant has ended.
        let over = at.checked_sub(self.duration).unwrap_or(Timestamp::MIN);
        let horizon = at.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        let mut slots = slots::next(&self.cron, &self.zone, over);
        let first =
            slots.next().filter(|slot| slot.instant <= at && self.duration > Duration::ZERO)?;
        let mut end = ends(first.instant);
        for slot in slots {
            if slot.instant > end {
                break;
            }
            if end > horizon {
                return Some(Until::After(horizon));
            }
            end = ends(slot.instant);
        }
        Some(Until::Instant(end))
    }
}

#[cfg(test)]
mod tests;
