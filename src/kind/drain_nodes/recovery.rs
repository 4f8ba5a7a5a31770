//! Whether the workloads that lost pods are as well as before, elsewhere, and since when. PURE.
//!
//! A fold over the pods of the affected namespaces, by UID: a replacement is a new UID under the
//! same top-level controller. A workload has recovered at the start of the first stretch in which
//! it has as many ready pods off the drained nodes as it had ready pods before, and keeps them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};

use crate::{
    clock::{Mono, millis},
    kind::{
        owner,
        window::{Bounds, Holding, cut},
    },
};

/// A top-level controller, or a pod without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its kind, `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.to_ascii_lowercase(), self.namespace, self.name)
    }
}

/// ReplicaSets and who made them.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Kind and name of the controller, by the ReplicaSet's UID.
    replica_sets: BTreeMap<String, Option<(String, String)>>,
}

impl Owners {
    /// Remembers a ReplicaSet's controller.
    pub fn learn(&mut self, set: &ReplicaSet) {
        if let Some(uid) = &set.metadata.uid {
            let by = owner::direct(&set.metadata).map(|o| (o.kind.clone(), o.name.clone()));
            self.replica_sets.insert(uid.clone(), by);
        }
    }

    /// The workload that a pod belongs to. A ReplicaSet that was not learned is traced by its
    /// name, see [`owner::controller`].
    #[must_use]
    pub fn top(&self, pod: &Pod) -> Workload {
        let meta = &pod.metadata;
        let namespace = meta.namespace.clone().unwrap_or_default();
        let learned = owner::direct(meta).and_then(|owner| {
            let by = self.replica_sets.get(&owner.uid)?;
            Some(by.clone().unwrap_or_else(|| (owner.kind.clone(), owner.name.clone())))
        });
        let (kind, name) = learned
            .or_else(|| owner::controller(meta).map(|c| (c.kind, c.name)))
            .unwrap_or_else(|| ("Pod".to_owned(), meta.name.clone().unwrap_or_default()));
        Workload { namespace, kind, name }
    }
}

/// A pod, as far as recovery reads it.
#[derive(Clone, Debug)]
struct PodNow {
    workload: Workload,
    node: Option<String>,
    ready: bool,
    /// Since when it has been bound to a node, for one that came after the baseline.
    bound: Option<Bounds>,
    fresh: bool,
}

/// One workload that loses pods.
#[derive(Clone, Debug)]
struct Track {
    desired: Option<u32>,
    ready_before: u32,
    ready: u32,
    ready_off: u32,
    minimum: u32,
    lost_millis: u64,
    last: Mono,
    holding: Holding,
}

impl Track {
    fn move_to(&mut self, at: Mono) {
        let missing = u64::from(self.ready_before.saturating_sub(self.ready));
        self.lost_millis += missing * millis(at.since(self.last));
        self.last = self.last.max(at);
    }
}

/// How a workload fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As well as before, since this instant.
    Recovered(Bounds),
    /// Not, or not yet, or not long enough.
    NotRecovered {
        /// Ready pods off the drained nodes now.
        ready: u32,
        /// Ready pods before.
        of: u32,
    },
    /// Nothing will bring its pod back.
    Lost,
    /// Recovery means nothing for it, and why.
    NotApplicable(&'static str),
}

/// How all of them fare together: as the slowest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fleet {
    /// All that can have, since this instant.
    Recovered(Bounds),
    /// At least one has not; one sentence for each.
    NotRecovered(Vec<String>),
    /// Recovery means nothing for any of them.
    NotApplicable,
}

/// Figures of one workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Replicas asked for before the drain, if known.
    pub desired: Option<u32>,
    /// Ready pods before the drain.
    pub ready_before: u32,
    /// The fewest ready pods since.
    pub minimum_ready: u32,
    /// Ready pods missing, times how long, in replica-milliseconds.
    pub lost_replica_millis: u64,
}

