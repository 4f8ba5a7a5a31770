//! Drive: one run from its opening to its end. The machine says what comes next; this obeys.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::{
    closing::Closing,
    effect::{EffectError, Effects},
    epoch,
    event::{Entry, Event, Reason, StepOutcome, Trigger},
    finish::finish,
    guard,
    house::{House, Lever},
    machine::{Illegal, Next},
    preflight::{self, Plan, Plans},
    record::{Record, RecordError},
    retry,
    step::{Running, Shared, StepEnd},
    sweep::{self, Fence},
};
use crate::{
    check::ask::Asker,
    drill::{Drill, Step, StepKind},
    kind,
    report::summary::{FoldError, Summary},
    supervise::Task,
};

/// How long a step may go on after the lever was pulled, beyond the time of one request.
const GRACE: Duration = Duration::from_secs(1);

/// Why a run could not be driven to its end. What it did is in the journal, and is undone by
/// whoever comes next.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The stream is not legal.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The events do not fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The summary cannot be written down.
    #[error("the summary cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// HTTP for checks.
    #[error("no HTTP client for checks: {0}")]
    Http(String),
    /// Undo ran out of its budget at a signal; it stays open.
    #[error("stopped in mid-undo; run `firedrill undo` to finish it")]
    Stopped(Box<Summary>),
}

/// Runs a drill. `observe` gets the entries as they are written.
///
/// # Errors
/// Only where nothing sensible is left to do; see [`DriveError`].
pub async fn run(
    house: &House,
    drill: &Drill,
    trigger: Trigger,
    observe: impl FnOnce(mpsc::UnboundedReceiver<Entry>),
) -> Result<Summary, DriveError> {
    let id = uuid::Uuid::now_v7().to_string();
    let span = tracing::error_span!("run", run = id);
    whole(house, drill, &id, trigger, observe).instrument(span).await
}

async fn whole(
    house: &House,
    drill: &Drill,
    id: &str,
    trigger: Trigger,
    observe: impl FnOnce(mpsc::UnboundedReceiver<Entry>),
) -> Result<Summary, DriveError> {
    let record = Arc::new(Record::new(house.leader.clone(), house.clock.clone(), id, Vec::new())?);
    observe(record.watch());
    let names = vec![drill.cluster.clone()];
    record.append(opened(house, drill, id, trigger, &names)).await?;

    let standing = preflight::standing(house, &names).await;
    let blocked = !standing.is_empty();
    let (clusters, mut failed) = house.connect(if blocked { &[] } else { &names }).await;
    // Clusters that are only looked into: no Lease, no epoch, and nothing to recover there.
    let others = if blocked { Vec::new() } else { only_looked_into(drill) };
    let (mut looked, unseen) = house.connect(&others).await;
    failed.extend(unseen);
    looked.extend(clusters.clone());
    let (clusters, looked) = (Arc::new(clusters), Arc::new(looked));
    let timings = &house.config.timings;
    let effects =
        Effects::new(Arc::clone(&record), Arc::clone(&clusters), &house.config.instance, timings);
    let (config, clock) = (Arc::clone(&house.config), Arc::clone(&house.clock));
    let asker = Asker::new(config, clock, Arc::clone(&looked), &drill.cluster);
    let running = Arc::new(Running {
        house: house.clone(),
        drill: drill.clone(),
        record: Arc::clone(&record),
        effects: effects.clone(),
        clusters,
        lever: Lever::default(),
        asker: Arc::new(asker.map_err(DriveError::Http)?),
        looked,
        shared: Mutex::new(Shared::default()),
        waiting: Mutex::new(String::new()),
    });
    running.say("asking whether the drill may start");
    let mut plans = if !standing.is_empty() {
        Plans { refusals: standing, ..Plans::default() }
    } else if failed.is_empty() {
        asked(&running).await
    } else {
        let refusals = failed.iter().map(|(_, error)| error.to_string()).collect();
        Plans { refusals, ..Plans::default() }
    };
    if plans.refusals.is_empty() && plans.writes {
        plans.refusals.extend(raise_epochs(&running).await);
        plans.refusals.extend(late_marks(&running).await);
    }
    let refusals = plans.refusals.clone();
    let foreseen = plans.foreseen.clone();
    record.append(Event::PlanMade { foreseen, refusals: refusals.clone() }).await?;
    // Renewed until the run has ended: who undoes still holds the cluster.
    let mut renewals = Vec::new();
    if refusals.is_empty() {
        if let Err(error) = forward(&running, &plans, &mut renewals).await {
            // No journal, no new effect; but what was done is undone all the same, and written
            // down when the journal is back.
            let why = error.to_string();
            running.lever.pull(Reason::StepFailed, why.clone());
            if record.with(super::machine::Machine::is_open) {
                let closing = Event::RunClosing { reason: Reason::StepFailed, why: Some(why) };
                record.append_undo(closing).await?;
            }
        }
    } else {
        // The first is the cause; all of them stand in PlanMade.
        let why = refusals.into_iter().next();
        record.append(Event::RunClosing { reason: Reason::Refused, why }).await?;
    }
    let patience = drill.undo_patience;
    finish(house, &record, &effects, patience).await
}

