//! What becomes of each pod on a node that is drained. PURE.
//!
//! The plan and the drain use this one function, so they cannot differ.

use k8s_openapi::api::core::v1::{Pod, Toleration};

use crate::kind::owner::{self, Controller};

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is evicted.
    Evict,
    /// It stays, or goes by itself, and why.
    Skip(Skip),
    /// Because of it the node must not even be cordoned; one sentence.
    Refuse(String),
}

/// Why a pod is not evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// A static pod: the kubelet runs it, and the API only mirrors it.
    Mirror,
    /// It ran to its end: nothing recovers.
    Finished,
    /// Somebody deleted it already; it is waited for.
    Terminating,
    /// A DaemonSet would bring it back to the same node.
    DaemonSet,
    /// It tolerates the cordon, so the scheduler may bring it back to the same node, for ever.
    Tolerates,
}

impl Skip {
    /// To be read after the pod's name.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Mirror => "is a static pod of the kubelet",
            Self::Finished => "is finished",
            Self::Terminating => "is going away already",
            Self::DaemonSet => "belongs to a DaemonSet",
            Self::Tolerates => "tolerates a cordoned node and would come back to it",
        }
    }
}

/// The taint that the node controller puts on a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// What becomes of `pod` on a node that is drained.
#[must_use]
pub fn fate(pod: &Pod) -> Fate {
    let meta = &pod.metadata;
    let controller = owner::controller(meta);
    let is = |controller: &Option<Controller>, group: &str, kind: &str| {
        controller.as_ref().is_some_and(|c| c.group == group && c.kind == kind)
    };
    let mirrored = meta
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key("kubernetes.io/config.mirror"));
    if mirrored || is(&controller, "", "Node") {
        return Fate::Skip(Skip::Mirror);
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Fate::Skip(Skip::Finished);
    }
    if meta.deletion_timestamp.is_some() {
        return Fate::Skip(Skip::Terminating);
    }
    // The group too: kinds of the same name exist elsewhere, and those pods do move.
    if is(&controller, "apps", "DaemonSet") {
        return Fate::Skip(Skip::DaemonSet);
    }
    let tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    if tolerations.into_iter().any(tolerates_cordon) {
        return Fate::Skip(Skip::Tolerates);
    }
    if controller.is_none() {
        return Fate::Refuse(format!(
            "pod {} has no controller and would not come back",
            full_name(pod)
        ));
    }
    Fate::Evict
}

fn tolerates_cordon(toleration: &Toleration) -> bool {
    let exists = toleration.operator.as_deref() == Some("Exists");
    let key = toleration.key.as_deref().unwrap_or("");
    let key_fits = (key.is_empty() && exists) || key == UNSCHEDULABLE;
    // The taint has no value, which `Equal` without a value matches.
    let value_fits = exists || toleration.value.as_deref().unwrap_or("").is_empty();
    let effect = toleration.effect.as_deref().unwrap_or("");
    key_fits && value_fits && (effect.is_empty() || effect == "NoSchedule")
}

/// What a reader should know about a pod that is evicted: one sentence each.
#[must_use]
pub fn findings(pod: &Pod) -> Vec<String> {
    let Some(spec) = pod.spec.as_ref() else { return Vec::new() };
    let mut all = Vec::new();
    let volumes = || spec.volumes.iter().flatten();
    for volume in volumes().filter(|volume| volume.empty_dir.is_some()) {
        all.push(format!(
            "pod {} loses the data of its emptyDir volume {}",
            full_name(pod),
            volume.name
        ));
    }
    for volume in volumes().filter(|volume| volume.host_path.is_some()) {
        all.push(format!(
            "pod {} leaves the data of its hostPath volume {} on the node",
            full_name(pod),
            volume.name
        ));
    }
    let host = "kubernetes.io/hostname";
    if spec.node_selector.as_ref().is_some_and(|selector| selector.contains_key(host)) {
        all.push(format!("pod {} is pinned to a node by its nodeSelector", full_name(pod)));
    }
    if owner::controller(&pod.metadata).is_some_and(|controller| controller.kind == "Job") {
        all.push(format!("pod {} belongs to a Job, which starts over", full_name(pod)));
    }
    all
}

