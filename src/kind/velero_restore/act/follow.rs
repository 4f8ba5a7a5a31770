//! Following a Restore to its end, on a watch that stands since before T0.

use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::core::DynamicObject;

use super::super::{
    decide::{Standing, judge, not_accepted, picked_up},
    object::Restore,
};
use crate::{
    clock::Mono,
    run::{
        event::{Severity, What},
        step::{Running, StepEnd},
    },
    world::watch::Seen,
};

/// Waits for the first complete list of a watch.
pub(super) async fn listed<S>(run: &Running, restores: &mut S) -> Result<(), String>
where
    S: Stream<Item = (Mono, Seen<DynamicObject>)> + Unpin,
{
    let first = async {
        while let Some((_, seen)) = restores.next().await {
            match seen {
                Seen::Complete => return Ok(()),
                Seen::Gap { why, .. } => return Err(format!("restores cannot be watched: {why}")),
                _ => {}
            }
        }
        Err("restores cannot be watched: the watch ended".to_owned())
    };
    match tokio::time::timeout(run.house.config.timings.send_timeout, first).await {
        Ok(result) => result,
        Err(_) => Err("restores cannot be watched: no list came in time".to_owned()),
    }
}

/// Follows the Restore to its end.
pub(super) async fn follow<S>(
    run: &Running,
    step: &str,
    name: &str,
    t0: Mono,
    restores: &mut S,
) -> StepEnd
where
    S: Stream<Item = (Mono, Seen<DynamicObject>)> + Unpin,
{
    let accept = run.house.config.timings.velero_accept;
    let mut last: Option<Restore> = None;
    let mut lower: Option<Mono> = None;
    let mut echoed = false;
    let mut queued = false;
    loop {
        let tick = tokio::time::sleep(Duration::from_millis(500));
        let seen = tokio::select! {
            () = run.lever.token().cancelled() => return StepEnd::failed("the run is closing"),
            seen = restores.next() => seen,
            () = tick => None,
        };
        let now = run.clock().mono();
        let Some((at, seen)) = seen else {
            if let Some(why) = last.as_ref().and_then(|r| not_accepted(r, t0, now, accept)) {
                return StepEnd::failed(why);
            }
            if last.is_none() && now.since(t0) > accept {
                return StepEnd::failed(format!("restore {name} was never seen by our watch"));
            }
            continue;
        };
        let object = match seen {
            Seen::Apply(object) if object.metadata.name.as_deref() == Some(name) => object,
            Seen::Delete(object) if object.metadata.name.as_deref() == Some(name) => {
                return StepEnd::failed(format!("somebody deleted restore {name}"));
            }
            Seen::Gap { from, why } => {
                lower = Some(lower.map_or(from, |l| l.min(from)));
                run.find(
                    Severity::Info,
                    "watch.gap",
                    format!("restores were out of sight: {why}"),
                    None,
                )
                .await;
                continue;
            }
            _ => continue,
        };
        if !echoed {
            echoed = true;
            let millis = crate::clock::millis(at.since(t0));
            run.observe(step, What::WatchLag { millis }, at).await;
        }
        let restore = match serde_json::to_value(&*object).map(|value| Restore::parse(&value)) {
            Ok(Ok(restore)) => restore,
            Ok(Err(error)) => return StepEnd::failed(error.to_string()),
            Err(error) => {
                return StepEnd::failed(format!("restore {name} cannot be read: {error}"));
            }
        };
        if !queued && picked_up(&restore) {
            queued = true;
            run.observe_with(step, What::Phase("queued".to_owned()), at, lower, None).await;
        }
        match judge(&restore) {
            Standing::Going { phase, .. } => {
                let items =
                    restore.status.as_ref().and_then(|s| s.progress.as_ref()).and_then(|p| {
                        Some(format!(", {} of {} items", p.items_restored?, p.total_items?))
                    });
                let phase = if phase.is_empty() { "not picked up yet".to_owned() } else { phase };
                run.say(format!("restore {name}: {phase}{}", items.unwrap_or_default()));
            }
            Standing::Passed { finding } => {
                run.observe_with(step, What::Phase("restoring".to_owned()), at, lower, None).await;
                run.observe_with(step, What::Recovered, at, lower, None).await;
                run.share(|shared| {
                    shared.restored.insert(step.to_owned(), at);
                    shared.floors.insert(step.to_owned(), at);
                });
                if let Some(text) = finding {
                    run.find(Severity::Info, "veleroRestore.warnings", text, None).await;
                }
                let items = restore.status.as_ref().and_then(|s| s.progress.as_ref());
                let items = items.and_then(|progress| progress.items_restored).unwrap_or(0);
                return StepEnd::passed().with("itemsRestored", items);
            }
            Standing::Failed { why, infrastructure } => {
                let why = if infrastructure { format!("{why} (Velero broke off)") } else { why };
                return StepEnd::failed(why);
            }
        }
        last = Some(restore);
        // A gap widens only the instants that may have fallen into it.
        lower = None;
    }
}