/// The clusters that checks name besides the drill's own.
fn only_looked_into(drill: &Drill) -> Vec<String> {
    let named = drill.questions().filter_map(|question| question.cluster(&drill.cluster));
    let others: BTreeSet<&str> = named.filter(|name| *name != drill.cluster).collect();
    others.into_iter().map(str::to_owned).collect()
}

/// Preflight, given up at a signal, at the halt lever and at the deadline: a guard may be asked many
/// times with long pauses, and a cluster may answer each question just in time. It only reads, so
/// nothing is left behind wherever it is given up.
async fn asked(running: &Running) -> Plans {
    let clock = running.clock();
    let deadline = clock.mono().plus(running.drill.deadline);
    let over = async {
        while !deadline.since(clock.mono()).is_zero() {
            tokio::time::sleep(deadline.since(clock.mono()).min(GRACE)).await;
        }
    };
    let why = tokio::select! {
        plans = preflight::plan(running) => return plans,
        () = running.house.stop.cancelled() => "a signal asked firedrill to stop".to_owned(),
        why = crate::halt::wait(running.house.config.halt_file.clone()) => why,
        () = over => format!(
            "the deadline of {} was over before it was known whether the drill may start; {}",
            crate::report::words::duration(crate::clock::millis(running.drill.deadline)),
            running.waiting()
        ),
    };
    Plans { refusals: vec![why], ..Plans::default() }
}

