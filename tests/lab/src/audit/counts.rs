//! Requests, counted.

use std::collections::BTreeMap;

use super::Entry;

/// Requests counted by user agent, verb, resource and status code; as a table by Display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<Line, u64>);

/// A line of [`Counts`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// First word of the user agent, `firedrill/0.1.0`.
    pub user_agent: String,
    /// Verb.
    pub verb: String,
    /// Resource and subresource.
    pub resource: String,
    /// Status code.
    pub code: u16,
}

impl Counts {
    /// Counts entries.
    #[must_use]
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut counts = BTreeMap::new();
        for entry in entries {
            let line = Line {
                user_agent: entry.user_agent.split(' ').next().unwrap_or_default().to_owned(),
                verb: entry.verb.clone(),
                resource: entry.resource(),
                code: entry.code(),
            };
            *counts.entry(line).or_default() += 1;
        }
        Self(counts)
    }

    /// All requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["USER AGENT", "VERB", "RESOURCE", "CODE", "REQUESTS"]);
        for (line, count) in &self.0 {
            table.add_row([
                line.user_agent.clone(),
                line.verb.clone(),
                line.resource.clone(),
                line.code.to_string(),
                count.to_string(),
            ]);
        }
        write!(f, "{table}")
    }
}
