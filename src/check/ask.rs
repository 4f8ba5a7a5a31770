//! Asks a question, once. ACT.
//!
//! One way for steps, guards and background checks. Every question has one deadline, from the
//! look-up of a name to the last byte of the answer; nothing is tried a second time, because a
//! hidden retry would hide what a user sees.

mod http;
mod kubernetes;
mod promql;
mod tcp;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use self::kubernetes::Resource;
use super::{HttpAt, PromqlAt, Question, TcpCheck, Within};
use crate::{
    clock::Clock,
    config::Config,
    world::{
        WorldError,
        access::{self, Right},
        forward::{self, Place},
        kube::Cluster,
    },
};

/// An answer, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was the good one.
    pub green: bool,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// Why it is not green, in one sentence.
    pub why: Option<String>,
    /// From asking to the end of the answer.
    pub took: Duration,
}

/// What questions need to be asked: clusters, targets, and the sandboxes that there are by now.
pub struct Asker {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    /// Connected, by configured name.
    clusters: Arc<BTreeMap<String, Cluster>>,
    /// The drill's own cluster.
    own: String,
    clients: http::Clients,
    /// By restore step: namespaces as they were called in the backup, to those of the sandbox.
    sandboxes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// What the API servers say about kinds, so that it is asked once.
    resources: Mutex<BTreeMap<kubernetes::Key, Resource>>,
    /// Each question through a Service goes to the next of its pods.
    turn: AtomicU64,
}

impl Asker {
    /// Sends nothing.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        clusters: Arc<BTreeMap<String, Cluster>>,
        own: &str,
    ) -> Result<Self, String> {
        Ok(Self {
            config,
            clock,
            clusters,
            own: own.to_owned(),
            clients: http::Clients::new()?,
            sandboxes: Mutex::default(),
            resources: Mutex::default(),
            turn: AtomicU64::new(0),
        })
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Says which sandbox namespaces a restore step made for those of the backup.
    pub fn sandbox(&self, step: &str, mapping: BTreeMap<String, String>) {
        lock(&self.sandboxes).insert(step.to_owned(), mapping);
    }

    /// Forgets the sandbox of a step: it is given back.
    pub fn forget(&self, step: &str) {
        lock(&self.sandboxes).remove(step);
    }

    /// Whether the step has a sandbox.
    #[must_use]
    pub fn has_sandbox(&self, step: &str) -> bool {
        lock(&self.sandboxes).contains_key(step)
    }

    /// Asks, once. `timeout` covers everything; no answer within it is a red one.
    pub async fn ask(&self, question: &Question, timeout: Duration) -> Answer {
        let asked = self.clock.mono();
        let answer = tokio::time::timeout(timeout, self.answer(question, timeout)).await;
        let took = self.clock.mono().since(asked);
        match answer {
            Ok(Ok(status)) => Answer { green: true, status, why: None, took },
            Ok(Err(Red { status, why })) => Answer { green: false, status, why: Some(why), took },
            Err(_) => {
                let whom = self.whom(question);
                let why = format!("{whom} did not answer within {} ms", timeout.as_millis());
                Answer { green: false, status: None, why: Some(why), took }
            }
        }
    }

    async fn answer(&self, question: &Question, timeout: Duration) -> Result<Option<u16>, Red> {
        match question {
            Question::Http(check) => self.http(check, timeout).await.map(Some),
            Question::Tcp(check) => self.tcp(check, timeout).await.map(|()| None),
            Question::Kubernetes(check) => self.kubernetes(check).await.map(|()| None),
            Question::Promql(check) => self.promql(check, timeout).await.map(Some),
        }
    }

    /// Who did not answer.
    fn whom(&self, question: &Question) -> String {
        match question {
            Question::Http(check) => match &check.at {
                HttpAt::Within(within) => within.to_string(),
                HttpAt::Url(url) => http::join(url, &check.path),
                HttpAt::Target(name) => match self.config.targets.get(name) {
                    Some(target) => http::join(&target.url, &check.path),
                    None => format!("target {name}"),
                },
            },
            Question::Tcp(TcpCheck::Host { host, port }) => format!("{host}:{port}"),
            Question::Tcp(TcpCheck::Within(within)) => within.to_string(),
            Question::Kubernetes(_) => {
                format!("cluster {}", question.cluster(&self.own).unwrap_or_default())
            }
            Question::Promql(check) => match &check.at {
                PromqlAt::Target(name) => format!("target {name}"),
                PromqlAt::Url(url) => url.clone(),
            },
        }
    }

    /// The rights that a question needs of our account, and by cluster; a kind that the cluster
    /// does not serve is told as missing too. Sends reads and access reviews.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn missing_rights(&self, question: &Question) -> Result<Vec<String>, WorldError> {
        let Some(cluster) = question.cluster(&self.own).and_then(|name| self.clusters.get(name))
        else {
            return Ok(Vec::new());
        };
        let Question::Kubernetes(check) = question else {
            return access::missing(cluster, forward::NEEDS).await;
        };
        let resource = match self.resource(cluster, check).await? {
            Ok(resource) => resource,
            Err(why) => return Ok(vec![why]),
        };
        if let Err(why) = resource.fits(check) {
            return Ok(vec![why]);
        }
        // A sandbox has no name yet: the right must hold in any namespace.
        let sandbox = question.within().is_some();
        let right = Right {
            verb: "get".to_owned(),
            group: check.group.clone(),
            resource: resource.plural,
            namespace: check.namespace.clone().filter(|_| !sandbox),
            name: check.name.clone(),
        };
        access::missing_rights(cluster, &[right]).await
    }

    fn cluster(&self, name: &str) -> Result<&Cluster, Red> {
        self.clusters
            .get(name)
            .ok_or_else(|| Red::because(format!("cluster {name} is not connected")))
    }

    /// The sandbox's namespace for one of the backup, or for the only one.
    fn namespace(&self, step: &str, original: Option<&str>) -> Result<String, Red> {
        let sandboxes = lock(&self.sandboxes);
        let Some(mapping) = sandboxes.get(step) else {
            return Err(Red::because(format!("step {step} has made no sandbox yet")));
        };
        let found = match original {
            Some(original) => mapping.get(original),
            None => mapping.values().next().filter(|_| mapping.len() == 1),
        };
        found.cloned().ok_or_else(|| {
            Red::because(format!(
                "the sandbox of step {step} has no namespace {}",
                original.unwrap_or("that is the only one")
            ))
        })
    }

    fn place(&self, within: &Within) -> Result<Place, Red> {
        Ok(Place {
            namespace: self.namespace(&within.step, within.namespace.as_deref())?,
            service: within.service.clone(),
            port: within.port.clone(),
        })
    }

    fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

/// Why an answer is not green.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Red {
    status: Option<u16>,
    why: String,
}

impl Red {
    fn because(why: impl Into<String>) -> Self {
        Self { status: None, why: why.into() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
