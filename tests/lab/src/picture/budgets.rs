//! An observer of PodDisruptionBudgets with watches of its own: whether an eviction ever took a
//! budget below what it promises, and where every pod sat.

use std::{collections::BTreeMap, fmt, pin::pin};

use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::Pod, policy::v1::PodDisruptionBudget},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::Seat;

/// An eviction that took a budget below its promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetViolation {
    /// When the observer saw it.
    pub at: Timestamp,
    /// The budget, `namespace/name`.
    pub budget: String,
    /// The pod that was evicted, `namespace/name`.
    pub pod: String,
    /// Healthy pods after it.
    pub healthy: i32,
    /// What the budget's status promised.
    pub desired: i32,
}

/// What the observer saw.
#[derive(Clone, Debug, Default)]
pub struct BudgetReport {
    /// Evictions that broke a budget.
    pub violations: Vec<BudgetViolation>,
    /// Pods that were evicted.
    pub evicted: u64,
    /// Budgets below their promise for another reason (a pod that turned unready, a scale-up).
    pub other_dips: u64,
    /// Watches that broke and were started again: what happened meanwhile was not seen.
    pub gaps: Vec<String>,
    /// Every pod that was ever seen, by UID.
    pub seats: BTreeMap<String, Seat>,
}

impl BudgetReport {
    /// Whether every eviction was seen and none broke a budget.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.gaps.is_empty()
    }
}

impl fmt::Display for BudgetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} pods evicted, {} violations, {} other dips, {} gaps",
            self.evicted,
            self.violations.len(),
            self.other_dips,
            self.gaps.len()
        )?;
        for v in &self.violations {
            writeln!(
                f,
                "  {:.3} eviction of {} left budget {} with {} healthy of {}",
                v.at, v.pod, v.budget, v.healthy, v.desired
            )?;
        }
        self.gaps.iter().try_for_each(|gap| writeln!(f, "  not seen: {gap}"))
    }
}

/// A running observer; ends when dropped.
#[derive(Debug)]
pub struct BudgetWatch {
    stop: CancellationToken,
    tasks: JoinSet<BudgetReport>,
}

impl BudgetWatch {
    /// Ends it; what it saw.
    ///
    /// # Errors
    /// If the observer ended early.
    pub async fn stop(mut self) -> anyhow::Result<BudgetReport> {
        self.stop.cancel();
        let report = self.tasks.join_next().await.context("the observer has no task")?;
        report.context("the observer failed")
    }
}

/// Watches all budgets and pods, from the moment at which it returns.
///
/// # Errors
/// If the first lists do not come.
pub async fn watch_budgets(admin: Client) -> anyhow::Result<BudgetWatch> {
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (tell, ready) = oneshot::channel();
    tasks.spawn(observe(admin, stop.clone(), tell));
    ready.await.map_err(|_| anyhow!("the observer ended before its first lists came"))?;
    Ok(BudgetWatch { stop, tasks })
}

async fn observe(
    admin: Client,
    stop: CancellationToken,
    tell: oneshot::Sender<()>,
) -> BudgetReport {
    let config = watcher::Config::default;
    let pods = watcher(Api::<Pod>::all(admin.clone()), config()).default_backoff();
    let budgets = watcher(Api::<PodDisruptionBudget>::all(admin), config()).default_backoff();
    let (mut pods, mut budgets) = (pin!(pods), pin!(budgets));
    let (mut tell, mut listed) = (Some(tell), (false, false));
    let mut ledger = Ledger::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return ledger.report,
            event = pods.next() => match event {
                None => ledger.gap("the watch of pods ended".to_owned()),
                Some(Err(error)) => ledger.gap(format!("pods: {error}")),
                Some(Ok(event)) => {
                    listed.0 |= matches!(event, Event::InitDone);
                    ledger.pod(event);
                }
            },
            event = budgets.next() => match event {
                None => ledger.gap("the watch of budgets ended".to_owned()),
                Some(Err(error)) => ledger.gap(format!("budgets: {error}")),
                Some(Ok(event)) => {
                    listed.1 |= matches!(event, Event::InitDone);
                    ledger.budget(event);
                }
            },
        }
        if listed == (true, true) {
            tell = tell.and_then(|tell| {
                // Nobody waits any more: the observer is stopped next.
                let _ = tell.send(());
                None
            });
        }
    }
}

