//! Reports: one fold over a run's events, and the forms in which people and programs read it.
//!
//! PURE. [`summary`] is the only place that computes figures; every form only lays them out.

pub mod json;
pub mod summary;
pub mod text;
pub mod words;

pub use summary::{FoldError, SUMMARY_VERSION, Summary};
