//! A run: one execution of a drill.

pub mod closing;
pub mod effect;
pub mod event;
pub mod look;
pub mod machine;
pub mod record;
