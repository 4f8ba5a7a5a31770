//! `workloadsReady`: everything that a restore brought back is ready, and stays so.

pub mod act;
pub mod decide;
pub mod fields;
mod object;
pub mod spec;

pub use spec::Spec;
