//! What a drain sees: pods, budgets, ReplicaSets and nodes, folded as they change.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use futures::{Stream, StreamExt, stream::select_all};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    core::v1::{Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, runtime::watcher};

use super::cordon::Cordoned;
use crate::{
    clock::Mono,
    kind::drain_nodes::{
        budget::Gate,
        pods::{self, Fate},
        recovery::{Owners, Recovery, Workload},
    },
    run::step::Running,
    world::{
        kube::Cluster,
        watch::{Seen, watch},
    },
};

/// One observation of any kind.
enum Any {
    Pod(Seen<Pod>),
    Budget(Seen<PodDisruptionBudget>),
    Set(Seen<ReplicaSet>),
    Node(Seen<Node>),
}

type Stream1 = Pin<Box<dyn Stream<Item = (Mono, Any)> + Send>>;

/// A list under way: what a watch begins anew with.
struct Listing<K> {
    items: Option<Vec<K>>,
    blind: Option<Mono>,
}

impl<K> Default for Listing<K> {
    fn default() -> Self {
        Self { items: None, blind: None }
    }
}

/// The view of a drain.
pub struct View {
    stream: Pin<Box<dyn Stream<Item = (Mono, Any)> + Send>>,
    targets: BTreeSet<String>,
    cordons: BTreeMap<String, Cordoned>,
    /// Pods of the cluster, by UID.
    pub pods: BTreeMap<String, Pod>,
    /// Budgets and what is in flight under them.
    pub gate: Gate,
    owners: Owners,
    namespaces: BTreeSet<String>,
    /// Set when the baseline is taken.
    pub recovery: Option<Recovery>,
    /// Somebody else acted on a node of ours; one sentence.
    pub interference: Option<String>,
    /// The largest echo of a write of ours, in milliseconds.
    pub lag: Option<u64>,
    pod_list: Listing<Pod>,
    budget_list: Listing<PodDisruptionBudget>,
    set_list: Listing<ReplicaSet>,
    complete: BTreeSet<&'static str>,
    desired: BTreeMap<Workload, u32>,
}

impl View {
    /// Opens the watches and waits for the first list of each.
    ///
    /// # Errors
    /// If one does not come in time, in one sentence.
    pub async fn open(run: &Running, cluster: &Cluster, nodes: &[String]) -> Result<Self, String> {
        let clock = run.clock();
        let all = watcher::Config::default;
        let mut streams: Vec<Stream1> = Vec::new();
        let pods = watch(Api::<Pod>::all(cluster.client()), all(), clock.clone());
        streams.push(Box::pin(pods.map(|(at, seen)| (at, Any::Pod(seen)))));
        let budgets =
            watch(Api::<PodDisruptionBudget>::all(cluster.client()), all(), clock.clone());
        streams.push(Box::pin(budgets.map(|(at, seen)| (at, Any::Budget(seen)))));
        let sets = watch(Api::<ReplicaSet>::all(cluster.client()), all(), clock.clone());
        streams.push(Box::pin(sets.map(|(at, seen)| (at, Any::Set(seen)))));
        let node_watch = watch(Api::<Node>::all(cluster.client()), all(), clock.clone());
        streams.push(Box::pin(node_watch.map(|(at, seen)| (at, Any::Node(seen)))));
        let mut view = Self {
            stream: Box::pin(select_all(streams)),
            targets: nodes.iter().cloned().collect(),
            cordons: BTreeMap::new(),
            pods: BTreeMap::new(),
            gate: Gate::default(),
            owners: Owners::default(),
            namespaces: BTreeSet::new(),
            recovery: None,
            interference: None,
            lag: None,
            pod_list: Listing::default(),
            budget_list: Listing::default(),
            set_list: Listing::default(),
            complete: BTreeSet::new(),
            desired: BTreeMap::new(),
        };
        view.desired = desired(cluster).await?;
        let first = async {
            while view.complete.len() < 4 {
                view.step().await;
            }
        };
        if tokio::time::timeout(cluster.timeout, first).await.is_err() {
            return Err("pods and budgets cannot be watched: no list came in time".to_owned());
        }
        view.baseline(clock.mono());
        Ok(view)
    }

