//! What a drill may say about a drain. PURE.

use std::time::Duration;

/// A checked `drainNodes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Label selector of the candidates, in Kubernetes' syntax (`a=b,c!=d`).
    pub selector: String,
    /// How many nodes.
    pub count: u32,
    /// Which of the candidates.
    pub pick: Pick,
    /// How long the workloads must stay recovered without a break.
    pub stable_for: Duration,
    /// `hold: untilEnd`: keep the cordon until the run closes.
    pub hold_until_end: bool,
}

/// Which of the candidates are drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// Any; the choice is derived from the run's id.
    #[default]
    Random,
    /// First by name.
    First,
    /// First by creation time.
    Oldest,
}
