//! What came of the cases, as a table and as one JSON object. Pure.

use std::{fmt, path::PathBuf, time::Duration};

use comfy_table::{Table, presets};
use serde_json::json;

use super::Scenario;

/// What came of one case.
#[derive(Clone, Debug, Default)]
pub struct CaseResult {
    /// Its id, which `--case` takes.
    pub id: String,
    /// Where firedrill died: the last event of its journal, or the held write.
    pub died: String,
    /// What came of the recovery, and of the held write.
    pub recovery: String,
    /// How many things are left.
    pub leftovers: usize,
    /// What is wrong; empty = it passed.
    pub problems: Vec<String>,
    /// Journal, configuration and logs, of a failed case alone.
    pub folder: Option<PathBuf>,
    /// How long it took.
    pub took: Duration,
}

/// One line, and what is wrong below it.
impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.problems.is_empty() { "clean" } else { "FAILED" };
        let seconds = self.took.as_secs_f64();
        write!(f, "{}: {}; {}; {verdict} ({seconds:.1} s)", self.id, self.died, self.recovery)?;
        for problem in &self.problems {
            write!(f, "\n    {}", problem.trim_end().replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

/// What came of all of them.
#[derive(Clone, Debug)]
pub struct Report {
    scenario: Scenario,
    seed: u64,
    events: usize,
    /// The cases, in the order in which they were run.
    pub cases: Vec<CaseResult>,
}

impl Report {
    pub(super) fn new(scenario: Scenario, seed: u64, events: usize) -> Self {
        Self { scenario, seed, events, cases: Vec::new() }
    }

    /// Distinct journal points at which firedrill was killed.
    #[must_use]
    pub fn points(&self) -> usize {
        let ids = self.cases.iter().map(|case| case.id.split('/').next().unwrap_or_default());
        let mut points: Vec<&str> =
            ids.filter(|id| id.starts_with("before:") || id.starts_with("after:")).collect();
        points.sort_unstable();
        points.dedup();
        points.len()
    }

    /// Things left, over all cases.
    #[must_use]
    pub fn leftovers(&self) -> usize {
        self.cases.iter().map(|case| case.leftovers).sum()
    }

    /// Cases with anything wrong.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.problems.is_empty()).count()
    }

    /// Whether nothing is left and no case failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.leftovers() == 0 && self.failed() == 0
    }

    /// One JSON object on one line.
    #[must_use]
    pub fn json(&self) -> String {
        json!({
            "crash": self.scenario.name(),
            "points": self.points(),
            "cases": self.cases.len(),
            "leftovers": self.leftovers(),
            "failed": self.failed(),
        })
        .to_string()
    }

    /// A table, then the failures, then one line of sums.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["CASE", "DIED", "RECOVERY", "LEFT", "SECONDS", "RESULT"]);
        for case in &self.cases {
            table.add_row([
                case.id.clone(),
                case.died.clone(),
                case.recovery.clone(),
                case.leftovers.to_string(),
                format!("{:.1}", case.took.as_secs_f64()),
                if case.problems.is_empty() { "clean" } else { "FAILED" }.to_owned(),
            ]);
        }
        let mut text = format!("{table}\n");
        for case in self.cases.iter().filter(|case| !case.problems.is_empty()) {
            text.push_str(&format!("\n{case}\n"));
            if let Some(folder) = &case.folder {
                text.push_str(&format!("    journal and logs: {}\n", folder.display()));
            }
            let (name, seed) = (self.scenario.name(), self.seed);
            text.push_str(&format!(
                "    again: cargo lab crash {name} --seed {seed} --case {}\n",
                case.id
            ));
        }
        let took: Duration = self.cases.iter().map(|case| case.took).sum();
        text.push_str(&format!(
            "\n{}: {} of {} journal points (seed {}), {} cases in {:.0} s, {} leftovers, {} failed\n",
            self.scenario.name(),
            self.points(),
            self.events * 2,
            self.seed,
            self.cases.len(),
            took.as_secs_f64(),
            self.leftovers(),
            self.failed(),
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_count_what_is_wrong() {
        let case = |id: &str| CaseResult { id: id.into(), ..CaseResult::default() };
        let mut report = Report::new(Scenario::Shop, 3, 40);
        report.cases = vec![case("after:1/run"), case("after:1/undo"), case("held:lease/run@3")];
        assert!(report.is_clean());
        let expected = r#"{"cases":3,"crash":"shop","failed":0,"leftovers":0,"points":1}"#;
        let value: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(expected).unwrap());
        report.cases[2].leftovers = 2;
        report.cases[2].problems = vec!["it is there".into()];
        assert!(!report.is_clean());
        let text = report.text();
        assert!(text.contains("cargo lab crash shop --seed 3 --case held:lease/run@3"), "{text}");
        assert!(text.contains("1 of 80 journal points"), "{text}");
        assert!(text.contains("2 leftovers, 1 failed"), "{text}");
    }
}