    /// Takes the baseline: who is ready where, before anything is touched.
    fn baseline(&mut self, at: Mono) {
        let evict: BTreeSet<String> = self.evictable().map(|(uid, _)| uid.to_owned()).collect();
        let pods: Vec<Pod> = self.pods.values().cloned().collect();
        self.recovery = Some(Recovery::new(
            self.owners.clone(),
            self.targets.clone(),
            &pods,
            &evict,
            &self.desired,
            at,
        ));
    }

    /// Remembers a node of ours.
    pub fn cordoned(&mut self, cordoned: Cordoned) {
        self.cordons.insert(cordoned.node.clone(), cordoned);
    }

    /// The pods on the nodes that are to be evicted, late arrivals included.
    pub fn evictable(&self) -> impl Iterator<Item = (&str, &Pod)> {
        self.pods.iter().filter(|(_, pod)| self.is_here(pod)).filter_map(|(uid, pod)| {
            matches!(pods::fate(pod), Fate::Evict).then_some((uid.as_str(), pod))
        })
    }

    /// Pods on the nodes that are on their way out.
    #[must_use]
    pub fn leaving(&self) -> usize {
        let leaving = |pod: &&Pod| pod.metadata.deletion_timestamp.is_some();
        self.pods.values().filter(|pod| self.is_here(pod)).filter(leaving).count()
    }

    fn is_here(&self, pod: &Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        node.is_some_and(|node| self.targets.contains(node))
    }

    /// Takes the next observation.
    pub async fn step(&mut self) {
        let Some((at, any)) = self.stream.next().await else {
            // Watches do not end; if they did, waiting for ever would be the worst answer.
            return tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        };
        match any {
            Any::Pod(seen) => self.pod(seen, at),
            Any::Budget(seen) => self.budget(seen),
            Any::Set(seen) => self.set(seen),
            Any::Node(seen) => self.node(seen, at),
        }
    }

    fn pod(&mut self, seen: Seen<Pod>, at: Mono) {
        match seen {
            Seen::Restart => self.pod_list.items = Some(Vec::new()),
            Seen::Gap { from, .. } => {
                let blind = self.pod_list.blind.map_or(from, |blind| blind.min(from));
                self.pod_list.blind = Some(blind);
            }
            Seen::Apply(pod) => match &mut self.pod_list.items {
                Some(items) => items.push(*pod),
                None => self.put(*pod, at),
            },
            Seen::Delete(pod) => {
                if let Some(uid) = pod.metadata.uid.as_deref() {
                    self.pods.remove(uid);
                    self.gate.left(uid);
                    if let Some(recovery) = &mut self.recovery {
                        recovery.removed(uid, at);
                    }
                }
            }
            Seen::Complete => {
                self.complete.insert("pods");
                let items = self.pod_list.items.take().unwrap_or_default();
                let blind = self.pod_list.blind.take().unwrap_or(at);
                self.relist(items, blind, at);
            }
        }
    }

    fn put(&mut self, pod: Pod, at: Mono) {
        let Some(uid) = pod.metadata.uid.clone() else { return };
        if pod.metadata.deletion_timestamp.is_some() {
            self.gate.left(&uid);
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.apply(&pod, at);
        }
        self.pods.insert(uid, pod);
    }

    fn relist(&mut self, items: Vec<Pod>, blind: Mono, at: Mono) {
        let of = |pod: &Pod| pod.metadata.namespace.clone().unwrap_or_default();
        let namespaces: BTreeSet<String> = self.pods.values().chain(&items).map(of).collect();
        let gone: Vec<String> = self.pods.keys().cloned().collect();
        self.pods =
            items.iter().filter_map(|pod| Some((pod.metadata.uid.clone()?, pod.clone()))).collect();
        for uid in gone.iter().filter(|uid| !self.pods.contains_key(*uid)) {
            self.gate.left(uid);
        }
        let Some(recovery) = &mut self.recovery else { return };
        for namespace in namespaces {
            let of_it: Vec<Pod> =
                items.iter().filter(|pod| of(pod) == namespace).cloned().collect();
            recovery.relisted(&namespace, &of_it, blind, at);
        }
    }

