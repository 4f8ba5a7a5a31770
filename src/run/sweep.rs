//! Sweep: find objects that bear our marks, and undo them without the journal.
//!
//! The journal may be lost, or an object may have come late. What a mark says is enough: whose it
//! is, what it was before, and (by its kind) how it is undone. Each run found this way becomes a
//! run of its own in the journal, opened by [`Trigger::Marks`], and is closed by the same engine
//! as every other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use super::{
    drive::DriveError,
    effect::Effects,
    epoch,
    event::{
        EffectNo, Event, Evidence, Gate, Intent, Precondition, RUN_STEP, Reason, Settled, Target,
        Trigger, Undo, UndoAction, Verb,
    },
    finish::finish,
    house::House,
    lease,
    look::Facts,
    machine::{EffectState, Machine, uid_of},
    record::Record,
    recover::RecoverError,
};
use crate::{
    clock::millis,
    drill::Outline,
    mark::{INSTANCE, Mark, NAMESPACE},
    report::summary::Summary,
    world::{WorldError, kube::Cluster},
};

/// How long `firedrill undo` waits for what it found by marks.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long another installation's Lease must stand still, on our own clock.
const STILL: Duration = Duration::from_secs(60);

/// An object that bears a mark of the instance.
#[derive(Clone, Debug)]
struct Found {
    target: Target,
    facts: Facts,
    mark: Mark,
}

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Swept {
    /// One for each lost run whose marks were found.
    pub summaries: Vec<Summary>,
    /// Clusters that could not be looked at, and why: nothing is known of them.
    pub unseen: Vec<(String, WorldError)>,
}

/// What a sweep may do before it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Raise the epoch: what a dead leader sent and nobody remembers, because its journal is lost,
    /// is refused from here on. For whoever came to change something.
    Raise,
    /// Write nothing unless something is found: whether the run may start is not known yet.
    Leave,
}

/// Undoes everything that bears a mark of `instance` on `clusters`, or on every configured one. A
/// cluster that cannot be reached stops no other.
///
/// # Errors
/// If the journal cannot be written.
pub async fn sweep(
    house: &House,
    instance: &str,
    patience: Duration,
    fence: Fence,
    clusters: Option<&[String]>,
) -> Result<Swept, RecoverError> {
    let names: Vec<String> = match clusters {
        Some(names) => names.to_vec(),
        None => house.config.clusters.keys().cloned().collect(),
    };
    let (clusters, unseen) = house.connect(&names).await;
    let mut swept = Swept { summaries: Vec::new(), unseen };
    // All at once: an unreachable cluster costs its time-out once, not in a row.
    let known = known_leftovers(house).await?;
    let looks = clusters.values().map(|cluster| async move {
        // Before anything is looked for. Without our roles there is nothing to refuse.
        if fence == Fence::Raise
            && let Err(error) = epoch::raise(cluster, &house.leader, &house.config.instance).await
        {
            tracing::debug!(cluster = cluster.name, %error, "the epoch cannot be raised");
        }
        (cluster, find(cluster, instance).await)
    });
    for (cluster, found) in futures::future::join_all(looks).await {
        let found = match found {
            // A leftover of a run that the journal knows is that run's to clear.
            Ok(found) => found.into_iter().filter(|f| !known.contains(&f.facts.uid)).collect(),
            Err(error) => {
                swept.unseen.push((cluster.name.clone(), error));
                continue;
            }
        };
        for (run, objects) in by_run(found) {
            let failed = |source: DriveError| RecoverError::Run {
                run: run.clone(),
                source: Box::new(source),
            };
            swept
                .summaries
                .push(undo(house, cluster, instance, objects, patience).await.map_err(failed)?);
        }
    }
    for (name, error) in &swept.unseen {
        tracing::warn!(cluster = name, %error, "marks cannot be looked for");
    }
    Ok(swept)
}

/// UIDs of the leftovers that the journal holds; recovery has just looked at them.
async fn known_leftovers(house: &House) -> Result<BTreeSet<String>, RecoverError> {
    let reader = house.leader.reader();
    let mut known = BTreeSet::new();
    for run in reader.unsettled_runs(house.clock.now().wall).await? {
        let entries = reader.stream(&run).await?;
        let Ok(machine) = Machine::replay(&entries) else { continue };
        let left = machine.effects.values().filter(|e| matches!(e.state, EffectState::Left { .. }));
        known.extend(left.filter_map(uid_of));
    }
    Ok(known)
}

/// Waits until it is sure that nobody renews the Leases of `instance`.
///
/// # Errors
/// In one sentence, if one is renewed or a cluster cannot be asked.
pub async fn stands_still(house: &House, instance: &str) -> Result<(), String> {
    let names: Vec<String> = house.config.clusters.keys().cloned().collect();
    let (clusters, failed) = house.connect(&names).await;
    if let Some((_, error)) = failed.first() {
        return Err(format!("error: {error}"));
    }
    let held = async || {
        let mut versions = BTreeMap::new();
        for (name, cluster) in &clusters {
            let lease =
                cluster.get(&lease::target()).await.map_err(|error| format!("error: {error}"))?;
            let Some(lease) = lease else { continue };
            let holder = lease.pointer("/spec/holderIdentity").and_then(Value::as_str);
            if holder.is_some_and(|h| h.split('/').next() == Some(instance)) {
                versions.insert(name.clone(), Facts::of(&lease).resource_version);
            }
        }
        Ok::<_, String>(versions)
    };
    let first = held().await?;
    if first.is_empty() {
        return Ok(());
    }
    eprintln!("watching the lease of {instance} for {} s", STILL.as_secs());
    let until = house.clock.mono().plus(STILL);
    while house.clock.mono() < until {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = held().await?;
        if now != first {
            return Err(format!(
                "error: {instance} is alive: it renewed its lease\n  help: stop it first, or let it \
                 finish"
            ));
        }
    }
    Ok(())
}

