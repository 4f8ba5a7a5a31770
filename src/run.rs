//! A run: one execution of a drill.

pub mod closing;
pub mod event;
pub mod look;
pub mod machine;
#[cfg(test)]
mod model;
