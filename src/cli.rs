//! The command line: one file for each subcommand.

pub mod args;
pub mod history;
pub mod journal;
pub mod output;
pub mod place;
pub mod progress;
pub mod report;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod show;
pub mod snapshot;
pub mod undo;
pub mod validate;