    fn budget(&mut self, seen: Seen<PodDisruptionBudget>) {
        match seen {
            Seen::Restart => self.budget_list.items = Some(Vec::new()),
            Seen::Gap { .. } => {}
            Seen::Apply(budget) => match &mut self.budget_list.items {
                Some(items) => items.push(*budget),
                None => {
                    self.namespaces.extend(budget.metadata.namespace.clone());
                    self.gate.observe(*budget);
                }
            },
            Seen::Delete(budget) => {
                let meta = &budget.metadata;
                let namespace = meta.namespace.as_deref().unwrap_or_default();
                self.gate.forget(namespace, meta.name.as_deref().unwrap_or_default());
            }
            Seen::Complete => {
                self.complete.insert("budgets");
                let items = self.budget_list.items.take().unwrap_or_default();
                self.namespaces.extend(items.iter().filter_map(|b| b.metadata.namespace.clone()));
                for namespace in &self.namespaces {
                    let of_it = items
                        .iter()
                        .filter(|b| b.metadata.namespace.as_ref() == Some(namespace))
                        .cloned();
                    self.gate.relisted(namespace, of_it.collect());
                }
            }
        }
    }

    fn set(&mut self, seen: Seen<ReplicaSet>) {
        match seen {
            Seen::Restart => self.set_list.items = Some(Vec::new()),
            Seen::Gap { .. } | Seen::Delete(_) => {}
            Seen::Apply(set) => {
                self.owners.learn(&set);
                if let Some(recovery) = &mut self.recovery {
                    recovery.learn(&set);
                }
            }
            Seen::Complete => {
                self.complete.insert("sets");
            }
        }
    }

    fn node(&mut self, seen: Seen<Node>, at: Mono) {
        let (node, gone) = match seen {
            Seen::Complete => {
                self.complete.insert("nodes");
                return;
            }
            Seen::Apply(node) => (node, false),
            Seen::Delete(node) => (node, true),
            Seen::Restart | Seen::Gap { .. } => return,
        };
        let Some(name) = node.metadata.name.as_deref() else { return };
        let Some(ours) = self.cordons.get(name) else { return };
        let uid = node.metadata.uid.as_deref();
        let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
        if gone || uid != Some(&ours.uid) {
            self.interference = Some(format!("somebody deleted node {name}"));
        } else if cordoned {
            // The first event with the bit is the echo of our own patch.
            let echo = crate::clock::millis(at.since(ours.sent));
            self.lag.get_or_insert(echo);
        } else if self.lag.is_some() {
            // Before the echo an event may still show the node as it was before us.
            self.interference = Some(format!("somebody uncordoned node {name}"));
        }
    }
}

/// Replicas that Deployments and StatefulSets ask for.
async fn desired(cluster: &Cluster) -> Result<BTreeMap<Workload, u32>, String> {
    let mut all = BTreeMap::new();
    let workload = |kind: &str, namespace: Option<String>, name: Option<String>| Workload {
        namespace: namespace.unwrap_or_default(),
        kind: kind.to_owned(),
        name: name.unwrap_or_default(),
    };
    let count = |replicas: Option<i32>| u32::try_from(replicas.unwrap_or(1)).unwrap_or(0);
    for item in super::list::<Deployment>(cluster, "/apis/apps/v1/deployments").await? {
        let replicas = count(item.spec.and_then(|spec| spec.replicas));
        let meta = item.metadata;
        all.insert(workload("Deployment", meta.namespace, meta.name), replicas);
    }
    for item in super::list::<StatefulSet>(cluster, "/apis/apps/v1/statefulsets").await? {
        let replicas = count(item.spec.and_then(|spec| spec.replicas));
        let meta = item.metadata;
        all.insert(workload("StatefulSet", meta.namespace, meta.name), replicas);
    }
    Ok(all)
}
