//! `firedrill schema`: the language of drills and of the configuration as JSON Schema.

use clap::ValueEnum;

use crate::{config, drill};

/// Which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Of drills
    Drill,
    /// Of the configuration
    Config,
}

/// The schema, as text with a line break at its end. It needs no configuration and no cluster.
#[must_use]
pub fn text(language: Language) -> String {
    let (root, title) = match language {
        Language::Drill => (&drill::fields::DRILL, "A drill of firedrill"),
        Language::Config => (&config::fields::CONFIGURATION, "The configuration of firedrill"),
    };
    drill::schema::text(root, title)
}
