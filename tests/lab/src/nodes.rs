//! The lab's nodes: plain Node objects, which kwok keeps ready.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, api::ListParams, api::PostParams};
use serde_json::json;

use crate::wait::until;

/// A node to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Whether it carries the control plane's label and taint.
    pub control_plane: bool,
    /// Whether drills may drain it.
    pub drillable: bool,
    /// Further labels.
    pub labels: Vec<(String, String)>,
}

impl NodeSpec {
    /// A worker that no drill may touch.
    #[must_use]
    pub fn worker(name: &str, zone: &str) -> Self {
        Self {
            name: name.to_owned(),
            zone: zone.to_owned(),
            control_plane: false,
            drillable: false,
            labels: Vec::new(),
        }
    }

    /// The same, drillable.
    #[must_use]
    pub fn drillable(self) -> Self {
        Self { drillable: true, ..self }
    }
}

/// Six nodes over three zones: one of the control plane, a drillable worker in each zone, and two
/// workers that no drill may touch.
#[must_use]
pub fn six() -> Vec<NodeSpec> {
    vec![
        NodeSpec { control_plane: true, ..NodeSpec::worker("node-a-0", "a") },
        NodeSpec::worker("node-a-1", "a").drillable(),
        NodeSpec::worker("node-b-1", "b").drillable(),
        NodeSpec::worker("node-b-2", "b"),
        NodeSpec::worker("node-c-1", "c").drillable(),
        NodeSpec::worker("node-c-2", "c"),
    ]
}

/// Makes nodes, without waiting for them.
///
/// # Errors
/// When the server refuses one.
pub async fn make(client: &Client, nodes: &[NodeSpec]) -> anyhow::Result<()> {
    let api: Api<Node> = Api::all(client.clone());
    for spec in nodes {
        let node = object(spec)?;
        // Not applied: server-side apply drops the status, where the capacity is.
        api.create(&PostParams::default(), &node).await.with_context(|| spec.name.clone())?;
    }
    Ok(())
}

/// Waits until every node of the cluster is ready and free of the taint of new nodes.
///
/// # Errors
/// When that takes longer than `limit`.
pub async fn wait_ready(client: &Client, limit: Duration) -> anyhow::Result<()> {
    let api: Api<Node> = Api::all(client.clone());
    until("nodes are ready", limit, || async {
        let nodes = api.list(&ListParams::default()).await?.items;
        Ok(!nodes.is_empty() && nodes.iter().all(ready))
    })
    .await
}

fn ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    let is_ready = conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    is_ready && !taints.iter().any(|taint| taint.key.starts_with("node.kubernetes.io/not-ready"))
}

fn object(spec: &NodeSpec) -> anyhow::Result<Node> {
    let mut labels = json!({
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "lab",
        "topology.kubernetes.io/zone": spec.zone,
    });
    let mut taints = Vec::new();
    if spec.control_plane {
        labels["node-role.kubernetes.io/control-plane"] = "".into();
        taints
            .push(json!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}));
    }
    if spec.drillable {
        labels["firedrill.dev/drillable"] = "true".into();
    }
    for (key, value) in &spec.labels {
        labels[key] = value.as_str().into();
    }
    let capacity =
        json!({"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"});
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": labels},
        "spec": {"taints": taints},
        "status": {"capacity": capacity, "allocatable": capacity},
    }))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn six_nodes_over_three_zones() {
        let nodes: Vec<Node> = six().iter().map(|spec| object(spec).unwrap()).collect();
        let labels: Vec<_> =
            nodes.iter().map(|node| node.metadata.labels.clone().unwrap()).collect();
        assert_eq!(nodes.len(), 6);
        let zones: BTreeSet<_> = labels.iter().map(|l| &l["topology.kubernetes.io/zone"]).collect();
        assert_eq!(zones.len(), 3);
        let control = |l: &&std::collections::BTreeMap<String, String>| {
            l.contains_key("node-role.kubernetes.io/control-plane")
        };
        assert_eq!(labels.iter().filter(control).count(), 1);
        let drillable: Vec<_> = labels
            .iter()
            .filter(|l| l.get("firedrill.dev/drillable").is_some_and(|v| v == "true"))
            .collect();
        assert!(drillable.len() >= 2 && !drillable.iter().any(control));
    }
}
