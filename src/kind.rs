//! The list of kinds: what a step can do.
//!
//! PURE but for each kind's `act` file.

pub mod check;
pub mod drain_nodes;
pub mod velero_restore;
mod words;
pub mod workloads_ready;
