//! `drainNodes`: cordon, evict under budgets, measure recovery, uncordon always.

pub mod fields;
pub mod spec;

pub use spec::Spec;