async fn find(cluster: &Cluster, instance: &str) -> Result<Vec<Found>, WorldError> {
    let velero = format!("/apis/velero.io/v1/namespaces/{}/restores", cluster.velero_namespace);
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    let places = [
        ("/api/v1/nodes".to_owned(), "", "Node", "nodes"),
        ("/api/v1/namespaces".to_owned(), "", "Namespace", "namespaces"),
        (velero, "velero.io", "Restore", "restores"),
        (leases, "coordination.k8s.io", "Lease", "leases"),
    ];
    let mut found = Vec::new();
    for (path, group, kind, plural) in places {
        let listed = cluster.list(&format!("{path}?labelSelector={INSTANCE}%3D{instance}")).await;
        let items = match listed {
            Ok(items) => items,
            // Velero is not installed, or we have no right there: then nothing of ours is there.
            Err(error) if matches!(error.code(), Some(404 | 403)) => continue,
            Err(error) => return Err(error),
        };
        for item in items {
            let mut item = item;
            item["kind"] = kind.into();
            item["apiVersion"] =
                if group.is_empty() { "v1".into() } else { format!("{group}/v1").into() };
            let facts = Facts::of(&item);
            let Some(mark) = facts.mark.clone() else { continue };
            let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
            let target = Target {
                group: group.to_owned(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                plural: plural.to_owned(),
                namespace: text("/metadata/namespace").map(str::to_owned),
                name: text("/metadata/name").unwrap_or_default().to_owned(),
            };
            found.push(Found { target, facts, mark });
        }
    }
    Ok(found)
}

fn by_run(found: Vec<Found>) -> BTreeMap<String, Vec<Found>> {
    let mut runs: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for object in found {
        runs.entry(object.mark.run.clone()).or_default().push(object);
    }
    runs
}

/// How an object of ours is undone, by its kind. PURE.
fn undo_of(target: &Target, sandboxes: &[EffectNo]) -> Undo {
    let (action, gate, after) = match target.kind.as_str() {
        "Node" => (UndoAction::Uncordon, None, Vec::new()),
        "Namespace" => (UndoAction::Delete, Some(Gate::RestoresTerminal), Vec::new()),
        "Restore" => (UndoAction::Delete, None, sandboxes.to_vec()),
        _ => (UndoAction::Delete, Some(Gate::Last), Vec::new()),
    };
    Undo::By { action, gate, after }
}

async fn undo(
    house: &House,
    cluster: &Cluster,
    instance: &str,
    mut objects: Vec<Found>,
    patience: Duration,
) -> Result<Summary, DriveError> {
    let id = uuid::Uuid::now_v7().to_string();
    let record = Arc::new(Record::new(house.leader.clone(), house.clock.clone(), &id, Vec::new())?);
    let lost = objects.first().map(|found| found.mark.run.clone()).unwrap_or_default();
    objects.sort_by_key(|found| found.mark.effect);
    let mut seen = BTreeSet::new();
    // One object for each effect; a second would be a copy that somebody made of a marked object.
    objects.retain(|found| seen.insert(found.mark.effect));
    record
        .append(Event::RunOpened {
            run: id.clone(),
            drill: format!("marks-of-{}", crate::report::words::short(&lost)),
            definition: String::new(),
            definition_hash: String::new(),
            outline: Box::new(Outline {
                undo_patience_millis: millis(patience),
                settle_millis: millis(house.config.timings.settle),
                ..Outline::default()
            }),
            trigger: Trigger::Marks,
            instance: instance.to_owned(),
            clusters: vec![cluster.name.clone()],
            versions: BTreeMap::from([("lostRun".to_owned(), lost)]),
        })
        .await?;
    let sandboxes: Vec<EffectNo> = objects
        .iter()
        .filter(|found| found.target.kind == "Namespace")
        .map(|found| found.mark.effect)
        .collect();
    for found in &objects {
        let n = found.mark.effect;
        let intent = Intent {
            n,
            attempt: 1,
            step: RUN_STEP.to_owned(),
            verb: if found.target.kind == "Node" { Verb::Patch } else { Verb::Create },
            cluster: cluster.name.clone(),
            target: found.target.clone(),
            digest: String::new(),
            precondition: Precondition::default(),
            prior: None,
            mark: found.mark.clone(),
            send_by: house.clock.mono(),
            undo: undo_of(&found.target, &sandboxes),
        };
        record.append(Event::EffectIntended(Box::new(intent))).await?;
        let uid = found.facts.uid.clone();
        let settled = Settled::Applied { uid, by: Evidence::Found };
        record.append(Event::EffectSettled { n, settled }).await?;
    }
    let why = Some("its marks were found, and the journal does not hold it open".to_owned());
    record.append(Event::RunClosing { reason: Reason::Interrupted, why }).await?;
    if let Err(error) = epoch::raise(cluster, &house.leader, &house.config.instance).await {
        tracing::error!(cluster = cluster.name, %error, "the epoch cannot be raised");
    }
    let clusters = Arc::new(BTreeMap::from([(cluster.name.clone(), cluster.clone())]));
    let effects = Effects::new(Arc::clone(&record), clusters, instance, &house.config.timings);
    finish(house, &record, &effects, patience).await
}