fn opened(house: &House, drill: &Drill, id: &str, trigger: Trigger, clusters: &[String]) -> Event {
    let hash = Sha256::digest(drill.text.as_bytes());
    Event::RunOpened {
        run: id.to_owned(),
        drill: drill.name.clone(),
        definition: drill.text.clone(),
        definition_hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        outline: Box::new(drill.outline(house.config.timings.settle)),
        trigger,
        instance: house.config.instance.clone(),
        clusters: clusters.to_vec(),
        versions: BTreeMap::from([("firedrill".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
    }
}

/// Looks once more for marks of ours, now that nothing of a dead leader can come in any more: what
/// came between the first look and the new epoch is undone before the run begins.
async fn late_marks(running: &Running) -> Vec<String> {
    let clusters: Vec<String> = running.clusters.keys().cloned().collect();
    let instance = &running.house.config.instance;
    let patience = running.house.config.patience.sweep;
    let swept =
        sweep::sweep(&running.house, instance, patience, Fence::Leave, Some(&clusters)).await;
    match swept {
        Ok(swept) => {
            let left = swept.summaries.iter().flat_map(|summary| &summary.leftovers);
            let left = left.map(|left| format!("{} is left of an earlier run", left.object));
            let unseen = swept.unseen.iter().map(|(_, error)| error.to_string());
            left.chain(unseen).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

async fn raise_epochs(running: &Running) -> Vec<String> {
    let mut refusals = Vec::new();
    for cluster in running.clusters.values() {
        let raised =
            epoch::raise(cluster, &running.house.leader, &running.house.config.instance).await;
        if let Err(error) = raised {
            refusals
                .push(format!("the epoch of cluster {} cannot be raised: {error}", cluster.name));
        }
    }
    refusals
}

/// The forward part: Lease, steps, and what watches over them. Ends with RunClosing written.
async fn forward(
    running: &Arc<Running>,
    plans: &Plans,
    renewals: &mut Vec<Task<()>>,
) -> Result<(), DriveError> {
    let deadline = running.clock().mono().plus(running.drill.deadline);
    let mut guards: Vec<Task<()>> = Vec::new();
    guards.push(guard::on_signal(running));
    guards.push(guard::on_deadline(running, deadline));
    guards.push(guard::on_halt(running));
    if plans.writes {
        match guard::take_leases(running).await? {
            Ok(taken) => renewals.extend(taken),
            // The checks have not begun, so there is nothing to end.
            Err((reason, why)) => return closing(running, reason, Some(why)).await,
        }
    }
    guards.extend(kind::check::act::background(running));

    loop {
        if let Some((reason, why)) = running.lever.cause() {
            let (reason, why) = retry::overtaken(running, reason, why).await?;
            return close(running, reason, Some(why)).await;
        }
        match running.record.with(super::machine::Machine::next) {
            Next::Start(index, attempt) => {
                let step = &running.drill.steps[index];
                if attempt > 1 && !retry::pause(running, step, attempt, deadline).await? {
                    continue;
                }
                let started = Event::StepStarted { step: step.name.clone(), attempt };
                running.record.append(started).await?;
                let span =
                    tracing::error_span!("step", run = running.record.run(), step = step.name);
                one_step(running, step, attempt, plans).instrument(span).await?;
            }
            Next::GiveBack(index) => {
                retry::give_back(running, &running.drill.steps[index]).await?;
            }
            Next::Skip(index) => {
                let step = running.drill.steps[index].name.clone();
                let why = Some("an earlier step failed".to_owned());
                let measures = BTreeMap::new();
                let outcome = StepOutcome::Skipped;
                running.record.append(Event::StepEnded { step, outcome, why, measures }).await?;
            }
            Next::Close(reason, why) => return close(running, reason, why).await,
            // Only a step that this loop is in is running; it has returned.
            Next::Running(_) | Next::Undo | Next::Ended => return Ok(()),
        }
    }
}

async fn close(running: &Running, reason: Reason, why: Option<String>) -> Result<(), DriveError> {
    // Stops the background checks first: what they would say afterwards belongs to the undo.
    running.lever.pull(reason, why.clone().unwrap_or_default());
    kind::check::act::end(running).await;
    closing(running, reason, why).await
}

async fn closing(running: &Running, reason: Reason, why: Option<String>) -> Result<(), DriveError> {
    running.lever.pull(reason, why.clone().unwrap_or_default());
    running.record.append(Event::RunClosing { reason, why }).await?;
    Ok(())
}

/// One attempt of a step: its act, its end, and the early release of what it holds.
async fn one_step(
    running: &Arc<Running>,
    step: &Step,
    attempt: u32,
    plans: &Plans,
) -> Result<(), DriveError> {
    running.say(format!("{} begins", step.name));
    let limit = step.timeout.map(|timeout| running.clock().mono().plus(timeout));
    let act = act(running, step, attempt, plans);
    tokio::pin!(act);
    let grace = running.house.config.timings.send_timeout + GRACE;
    let ended = loop {
        let pause = limit.map_or(Duration::from_secs(3600), |at| at.since(running.clock().mono()));
        tokio::select! {
            ended = &mut act => break Some(ended),
            () = running.lever.token().cancelled() => {
                // A request that is under way may still get its answer: that is cheaper than
                // finding out later.
                break tokio::time::timeout(grace, &mut act).await.ok();
            }
            () = tokio::time::sleep(pause) => {
                if limit.is_some_and(|at| running.clock().mono() >= at) {
                    let why = format!(
                        "its timeout of {:?} is over; {}",
                        step.timeout.unwrap_or_default(),
                        running.waiting()
                    );
                    break Some(Ok(StepEnd::failed(why)));
                }
            }
        }
    };
    if running.lever.cause().is_some() {
        // Closing records the step as aborted.
        return Ok(());
    }
    let end = match ended {
        Some(Ok(end)) => end,
        Some(Err(EffectError::Record(error))) => return Err(error.into()),
        Some(Err(error)) => StepEnd::failed(error.to_string()),
        None => return Ok(()),
    };
    release(running, step).await?;
    let outcome = if end.failed.is_none() { StepOutcome::Passed } else { StepOutcome::Failed };
    let ended = Event::StepEnded {
        step: step.name.clone(),
        outcome,
        why: end.failed,
        measures: end.measures,
    };
    running.record.append(ended).await?;
    Ok(())
}

async fn act(
    running: &Arc<Running>,
    step: &Step,
    attempt: u32,
    plans: &Plans,
) -> Result<StepEnd, EffectError> {
    match (&step.kind, plans.steps.get(&step.name)) {
        (StepKind::VeleroRestore(spec), Some(Plan::Restore(plan))) => {
            kind::velero_restore::act::act(running, &step.name, spec, plan).await
        }
        (StepKind::WorkloadsReady(spec), _) => {
            Ok(kind::workloads_ready::act::act(running, &step.name, spec).await)
        }
        (StepKind::DrainNodes(spec), Some(Plan::Drain(plan))) => {
            if attempt == 1 {
                return kind::drain_nodes::act::act(running, &step.name, spec, plan).await;
            }
            // The first plan is of a world that is gone: its nodes may be, its pods are elsewhere.
            match kind::drain_nodes::act::plan(running, spec).await {
                Ok(plan) => kind::drain_nodes::act::act(running, &step.name, spec, &plan).await,
                Err(why) => {
                    Ok(StepEnd::failed(format!("nothing can be drained now: {}", why.join("; "))))
                }
            }
        }
        (StepKind::Check(spec), _) => Ok(kind::check::act::act(running, &step.name, spec).await),
        (
            StepKind::VeleroBackup(_) | StepKind::BackupFreshness(_) | StepKind::EtcdSnapshot(_),
            _,
        ) => Ok(StepEnd::failed("this version cannot run it, and should have refused")),
        (StepKind::VeleroRestore(_) | StepKind::DrainNodes(_), _) => {
            Ok(StepEnd::failed("it was not planned, which is a defect"))
        }
    }
}

/// Gives back what the step holds, as soon as it ends: nodes always, unless the drill holds them.
async fn release(running: &Running, step: &Step) -> Result<(), DriveError> {
    let StepKind::DrainNodes(spec) = &step.kind else { return Ok(()) };
    if spec.hold_until_end {
        return Ok(());
    }
    running.say("giving the nodes back");
    let cordons: Vec<_> = running.record.with(|machine| {
        let of_step = machine.effects.values().filter(|e| e.intent.step == step.name);
        of_step.filter(|e| e.is_cordon()).map(|e| e.intent.n).collect()
    });
    let clock = running.clock();
    let patience = running.drill.undo_patience;
    let mut closing = running
        .record
        .with(|machine| Closing::new(machine, clock.boot(), clock.mono(), patience))
        .only(cordons)
        .never_leave();
    // Not released by the deadline: the closing of the run goes on with it.
    let until = clock.mono().plus(running.house.config.timings.send_timeout * 2);
    running.effects.pump(&mut closing, Some(until)).await?;
    Ok(())
}
