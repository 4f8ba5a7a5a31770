//! The recovery time of a restore, worked out a second time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::{RUN, Stretches, condition, controller, name};

/// Phases in which Velero has let go of a Restore.
const TERMINAL: [&str; 4] = ["Completed", "PartiallyFailed", "Failed", "FailedValidation"];

/// A fold over what was seen of a restore.
#[derive(Debug, Default)]
pub struct Restore {
    created: Option<Instant>,
    creation_timestamp: Option<Timestamp>,
    terminal: Option<Instant>,
    /// The sandbox namespaces of the run.
    sandboxes: BTreeSet<String>,
    /// By kind, namespace and name: whether it is as it should be.
    things: BTreeMap<(String, String, String), bool>,
    /// How many of them were in the sandboxes, since when. Velero brings pods back without an
    /// owner; their controllers adopt them later.
    counts: Vec<(Instant, usize)>,
    holding: Stretches,
}

/// What was seen of a restore.
#[derive(Clone, Debug)]
pub struct Restored {
    /// From the appearance of the Restore to the recovery.
    pub recovery: Duration,
    /// The recovery time is off by at most this, either way.
    pub bound: Duration,
    /// From the appearance of the Restore to its terminal phase.
    pub terminal: Duration,
    /// The API server's word for when the Restore was created; whole seconds.
    pub created: Timestamp,
    /// How many things had to be ready.
    pub things: usize,
}

impl Restore {
    /// Takes one event of a watch.
    pub fn see(&mut self, at: Instant, kind: &str, gone: bool, object: &Value) {
        let (namespace, own) = name(object);
        match kind {
            "restores" => {
                if gone {
                    return;
                }
                if self.created.is_none() {
                    self.created = Some(at);
                    let stamp = object["metadata"]["creationTimestamp"].as_str();
                    self.creation_timestamp = stamp.and_then(|stamp| stamp.parse().ok());
                }
                if is_terminal(object) {
                    self.terminal.get_or_insert(at);
                }
            }
            "namespaces" if !gone && object["metadata"]["labels"][RUN].is_string() => {
                self.sandboxes.insert(own);
            }
            "deployments" | "statefulsets" | "pods" => {
                let key = (kind.to_owned(), namespace, own);
                match wanted(kind, object) {
                    Some(ready) if !gone => drop(self.things.insert(key, ready)),
                    _ => drop(self.things.remove(&key)),
                }
            }
            _ => return,
        }
        self.counts.push((at, self.of_sandboxes().count()));
        self.holding.set(self.ready(), at);
    }

    fn of_sandboxes(&self) -> impl Iterator<Item = bool> {
        let mine = self.things.iter().filter(|((_, ns, _), _)| self.sandboxes.contains(ns));
        mine.map(|(_, ready)| *ready)
    }

    fn ready(&self) -> bool {
        self.of_sandboxes().count() > 0 && self.of_sandboxes().all(|ready| ready)
    }

    /// The recovery time, seen from `now`, with watches that lag at most `lag`.
    ///
    /// # Errors
    /// When the restore, its end or its readiness was not seen.
    pub fn recovered(
        &self,
        stable_for: Duration,
        now: Instant,
        lag: Duration,
    ) -> anyhow::Result<Restored> {
        let created = self.created.context("the observer saw no Restore")?;
        let Some(terminal) = self.terminal else { bail!("the observer saw no end of the Restore") };
        let recovered = self
            .holding
            .first(terminal, stable_for, now)
            .context("the observer saw no lasting readiness")?;
        Ok(Restored {
            recovery: recovered - created,
            bound: lag,
            terminal: terminal - created,
            created: self.creation_timestamp.context("a Restore without creationTimestamp")?,
            things: self
                .counts
                .iter()
                .rfind(|(at, _)| *at <= recovered + stable_for)
                .map_or(0, |(_, count)| *count),
        })
    }
}

/// Whether Velero has let go of this Restore.
pub(super) fn is_terminal(restore: &Value) -> bool {
    TERMINAL.contains(&restore["status"]["phase"].as_str().unwrap_or_default())
}

/// Whether an object is ready, or none if it need not be.
fn wanted(kind: &str, object: &Value) -> Option<bool> {
    let status = &object["status"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    if kind == "pods" {
        // A controller answers for its pods; a finished pod is done.
        let bare = controller(object).is_none() && status["phase"] != "Succeeded";
        let going = object["metadata"]["deletionTimestamp"].is_string();
        return bare.then(|| condition(object, "Ready") && !going);
    }
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    if replicas == 0 {
        return None;
    }
    let current =
        number(&status["observedGeneration"]) >= number(&object["metadata"]["generation"]);
    let all = ["replicas", "readyReplicas", "updatedReplicas"];
    Some(current && all.iter().all(|count| number(&status[count]) == replicas))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(ready: i64) -> Value {
        json!({
            "metadata": {"namespace": "fd-a", "name": "web", "generation": 1},
            "spec": {"replicas": 2},
            "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": ready, "updatedReplicas": 2},
        })
    }

    fn restore(phase: &str) -> Value {
        json!({
            "metadata": {"name": "r", "creationTimestamp": "2026-08-10T04:00:00Z"},
            "status": {"phase": phase},
        })
    }

    #[test]
    fn recovery_is_the_later_of_terminal_and_a_lasting_readiness() {
        let t0 = Instant::now();
        let at = |seconds: u64| t0 + Duration::from_secs(seconds);
        let stable = Duration::from_secs(5);
        let mut fold = Restore::default();
        let sandbox = json!({"metadata": {"name": "fd-a", "labels": {RUN: "r"}}});
        fold.see(at(0), "namespaces", false, &sandbox);
        fold.see(at(1), "restores", false, &restore(""));
        fold.see(at(2), "deployments", false, &deployment(2));
        let elsewhere = json!({"metadata": {"namespace": "x", "name": "web"}, "spec": {}});
        fold.see(at(3), "deployments", false, &elsewhere);
        let lag = Duration::from_millis(10);
        assert!(fold.recovered(stable, at(20), lag).is_err(), "not terminal");
        fold.see(at(9), "restores", false, &restore("Completed"));
        let total =
            |fold: &Restore, now| fold.recovered(stable, at(now), lag).ok().map(|r| r.recovery);
        assert_eq!(total(&fold, 13), None);
        assert_eq!(total(&fold, 14), Some(Duration::from_secs(8)));
        fold.see(at(13), "deployments", false, &deployment(1));
        fold.see(at(15), "deployments", false, &deployment(2));
        assert_eq!(total(&fold, 19), None, "broken");
        assert_eq!(total(&fold, 20), Some(Duration::from_secs(14)));
    }
}
