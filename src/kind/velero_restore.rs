//! `veleroRestore`: bring a backup back into a closed sandbox.

pub mod fields;
pub mod spec;

pub use spec::Spec;
