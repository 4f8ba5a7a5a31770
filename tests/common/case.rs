//! One case of a test: an installation of its own, and the judge's eyes on all that it does.

use anyhow::{Context, ensure};
use kube::Client;
use lab::{
    Lab,
    audit::AuditLog,
    firedrill::ConfigOptions,
    picture::{BudgetWatch, Evidence, Fate, Picture, Snapshot, judge, watch_budgets},
};
use serde_json::Value;

use super::{Firedrill, Ran};

/// A case from its beginning on.
pub struct Case {
    name: &'static str,
    /// The installation.
    pub firedrill: Firedrill,
    admin: Client,
    before: Snapshot,
    log: AuditLog,
    budgets: BudgetWatch,
}

/// How a case ended.
pub struct Ended {
    /// The run, as `report --format json` gives it.
    pub report: Value,
    /// What became of every write.
    pub picture: Picture,
    /// For the table: case, exit code, sentence.
    pub row: String,
}

impl Case {
    /// Begins: everything from now on is judged.
    pub async fn begin(
        lab: &Lab,
        name: &'static str,
        options: ConfigOptions,
    ) -> anyhow::Result<Self> {
        let admin = lab.client().await?;
        let firedrill = Firedrill::new(lab, name, options).await?;
        let log = AuditLog::from_now(&lab.control_plane().audit_log)?;
        let before = Snapshot::take(&admin).await?;
        let budgets = watch_budgets(admin.clone()).await?;
        Ok(Self { name, firedrill, admin, before, log, budgets })
    }

    /// The run ended with `code`, and its report and its stdout give the cause: one sentence with
    /// all of `words` in it. Answers the report.
    pub async fn told(&self, ran: &Ran, code: i32, words: &[&str]) -> anyhow::Result<Value> {
        ensure!(ran.code == code, "{}: not {code} but {ran}", self.name);
        let report = self.firedrill.report().await?;
        let why = report["why"].as_str().with_context(|| format!("no cause: {report:#}"))?;
        ensure!(report["exitCode"] == code, "exit code {code}, reported {}", report["exitCode"]);
        ensure!(!why.contains('\n'), "more than a sentence: {why}");
        // The report for people is wrapped: the words are the same, the spaces are not.
        // A sentence begins with a capital letter there.
        let flat =
            |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let stdout = flat(&ran.stdout);
        for word in words {
            ensure!(why.contains(word), "{}: {word:?} is not in: {why}", self.name);
            ensure!(stdout.contains(&flat(word)), "{word:?} is not on stdout:\n{}", ran.stdout);
        }
        Ok(report)
    }

    /// The run ended as in [`Case::told`], the journal is sound and nothing is left.
    pub async fn end(self, ran: &Ran, code: i32, words: &[&str]) -> anyhow::Result<Ended> {
        let report = self.told(ran, code, words).await?;
        ensure!(report["leftovers"].as_array().is_some_and(Vec::is_empty), "{report:#}");
        self.clean(report).await
    }

    /// The journal is sound and nothing is left in the world.
    pub async fn clean(mut self, report: Value) -> anyhow::Result<Ended> {
        if self.firedrill.journal().exists() {
            self.firedrill.verify().await?;
        }
        let budgets = self.budgets.stop().await?;
        let after = Snapshot::take(&self.admin).await?;
        self.log.refresh()?;
        let picture = judge(&Evidence {
            entries: self.log.entries(),
            before: &self.before,
            after: &after,
            seats: &budgets.seats,
            kept: &[],
        });
        ensure!(picture.is_clean(), "{}: {picture:#}", self.name);
        ensure!(budgets.violations.is_empty(), "{}: {budgets}", self.name);
        let why = report["why"].as_str().unwrap_or_default();
        let row = format!("{:<28} {}  {why}", self.name, report["exitCode"]);
        Ok(Ended { report, picture, row })
    }
}

impl Ended {
    /// Nothing was written but what needs no undo (the epoch, access reviews): it was refused
    /// before anything was changed.
    pub fn changed_nothing(&self) -> anyhow::Result<()> {
        let undone = self.picture.writes.iter().any(|write| write.fate == Fate::Undone);
        ensure!(!undone, "something was changed: {:#}", self.picture);
        Ok(())
    }
}
