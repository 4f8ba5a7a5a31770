//! What a restore is about to do, decided before anything is changed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::{
        choose::{choose, judge_location, location_of},
        object::{Backup, Location, Unreadable},
        spec::Spec,
    },
    sandboxes::namespace_target,
};
use crate::{
    drill::StepKind, kind::words::count, run::step::Running, sandbox, world::kube::Cluster,
};

/// What the step is about to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The backup that comes back.
    pub backup: Backup,
    /// What may come back.
    pub resources: Vec<String>,
    /// Pod security of the originals, where they still exist.
    pub levels: BTreeMap<String, String>,
    /// Things that a reader should know.
    pub findings: Vec<String>,
    /// One line for each effect.
    pub foreseen: Vec<String>,
}

/// Whether the run's restores together bring back no more namespaces than they may.
fn within_caps(run: &Running, most: Option<u32>) -> Result<(), Vec<String>> {
    let restored = run.drill.steps.iter().map(|step| match &step.kind {
        StepKind::VeleroRestore(spec) => spec.namespaces.len(),
        _ => 0,
    });
    let restored = restored.sum::<usize>();
    match most {
        Some(most) if restored > most as usize => Err(vec![format!(
            "the drill brings back {}, but the configuration allows {most} (caps.namespaces)",
            count(restored, "namespace")
        )]),
        _ => Ok(()),
    }
}

/// Looks at the world and decides what the step will do; changes nothing.
///
/// # Errors
/// Why it must not start.
pub async fn plan(run: &Running, spec: &Spec) -> Result<Plan, Vec<String>> {
    let cluster = run.cluster().map_err(|why| vec![why])?;
    sandbox::check_sources(&spec.namespaces).map_err(|why| vec![why])?;
    within_caps(run, cluster.caps.namespaces)?;
    let resources = sandbox::resources(&spec.also_restore, &cluster.may_own_outside)
        .map_err(|refused| refused.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let now = run.clock().now().wall;
    let backups: Vec<Backup> =
        velero(cluster, "backups", Backup::parse).await.map_err(|e| vec![e])?;
    let locations: Vec<Location> =
        velero(cluster, "backupstoragelocations", Location::parse).await.map_err(|e| vec![e])?;
    let needed_until = now + run.drill.deadline + run.drill.undo_patience;
    let chosen = choose(&backups, spec, needed_until, run.record.run()).map_err(|why| vec![why])?;
    let mut findings = chosen.findings.clone();
    let location = location_of(chosen.backup, &locations).ok_or_else(|| {
        vec![format!("the location of backup {} does not exist", chosen.backup.metadata.name)]
    })?;
    findings.extend(judge_location(location, now).map_err(|why| vec![why])?);
    let mut levels = BTreeMap::new();
    for namespace in &spec.namespaces {
        let found =
            cluster.get(&namespace_target(namespace)).await.map_err(|e| vec![e.to_string()])?;
        let level = found.as_ref().and_then(|ns| {
            ns.pointer("/metadata/labels/pod-security.kubernetes.io~1enforce")?.as_str()
        });
        if let Some(level) = level {
            levels.insert(namespace.clone(), level.to_owned());
        }
    }
    let mut foreseen: Vec<String> = spec
        .namespaces
        .iter()
        .flat_map(|ns| {
            [
                format!("create a sandbox namespace for {ns}; deleted at the end"),
                format!("create a deny-all NetworkPolicy in the sandbox of {ns}; goes with it"),
            ]
        })
        .collect();
    foreseen.push(format!(
        "create a Velero Restore of backup {}; deleted at the end",
        chosen.backup.metadata.name
    ));
    Ok(Plan { backup: chosen.backup.clone(), resources, levels, findings, foreseen })
}

async fn velero<T>(
    cluster: &Cluster,
    plural: &str,
    parse: impl Fn(&Value) -> Result<T, Unreadable>,
) -> Result<Vec<T>, String> {
    let path = format!("/apis/velero.io/v1/namespaces/{}/{plural}", cluster.velero_namespace);
    match cluster.list(&path).await {
        Ok(items) => items.iter().map(|item| parse(item).map_err(|e| e.to_string())).collect(),
        Err(error) if error.is_not_found() => Err(format!(
            "Velero is not installed on cluster {}: the API server does not know {plural}.velero.io",
            cluster.name
        )),
        Err(error) => Err(error.to_string()),
    }
}
