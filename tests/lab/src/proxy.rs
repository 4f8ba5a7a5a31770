//! A proxy between firedrill and the API server or S3 that misbehaves on demand.
//!
//! It speaks HTTP/1.1 on loopback, with or without TLS on either side, and hands answers through
//! as they come, so that watches stream. Tokens and every other end-to-end header pass unchanged.
//! [`Rule`]s added at run time cut, delay, hang, hold or answer single requests.
//!
//! The rule that matters most is [`Action::Hold`]: a write is kept back, its sender is killed, the
//! next process recovers, and only then does the write reach the server.
//!
//! ```no_run
//! # async fn f() -> anyhow::Result<()> {
//! use lab::proxy::{Action, Match, Options, Proxy};
//! let proxy = Proxy::start(Options::tls(
//!     "https://127.0.0.1:6443", "ca.crt", "server.crt", "server.key",
//! ))
//! .await?;
//! let handle = proxy.handle();
//! handle.add(Match::method("PATCH").path("/api/v1/nodes/").nth(1), Action::Hold);
//! // ... start firedrill against proxy.url(), wait for the write, kill firedrill ...
//! let held = handle.wait_held(std::time::Duration::from_secs(10)).await?;
//! // ... recover ...
//! let code = handle.release(held.id).await?;
//! # Ok(()) }
//! ```

mod record;
mod rule;
mod serve;
#[cfg(test)]
mod tests;
mod tls;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{record::State, serve::Upstream};
pub use self::{
    record::{Held, Seen},
    rule::{Action, Match, Rule, RuleId},
};

/// Where a proxy listens and what it forwards to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and port of the server behind it: `https://127.0.0.1:6443`.
    pub upstream: String,
    /// PEM file of the CA that signed the upstream's certificate; for https only.
    pub upstream_ca: Option<PathBuf>,
    /// PEM files of certificate chain and key to listen with; none = plain HTTP.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Port on 127.0.0.1; 0 = a free one.
    pub port: u16,
}

impl Options {
    /// Plain HTTP on both sides, as for the lab's S3.
    pub fn plain(upstream: impl Into<String>) -> Self {
        Self { upstream: upstream.into(), upstream_ca: None, identity: None, port: 0 }
    }

    /// TLS on both sides, as for an API server. The certificate must name 127.0.0.1.
    pub fn tls(
        upstream: impl Into<String>,
        upstream_ca: impl Into<PathBuf>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        Self {
            upstream: upstream.into(),
            upstream_ca: Some(upstream_ca.into()),
            identity: Some((certificate.into(), key.into())),
            port: 0,
        }
    }
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    handle: ProxyHandle,
    url: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Proxy {
    /// Listens and forwards until it is stopped or dropped.
    ///
    /// # Errors
    /// If the upstream's URL or one of the PEM files is unusable, or the port is taken.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let upstream = Upstream::new(&options.upstream, options.upstream_ca.as_deref())?;
        let acceptor = match &options.identity {
            Some((certificate, key)) => Some(tls::acceptor(certificate, key)?),
            None => None,
        };
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{}", options.port))?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let state = Arc::new(State::new(stop.clone(), tasks.clone()));
        tasks.spawn(serve::accept(listener, acceptor, Arc::new(upstream), Arc::clone(&state)));
        Ok(Self { handle: ProxyHandle(state), url, stop, tasks })
    }

    /// Scheme, address and port that it listens on, `https://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// To add rules and to read what was seen.
    #[must_use]
    pub fn handle(&self) -> ProxyHandle {
        self.handle.clone()
    }

    /// Closes every connection, drops what is held, and waits until all is gone.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Steers a [`Proxy`] while it runs.
#[derive(Clone, Debug)]
pub struct ProxyHandle(Arc<State>);

impl ProxyHandle {
    /// Adds a rule behind those already there. A request is subject to the first rule that
    /// matches; requests are counted for [`Match::nth`] from here on, by each rule by itself.
    pub fn add(&self, matching: Match, action: Action) -> RuleId {
        self.0.lock().rules.add(matching, action)
    }

    /// Removes a rule; whether it was there. What it holds stays held.
    pub fn remove(&self, rule: RuleId) -> bool {
        self.0.lock().rules.remove(rule)
    }

    /// Removes all rules. What they hold stays held.
    pub fn clear(&self) {
        self.0.lock().rules.clear();
    }

    /// The rules, with how often each has acted.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.0.lock().rules.all().to_vec()
    }

    /// The requests seen so far, in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.0.lock().seen.clone()
    }

    /// What is held back now, in the order in which it came.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.0.held()
    }

    /// Waits until something is held, and returns the first of it.
    ///
    /// # Errors
    /// If nothing is held within `patience`.
    pub async fn wait_held(&self, patience: Duration) -> anyhow::Result<Held> {
        let mut changed = self.0.changed.subscribe();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if let Some(first) = self.held().into_iter().next() {
                    return Ok(first);
                }
                changed.changed().await.context("the proxy has ended")?;
            }
        };
        tokio::time::timeout(patience, wait).await.map_err(|_| {
            anyhow!("nothing was held within {patience:?}; {} requests seen", self.seen().len())
        })?
    }

    /// Lets a held request go and waits for the server's answer to it; returns its status code.
    /// A request under [`Action::Hold`] is sent even if its client has gone.
    ///
    /// # Errors
    /// If no such request is held, or the server did not answer.
    pub async fn release(&self, id: u64) -> anyhow::Result<u16> {
        let (tell, told) = oneshot::channel();
        let Some(go) = self.0.take_held(id) else { bail!("request {id} is not held") };
        go.send(tell)
            .map_err(|_| anyhow!("request {id} is gone: its client left, or the proxy"))?;
        let answer = told.await.with_context(|| format!("request {id} was given up"))?;
        answer.map_err(|error| anyhow!("request {id}: {error}"))
    }

    /// Lets everything that is held go, one after the other, in the order in which it came.
    ///
    /// # Errors
    /// As [`Self::release`]; the rest is still let go.
    pub async fn release_all(&self) -> anyhow::Result<Vec<(Held, u16)>> {
        let mut codes = Vec::new();
        let mut failed = None;
        for held in self.held() {
            match self.release(held.id).await {
                Ok(code) => codes.push((held, code)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(codes), Err)
    }

    /// Forgets a held request, so that it never reaches the server, and closes its connection;
    /// whether it was held.
    pub fn discard(&self, id: u64) -> bool {
        self.0.take_held(id).is_some()
    }

    /// Closes every connection of a client now, streams too. New ones are accepted; what is held
    /// stays held.
    pub fn cut_connections(&self) {
        self.0.cut_connections();
    }
}
