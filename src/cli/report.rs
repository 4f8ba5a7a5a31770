//! `firedrill report RUN --format text|json`

use crate::report::{Summary, json, text};

/// `--format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people; fits 80 columns.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// The report of a run.
///
/// # Errors
/// See [`json::render`].
pub fn render(summary: &Summary, format: Format) -> serde_json::Result<String> {
    match format {
        Format::Text => Ok(text::render(summary)),
        Format::Json => json::render(summary),
    }
}
