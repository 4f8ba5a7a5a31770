//! Reading and validating 10,000 drills, beside serde-saphyr alone reading them into structs.
//!
//! Both are whole processes of one release profile, on one folder, taking turns, so that the page
//! cache and whatever else the machine does are the same for both. Both run on one thread.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use super::{Report, Side, process};
use crate::{account::repository, firedrill, progress::Progress};

/// How many drills.
const DRILLS: usize = 10_000;
/// The most that firedrill may take, as a multiple.
const ALLOWED: f64 = 3.0;

pub(super) fn run(rounds: usize) -> anyhow::Result<Report> {
    let progress = Progress::new(false);
    progress.say("building firedrill and the baseline, both in release");
    let firedrill = firedrill::build_release("firedrill", "firedrill")?;
    let baseline = firedrill::build_release("firedrill-baseline", "firedrill-baseline")?;
    let folder = tempfile::tempdir()?;
    let files = write(folder.path(), DRILLS)?;
    progress.say(&format!("{DRILLS} drills in {files} files; {rounds} rounds"));
    let mut ours = Side { name: "firedrill validate", rounds: Vec::new() };
    let mut other = Side { name: "serde-saphyr alone", rounds: Vec::new() };
    // The first round of each fills the page cache and is thrown away.
    for round in 0..=rounds {
        let mut validate = Command::new(&firedrill);
        validate.arg("validate").arg(folder.path());
        let mut read = Command::new(&baseline);
        read.arg(folder.path());
        let a = one(
            &mut validate,
            &format!("{files} files: {DRILLS} drills and 0 configurations ok, 0 errors"),
        )?;
        let b = one(&mut read, &format!("{files} files: {DRILLS} drills"))?;
        if round > 0 {
            ours.rounds.push(a);
            other.rounds.push(b);
        }
    }
    let what = format!("{DRILLS} drills in {files} files");
    Ok(Report { what, ours, other, allowed: ALLOWED })
}

/// One round of one side, which must say that it did it all.
fn one(command: &mut Command, says: &str) -> anyhow::Result<process::Took> {
    command.current_dir("/").env_remove("FIREDRILL_CONFIG").stdin(Stdio::null());
    command.stderr(Stdio::inherit());
    let (took, said) = process::measure(command)?;
    let last = said.lines().last().unwrap_or_default();
    ensure!(last.contains(says), "{command:?} must say {says:?} and says: {last}");
    Ok(took)
}

/// Writes drills made from the samples, and answers how many files that gave: most hold one drill,
/// each tenth holds two.
fn write(folder: &Path, drills: usize) -> anyhow::Result<usize> {
    let mut samples: Vec<(String, String)> = Vec::new();
    for entry in fs::read_dir(repository().join("drills"))? {
        let path = entry?.path();
        let stem = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        samples.push((stem, fs::read_to_string(&path)?));
    }
    samples.sort();
    let mut files = 0;
    let mut at = 0;
    while at < drills {
        let many = if files % 10 == 9 { 2 } else { 1 };
        let mut text = String::new();
        for _ in 0..many.min(drills - at) {
            if !text.is_empty() {
                text.push_str("---\n");
            }
            let (name, sample) = &samples[at % samples.len()];
            text.push_str(&vary(sample, name, at)?);
            at += 1;
        }
        fs::write(folder.join(format!("{files:05}.yaml")), text)?;
        files += 1;
    }
    Ok(files)
}

/// A sample with a name of its own, another service and other times.
fn vary(sample: &str, name: &str, number: usize) -> anyhow::Result<String> {
    let own = format!("name: {name},");
    ensure!(sample.matches(&own).count() == 1, "the sample {name} must name itself once, `{own}`");
    let service = ["shop", "billing", "search", "mail", "ledger"][number % 5];
    Ok(sample
        .replace(&own, &format!("name: d{number}-{name},"))
        .replace("service: shop", &format!("service: {service}"))
        .replace("[shop]", &format!("[{service}, {service}-jobs]"))
        .replace("deadline: 1h", &format!("deadline: {}m", 40 + number % 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_has_its_own_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = write(folder.path(), 25).expect("written");
        assert_eq!(files, 23, "each tenth has two");
        let mut names = Vec::new();
        for file in fs::read_dir(folder.path()).expect("read") {
            let text = fs::read_to_string(file.expect("an entry").path()).expect("a file");
            assert!(!text.is_empty());
            names.extend(text.lines().filter(|line| line.contains("metadata:")).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 25, "{names:?}");
    }
}
