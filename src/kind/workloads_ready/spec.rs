//! What a drill may say about readiness. PURE.

use std::time::Duration;

/// A checked `workloadsReady`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// `in`: the restore step whose sandbox is watched.
    pub within: String,
    /// How long everything must stay ready without a break.
    pub stable_for: Duration,
}
