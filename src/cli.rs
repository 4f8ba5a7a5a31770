//! The command line: one file for each subcommand.

pub mod history;
pub mod output;
pub mod report;
pub mod show;
