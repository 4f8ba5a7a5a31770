//! The only place that reads a clock.
//!
//! Wall time decides only the calendar (slots, freezes, ages). Durations and deadlines are
//! `CLOCK_BOOTTIME`, which goes on through suspend and never steps, together with the boot id,
//! because two readings compare only within one boot.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant of `CLOCK_BOOTTIME`, in milliseconds since this boot.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// This instant plus a duration, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "boot+{}.{:03}s", self.0 / 1000, self.0 % 1000)
    }
}

/// A duration in whole milliseconds, saturating at `u64::MAX`.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For people and for the calendar only.
    pub wall: Timestamp,
    /// For every duration and deadline.
    pub mono: Mono,
}

/// Reads the clocks; tests put a virtual one in its place.
pub trait Clock: Send + Sync {
    /// Both clocks now.
    fn now(&self) -> Now;
    /// Identifies the boot that [`Now::mono`] counts from.
    fn boot(&self) -> &str;
    /// Shorthand for `now().mono`.
    fn mono(&self) -> Mono {
        self.now().mono
    }
}

/// The machine's clocks.
pub struct SystemClock {
    boot: String,
}

impl SystemClock {
    /// Reads the boot id once.
    ///
    /// # Errors
    /// If `/proc/sys/kernel/random/boot_id` cannot be read: without it, readings of two boots
    /// would be compared.
    pub fn new() -> std::io::Result<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Self { boot: boot.trim().to_owned() })
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    fn now(&self) -> Now {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let secs = u64::try_from(boot.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(boot.tv_nsec).unwrap_or(0);
        Now { wall: Timestamp::now(), mono: Mono(secs * 1000 + nanos / 1_000_000) }
    }

    fn boot(&self) -> &str {
        &self.boot
    }
}
