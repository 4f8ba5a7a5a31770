//! firedrill: disaster-recovery drills for Kubernetes.
//!
//! ARCHITECTURE.md draws the house; each folder is one noun of it.

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod drill;
pub mod halt;
pub mod journal;
pub mod kind;
pub mod mark;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod snapshot;
pub mod supervise;
pub mod world;
