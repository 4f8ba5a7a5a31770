//! The end of every run, live or recovered: everything undone, and the summary written down.

use std::{sync::Arc, time::Duration};

use super::{
    closing::Closing,
    drive::DriveError,
    effect::Effects,
    epoch,
    event::{Event, Verdict},
    house::House,
    record::Record,
};
use crate::report::summary::{SUMMARY_VERSION, Summary};

/// Undoes everything and ends the run.
///
/// # Errors
/// See [`DriveError`].
pub async fn finish(
    house: &House,
    record: &Arc<Record>,
    effects: &Effects,
    patience: Duration,
) -> Result<Summary, DriveError> {
    let clock = &house.clock;
    let mut closing =
        record.with(|machine| Closing::new(machine, clock.boot(), clock.mono(), patience));
    let undo = effects.pump(&mut closing, None);
    tokio::pin!(undo);
    let finished = tokio::select! {
        finished = &mut undo => Some(finished?),
        () = house.stop.cancelled() => {
            // A signal: what is quick is still done, the rest stays open and is found by `undo`.
            let budget = house.config.timings.stop_budget;
            match tokio::time::timeout(budget, &mut undo).await {
                Ok(finished) => Some(finished?),
                Err(_) => None,
            }
        }
    };
    // A request whose answer was lost may be held somewhere still. From here on the cluster denies
    // it: our own epoch has passed.
    let in_doubt = record.entries().iter().any(|e| matches!(e.event, Event::EffectDoubted { .. }));
    if in_doubt && let Err(error) = house.leader.raise_epoch(house.leader.epoch()).await {
        tracing::error!(%error, "the epoch cannot be raised");
    }
    for cluster in effects.clusters().filter(|_| in_doubt) {
        let raised = epoch::raise(cluster, &house.leader, &house.config.instance).await;
        if let Err(error) = raised {
            tracing::error!(cluster = cluster.name, %error, "the epoch cannot be raised");
        }
    }
    // What an undo wrote while the journal was away belongs into the summary.
    record.catch_up_now().await?;
    let summary = Summary::fold(&record.entries())?;
    if finished.is_none() {
        return Err(DriveError::Stopped(Box::new(summary)));
    }
    let verdict = summary.verdict.unwrap_or(Verdict::Aborted);
    let leftovers = u32::try_from(summary.leftovers.len()).unwrap_or(u32::MAX);
    // The notes before it are durable with it, and the summary is of exactly what stands there.
    record
        .append(Event::RunEnded {
            verdict,
            leftovers,
            summary: serde_json::to_value(&summary)?,
            summary_version: SUMMARY_VERSION,
        })
        .await?;
    Ok(Summary::fold(&record.entries())?)
}
