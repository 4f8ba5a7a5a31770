//! A run: one execution of a drill.

pub mod event;
pub mod verdict;
