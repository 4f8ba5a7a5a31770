//! Whether everything in a set of namespaces is ready, and since when. PURE.
//!
//! A fold over the watches of Deployments, StatefulSets and pods. A namespace is ready when every
//! workload in it that wants replicas has them, every pod without such a workload is Ready, and
//! there is at least one of either: an empty namespace proves nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::object::{self, Lack, Standing};
use crate::{
    clock::Mono,
    kind::window::{Bounds, Holding},
};

/// The kinds that are watched, each in every namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Deployments.
    Deployment,
    /// StatefulSets.
    StatefulSet,
    /// Pods.
    Pod,
}

impl Watched {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::Pod];

    fn noun(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::Pod => "pod",
        }
    }
}

/// What a watch showed.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A Deployment as it is now.
    Deployment(Box<Deployment>),
    /// A StatefulSet as it is now.
    StatefulSet(Box<StatefulSet>),
    /// A pod as it is now.
    Pod(Box<Pod>),
    /// An object is gone.
    Gone {
        /// Its kind.
        kind: Watched,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Namespace and name.
type Name = (String, String);

struct PodState {
    uid: Option<String>,
    standing: Standing,
    /// Its controller as kind and name, with a ReplicaSet traced to its Deployment.
    owner: Option<(String, String)>,
    finished: bool,
    bound: Option<Bounds>,
}

/// Readiness of a set of namespaces.
pub struct Readiness {
    namespaces: BTreeSet<String>,
    /// Lists that came in. Before the last of them nothing is known.
    listed: BTreeSet<(Watched, String)>,
    workloads: BTreeMap<(Watched, Name), Standing>,
    pods: BTreeMap<Name, PodState>,
    holding: Holding,
}

impl Readiness {
    /// Nothing is known yet about `namespaces`.
    #[must_use]
    pub fn new<T: Into<String>>(namespaces: impl IntoIterator<Item = T>) -> Self {
        Self {
            namespaces: namespaces.into_iter().map(Into::into).collect(),
            listed: BTreeSet::new(),
            workloads: BTreeMap::new(),
            pods: BTreeMap::new(),
            holding: Holding::default(),
        }
    }

    /// One event of a watch, received at `at`. Events of other namespaces are ignored.
    pub fn apply(&mut self, seen: Seen, at: Mono) {
        self.put(seen, Bounds::exact(at));
        self.holding.set(self.ready(), at);
    }

    /// A list of every `kind` in `namespace`, complete at `at`: the first one, or the one that a
    /// watch begins anew with after it was cut. Nothing was seen after `blind_since`; what the
    /// list does not hold is gone.
    pub fn listed(
        &mut self,
        kind: Watched,
        namespace: &str,
        objects: Vec<Seen>,
        blind_since: Option<Mono>,
        at: Mono,
    ) {
        let bounds = Bounds { lower: blind_since.unwrap_or(at), upper: at };
        let keep: BTreeSet<Name> = objects.iter().filter_map(name_of).collect();
        self.workloads
            .retain(|(k, name), _| *k != kind || name.0 != namespace || keep.contains(name));
        if kind == Watched::Pod {
            self.pods.retain(|name, _| name.0 != namespace || keep.contains(name));
        }
        for seen in objects {
            self.put(seen, bounds);
        }
        self.listed.insert((kind, namespace.to_owned()));
        match blind_since {
            Some(from) => self.holding.set_after_gap(self.ready(), from, at),
            None => self.holding.set(self.ready(), at),
        }
    }

    /// Whether all is ready by the last that was seen.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.unlisted() == 0 && self.lacks().is_empty()
    }

    /// The start of the first stretch through which all was ready for `stable_for` without a
    /// break, seen from `at`. Only time from `after` (the end of the restore) on counts.
    #[must_use]
    pub fn window(&self, after: Mono, stable_for: Duration, at: Mono) -> Option<Bounds> {
        self.holding.window(after, stable_for, at)
    }

    /// Whether a namespace that was listed in full holds nothing that could be ready.
    #[must_use]
    pub fn nothing_to_be_ready(&self) -> bool {
        self.unlisted() == 0 && self.namespaces.iter().any(|namespace| self.counted(namespace) == 0)
    }

    /// The instant at which the last pod was bound to a node, of those bound by `end`; none while
    /// no pod was. Finished pods do not count.
    #[must_use]
    pub fn scheduled(&self, end: Mono) -> Option<Bounds> {
        self.pods
            .values()
            .filter(|pod| !pod.finished)
            .filter_map(|pod| pod.bound)
            .filter(|bound| bound.upper <= end)
            .reduce(Bounds::later)
    }

    /// What is not ready, the worst first, in one sentence; empty if all is.
    #[must_use]
    pub fn why_not(&self) -> String {
        const TOLD: usize = 4;
        if self.unlisted() > 0 {
            return "the namespaces are not listed yet".to_owned();
        }
        let mut lacks = self.lacks();
        if lacks.is_empty() {
            return String::new();
        }
        // The pods of a workload explain what it lacks; one for each reason is enough.
        let mut reasons: BTreeSet<String> = lacks.iter().map(|lack| lack.what.clone()).collect();
        for (name, pod) in &self.pods {
            if let Standing::Lacking(lack) = &pod.standing
                && self.waits_for(name, pod).is_none()
                && lack.badness > 10
                && reasons.insert(lack.what.clone())
            {
                lacks.push(Lack {
                    badness: lack.badness,
                    what: format!("{}: {}", self.label(Watched::Pod, name), lack.what),
                });
            }
        }
        lacks.sort_by(|a, b| b.badness.cmp(&a.badness).then_with(|| a.what.cmp(&b.what)));
        // A workload alone says how much is missing, a pod says why: of many, tell both.
        let (workloads, pods): (Vec<Lack>, Vec<Lack>) =
            lacks.into_iter().partition(|lack| lack.badness >= 100);
        let room = TOLD.saturating_sub(pods.len().min(TOLD / 2));
        let total = workloads.len() + pods.len();
        let told: Vec<String> =
            workloads.into_iter().take(room).chain(pods).take(TOLD).map(|l| l.what).collect();
        let more = total - told.len();
        let mut sentence = told.join("; ");
        if more > 0 {
            sentence.push_str(&format!("; and {more} more"));
        }
        sentence
    }

    fn put(&mut self, seen: Seen, at: Bounds) {
        let Some(name) = name_of(&seen) else { return };
        if !self.namespaces.contains(&name.0) {
            return;
        }
        match seen {
            Seen::Deployment(object) => {
                self.workloads.insert((Watched::Deployment, name), object::deployment(&object));
            }
            Seen::StatefulSet(object) => {
                self.workloads.insert((Watched::StatefulSet, name), object::stateful_set(&object));
            }
            Seen::Pod(object) => {
                let before = self.pods.remove(&name);
                let state = pod_state(&object, before, at);
                self.pods.insert(name, state);
            }
            Seen::Gone { kind: Watched::Pod, .. } => {
                self.pods.remove(&name);
            }
            Seen::Gone { kind, .. } => {
                self.workloads.remove(&(kind, name));
            }
        }
    }

    fn unlisted(&self) -> usize {
        self.namespaces.len() * Watched::ALL.len() - self.listed.len()
    }

    /// How many things in `namespace` can be ready.
    fn counted(&self, namespace: &str) -> usize {
        let workloads = self
            .workloads
            .iter()
            .filter(|((_, name), standing)| name.0 == namespace && **standing != Standing::Ignored);
        let pods = self
            .pods
            .iter()
            .filter(|(name, pod)| name.0 == namespace && self.waits_for(name, pod).is_some());
        workloads.count() + pods.count()
    }

    /// The standing of a pod that must be ready for its own sake: one that no known controller
    /// answers for.
    fn waits_for<'a>(&self, name: &Name, pod: &'a PodState) -> Option<&'a Standing> {
        if pod.standing == Standing::Ignored {
            return None;
        }
        let answered_for = pod.owner.as_ref().is_some_and(|(kind, owner)| {
            let key = |kind| (kind, (name.0.clone(), owner.clone()));
            match kind.as_str() {
                "Deployment" => self.workloads.contains_key(&key(Watched::Deployment)),
                "StatefulSet" => self.workloads.contains_key(&key(Watched::StatefulSet)),
                // A pod of a Job runs to its end and never needs to be Ready.
                "Job" => true,
                _ => false,
            }
        });
        (!answered_for).then_some(&pod.standing)
    }

    /// All that is not ready and must be.
    fn lacks(&self) -> Vec<Lack> {
        let mut lacks = Vec::new();
        for ((kind, name), standing) in &self.workloads {
            if let Standing::Lacking(lack) = standing {
                let what = format!("{}: {}", self.label(*kind, name), lack.what);
                lacks.push(Lack { badness: lack.badness, what });
            }
        }
        for (name, pod) in &self.pods {
            if let Some(Standing::Lacking(lack)) = self.waits_for(name, pod) {
                let what = format!("{}: {}", self.label(Watched::Pod, name), lack.what);
                lacks.push(Lack { badness: lack.badness, what });
            }
        }
        for namespace in &self.namespaces {
            if self.counted(namespace) == 0 {
                let what = format!("namespace {namespace}: nothing to be ready came back");
                lacks.push(Lack { badness: u32::MAX, what });
            }
        }
        lacks
    }

    /// `deployment web`, or `deployment shop/web` where there are several namespaces.
    fn label(&self, kind: Watched, name: &Name) -> String {
        if self.namespaces.len() > 1 {
            format!("{} {}/{}", kind.noun(), name.0, name.1)
        } else {
            format!("{} {}", kind.noun(), name.1)
        }
    }
}

fn name_of(seen: &Seen) -> Option<Name> {
    let of = |meta: &ObjectMeta| Some((meta.namespace.clone()?, meta.name.clone()?));
    match seen {
        Seen::Deployment(object) => of(&object.metadata),
        Seen::StatefulSet(object) => of(&object.metadata),
        Seen::Pod(object) => of(&object.metadata),
        Seen::Gone { namespace, name, .. } => Some((namespace.clone(), name.clone())),
    }
}

fn pod_state(object: &Pod, before: Option<PodState>, at: Bounds) -> PodState {
    let uid = object.metadata.uid.clone();
    let phase = object.status.as_ref().and_then(|status| status.phase.as_deref());
    let on_node = object.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let known = before.filter(|before| before.uid == uid).and_then(|before| before.bound);
    PodState {
        standing: object::pod(object),
        owner: crate::kind::owner::controller(&object.metadata)
            .map(|owner| (owner.kind, owner.name)),
        finished: matches!(phase, Some("Succeeded" | "Failed")),
        bound: known.or(on_node.then_some(at)),
        uid,
    }
}

#[cfg(test)]
mod tests;
