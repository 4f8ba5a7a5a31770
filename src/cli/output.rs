//! How answers are given: as text for people, or as JSON for programs.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::report::words;
pub use crate::report::words::{duration, exact, limit, neutral, short, wall};

/// `--output`, on every command that answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people; fits 80 columns.
    #[default]
    Text,
    /// For programs; one document.
    Json,
}

/// A table without lines, with a header, that fits 80 columns.
///
/// Every cell is neutralised. The column `elastic` (from 0) is as wide as the others leave room
/// for; what is longer than that is wrapped within it, never cut.
#[must_use]
pub fn table<const N: usize>(
    header: [&str; N],
    elastic: usize,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH + GAP)
        .set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| neutral(&cell)));
    }
    let widths = table.column_max_content_widths();
    let fixed: usize = widths
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != elastic)
        .map(|(_, it)| *it as usize)
        .sum();
    for (at, column) in table.column_iter_mut().enumerate() {
        // No margin at the left: the first column begins where the line does.
        column.set_padding((0, GAP));
        // Names from elsewhere may be of any length; then every column has to give.
        if at != elastic && fixed <= words::WIDTH * 3 / 4 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Columns between two columns of a table.
const GAP: u16 = 2;
/// [`words::WIDTH`], as tables want it.
const WIDTH: u16 = 80;

/// A value as indented JSON, with a line break at its end.
///
/// # Errors
/// If the value has keys that are no strings.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_is_harmless() {
        let text = table(
            ["NAME", "WHY"],
            1,
            [["one".into(), "word ".repeat(40)], ["t\u{1b}[2Jwo\nthree".into(), "中".repeat(60)]],
        );
        let wide = table(["NAME", "WHY"], 1, [["name".repeat(50), "why ".repeat(50)]]);
        assert!(wide.lines().all(|line| words::width(line) <= words::WIDTH), "{wide}");
        for line in text.lines() {
            assert!(words::width(line) <= words::WIDTH, "{line}");
            assert!(!line.contains('\u{1b}'));
            assert_eq!(line.trim_end(), line);
        }
        assert!(text.starts_with("NAME"), "{text}");
        assert_eq!(text.matches("word").count(), 40, "{text}");
    }
}
