//! The report for programs. PURE.
//!
//! It is the [`Summary`] itself: camelCase keys, durations as whole milliseconds with `Millis` in
//! their name, instants as RFC 3339 in UTC, absent figures as `null`, and `schemaVersion`, which
//! grows when a field changes its meaning or goes away. New fields may come at any time.

use super::Summary;

/// The report as indented JSON, with a line break at its end.
///
/// # Errors
/// Never in practice: every key is a string. The signature passes serde's error on.
pub fn render(summary: &Summary) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(summary)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::report::summary::{Summary, samples};

    #[test]
    fn golden() {
        for (name, entries) in [
            ("passed", samples::passed()),
            ("interrupted", samples::interrupted()),
            ("retried", samples::retried()),
        ] {
            let summary = Summary::fold(&entries).expect("a run");
            let text = super::render(&summary).expect("json");
            let read: Summary = serde_json::from_str(&text).expect("a summary");
            assert_eq!(read, summary);
            insta::assert_snapshot!(name, text);
        }
    }

    #[test]
    fn hostile_text_is_escaped() {
        let text = super::render(&Summary::fold(&samples::refused()).expect("a run"));
        assert!(!text.expect("json").contains(|c: char| c.is_control() && c != '\n'));
    }
}