/// The fold over both watches. Events of one watch come in the server's order, so counting pods
/// needs no other watch; a budget's promise changes only with its spec or its workload's scale.
#[derive(Debug, Default)]
struct Ledger {
    pods: BTreeMap<String, PodView>,
    budgets: BTreeMap<(String, String), BudgetView>,
    report: BudgetReport,
}

#[derive(Clone, Debug)]
struct PodView {
    namespace: String,
    name: String,
    labels: BTreeMap<String, String>,
    /// Ready and not terminating, as the disruption controller counts.
    healthy: bool,
    evicted: bool,
}

#[derive(Debug)]
struct BudgetView {
    selector: Option<LabelSelector>,
    desired: i32,
}

impl Ledger {
    fn gap(&mut self, what: String) {
        self.report.gaps.push(what);
    }

    fn pod(&mut self, event: Event<Pod>) {
        match event {
            Event::Init | Event::InitDone => {}
            Event::InitApply(pod) => {
                self.see(&pod);
            }
            Event::Apply(pod) => {
                let (old, new) = self.see(&pod);
                self.weigh(old, new);
            }
            Event::Delete(pod) => {
                let (old, mut new) = self.see(&pod);
                // With a grace of 0 a pod goes without ever having been seen terminating.
                new.healthy = false;
                self.pods.remove(&pod.uid().unwrap_or_default());
                self.weigh(old, new);
            }
        }
    }

    /// Writes a pod down; what was known before, and what is now.
    fn see(&mut self, pod: &Pod) -> (Option<PodView>, PodView) {
        let uid = pod.uid().unwrap_or_default();
        self.report.seats.insert(uid.clone(), Seat::of(pod));
        let view = PodView::of(pod);
        (self.pods.insert(uid, view.clone()), view)
    }

    fn weigh(&mut self, old: Option<PodView>, new: PodView) {
        let Some(old) = old else { return };
        if new.evicted && !old.evicted {
            self.report.evicted += 1;
        }
        if !old.healthy || new.healthy {
            return;
        }
        let mut broken = Vec::new();
        for ((namespace, name), budget) in &self.budgets {
            if *namespace != new.namespace || !selects(budget.selector.as_ref(), &new.labels) {
                continue;
            }
            let healthy = self
                .pods
                .values()
                .filter(|pod| pod.healthy && pod.namespace == *namespace)
                .filter(|pod| selects(budget.selector.as_ref(), &pod.labels))
                .count();
            let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
            if healthy < budget.desired {
                broken.push((format!("{namespace}/{name}"), healthy, budget.desired));
            }
        }
        for (budget, healthy, desired) in broken {
            if new.evicted {
                let pod = format!("{}/{}", new.namespace, new.name);
                let at = Timestamp::now();
                self.report.violations.push(BudgetViolation { at, budget, pod, healthy, desired });
            } else {
                self.report.other_dips += 1;
            }
        }
    }

    fn budget(&mut self, event: Event<PodDisruptionBudget>) {
        let name = |b: &PodDisruptionBudget| (b.namespace().unwrap_or_default(), b.name_any());
        match event {
            Event::Init | Event::InitDone => {}
            Event::InitApply(budget) | Event::Apply(budget) => {
                let desired = budget.status.as_ref().map_or(0, |status| status.desired_healthy);
                let key = name(&budget);
                let selector = budget.spec.and_then(|spec| spec.selector);
                self.budgets.insert(key, BudgetView { selector, desired });
            }
            Event::Delete(budget) => {
                self.budgets.remove(&name(&budget));
            }
        }
    }
}

impl PodView {
    fn of(pod: &Pod) -> Self {
        let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_deref());
        let conditions = conditions.unwrap_or_default();
        let holds = |kind: &str| {
            conditions.iter().find(|c| c.type_ == kind && c.status == "True").map(|c| &c.reason)
        };
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            labels: pod.labels().clone(),
            healthy: holds("Ready").is_some() && pod.metadata.deletion_timestamp.is_none(),
            // Set by the server together with the deletion, and by nothing but an eviction.
            evicted: holds("DisruptionTarget")
                .is_some_and(|reason| reason.as_deref() == Some("EvictionByEvictionAPI")),
        }
    }
}

