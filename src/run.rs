//! A run: one execution of a drill.

pub mod closing;
pub mod effect;
pub mod event;
pub mod look;
pub mod machine;
pub mod record;
pub mod epoch;
pub mod house;
pub mod lease;
pub mod step;
pub mod drive;
pub mod preflight;
pub mod recover;
pub mod verdict;
#[cfg(test)]
mod model;
