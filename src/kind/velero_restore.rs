//! `veleroRestore`: bring a backup back into a closed sandbox.

pub mod spec;

pub use spec::Spec;
