//! What a drill may say about a drain. PURE.

use std::time::Duration;

pub use crate::drill::scalar::Amount;

/// A checked `drainNodes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The candidates.
    pub of: Candidates,
    /// How many of them.
    pub count: Amount,
    /// Which of them.
    pub pick: Pick,
    /// How long the workloads must stay recovered without a break.
    pub stable_for: Duration,
    /// `hold: untilEnd`: keep the cordon until the run closes.
    pub hold_until_end: bool,
}

/// The nodes that a drain chooses from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidates {
    /// Those with these labels, in Kubernetes' syntax (`a=b,c!=d`).
    Selector(String),
    /// Those of a zone: its name in the label `topology.kubernetes.io/zone`.
    Zone(String),
    /// These, all of them.
    Names(Vec<String>),
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