/// The recovery of the workloads that lose pods.
#[derive(Clone, Debug)]
pub struct Recovery {
    owners: Owners,
    targets: BTreeSet<String>,
    tracks: BTreeMap<Workload, Track>,
    pods: BTreeMap<String, PodNow>,
    /// UIDs of the baseline: whatever is not in here is a replacement.
    before: BTreeSet<String>,
    /// The pods that are evicted, by UID.
    old: BTreeMap<String, Workload>,
    accepted: BTreeMap<String, Mono>,
    /// Since when an old pod is terminating or gone, and since when it is gone.
    left: BTreeMap<String, Mono>,
    gone: BTreeMap<String, Mono>,
    confounders: BTreeSet<String>,
}

impl Recovery {
    /// Takes the baseline: `pods` are all pods of the affected namespaces, `evict` the UIDs of
    /// those that will be evicted from the nodes `targets`, `desired` the replicas of workloads
    /// where they are known.
    #[must_use]
    pub fn new(
        owners: Owners,
        targets: BTreeSet<String>,
        pods: &[Pod],
        evict: &BTreeSet<String>,
        desired: &BTreeMap<Workload, u32>,
        at: Mono,
    ) -> Self {
        let mut this = Self {
            owners,
            targets,
            tracks: BTreeMap::new(),
            pods: BTreeMap::new(),
            before: BTreeSet::new(),
            old: BTreeMap::new(),
            accepted: BTreeMap::new(),
            left: BTreeMap::new(),
            gone: BTreeMap::new(),
            confounders: BTreeSet::new(),
        };
        for pod in pods {
            let Some(uid) = pod.metadata.uid.clone() else { continue };
            this.before.insert(uid.clone());
            this.put(pod, Bounds::exact(at));
            if evict.contains(&uid) {
                this.old.insert(uid, this.owners.top(pod));
            }
        }
        for workload in this.old.values().cloned().collect::<BTreeSet<_>>() {
            let (ready, ready_off) = this.count(&workload);
            // It may hold from the start: where only pods that were not ready are evicted.
            let mut holding = Holding::default();
            holding.set(ready_off >= ready, at);
            let track = Track {
                desired: desired.get(&workload).copied(),
                ready_before: ready,
                ready,
                ready_off,
                minimum: ready,
                lost_millis: 0,
                last: at,
                holding,
            };
            this.tracks.insert(workload, track);
        }
        this
    }

    /// A ReplicaSet that appeared since the baseline.
    pub fn learn(&mut self, set: &ReplicaSet) {
        self.owners.learn(set);
    }

    /// The server accepted the eviction of the pod.
    pub fn accepted(&mut self, uid: &str, at: Mono) {
        self.accepted.entry(uid.to_owned()).or_insert(at);
        // One that was bound to the node after the cordon is evicted too.
        if let Some(pod) = self.pods.get(uid) {
            self.old.entry(uid.to_owned()).or_insert_with(|| pod.workload.clone());
        }
    }

    /// A pod as a watch shows it.
    pub fn apply(&mut self, pod: &Pod, at: Mono) {
        self.put(pod, Bounds::exact(at));
        let workload = self.owners.top(pod);
        self.step(&workload, None, at);
    }

    /// A pod is gone.
    pub fn removed(&mut self, uid: &str, at: Mono) {
        if let Some(workload) = self.drop_pod(uid, at) {
            self.step(&workload, None, at);
        }
    }

    /// All pods of `namespace`, as a new list shows them after its watch was cut: nothing was seen
    /// after `blind_since`.
    pub fn relisted(&mut self, namespace: &str, pods: &[Pod], blind_since: Mono, at: Mono) {
        let listed: BTreeSet<&str> =
            pods.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        let missing: Vec<String> = self
            .pods
            .iter()
            .filter(|(uid, pod)| {
                pod.workload.namespace == namespace && !listed.contains(uid.as_str())
            })
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in missing {
            self.drop_pod(&uid, at);
        }
        for pod in pods {
            self.put(pod, Bounds { lower: blind_since, upper: at });
        }
        let affected: Vec<Workload> =
            self.tracks.keys().filter(|w| w.namespace == namespace).cloned().collect();
        for workload in affected {
            self.step(&workload, Some(blind_since), at);
        }
    }

