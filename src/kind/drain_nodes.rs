//! `drainNodes`: cordon, evict under budgets, measure recovery, uncordon always.

pub mod act;
pub mod answer;
pub mod budget;
pub mod candidates;
pub mod caps;
pub mod decide;
pub mod fields;
pub mod node;
pub mod pods;
pub mod recovery;
pub mod selector;
pub mod spec;

pub use spec::Spec;
