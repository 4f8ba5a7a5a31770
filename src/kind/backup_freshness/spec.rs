//! What a drill may say about the freshness of backups. PURE.

use std::time::Duration;

use crate::kind::velero_restore::spec::Of;

/// A checked `backupFreshness`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Which backups are looked at.
    pub of: Of,
    /// How old the newest Completed one may be, by its own timestamps.
    pub max_age: Duration,
    /// The longest time that may lie between two Completed ones within the window.
    pub max_gap: Option<Duration>,
    /// How far back is looked.
    pub window: Duration,
    /// How much longer the newest must be kept before it expires.
    pub kept_for: Option<Duration>,
    /// How much smaller than the median of the window the newest may be, in percent.
    pub max_shrink: Option<u8>,
}
