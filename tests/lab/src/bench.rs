//! `cargo lab bench`: firedrill beside something else, as whole processes.

pub mod process;
mod validate;

use std::fmt::Write as _;

use serde_json::{Value, json};

use self::process::Took;

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Benchmark {
    /// Reading and validating 10,000 drills, beside serde-saphyr alone
    Validate,
}

/// What came of a benchmark.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was done, in one line.
    pub what: String,
    /// firedrill's rounds.
    pub ours: Side,
    /// The other's rounds.
    pub other: Side,
    /// The most that ours may take, as a multiple of the other.
    pub allowed: f64,
}

/// One of the two.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is.
    pub name: &'static str,
    /// Its rounds, in order.
    pub rounds: Vec<Took>,
}

impl Side {
    /// Least, middle and most of a figure of its rounds.
    fn spread(&self, figure: impl Fn(&Took) -> f64) -> [f64; 3] {
        let mut all: Vec<f64> = self.rounds.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        let at = |index: usize| all.get(index).copied().unwrap_or(f64::NAN);
        [at(0), at(all.len() / 2), at(all.len().saturating_sub(1))]
    }

    fn wall(&self) -> [f64; 3] {
        self.spread(|took| took.wall.as_secs_f64() * 1000.0)
    }

    fn processor(&self) -> [f64; 3] {
        self.spread(|took| took.processor.as_secs_f64() * 1000.0)
    }

    fn memory(&self) -> [f64; 3] {
        #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
        self.spread(|took| took.memory as f64 / 1_000_000.0)
    }
}

impl Report {
    /// Our middle time over the other's.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ours.wall()[1] / self.other.wall()[1]
    }

    /// Whether it is not above what is allowed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.ratio() <= self.allowed
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header([
            "",
            "wall ms",
            "min",
            "max",
            "processor ms",
            "peak MB",
        ]);
        for side in [&self.ours, &self.other] {
            let [least, middle, most] = side.wall();
            let (processor, memory) = (side.processor()[1], side.memory()[2]);
            let mut row = vec![side.name.to_owned()];
            row.extend([middle, least, most, processor, memory].map(|it| format!("{it:.0}")));
            table.add_row(row);
        }
        let mut text = format!("{}, {} rounds\n\n", self.what, self.ours.rounds.len());
        for line in table.lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        let (ratio, allowed) = (self.ratio(), self.allowed);
        let _ = writeln!(text, "\nratio {ratio:.2}, allowed {allowed:.1}: {verdict}");
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let side = |side: &Side| {
            let spread =
                |[min, median, max]: [f64; 3]| json!({"min": min, "median": median, "max": max});
            json!({
                "name": side.name,
                "wallMillis": spread(side.wall()),
                "processorMillis": spread(side.processor()),
                "peakMegabytes": spread(side.memory()),
            })
        };
        json!({
            "benchmark": self.what,
            "rounds": self.ours.rounds.len(),
            "ours": side(&self.ours),
            "other": side(&self.other),
            "ratio": self.ratio(),
            "allowed": self.allowed,
            "holds": self.holds(),
        })
    }
}

/// Runs a benchmark and tells it on stdout; answers the exit code: 0, or 1 if it does not hold.
///
/// # Errors
/// When something cannot be built or run, or answers something else than it must.
pub fn command(benchmark: Benchmark, rounds: usize, as_json: bool) -> anyhow::Result<i32> {
    let report = match benchmark {
        Benchmark::Validate => validate::run(rounds)?,
    };
    if as_json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.text());
    }
    Ok(i32::from(!report.holds()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn side(name: &'static str, millis: [u64; 3]) -> Side {
        let took = |millis| Took {
            wall: Duration::from_millis(millis),
            processor: Duration::from_millis(millis / 2),
            memory: 3_000_000,
        };
        Side { name, rounds: millis.map(took).to_vec() }
    }

    #[test]
    fn the_middle_rounds_are_compared() {
        let mut report = Report {
            what: "a test".to_owned(),
            ours: side("ours", [900, 300, 310]),
            other: side("other", [100, 90, 400]),
            allowed: 3.1,
        };
        assert!((report.ratio() - 3.1).abs() < 1e-9 && report.holds());
        assert!(report.text().ends_with("ratio 3.10, allowed 3.1: holds\n"), "{}", report.text());
        assert_eq!(report.json()["ours"]["wallMillis"]["max"], 900.0);
        report.allowed = 3.0;
        assert!(!report.holds() && report.text().contains("MISSED"));
    }
}
