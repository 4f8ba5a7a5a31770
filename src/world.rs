//! The world: clients of clusters, built, timed out and with their errors told apart.
//!
//! No decisions here. Reads are open to everyone; [`kube::Cluster::send_write`] is for
//! `run/effect.rs` and the closed table of exceptions in ARCHITECTURE.md.

pub mod access;
pub mod client;
pub mod error;
pub mod files;
pub mod forward;
pub mod kube;
pub mod login;
pub mod watch;

pub use error::WorldError;
