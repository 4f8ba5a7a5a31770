//! PodDisruptionBudgets: which of them can ever allow an eviction, and how many may be sent now.
//! PURE.
//!
//! The server enforces every budget; the gate only keeps us from asking in vain. It counts what we
//! sent and what the budget's status does not show yet.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Pod,
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus},
    },
    apimachinery::pkg::{apis::meta::v1::Time, util::intstr::IntOrString},
};

use super::selector::Selector;
use crate::kind::words::list;

/// Namespace and name of a budget.
pub type Key = (String, String);

/// Whether a budget can ever allow an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Structure {
    /// With all its pods healthy it allows one at least.
    Open,
    /// It never does; one sentence.
    Never(String),
    /// Its status does not tell; one sentence.
    Unknown(String),
}

/// The budgets that cover `pod`. One whose selector cannot be read covers every pod of its
/// namespace: it must not be passed by unseen.
pub fn covering<'a>(
    pod: &Pod,
    budgets: impl IntoIterator<Item = &'a PodDisruptionBudget>,
) -> Vec<&'a PodDisruptionBudget> {
    let covers = |budget: &PodDisruptionBudget| {
        // policy/v1: an empty selector covers all pods, none covers no pod.
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        budget.metadata.namespace == pod.metadata.namespace
            && selector.is_some_and(|selector| {
                Selector::from_api(selector)
                    .map_or(true, |selector| selector.matches(pod.metadata.labels.as_ref()))
            })
    };
    budgets.into_iter().filter(|budget| covers(budget)).collect()
}

/// The sentence for a pod under several budgets, which the server never evicts; none if it is
/// under one or none.
#[must_use]
pub fn too_many(pod: &Pod, covering: &[&PodDisruptionBudget]) -> Option<String> {
    (covering.len() > 1).then(|| {
        let names: Vec<&str> = covering.iter().map(|budget| name(budget)).collect();
        format!(
            "pod {} is under more than one budget ({}), which no eviction can pass",
            super::pods::full_name(pod),
            list(&names)
        )
    })
}

/// Whether `budget` can ever allow an eviction.
#[must_use]
pub fn structure(budget: &PodDisruptionBudget) -> Structure {
    let label = full_name(budget);
    let spec = budget.spec.clone().unwrap_or_default();
    let zero = match &spec.max_unavailable {
        Some(IntOrString::Int(n)) => *n <= 0,
        Some(IntOrString::String(text)) => percent(text) == Some(0),
        None => false,
    };
    if zero {
        return Structure::Never(format!("budget {label} allows no eviction: maxUnavailable is 0"));
    }
    if let Some(IntOrString::String(text)) = &spec.min_available
        && percent(text).is_some_and(|percent| percent >= 100)
    {
        return Structure::Never(format!(
            "budget {label} allows no eviction: minAvailable is {text}"
        ));
    }
    let Some(status) = budget.status.as_ref().filter(|status| !stale(budget, status)) else {
        return Structure::Unknown(format!("budget {label} has not been processed yet"));
    };
    let failed = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "DisruptionAllowed" && condition.reason == "SyncFailed"
    });
    if let Some(failed) = failed {
        return Structure::Unknown(format!(
            "budget {label} cannot be computed: {}",
            failed.message
        ));
    }
    if status.desired_healthy >= status.expected_pods {
        return Structure::Never(format!(
            "budget {label} allows no eviction: it needs {} healthy pods and covers {}",
            status.desired_healthy, status.expected_pods
        ));
    }
    Structure::Open
}

fn percent(text: &str) -> Option<u32> {
    text.strip_suffix('%')?.parse().ok()
}

fn stale(budget: &PodDisruptionBudget, status: &PodDisruptionBudgetStatus) -> bool {
    status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0)
}

fn name(budget: &PodDisruptionBudget) -> &str {
    budget.metadata.name.as_deref().unwrap_or("")
}

/// `namespace/name`
#[must_use]
pub fn full_name(budget: &PodDisruptionBudget) -> String {
    format!("{}/{}", budget.metadata.namespace.as_deref().unwrap_or(""), name(budget))
}

fn key(budget: &PodDisruptionBudget) -> Key {
    (budget.metadata.namespace.clone().unwrap_or_default(), name(budget).to_owned())
}

/// Whether a pod may be evicted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send it. It counts as in flight from now on.
    Go,
    /// Not now; one sentence.
    Wait(String),
    /// Never; one sentence.
    Blocked(String),
}

/// An eviction that was sent and that its budget's status does not show yet.
#[derive(Clone, Debug)]
struct Flight {
    budget: Key,
    pod: String,
    /// The entry that the status held for a pod of this name when it was sent.
    before: Option<Time>,
    /// The pod is terminating or gone.
    left: bool,
}

