//! One case from its beginning to its judgement.

use std::{fs, time::Instant};

use anyhow::bail;

use super::{
    plan::{Case, Fault, Point, Recovery},
    report::CaseResult,
    rig::{Ended, Program, Rig},
};
use crate::picture::watch_budgets;

/// What a case tells, and what is wrong with it so far.
#[derive(Debug, Default)]
pub struct Told {
    /// Where firedrill died.
    pub died: String,
    /// What came of the recovery.
    pub recovery: Vec<String>,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Told {
    /// A command of the recovery, which must end with 0.
    pub fn ended(&mut self, what: &str, ended: Ended, program: &Program) {
        self.recovery.push(format!("{what} {ended}"));
        if !ended.is(0) {
            self.problems.push(format!("firedrill {what}: {ended}\n{}", program.tail()));
        }
    }

    /// Something that must hold.
    pub fn must(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.problems.push(what.into());
        }
    }
}

impl Rig<'_> {
    /// Performs a case. Whatever goes wrong is in its result; the cluster is clean afterwards.
    pub async fn perform(&mut self, case: &Case) -> CaseResult {
        let began = Instant::now();
        let mut told = Told::default();
        let mut result = CaseResult { id: case.to_string(), ..CaseResult::default() };
        match self.program(&result.id).await {
            Ok(program) => {
                match self.judged(case, &program, &mut told).await {
                    Ok(leftovers) => result.leftovers = leftovers,
                    Err(error) => told.problems.push(format!("{error:#}")),
                }
                if told.problems.is_empty() {
                    let _ = fs::remove_dir_all(&program.folder);
                } else {
                    result.folder = Some(program.folder.clone());
                }
            }
            Err(error) => told.problems.push(format!("{error:#}")),
        }
        if let Err(error) = self.tidy(!told.problems.is_empty()).await {
            told.problems.push(format!("the lab cannot be tidied up: {error:#}"));
        }
        result.died = told.died;
        result.recovery = told.recovery.join(", ");
        result.problems = told.problems;
        result.took = began.elapsed();
        result
    }

    /// Performs and judges; how many things are left.
    async fn judged(
        &mut self,
        case: &Case,
        program: &Program,
        told: &mut Told,
    ) -> anyhow::Result<usize> {
        let before = self.begin().await?;
        let budgets = watch_budgets(self.admin.clone()).await?;
        match case.fault {
            Fault::Killed(point) => {
                self.kill(program, point, told).await?;
                self.recover(program, case.by, told).await?;
            }
            Fault::Lost(point) => {
                self.kill(program, point, told).await?;
                program.lose_journal()?;
                self.recover(program, case.by, told).await?;
            }
            Fault::Held(write, moment) => self.held(program, write, moment, case.by, told).await?,
            Fault::LostHeld(write) => self.lost_held(program, write, case.by, told).await?,
            Fault::Cordon(meddling) => self.cordon(program, meddling, case.by, told).await?,
        }
        let verified = program.verify().await?;
        told.must(verified.is(0), format!("journal verify: {verified}\n{}", program.tail()));
        let budgets = budgets.stop().await?;
        told.must(budgets.is_clean(), budgets.to_string());
        let picture = self.picture(&before, &budgets).await?;
        told.must(picture.is_clean(), picture.to_string());
        Ok(picture.leftovers.len().max(picture.left().count()))
    }

    /// Runs the drill until it kills itself.
    async fn kill(&self, program: &Program, point: Point, told: &mut Told) -> anyhow::Result<()> {
        let child = program.start_run(&program.config, Some(&point.to_string()))?;
        let ended = super::rig::ended(child).await?;
        let events = program.events().await?;
        let last = events.last().map_or("nothing", String::as_str);
        let how = if ended.is_killed() { "killed".to_owned() } else { ended.to_string() };
        told.died = format!("{how}, journal ends with {} {last}", events.len());
        // A run is a few events shorter or longer than the undisturbed one: notes come and go.
        let (Point::Before(n) | Point::After(n)) = point;
        let is_beyond = ended.is(0) && events.len() < n as usize;
        if !ended.is_killed() && !is_beyond {
            bail!("it should have died at {point}: {ended}\n{}", program.tail());
        }
        Ok(())
    }

    /// Recovers, which must end with 0.
    pub async fn recover(
        &self,
        program: &Program,
        by: Recovery,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let ended = match by {
            Recovery::Run => program.run().await?,
            Recovery::Undo => program.undo().await?,
        };
        self.recovered(program, by, ended, told).await
    }

    /// Judges how a recovery ended.
    pub async fn recovered(
        &self,
        program: &Program,
        by: Recovery,
        ended: Ended,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        // The killed run has emptied the node that the next one picks: it is right to refuse.
        if by == Recovery::Run && ended.is(3) && program.tail().contains("no pod to evict") {
            told.recovery.push("run refused (node empty)".to_owned());
            self.spread().await?;
            let again = program.run().await?;
            told.ended("run", again, program);
        } else {
            told.ended(&by.to_string(), ended, program);
        }
        Ok(())
    }
}
