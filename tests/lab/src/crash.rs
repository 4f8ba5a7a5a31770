//! `cargo lab crash`: kill firedrill at every point, recover, and look at what is left.
//!
//! One lab serves all cases, one after another, as a real cluster outlives every journal: only the
//! journal is new for each case, so each also begins with an epoch below the cluster's. What became
//! of the cluster is judged by the API server's audit log ([`crate::picture`]), never by firedrill.
//!
//! Four kinds of cases (`plan`): killed at a journal point; killed while the proxy holds one of
//! its writes, which is let go later; killed while people cordon nodes; killed and the journal
//! lost.

mod case;
mod cordon;
mod held;
mod plan;
mod report;
mod rig;
mod scenario;
mod tidy;

use std::path::PathBuf;

use anyhow::bail;

use self::{plan::Plan, rig::Rig};
pub use self::{
    report::{CaseResult, Report},
    scenario::Scenario,
};
use crate::{Lab, Options, firedrill};

/// Which cases.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// All that there are, not a sample.
    pub all: bool,
    /// Decides the sample; the same seed, the same sample.
    pub seed: u64,
    /// Only this one, by its id.
    pub case: Option<String>,
    /// Only this part of the cases, K of N from 1: so that several labs share a long list.
    pub part: Option<(usize, usize)>,
    /// Only journal points: no held writes, no cordons of others, no lost journals.
    pub only_points: bool,
}

/// Runs the cases that `choice` names in `lab`, with the binary `firedrill`. The lab must have no
/// shop yet, and nothing else may write to it meanwhile.
///
/// # Errors
/// When the undisturbed run does not pass, or the lab itself fails. A case that goes wrong is no
/// error: it is in the report.
pub async fn run(
    lab: &Lab,
    firedrill: PathBuf,
    scenario: Scenario,
    choice: &Choice,
) -> anyhow::Result<Report> {
    let mut rig = Rig::start(lab, firedrill, scenario).await?;
    let events = rig.undisturbed().await?;
    rig.tidy(false).await?;
    rig.say(&format!("an undisturbed run has {} events; seed {}", events.len(), choice.seed));
    let plan = Plan::new(scenario, u32::try_from(events.len())?);
    let cases = match &choice.case {
        Some(id) => plan.find(id).into_iter().collect(),
        None if choice.all => plan.all(),
        None => plan.sample(choice.seed),
    };
    let mut cases: Vec<_> =
        cases.into_iter().filter(|case| !choice.only_points || case.is_point()).collect();
    if let Some((part, of)) = choice.part {
        let size = cases.len().div_ceil(of);
        cases = cases.into_iter().skip((part - 1) * size).take(size).collect();
    }
    if cases.is_empty() {
        bail!("{} has no case {}", scenario.name(), choice.case.as_deref().unwrap_or("at all"));
    }
    let mut report = Report::new(scenario, choice.seed, events.len());
    let total = cases.len();
    for (at, case) in cases.iter().enumerate() {
        let result = rig.perform(case).await;
        rig.say(&format!("{}/{total} {result}", at + 1));
        report.cases.push(result);
    }
    rig.end(report.failed() == 0);
    Ok(report)
}

/// The command: a lab of its own, the cases, a table on stdout; answers the exit code.
///
/// # Errors
/// As [`run`], and when firedrill cannot be built.
pub async fn command(name: &str, choice: &Choice, json: bool) -> anyhow::Result<i32> {
    let Some(scenario) = Scenario::named(name) else {
        eprintln!("error: there is no crash {name}; there are: shop, node");
        return Ok(2);
    };
    let binary = tokio::task::spawn_blocking(firedrill::build).await??;
    let lab = Lab::start(Options { quiet: false, ..Options::default() }).await?;
    let report = run(&lab, binary, scenario, choice).await?;
    if json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    let clean = report.is_clean();
    if clean {
        lab.stop().await?;
    }
    Ok(i32::from(!clean))
}