/// How many evictions may be sent now: a fold over budgets and our own evictions.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    budgets: BTreeMap<Key, PodDisruptionBudget>,
    /// By the pod's UID.
    flights: BTreeMap<String, Flight>,
}

impl Gate {
    /// A budget as a watch shows it. An eviction that its status accounts for is no longer in
    /// flight.
    pub fn observe(&mut self, budget: PodDisruptionBudget) {
        let key = key(&budget);
        let status = budget.status.as_ref();
        let entry = |pod: &str| status?.disrupted_pods.as_ref()?.get(pod).cloned();
        self.flights.retain(|_, flight| {
            flight.budget != key || {
                let now = entry(&flight.pod);
                now.is_none() || now == flight.before
            }
        });
        self.budgets.insert(key, budget);
    }

    /// All budgets of `namespace`, as a new list shows them after a watch was cut. It is fresh, so
    /// it accounts for every eviction whose pod has left.
    pub fn relisted(&mut self, namespace: &str, budgets: Vec<PodDisruptionBudget>) {
        self.flights.retain(|_, flight| flight.budget.0 != namespace || !flight.left);
        self.budgets.retain(|key, _| key.0 != namespace);
        for budget in budgets {
            self.observe(budget);
        }
    }

    /// A budget was deleted.
    pub fn forget(&mut self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.budgets.remove(&key);
        self.flights.retain(|_, flight| flight.budget != key);
    }

    /// Whether `pod` may be evicted now; [`Turn::Go`] counts it as in flight.
    pub fn turn(&mut self, pod: &Pod) -> Turn {
        let covering = covering(pod, self.budgets.values());
        if let Some(why) = too_many(pod, &covering) {
            return Turn::Blocked(why);
        }
        let Some(&budget) = covering.first() else { return Turn::Go };
        if passes_freely(pod, budget) {
            return Turn::Go;
        }
        let key = key(budget);
        let name = pod.metadata.name.clone().unwrap_or_default();
        if self.room(&key) == 0 {
            return Turn::Wait(format!("{name} waits: {}", self.why_closed(budget)));
        }
        let entries = budget.status.as_ref().and_then(|status| status.disrupted_pods.as_ref());
        let before = entries.and_then(|entries| entries.get(&name)).cloned();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        self.flights.insert(uid, Flight { budget: key, pod: name, before, left: false });
        Turn::Go
    }

    /// How many more evictions may be sent now under the budget: what it allows, less what is in
    /// flight; none while its status is stale or the budget is not known.
    #[must_use]
    pub fn room(&self, key: &Key) -> usize {
        let Some(budget) = self.budgets.get(key) else { return 0 };
        let Some(status) = budget.status.as_ref().filter(|status| !stale(budget, status)) else {
            return 0;
        };
        usize::try_from(status.disruptions_allowed).unwrap_or(0).saturating_sub(self.in_flight(key))
    }

    /// The eviction of the pod was refused, or is given up as lost: it is not in flight.
    ///
    /// Also the way out where no status ever accounts for it; wait some seconds before.
    pub fn release(&mut self, uid: &str) {
        self.flights.remove(uid);
    }

    /// The pod is terminating or gone.
    pub fn left(&mut self, uid: &str) {
        if let Some(flight) = self.flights.get_mut(uid) {
            flight.left = true;
        }
    }

    fn in_flight(&self, key: &Key) -> usize {
        self.flights.values().filter(|flight| flight.budget == *key).count()
    }

    fn why_closed(&self, budget: &PodDisruptionBudget) -> String {
        let name = name(budget);
        let Some(status) = budget.status.as_ref().filter(|status| !stale(budget, status)) else {
            return format!("budget {name} is still being processed");
        };
        let allowed = status.disruptions_allowed.max(0);
        if allowed > 0 {
            let flying = self.in_flight(&key(budget));
            return format!("budget {name} allows {allowed} now, and {flying} are under way");
        }
        format!(
            "budget {name} allows 0 now ({} of {} ready, needs {})",
            status.current_healthy, status.expected_pods, status.desired_healthy
        )
    }
}

/// Whether the server evicts the pod without asking the budget: it is Pending, or not Ready and
/// the budget says `AlwaysAllow` or has enough healthy pods without it.
fn passes_freely(pod: &Pod, budget: &PodDisruptionBudget) -> bool {
    let status = pod.status.as_ref();
    if status.and_then(|status| status.phase.as_deref()) == Some("Pending") {
        return true;
    }
    let ready = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let policy =
        budget.spec.as_ref().and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref());
    let enough = budget
        .status
        .as_ref()
        .is_some_and(|s| s.desired_healthy > 0 && s.current_healthy >= s.desired_healthy);
    !ready && (policy == Some("AlwaysAllow") || enough)
}

#[cfg(test)]
mod tests;
