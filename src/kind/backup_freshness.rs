//! `backupFreshness`: whether Velero's backups are as young and as regular as they should be.

pub mod fields;
pub mod spec;

pub use spec::Spec;