    /// The replicas that a workload asks for now; a change is a confounder.
    pub fn asks_for(&mut self, workload: &Workload, replicas: u32) {
        let before = self.tracks.get(workload).and_then(|track| track.desired);
        if let Some(before) = before.filter(|&before| before != replicas) {
            self.confounders.insert(format!("{workload} was scaled from {before} to {replicas}"));
        }
    }

    /// What else changed meanwhile, one sentence each.
    #[must_use]
    pub fn confounders(&self) -> Vec<String> {
        let mut all: Vec<String> = self.confounders.iter().cloned().collect();
        let others = self.left.keys().filter(|uid| !self.accepted.contains_key(*uid)).count();
        if others > 0 {
            let pods = crate::kind::words::count(others, "pod");
            all.push(format!("{pods} left the drained nodes without an eviction of ours"));
        }
        all
    }

    /// T0: the first accepted eviction.
    #[must_use]
    pub fn t0(&self) -> Option<Mono> {
        self.accepted.values().min().copied()
    }

    /// The largest time from the sending of an eviction to the first sight of its pod leaving: how
    /// far the watch lay behind, while it mattered.
    #[must_use]
    pub fn echo(&self) -> Option<Duration> {
        let echoes = self.accepted.iter().filter_map(|(uid, sent)| {
            let left = self.left.get(uid)?;
            (left >= sent).then(|| left.since(*sent))
        });
        echoes.max()
    }

