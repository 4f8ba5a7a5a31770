//! The list of kinds: what a step can do.
//!
//! PURE but for each kind's `act` file.

pub mod check;
pub mod drain_nodes;
pub mod owner;
pub mod velero_restore;
pub mod window;
mod words;
pub mod workloads_ready;
