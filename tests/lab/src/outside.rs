//! The shop as its customers see it: a small HTTP server that answers from a watch of its own.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::watcher::{self, Event, watcher},
};
use tokio::net::TcpStream;

use crate::{Lab, background::Task, loopback, shop::pod_ready};

/// Answers `GET /healthz` with 200 while at least so many pods are ready, else with 503.
#[derive(Debug)]
pub struct Outside {
    url: String,
    _tasks: [Task; 2],
}

type Ready = Arc<Mutex<HashSet<String>>>;

impl Outside {
    /// Starts watching the pods of `namespace` that match `selector`.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start(lab: &Lab, namespace: &str, selector: &str, needs: usize) -> anyhow::Result<Self> {
        let ready = Ready::default();
        let shown = Arc::clone(&ready);
        let (address, serve) = loopback::serve(move |stream| {
            let count = shown.lock().unwrap_or_else(PoisonError::into_inner).len();
            answer(stream, count, needs)
        })?;
        let plane = lab.control_plane().clone();
        let (namespace, selector) = (namespace.to_owned(), selector.to_owned());
        let watch = Task::start(async move {
            // Client, watch and socket belong to the lab's runtime, not to the test's.
            if let Ok(client) = plane.client().await {
                watch(Api::namespaced(client, &namespace), &selector, &ready).await;
            }
        });
        Ok(Self { url: format!("http://{address}"), _tasks: [watch, serve] })
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn watch(api: Api<Pod>, selector: &str, ready: &Ready) {
    let events = watcher(api, watcher::Config::default().labels(selector));
    pin_mut!(events);
    let mut fresh = HashSet::new();
    while let Some(event) = events.next().await {
        let mut ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(Event::Apply(pod)) if pod_ready(&pod) => drop(ready.insert(pod.name_any())),
            Ok(Event::Apply(pod) | Event::Delete(pod)) => drop(ready.remove(&pod.name_any())),
            Ok(Event::Init) => fresh.clear(),
            Ok(Event::InitApply(pod)) => {
                if pod_ready(&pod) {
                    fresh.insert(pod.name_any());
                }
            }
            Ok(Event::InitDone) => *ready = std::mem::take(&mut fresh),
            // The watcher comes back by itself; what was last seen stands until then.
            Err(_) => {}
        }
    }
}

async fn answer(mut stream: TcpStream, count: usize, needs: usize) -> std::io::Result<()> {
    let Some(head) = loopback::head(&mut stream).await? else { return Ok(()) };
    let status = match loopback::path(&head) {
        "/healthz" if count >= needs => 200,
        "/healthz" => 503,
        _ => 404,
    };
    loopback::answer(stream, status, &format!("{count} of {needs} pods ready\n")).await
}
