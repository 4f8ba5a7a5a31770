//! The act of `drainNodes`: cordon all, evict under every budget, watch the workloads recover.

pub mod cordon;
pub mod evict;
pub mod watches;

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Spec, candidates, caps, decide, pods};
use crate::{
    kind,
    run::{
        effect::EffectError,
        event::Severity,
        step::{Running, StepEnd},
    },
    world::{access::Need, kube::Cluster},
};

/// What our account must be allowed to. Uncordoning is the same right as cordoning, so it is
/// known before the cordon.
pub const NEEDS: &[Need] = &[
    Need::cluster("list", "", "nodes"),
    Need::cluster("get", "", "nodes"),
    Need::cluster("watch", "", "nodes"),
    Need::cluster("patch", "", "nodes"),
    Need::cluster("get", "", "pods"),
    Need::cluster("list", "", "pods"),
    Need::cluster("watch", "", "pods"),
    Need { subresource: "eviction", ..Need::cluster("create", "", "pods") },
    Need::cluster("list", "policy", "poddisruptionbudgets"),
    Need::cluster("watch", "policy", "poddisruptionbudgets"),
    Need::cluster("list", "apps", "replicasets"),
    Need::cluster("watch", "apps", "replicasets"),
    Need::cluster("list", "apps", "deployments"),
    Need::cluster("list", "apps", "statefulsets"),
];

/// What the step is about to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes.
    pub nodes: Vec<String>,
    /// Things that a reader should know.
    pub findings: Vec<String>,
    /// One line for each effect.
    pub foreseen: Vec<String>,
}

/// Looks at the world and decides what the step will do; changes nothing.
///
/// # Errors
/// Why it must not start.
pub async fn plan(run: &Running, spec: &Spec) -> Result<Plan, Vec<String>> {
    let cluster = run.cluster().map_err(|why| vec![why])?;
    let one = |why: String| vec![why];
    let nodes: Vec<Node> = list(cluster, "/api/v1/nodes").await.map_err(one)?;
    let cap = caps::nodes(&cluster.caps, &nodes);
    let choice =
        candidates::choose(&nodes, spec, cap, run.record.run()).map_err(|why| vec![why])?;
    let names: Vec<String> =
        choice.nodes.iter().filter_map(|node| node.metadata.name.clone()).collect();
    let on_nodes = pods_on(cluster, &names).await.map_err(one)?;
    let budgets: Vec<PodDisruptionBudget> =
        list(cluster, "/apis/policy/v1/poddisruptionbudgets").await.map_err(one)?;
    let planned = decide::plan(&on_nodes, &budgets);
    if !planned.refusals.is_empty() {
        return Err(planned.refusals);
    }
    caps::pods(&cluster.caps, planned.evict.len()).map_err(one)?;
    let mut findings: Vec<String> = choice
        .refused
        .iter()
        .map(|refused| format!("node {} is not drained: {}", refused.node, refused.why))
        .collect();
    findings.extend(planned.findings.iter().cloned());
    let mut foreseen: Vec<String> = names
        .iter()
        .map(|name| format!("cordon node {name}; uncordoned when the step ends, whatever happens"))
        .collect();
    foreseen.extend(
        planned
            .evict
            .iter()
            .map(|pod| format!("evict pod {}; its controller replaces it", pods::full_name(pod))),
    );
    Ok(Plan { nodes: names, findings, foreseen })
}

/// Carries the step out.
///
/// # Errors
/// If an effect could not be tried.
pub async fn act(
    run: &Running,
    step: &str,
    spec: &Spec,
    plan: &Plan,
) -> Result<StepEnd, EffectError> {
    let cluster = match run.cluster() {
        Ok(cluster) => cluster,
        Err(why) => return Ok(StepEnd::failed(why)),
    };
    for text in &plan.findings {
        run.find(Severity::Info, "drainNodes.plan", text.clone(), None).await;
    }
    // The watches stand before the cordon: the baseline is what was there before us.
    let mut view = match watches::View::open(run, cluster, &plan.nodes).await {
        Ok(view) => view,
        Err(why) => return Ok(StepEnd::failed(why)),
    };
    for node in &plan.nodes {
        run.say(format!("cordoning node {node}"));
        match cordon::cordon(run, step, cluster, node).await? {
            Ok(cordoned) => view.cordoned(cordoned),
            Err(why) => return Ok(StepEnd::failed(why)),
        }
    }
    // What ends the recovery is asked before the first eviction.
    kind::check::act::arm(run, step);
    evict::drain(run, step, spec, cluster, view).await
}

/// All pods on the nodes.
async fn pods_on(cluster: &Cluster, nodes: &[String]) -> Result<Vec<Pod>, String> {
    let mut all = Vec::new();
    for node in nodes {
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}");
        all.extend(list(cluster, &path).await?);
    }
    Ok(all)
}

/// A list, decoded.
async fn list<T: DeserializeOwned>(cluster: &Cluster, path: &str) -> Result<Vec<T>, String> {
    let items = cluster.list(path).await.map_err(|error| error.to_string())?;
    items.into_iter().map(|item| decode(item, path)).collect()
}

fn decode<T: DeserializeOwned>(item: Value, path: &str) -> Result<T, String> {
    serde_json::from_value(item).map_err(|error| format!("{path} cannot be read: {error}"))
}
