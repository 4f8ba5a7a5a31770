//! `workloadsReady`: everything that a restore brought back is ready, and stays so.

pub mod act;
pub mod decide;
mod object;
pub mod fields;
pub mod spec;

pub use spec::Spec;
