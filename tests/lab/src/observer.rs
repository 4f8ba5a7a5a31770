//! A second pair of eyes on a recovery: own watches, own clock, nothing of firedrill's code.
//!
//! It sees what anybody with read access could see, stamps each event as it arrives, and works the
//! recovery time out again from the definition: of a restore, from the appearance of the Restore to
//! the later of its terminal phase and the start of the first unbroken stretch of readiness; of a
//! drain, from the first pod that is sent away to the first unbroken stretch in which every
//! workload has as many ready pods elsewhere as it had before; of a Service, to the first instant
//! at which it has a ready endpoint and what is behind it answers well, which only who switches
//! that knows.
//!
//! Its own error is what its watches lag behind. It is measured all the while: a marker ConfigMap
//! is written twice a second, and the largest time until its echo is the bound of every instant.

mod drain;
mod ready;
mod serving;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Namespace, Node, Pod},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams},
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Lab, background::Task, velero};

pub use self::{
    drain::{Drain, Drained},
    ready::{Restore, Restored},
    serving::{Served, Serving},
};

/// The label that names the run on everything that firedrill makes; said here a second time on
/// purpose.
const RUN: &str = "firedrill.dev/run";
/// Where the marker lives, and what it is called.
const MARKER: (&str, &str) = ("default", "observer-marker");
/// How often the marker is written.
const EVERY: Duration = Duration::from_millis(500);

/// The kinds that are watched.
const KINDS: [&str; 8] = [
    "configmaps",
    "namespaces",
    "nodes",
    "pods",
    "deployments",
    "statefulsets",
    "endpointslices",
    "restores",
];

/// What a watch showed, and when it arrived.
#[derive(Clone, Debug)]
struct Sight {
    at: Instant,
    kind: &'static str,
    gone: bool,
    object: Value,
}

#[derive(Debug, Default)]
struct Log {
    sights: Vec<Sight>,
    /// Markers that were written and not yet seen, by number.
    sent: BTreeMap<u64, Instant>,
    lags: Vec<Duration>,
    /// Kinds whose first list is complete.
    listed: Vec<&'static str>,
    /// Why the observer cannot be trusted: a watch that was cut.
    blind: Option<String>,
}

/// Watches a cluster until it is asked what it saw.
pub struct Observer {
    log: Arc<Mutex<Log>>,
    client: Client,
    _tasks: Vec<Task>,
}