/// `namespace/name`
#[must_use]
pub fn full_name(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", part(&meta.namespace), part(&meta.name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(meta: Value, spec: Value, phase: &str) -> Pod {
        let mut object = json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": []},
            "status": {"phase": phase},
        });
        for (part, fields) in [("metadata", meta), ("spec", spec)] {
            for (key, value) in fields.as_object().expect("object") {
                object[part][key] = value.clone();
            }
        }
        serde_json::from_value(object).expect("pod")
    }

    fn owned(api: &str, kind: &str) -> Value {
        json!({"ownerReferences": [{"apiVersion": api, "kind": kind, "name": "o", "uid": "1",
                                    "controller": true}]})
    }

    #[test]
    fn every_pod_has_one_fate() {
        let web = || owned("apps/v1", "ReplicaSet");
        let with = |mut base: Value, key: &str, value: Value| {
            base[key] = value;
            base
        };
        let tolerating = |toleration: Value| json!({"tolerations": [toleration]});
        let skip = Fate::Skip;
        for (meta, spec, phase, want) in [
            (web(), json!({}), "Running", Fate::Evict),
            (web(), json!({}), "Pending", Fate::Evict),
            (
                json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
                json!({}),
                "Running",
                skip(Skip::Mirror),
            ),
            (owned("v1", "Node"), json!({}), "Running", skip(Skip::Mirror)),
            (json!({}), json!({}), "Succeeded", skip(Skip::Finished)),
            (web(), json!({}), "Failed", skip(Skip::Finished)),
            (
                with(web(), "deletionTimestamp", json!("2026-01-01T00:00:00Z")),
                json!({}),
                "Running",
                skip(Skip::Terminating),
            ),
            (owned("apps/v1", "DaemonSet"), json!({}), "Running", skip(Skip::DaemonSet)),
            // A look-alike of another group moves like any other pod.
            (owned("apps.kruise.io/v1", "DaemonSet"), json!({}), "Running", Fate::Evict),
            (web(), tolerating(json!({"operator": "Exists"})), "Running", skip(Skip::Tolerates)),
            (
                web(),
                tolerating(json!({"key": UNSCHEDULABLE, "operator": "Exists",
                                  "effect": "NoSchedule"})),
                "Running",
                skip(Skip::Tolerates),
            ),
            (web(), tolerating(json!({"key": UNSCHEDULABLE})), "Running", skip(Skip::Tolerates)),
            (
                web(),
                tolerating(json!({"operator": "Exists", "effect": "NoExecute"})),
                "Running",
                Fate::Evict,
            ),
            (
                web(),
                tolerating(json!({"key": "dedicated", "operator": "Exists"})),
                "Running",
                Fate::Evict,
            ),
            (
                web(),
                tolerating(json!({"key": UNSCHEDULABLE, "operator": "Equal", "value": "x"})),
                "Running",
                Fate::Evict,
            ),
            (
                json!({}),
                json!({}),
                "Running",
                Fate::Refuse("pod n/p has no controller and would not come back".into()),
            ),
        ] {
            let text = format!("{meta} {spec} {phase}");
            assert_eq!(fate(&pod(meta, spec, phase)), want, "{text}");
        }
    }

    #[test]
    fn local_data_and_pins_are_findings() {
        let spec = json!({
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "log", "hostPath": {"path": "/x"}},
                        {"name": "conf", "configMap": {"name": "c"}}],
            "nodeSelector": {"kubernetes.io/hostname": "node-1"},
        });
        assert_eq!(
            findings(&pod(owned("batch/v1", "Job"), spec, "Running")),
            [
                "pod n/p loses the data of its emptyDir volume tmp",
                "pod n/p leaves the data of its hostPath volume log on the node",
                "pod n/p is pinned to a node by its nodeSelector",
                "pod n/p belongs to a Job, which starts over",
            ]
        );
        assert!(findings(&pod(json!({}), json!({}), "Running")).is_empty());
    }
}
