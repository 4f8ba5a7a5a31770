//! A run: one execution of a drill.

pub mod closing;
pub mod drive;
pub mod effect;
pub mod epoch;
pub mod event;
pub mod finish;
pub mod guard;
pub mod house;
pub mod lease;
pub mod look;
pub mod machine;
#[cfg(test)]
mod model;
pub mod preflight;
pub mod record;
pub mod recover;
pub mod retry;
pub mod step;
pub mod sweep;
pub mod verdict;
