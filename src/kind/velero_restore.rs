//! `veleroRestore`: bring a backup back into a closed sandbox.

pub mod act;
pub mod choose;
pub mod decide;
pub mod fields;
pub mod object;
pub mod spec;

pub use spec::Spec;
