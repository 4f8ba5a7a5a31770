//! The shop as its customers see it: a small HTTP server that answers from a watch of its own.

use std::{
    collections::HashSet,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::watcher::{self, Event, watcher},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{Lab, background::Task, shop::pod_ready};

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
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let ready = Ready::default();
        let plane = lab.control_plane().clone();
        let (namespace, selector) = (namespace.to_owned(), selector.to_owned());
        let seen = Arc::clone(&ready);
        let watch = Task::start(async move {
            // Client, watch and socket belong to the lab's runtime, not to the test's.
            if let Ok(client) = plane.client().await {
                watch(Api::namespaced(client, &namespace), &selector, &seen).await;
            }
        });
        let serve = Task::start(async move {
            if let Ok(listener) = TcpListener::from_std(listener) {
                serve(&listener, &ready, needs).await;
            }
        });
        Ok(Self { url, _tasks: [watch, serve] })
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

async fn serve(listener: &TcpListener, ready: &Ready, needs: usize) {
    let mut open = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let count = ready.lock().unwrap_or_else(PoisonError::into_inner).len();
        open.spawn(answer(stream, count, needs));
        while open.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: TcpStream, count: usize, needs: usize) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16 * 1024 {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => request.extend_from_slice(&buffer[..n]),
        }
    }
    let status = match request.split(|byte| *byte == b' ').nth(1) {
        Some(b"/healthz") if count >= needs => "200 OK",
        Some(b"/healthz") => "503 Service Unavailable",
        _ => "404 Not Found",
    };
    let body = format!("{count} of {needs} pods ready\n");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}
