//! The command line: one file for each subcommand.

pub mod journal;
pub mod validate;
pub mod history;
pub mod output;
pub mod report;
pub mod show;
