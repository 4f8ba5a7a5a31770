//! The recovery time of a drain, worked out a second time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::Value;

use super::{Stretches, condition, controller, name};

/// A pod, as far as a drain goes.
#[derive(Clone, Debug, Default)]
struct Seat {
    node: String,
    /// Namespace, kind and name of its controller.
    of: (String, String, String),
    ready: bool,
    leaving: bool,
}

/// A fold over what was seen of a drain of one node.
#[derive(Debug, Default)]
pub struct Drain {
    /// Whether each node took pods when it was last seen.
    nodes: BTreeMap<String, bool>,
    /// The node that was cordoned.
    node: Option<String>,
    pods: BTreeMap<String, Seat>,
    /// Controllers with pods on the node, and how many ready pods they had.
    before: BTreeMap<(String, String, String), usize>,
    /// Their pods on the node, by UID, and when each was sent away.
    old: BTreeMap<String, Option<Instant>>,
    holding: Stretches,
}

/// What was seen of a drain.
#[derive(Clone, Debug)]
pub struct Drained {
    /// From the first pod that was sent away to the recovery.
    pub recovery: Duration,
    /// The recovery time is off by at most this, either way.
    pub bound: Duration,
    /// The node.
    pub node: String,
    /// How many pods were sent away.
    pub evicted: usize,
}

impl Drain {
    /// Takes one event of a watch.
    pub fn see(&mut self, at: Instant, kind: &str, gone: bool, object: &Value) {
        let (namespace, own) = name(object);
        match kind {
            "nodes" => {
                let takes = object["spec"]["unschedulable"] != true;
                let before = self.nodes.insert(own.clone(), takes);
                if before == Some(true) && !takes && self.node.is_none() {
                    self.cordoned(own);
                }
            }
            "pods" => {
                let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                let going = object["metadata"]["deletionTimestamp"].is_string();
                let leaving = going || condition(object, "DisruptionTarget");
                if (gone || leaving)
                    && let Some(sent @ None) = self.old.get_mut(&uid)
                {
                    *sent = Some(at);
                }
                let Some((kind, of)) = controller(object) else { return };
                if gone {
                    self.pods.remove(&uid);
                } else {
                    let node = object["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
                    let ready = condition(object, "Ready");
                    let of = (namespace, kind, of);
                    self.pods.insert(uid, Seat { node, of, ready, leaving });
                }
            }
            _ => return,
        }
        if let Some(node) = &self.node {
            let holds = self.old.values().all(Option::is_some)
                && self.before.iter().all(|(of, wanted)| self.ready(of, Some(node)) >= *wanted);
            self.holding.set(holds, at);
        }
    }

    /// What the node carried is known before the first pod leaves it: a drain cordons first.
    fn cordoned(&mut self, node: String) {
        let stays = ["DaemonSet", "Job"];
        for (uid, pod) in &self.pods {
            if pod.node == node && !stays.contains(&pod.of.1.as_str()) {
                self.old.insert(uid.clone(), None);
                self.before.insert(pod.of.clone(), self.ready(&pod.of, None));
            }
        }
        self.node = Some(node);
    }

    /// Ready pods of a controller, without those on `but`.
    fn ready(&self, of: &(String, String, String), but: Option<&String>) -> usize {
        let serving = |pod: &&Seat| pod.of == *of && pod.ready && !pod.leaving;
        self.pods.values().filter(serving).filter(|pod| Some(&pod.node) != but).count()
    }

    /// The recovery time, seen from `now`, with watches that lag at most `lag`.
    ///
    /// # Errors
    /// When the cordon, an eviction or the recovery was not seen.
    pub fn recovered(
        &self,
        stable_for: Duration,
        now: Instant,
        lag: Duration,
    ) -> anyhow::Result<Drained> {
        let node = self.node.clone().context("the observer saw no node cordoned")?;
        let sent = self.old.values().copied().collect::<Option<Vec<_>>>();
        let sent = sent.with_context(|| format!("a pod stayed on {node}"))?;
        let first = sent.iter().min().with_context(|| format!("{node} carried no pod"))?;
        let last = sent.iter().max().with_context(|| format!("{node} carried no pod"))?;
        let recovered = self
            .holding
            .first(*last, stable_for, now)
            .context("the observer saw no lasting recovery")?;
        Ok(Drained { recovery: recovered - *first, bound: lag, node, evicted: sent.len() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, node: &str, ready: bool, leaving: bool) -> Value {
        let status = if ready { "True" } else { "False" };
        let mut pod = json!({
            "metadata": {"namespace": "s", "name": uid, "uid": uid, "ownerReferences":
                [{"kind": "ReplicaSet", "name": "web", "controller": true}]},
            "spec": {"nodeName": node},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        });
        if leaving {
            pod["metadata"]["deletionTimestamp"] = "2026-08-10T04:00:00Z".into();
        }
        pod
    }

    #[test]
    fn recovery_counts_from_the_first_eviction_to_as_many_pods_elsewhere() {
        let t0 = Instant::now();
        let at = |seconds: u64| t0 + Duration::from_secs(seconds);
        let mut fold = Drain::default();
        let node = |cordoned: bool| json!({"metadata": {"name": "n"}, "spec": {"unschedulable": cordoned}});
        fold.see(at(0), "nodes", false, &node(false));
        fold.see(at(0), "pods", false, &pod("a", "n", true, false));
        fold.see(at(0), "pods", false, &pod("b", "m", true, false));
        fold.see(at(1), "nodes", false, &node(true));
        fold.see(at(2), "pods", false, &pod("a", "n", true, true));
        fold.see(at(3), "pods", true, &pod("a", "n", true, true));
        fold.see(at(4), "pods", false, &pod("c", "m", false, false));
        let stable = Duration::from_secs(5);
        let total = |fold: &Drain, now| {
            fold.recovered(stable, at(now), Duration::ZERO).ok().map(|it| it.recovery)
        };
        assert_eq!(total(&fold, 60), None);
        fold.see(at(6), "pods", false, &pod("c", "m", true, false));
        assert_eq!(total(&fold, 10), None);
        assert_eq!(total(&fold, 11), Some(Duration::from_secs(4)));
    }
}
