//! When a drill is due: cron fields on civil time in an IANA zone, exact where a zone changes its
//! clock.
//!
//! PURE. docs/schedule.md says the rule in words. What is asked of the zone database is asked in
//! `zone` alone; no answer depends on the machine's own zone.

pub mod cron;
pub mod freeze;
pub mod jitter;
pub mod slots;
pub mod zone;

pub use cron::{Cron, CronError, DayMatch};
pub use freeze::{Freeze, Until};
pub use jitter::jitter;
pub use slots::Slot;