    /// The old pods that have not left yet.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<&str> {
        self.old.keys().filter(|uid| !self.gone.contains_key(*uid)).map(String::as_str).collect()
    }

    /// The workloads that lose pods.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.tracks.keys()
    }

    /// How `workload` fares, seen from `at`.
    #[must_use]
    pub fn outcome(&self, workload: &Workload, stable_for: Duration, at: Mono) -> Outcome {
        let Some(track) = self.tracks.get(workload) else {
            return Outcome::NotApplicable("it lost no pod");
        };
        match workload.kind.as_str() {
            "Pod" => return Outcome::Lost,
            "Job" => return Outcome::NotApplicable("a Job runs to its end and starts over"),
            _ if track.ready_before == 0 => {
                return Outcome::NotApplicable("it had no ready pod before");
            }
            _ => {}
        }
        let not = Outcome::NotRecovered { ready: track.ready_off, of: track.ready_before };
        // Recovery cannot be over before the last of its pods was sent away.
        let mut floor = None;
        for (uid, _) in self.old.iter().filter(|(_, of)| *of == workload) {
            let Some(&sent) = self.accepted.get(uid).or_else(|| self.left.get(uid)) else {
                return not;
            };
            floor = floor.max(Some(sent));
        }
        let Some(floor) = floor else { return not };
        match track.holding.window(floor, stable_for, at) {
            Some(start) => Outcome::Recovered(start),
            None => not,
        }
    }

    /// How all of them fare, seen from `at`.
    #[must_use]
    pub fn fleet(&self, stable_for: Duration, at: Mono) -> Fleet {
        let mut slowest: Option<Bounds> = None;
        let mut not = Vec::new();
        for workload in self.tracks.keys() {
            match self.outcome(workload, stable_for, at) {
                Outcome::Recovered(start) => {
                    slowest = Some(slowest.map_or(start, |before| before.later(start)));
                }
                Outcome::NotRecovered { ready, of } if ready < of => {
                    not.push(format!("{workload}: {ready} of {of} ready elsewhere"));
                }
                Outcome::NotRecovered { ready, .. } => {
                    not.push(format!("{workload}: {ready} ready elsewhere, but not long enough"));
                }
                Outcome::Lost => not.push(format!("{workload}: lost, nothing brings it back")),
                Outcome::NotApplicable(_) => {}
            }
        }
        match slowest {
            _ if !not.is_empty() => Fleet::NotRecovered(not),
            Some(start) => Fleet::Recovered(start),
            None => Fleet::NotApplicable,
        }
    }

    /// The figures of `workload` up to `at`.
    #[must_use]
    pub fn figures(&self, workload: &Workload, at: Mono) -> Option<Figures> {
        let mut track = self.tracks.get(workload)?.clone();
        track.move_to(at);
        Some(Figures {
            desired: track.desired,
            ready_before: track.ready_before,
            minimum_ready: track.minimum,
            lost_replica_millis: track.lost_millis,
        })
    }

    /// The ends of the phases `evicted`, `gone`, `scheduled`, `ready` up to the recovery at
    /// `recovered`, in order; they sum to the time since T0.
    #[must_use]
    pub fn phases(&self, recovered: Mono) -> Vec<(&'static str, Mono)> {
        let Some(t0) = self.t0() else { return Vec::new() };
        let scheduled = self
            .pods
            .values()
            .filter(|pod| pod.fresh && self.tracks.contains_key(&pod.workload))
            .filter_map(|pod| pod.bound.map(|bound| bound.upper))
            .filter(|&bound| bound <= recovered)
            .max();
        let evicted = self.accepted.values().max().copied();
        let gone = self.gone.values().max().copied();
        cut(
            t0,
            &[("evicted", evicted), ("gone", gone), ("scheduled", scheduled)],
            "ready",
            recovered,
        )
    }

    fn put(&mut self, pod: &Pod, at: Bounds) {
        let Some(uid) = pod.metadata.uid.clone() else { return };
        let status = pod.status.as_ref();
        let condition = status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        // Endpoints drop a pod as soon as it is terminating, whatever its condition says.
        let terminating = pod.metadata.deletion_timestamp.is_some();
        if terminating && self.old.contains_key(&uid) {
            self.left.entry(uid.clone()).or_insert(at.upper);
        }
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let bound = self.pods.get(&uid).and_then(|before| before.bound);
        let now = PodNow {
            workload: self.owners.top(pod),
            bound: bound.or(node.is_some().then_some(at)),
            node,
            ready: condition && !terminating,
            fresh: !self.before.contains(&uid),
        };
        self.pods.insert(uid, now);
    }

    fn drop_pod(&mut self, uid: &str, at: Mono) -> Option<Workload> {
        let pod = self.pods.remove(uid)?;
        if self.old.contains_key(uid) {
            self.left.entry(uid.to_owned()).or_insert(at);
            self.gone.entry(uid.to_owned()).or_insert(at);
        }
        Some(pod.workload)
    }

    fn count(&self, workload: &Workload) -> (u32, u32) {
        let ready = self.pods.values().filter(|pod| pod.ready && pod.workload == *workload);
        ready.fold((0, 0), |(all, off), pod| {
            let on_target = pod.node.as_ref().is_some_and(|node| self.targets.contains(node));
            (all + 1, off + u32::from(!on_target))
        })
    }

    fn step(&mut self, workload: &Workload, blind_since: Option<Mono>, at: Mono) {
        let (ready, off) = self.count(workload);
        let Some(track) = self.tracks.get_mut(workload) else { return };
        track.move_to(at);
        track.ready = ready;
        track.ready_off = off;
        track.minimum = track.minimum.min(ready);
        let holds = off >= track.ready_before;
        match blind_since {
            Some(from) => track.holding.set_after_gap(holds, from, at),
            None => track.holding.set(holds, at),
        }
    }
}

#[cfg(test)]
mod tests;
