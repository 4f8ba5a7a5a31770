//! `veleroBackup`: makes a Velero backup.

pub mod fields;
pub mod spec;

pub use spec::Spec;