impl Observer {
    /// Begins to watch, with an admin's client of its own.
    ///
    /// # Errors
    /// When the lists do not come within half a minute.
    pub async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let log = Arc::new(Mutex::new(Log::default()));
        let plane = lab.control_plane().clone();
        // Made on the lab's runtime, where its watches run.
        let client = crate::background::spawn(async move { plane.client().await }).await??;
        let markers: Api<ConfigMap> = Api::namespaced(client.clone(), MARKER.0);
        let all = watcher::Config::default();
        let ours = all.clone().labels(RUN);
        let marker = all.clone().fields(&format!("metadata.name={}", MARKER.1));
        let tasks = vec![
            follow(&log, "configmaps", markers.clone(), marker),
            follow(&log, "namespaces", Api::<Namespace>::all(client.clone()), ours.clone()),
            follow(&log, "nodes", Api::<Node>::all(client.clone()), all.clone()),
            follow(&log, "pods", Api::<Pod>::all(client.clone()), all.clone()),
            follow(&log, "deployments", Api::<Deployment>::all(client.clone()), all.clone()),
            follow(&log, "statefulsets", Api::<StatefulSet>::all(client.clone()), all.clone()),
            follow(&log, "endpointslices", Api::<EndpointSlice>::all(client.clone()), all),
            follow(&log, "restores", velero::api(&client, "Restore"), ours),
            Task::start(write_markers(Arc::clone(&log), markers)),
        ];
        let observer = Self { log, client, _tasks: tasks };
        crate::wait::until("the observer sees", Duration::from_secs(30), || async {
            let log = observer.log();
            Ok(KINDS.iter().all(|kind| log.listed.contains(kind)) && !log.lags.is_empty())
        })
        .await?;
        Ok(observer)
    }

    /// What it saw of the one restore of a run since it began, whose readiness had to last for
    /// `stable_for`.
    ///
    /// # Errors
    /// When it saw none, or not to its end, or was blind for a while.
    pub fn restored(&self, stable_for: Duration) -> anyhow::Result<Restored> {
        let log = self.sound()?;
        let mut restore = Restore::default();
        for sight in &log.sights {
            restore.see(sight.at, sight.kind, sight.gone, &sight.object);
        }
        restore.recovered(stable_for, Instant::now(), largest(&log.lags))
    }

    /// What it saw of a Service that came back with the one restore of a run: what is behind it
    /// answers well from `well` on (all the time, if none), and a ready endpoint had to stay for
    /// `stable_for`.
    ///
    /// # Errors
    /// When it saw none, or not to its end, or was blind for a while.
    pub fn served(
        &self,
        service: &str,
        well: Option<Instant>,
        stable_for: Duration,
    ) -> anyhow::Result<Served> {
        let log = self.sound()?;
        self::served(&log, service).recovered(well, stable_for, Instant::now(), largest(&log.lags))
    }

    /// Since when that Service can be reached without a break, if it can.
    ///
    /// # Errors
    /// When it was blind for a while.
    pub fn reachable(&self, service: &str) -> anyhow::Result<Option<Instant>> {
        Ok(served(&*self.sound()?, service).since())
    }

    /// What it saw of the drain of a node since it began, whose recovery had to last for
    /// `stable_for`.
    ///
    /// # Errors
    /// When it saw none, or not to its end, or was blind for a while.
    pub fn drained(&self, stable_for: Duration) -> anyhow::Result<Drained> {
        let log = self.sound()?;
        let mut drain = Drain::default();
        for sight in &log.sights {
            drain.see(sight.at, sight.kind, sight.gone, &sight.object);
        }
        drain.recovered(stable_for, Instant::now(), largest(&log.lags))
    }

    /// Ends the watches and takes the marker away.
    ///
    /// # Errors
    /// When the marker cannot be deleted.
    pub async fn stop(self) -> anyhow::Result<()> {
        let client = self.client.clone();
        drop(self);
        let markers: Api<ConfigMap> = Api::namespaced(client, MARKER.0);
        markers.delete(MARKER.1, &DeleteParams::default()).await.context("the marker")?;
        Ok(())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    fn sound(&self) -> anyhow::Result<MutexGuard<'_, Log>> {
        let log = self.log();
        match &log.blind {
            Some(why) => anyhow::bail!("the observer was blind: {why}"),
            None => Ok(log),
        }
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn served(log: &Log, service: &str) -> Serving {
    let mut serving = Serving::new(service);
    for sight in &log.sights {
        serving.see(sight.at, sight.kind, sight.gone, &sight.object);
    }
    serving
}

fn largest(lags: &[Duration]) -> Duration {
    lags.iter().copied().max().unwrap_or_default()
}

fn follow<K>(
    log: &Arc<Mutex<Log>>,
    kind: &'static str,
    api: Api<K>,
    config: watcher::Config,
) -> Task
where
    K: Resource + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug + Send + 'static,
    K: Sync,
{
    let log = Arc::clone(log);
    Task::start(async move {
        let mut events = Box::pin(watcher(api, config));
        while let Some(event) = events.next().await {
            let at = Instant::now();
            let mut log = lock(&log);
            let (gone, object) = match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => (false, object),
                Ok(Event::Delete(object)) => (true, object),
                Ok(Event::Init) => continue,
                Ok(Event::InitDone) => {
                    log.listed.push(kind);
                    continue;
                }
                // A watch that was cut may have missed something: better no answer than a guess.
                Err(error) => {
                    log.blind.get_or_insert(format!("{kind}: {error}"));
                    continue;
                }
            };
            let object = serde_json::to_value(object).unwrap_or_default();
            if kind == "configmaps" {
                let number = object["data"]["number"].as_str().and_then(|n| n.parse().ok());
                if let Some(sent) = number.and_then(|n: u64| log.sent.remove(&n)) {
                    log.lags.push(at - sent);
                }
            } else {
                log.sights.push(Sight { at, kind, gone, object });
            }
        }
    })
}

async fn write_markers(log: Arc<Mutex<Log>>, markers: Api<ConfigMap>) {
    for number in 0_u64.. {
        let marker = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": MARKER.1},
            "data": {"number": number.to_string()},
        });
        lock(&log).sent.insert(number, Instant::now());
        let params = PatchParams::apply("observer").force();
        if let Err(error) = markers.patch(MARKER.1, &params, &Patch::Apply(&marker)).await {
            lock(&log).blind.get_or_insert(format!("the marker cannot be written: {error}"));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// A stretch of time through which something held.
#[derive(Clone, Debug, Default)]
struct Stretches(Vec<(Instant, Option<Instant>)>);

impl Stretches {
    fn set(&mut self, holds: bool, at: Instant) {
        match (self.0.last_mut(), holds) {
            (Some((_, end @ None)), false) => *end = Some(at),
            (Some((_, None)), true) => {}
            (_, true) => self.0.push((at, None)),
            (_, false) => {}
        }
    }

    /// The start of the first stretch, cut at `floor`, that lasts for `stable_for`.
    fn first(&self, floor: Instant, stable_for: Duration, now: Instant) -> Option<Instant> {
        self.0.iter().find_map(|(start, end)| {
            let start = (*start).max(floor);
            let end = end.unwrap_or(now);
            (end.saturating_duration_since(start) >= stable_for).then_some(start)
        })
    }
}

/// Whether the object's condition of type `name` is True.
fn condition(object: &Value, name: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == name && c["status"] == "True"))
}

/// Namespace and name.
fn name(object: &Value) -> (String, String) {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// The kind and name of an object's controller.
fn controller(object: &Value) -> Option<(String, String)> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    Some((owner["kind"].as_str()?.to_owned(), owner["name"].as_str()?.to_owned()))
}
