//! Whether the chosen nodes can be drained at all: asked before any of them is cordoned. PURE.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::{
    budget::{self, Structure},
    pods::{self, Fate, Skip},
};
use crate::kind::words::count;

/// What a drain would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan<'a> {
    /// The pods that are evicted.
    pub evict: Vec<&'a Pod>,
    /// The pods that stay, as `namespace/name`, and why.
    pub skipped: Vec<(String, Skip)>,
    /// Why no node may be cordoned, one sentence each; empty = go.
    pub refusals: Vec<String>,
    /// What a reader should know, one sentence each.
    pub findings: Vec<String>,
}

impl Plan<'_> {
    /// One line for a person: `evict 3 pods, leave 2 (1 belongs to a DaemonSet, 1 is finished)`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut why: BTreeMap<Skip, usize> = BTreeMap::new();
        for (_, skip) in &self.skipped {
            *why.entry(*skip).or_default() += 1;
        }
        let mut line = format!("evict {}", count(self.evict.len(), "pod"));
        if !why.is_empty() {
            let whys: Vec<String> =
                why.iter().map(|(skip, n)| format!("{n} {}", skip.why())).collect();
            line.push_str(&format!(", leave {} ({})", self.skipped.len(), whys.join(", ")));
        }
        line
    }
}

/// Plans the drain of the nodes that `pods` run on, all together, under `budgets` (of all
/// namespaces of those pods).
#[must_use]
pub fn plan<'a>(pods: &'a [Pod], budgets: &[PodDisruptionBudget]) -> Plan<'a> {
    let mut plan = Plan::default();
    // A budget that covers many pods is told once.
    let mut refusals = BTreeSet::new();
    let mut waits = BTreeSet::new();
    for pod in pods {
        match pods::fate(pod) {
            Fate::Skip(skip) => {
                plan.skipped.push((pods::full_name(pod), skip));
                continue;
            }
            Fate::Refuse(why) => {
                refusals.insert(why);
                continue;
            }
            Fate::Evict => {}
        }
        plan.findings.extend(pods::findings(pod));
        let covering = budget::covering(pod, budgets);
        refusals.extend(budget::too_many(pod, &covering));
        for budget in covering {
            match budget::structure(budget) {
                Structure::Open => {
                    let allowed = budget.status.as_ref().map_or(0, |s| s.disruptions_allowed);
                    if allowed <= 0 {
                        let name = budget::full_name(budget);
                        waits.insert(format!("budget {name} allows no eviction at the moment"));
                    }
                }
                Structure::Never(why) | Structure::Unknown(why) => {
                    refusals.insert(why);
                }
            }
        }
        plan.evict.push(pod);
    }
    if plan.evict.is_empty() && refusals.is_empty() {
        refusals.insert("there is no pod to evict, so nothing would be shown".to_owned());
    }
    plan.refusals.extend(refusals);
    plan.findings.extend(waits);
    plan
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, owner: Option<&str>) -> Pod {
        let owners: Vec<Value> = owner
            .iter()
            .map(|kind| {
                json!({"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "1",
                       "controller": true})
            })
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "n", "labels": {"app": "web"},
                         "ownerReferences": owners},
            "spec": {"containers": []},
            "status": {"phase": "Running"},
        }))
        .expect("pod")
    }

    fn budget(name: &str, max_unavailable: Value, allowed: i32) -> PodDisruptionBudget {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "n", "generation": 1},
            "spec": {"maxUnavailable": max_unavailable,
                     "selector": {"matchLabels": {"app": "web"}}},
            "status": {"observedGeneration": 1, "disruptionsAllowed": allowed,
                       "currentHealthy": 6, "desiredHealthy": 5, "expectedPods": 6},
        }))
        .expect("budget")
    }

    #[test]
    fn a_plan_without_refusals_goes() {
        let pods = [
            pod("web-1", Some("ReplicaSet")),
            pod("web-2", Some("ReplicaSet")),
            pod("log", Some("DaemonSet")),
        ];
        let plan = plan(&pods, &[budget("web", json!(1), 0)]);
        assert_eq!(plan.evict, [&pods[0], &pods[1]]);
        assert_eq!(plan.skipped, [("n/log".to_owned(), Skip::DaemonSet)]);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        assert_eq!(plan.findings, ["budget n/web allows no eviction at the moment"]);
        assert_eq!(plan.line(), "evict 2 pods, leave 1 (1 belongs to a DaemonSet)");
    }

    #[test]
    fn each_refusal_is_told_once() {
        let pods =
            [pod("web-1", Some("ReplicaSet")), pod("web-2", Some("ReplicaSet")), pod("bare", None)];
        let refusals = |budgets: &[PodDisruptionBudget]| plan(&pods, budgets).refusals;
        assert_eq!(
            refusals(&[budget("web", json!(0), 0)]),
            [
                "budget n/web allows no eviction: maxUnavailable is 0",
                "pod n/bare has no controller and would not come back",
            ]
        );
        let two = [budget("a", json!(1), 1), budget("b", json!(1), 1)];
        assert_eq!(refusals(&two).len(), 3);
        assert_eq!(
            refusals(&two)[1],
            "pod n/web-1 is under more than one budget (a and b), which no eviction can pass"
        );
    }

    #[test]
    fn a_drain_that_shows_nothing_is_refused() {
        let pods = [pod("log", Some("DaemonSet"))];
        assert_eq!(
            plan(&pods, &[]).refusals,
            ["there is no pod to evict, so nothing would be shown"]
        );
    }
}
