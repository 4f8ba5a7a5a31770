//! What one object says about readiness. PURE.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ContainerStatus, Pod},
};

/// How far one object is from ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody waits for it: scaled to zero, finished, going away.
    Ignored,
    /// It is ready.
    Ready,
    /// It is not, and why.
    Lacking(Lack),
}

/// What an object lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    /// How bad it is; the worst is told first.
    pub badness: u32,
    /// To be read after the object's name: `2 of 6 ready`.
    pub what: String,
}

fn lacking(badness: u32, what: impl Into<String>) -> Standing {
    Standing::Lacking(Lack { badness, what: what.into() })
}

/// Badness of a workload: 100 plus the share that is missing, so that a workload comes before the
/// pods that explain it.
fn short(ready: i32, wanted: i32) -> u32 {
    let missing = i64::from(wanted - ready).clamp(0, i64::from(wanted.max(1)));
    100 + u32::try_from(missing * 100 / i64::from(wanted.max(1))).unwrap_or(0)
}

pub(super) fn deployment(object: &Deployment) -> Standing {
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    if wanted <= 0 || object.metadata.deletion_timestamp.is_some() {
        return Standing::Ignored;
    }
    let status = object.status.clone().unwrap_or_default();
    if !current(status.observed_generation, object.metadata.generation) {
        return lacking(short(0, wanted), "not seen by its controller yet");
    }
    let ready = status.ready_replicas.unwrap_or(0);
    if ready < wanted {
        return lacking(short(ready, wanted), format!("{ready} of {wanted} ready"));
    }
    let updated = status.updated_replicas.unwrap_or(0);
    if updated < wanted {
        return lacking(short(updated, wanted), format!("{updated} of {wanted} updated"));
    }
    Standing::Ready
}

pub(super) fn stateful_set(object: &StatefulSet) -> Standing {
    let spec = object.spec.as_ref();
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    if wanted <= 0 || object.metadata.deletion_timestamp.is_some() {
        return Standing::Ignored;
    }
    let status = object.status.clone().unwrap_or_default();
    if !current(status.observed_generation, object.metadata.generation) {
        return lacking(short(0, wanted), "not seen by its controller yet");
    }
    let ready = status.ready_replicas.unwrap_or(0);
    if ready < wanted {
        return lacking(short(ready, wanted), format!("{ready} of {wanted} ready"));
    }
    // Pods below the partition, and all pods under OnDelete, keep their revision on purpose.
    let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.type_.as_deref()) != Some("OnDelete");
    let partition = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .and_then(|rolling| rolling.partition)
        .unwrap_or(0);
    let rolled_out = status.current_revision == status.update_revision
        || status.updated_replicas.unwrap_or(0) >= wanted - partition;
    if rolling && !rolled_out {
        let updated = status.updated_replicas.unwrap_or(0);
        return lacking(short(updated, wanted), format!("{updated} of {wanted} updated"));
    }
    Standing::Ready
}

fn current(observed: Option<i64>, generation: Option<i64>) -> bool {
    observed.unwrap_or(0) >= generation.unwrap_or(0)
}

/// What a pod says for itself, whoever owns it. A Failed one lacks something; whether that counts
/// is for its controller to say, if it has one.
pub(super) fn pod(object: &Pod) -> Standing {
    let status = object.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    if object.metadata.deletion_timestamp.is_some() || phase == "Succeeded" {
        return Standing::Ignored;
    }
    if phase == "Failed" {
        let reason = status.reason.or(status.message).unwrap_or_default();
        return lacking(30, sentence("Failed", &reason));
    }
    let condition = |name: &str| {
        status.conditions.iter().flatten().find(|condition| condition.type_ == name).cloned()
    };
    if condition("Ready").is_some_and(|ready| ready.status == "True") {
        return Standing::Ready;
    }
    let containers = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten());
    if let Some(why) = containers.filter_map(stuck).next() {
        return lacking(30, why);
    }
    if let Some(scheduled) = condition("PodScheduled").filter(|c| c.status == "False") {
        let message = scheduled.message.or(scheduled.reason).unwrap_or_default();
        return lacking(20, sentence("Pending", &message));
    }
    lacking(10, if phase == "Running" { "not ready" } else { phase })
}

/// Why a container does not run, unless it is merely on its way.
fn stuck(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if matches!(reason, "ContainerCreating" | "PodInitializing") {
        return None;
    }
    Some(sentence(reason, waiting.message.as_deref().unwrap_or("")))
}

/// `what: detail`, with the detail cut to its first line and to a length that a person reads.
fn sentence(what: &str, detail: &str) -> String {
    let line = detail.lines().next().unwrap_or("").trim().trim_end_matches('.');
    if line.is_empty() {
        return what.to_owned();
    }
    let cut: String = line.chars().take(160).collect();
    let dots = if cut.len() < line.len() { "..." } else { "" };
    format!("{what}: {cut}{dots}")
}