/// Whether a budget's selector takes a pod: none takes nothing, an empty one everything.
fn selects(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return false };
    let equal = selector.match_labels.iter().flatten().all(|(k, v)| labels.get(k) == Some(v));
    equal
        && selector.match_expressions.iter().flatten().all(|rule| {
            let value = labels.get(&rule.key);
            let listed = value.is_some_and(|v| rule.values.iter().flatten().any(|w| w == v));
            match rule.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, extra: Value) -> Pod {
        let mut pod = json!({
            "metadata": {"namespace": "shop", "name": name, "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        for (path, value) in extra.as_object().expect("object") {
            let (parent, key) = path.rsplit_once('/').expect("path");
            pod.pointer_mut(parent).expect("parent")[key] = value.clone();
        }
        serde_json::from_value(pod).expect("pod")
    }

    fn evicted(name: &str) -> Pod {
        pod(
            name,
            json!({
                "/metadata/deletionTimestamp": "2026-01-01T00:00:00Z",
                "/status/conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
                ],
            }),
        )
    }

    fn ledger(desired: i32) -> Ledger {
        let mut ledger = Ledger::default();
        let budget = json!({
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"selector": {"matchExpressions": [
                {"key": "app", "operator": "In", "values": ["web"]},
            ]}},
            "status": {"desiredHealthy": desired, "currentHealthy": 2, "disruptionsAllowed": 0, "expectedPods": 2},
        });
        ledger.budget(Event::InitApply(serde_json::from_value(budget).expect("budget")));
        for name in ["a", "b"] {
            ledger.pod(Event::InitApply(pod(name, json!({}))));
        }
        ledger
    }

    #[test]
    fn an_eviction_below_the_promise_is_a_violation_once() {
        let mut ledger = ledger(2);
        ledger.pod(Event::Apply(evicted("a")));
        ledger.pod(Event::Delete(evicted("a")));
        let report = &ledger.report;
        assert_eq!((report.evicted, report.violations.len()), (1, 1), "{report}");
        let first = &report.violations[0];
        assert_eq!((first.pod.as_str(), first.healthy, first.desired), ("shop/a", 1, 2));
        assert_eq!(report.seats["a"].node.as_deref(), Some("n1"));
        assert!(!report.is_clean());
    }

    #[test]
    fn an_eviction_within_the_budget_is_none_until_the_next() {
        let mut ledger = ledger(1);
        ledger.pod(Event::Apply(evicted("a")));
        assert!(ledger.report.is_clean());
        ledger.pod(Event::Apply(evicted("b")));
        assert_eq!(ledger.report.violations.len(), 1);
    }

    #[test]
    fn a_replacement_that_is_ready_makes_room() {
        let mut ledger = ledger(1);
        ledger.pod(Event::Apply(evicted("a")));
        ledger.pod(Event::Apply(pod("c", json!({}))));
        ledger.pod(Event::Apply(evicted("b")));
        assert!(ledger.report.is_clean(), "{}", ledger.report);
    }

    #[test]
    fn a_pod_without_grace_is_seen_only_as_deleted() {
        let mut ledger = ledger(2);
        ledger.pod(Event::Delete(evicted("a")));
        assert_eq!((ledger.report.evicted, ledger.report.violations.len()), (1, 1));
    }

    #[test]
    fn a_pod_that_turns_unready_is_a_dip_of_another_sort() {
        let mut ledger = ledger(2);
        ledger.pod(Event::Apply(pod("a", json!({"/status/conditions": []}))));
        assert_eq!((ledger.report.violations.len(), ledger.report.other_dips), (0, 1));
    }

    #[test]
    fn a_gap_is_not_clean() {
        let mut ledger = ledger(0);
        ledger.gap("pods: closed".to_owned());
        assert!(!ledger.report.is_clean());
    }
}
