//! When a Service of a sandbox could be reached, worked out a second time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::Value;

use super::{RUN, Stretches, name, ready};

/// The label by which an `EndpointSlice` names its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// A fold over what was seen of a restore and of the endpoints of one Service that came back.
#[derive(Debug)]
pub struct Serving {
    service: String,
    created: Option<Instant>,
    terminal: Option<Instant>,
    /// The sandbox namespaces of the run.
    sandboxes: BTreeSet<String>,
    /// By namespace and name of the slice: whether it has an endpoint that is ready.
    slices: BTreeMap<(String, String), bool>,
    reachable: Stretches,
}

/// What was seen of a Service that came back.
#[derive(Clone, Debug)]
pub struct Served {
    /// From the appearance of the Restore to the first instant at which it was over, the Service
    /// had a ready endpoint, and what is behind it answered well.
    pub recovery: Duration,
    /// The recovery time is off by at most this, either way.
    pub bound: Duration,
    /// From the appearance of the Restore to the first ready endpoint that stayed.
    pub reachable: Duration,
}

impl Serving {
    /// Nothing was seen yet of the Service of this name.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            created: None,
            terminal: None,
            sandboxes: BTreeSet::new(),
            slices: BTreeMap::new(),
            reachable: Stretches::default(),
        }
    }

    /// Takes one event of a watch.
    pub fn see(&mut self, at: Instant, kind: &str, gone: bool, object: &Value) {
        let (namespace, own) = name(object);
        match kind {
            "restores" if !gone => {
                self.created.get_or_insert(at);
                if ready::is_terminal(object) {
                    self.terminal.get_or_insert(at);
                }
            }
            "namespaces" if !gone && object["metadata"]["labels"][RUN].is_string() => {
                self.sandboxes.insert(own);
            }
            "endpointslices" if object["metadata"]["labels"][SERVICE] == *self.service => {
                let ready = !gone && has_ready(object);
                self.slices.insert((namespace, own), ready);
            }
            _ => return,
        }
        let mut mine = self.slices.iter().filter(|((ns, _), _)| self.sandboxes.contains(ns));
        self.reachable.set(mine.any(|(_, ready)| *ready), at);
    }

    /// Since when the Service can be reached without a break, if it can.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.reachable.0.last().filter(|(_, end)| end.is_none()).map(|(start, _)| *start)
    }

    /// The recovery time, seen from `now`: what is behind the Service answers well from `well` on
    /// (from the beginning, if none), and a ready endpoint has to stay for `stable_for`. Watches
    /// lag at most `lag`.
    ///
    /// # Errors
    /// When the restore, its end or a lasting endpoint was not seen.
    pub fn recovered(
        &self,
        well: Option<Instant>,
        stable_for: Duration,
        now: Instant,
        lag: Duration,
    ) -> anyhow::Result<Served> {
        let created = self.created.context("the observer saw no Restore")?;
        let terminal = self.terminal.context("the observer saw no end of the Restore")?;
        let lasting = |floor: Instant| {
            let first = self.reachable.first(floor, stable_for, now);
            first.context("the observer saw no endpoint that stayed ready")
        };
        let floor = well.map_or(terminal, |well| well.max(terminal));
        Ok(Served {
            recovery: lasting(floor)?.saturating_duration_since(created),
            bound: lag,
            reachable: lasting(created)?.saturating_duration_since(created),
        })
    }
}

/// Whether an `EndpointSlice` has an endpoint that takes traffic; a condition that is not said
/// counts as true, as the API has it.
fn has_ready(slice: &Value) -> bool {
    let endpoints = slice["endpoints"].as_array();
    endpoints.is_some_and(|all| all.iter().any(|one| one["conditions"]["ready"] != false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(namespace: &str, service: &str, ready: bool) -> Value {
        json!({
            "metadata": {"namespace": namespace, "name": "s", "labels": {SERVICE: service}},
            "endpoints": [{"conditions": {"ready": ready}}],
        })
    }

    #[test]
    fn serving_is_the_latest_of_terminal_reachable_and_answering() {
        let t0 = Instant::now();
        let at = |seconds: u64| t0 + Duration::from_secs(seconds);
        let sandbox = json!({"metadata": {"name": "fd-a", "labels": {RUN: "r"}}});
        let restore = |phase: &str| json!({"metadata": {"name": "r"}, "status": {"phase": phase}});
        let mut fold = Serving::new("web");
        let total = |fold: &Serving, well: Option<u64>, now| {
            let (well, stable) = (well.map(at), Duration::from_secs(2));
            let served = fold.recovered(well, stable, at(now), Duration::ZERO);
            served.ok().map(|served| (served.recovery.as_secs(), served.reachable.as_secs()))
        };
        fold.see(at(0), "namespaces", false, &sandbox);
        fold.see(at(1), "restores", false, &restore(""));
        // The original, and another Service of the sandbox.
        fold.see(at(2), "endpointslices", false, &slice("shop", "web", true));
        fold.see(at(2), "endpointslices", false, &slice("fd-a", "api", true));
        fold.see(at(4), "restores", false, &restore("Completed"));
        assert_eq!((total(&fold, None, 20), fold.since()), (None, None));
        fold.see(at(5), "endpointslices", false, &slice("fd-a", "web", true));
        fold.see(at(6), "endpointslices", false, &slice("fd-a", "web", false));
        assert_eq!(total(&fold, None, 20), None, "broken");
        fold.see(at(8), "endpointslices", false, &slice("fd-a", "web", true));
        assert_eq!(fold.since(), Some(at(8)));
        assert_eq!(total(&fold, None, 20), Some((7, 7)));
        assert_eq!(total(&fold, Some(3), 20), Some((7, 7)));
        assert_eq!(total(&fold, Some(12), 20), Some((11, 7)));
    }
}
