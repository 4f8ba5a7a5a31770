//! Effects: the only writer to the world. Intend (durable), send once, settle.
//!
//! Ask of each line: what if the process dies here? Before the intent is durable nothing was
//! sent. After it, recovery finds the intent and looks. The answer is lost: the same look, by the
//! same engine, in the same process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    closing::{Closing, Todo},
    event::{
        AbsentBy, EffectNo, Event, Evidence, Intent, Precondition, Settled, Target, Undo, Verb,
    },
    look::{Ask, Facts, Heard, Request},
    machine::EffectState,
    record::{Record, RecordError},
};
use crate::{
    clock::Mono,
    config::Timings,
    kind::drain_nodes::node,
    mark::Mark,
    world::{
        WorldError,
        kube::{Cluster, Write, collection, path},
    },
};

/// An effect that a step wants.
pub struct Wish<'a> {
    /// The step, or `run`.
    pub step: &'a str,
    /// What is done.
    pub verb: Verb,
    /// On which cluster.
    pub cluster: &'a str,
    /// Pinned to.
    pub precondition: Precondition,
    /// What was there before.
    pub prior: Option<Value>,
    /// How it is undone.
    pub undo: Undo,
    /// Makes the target and the request's body from the mark that the effect gets.
    pub make: Make<'a>,
}

/// Makes an effect's target and body, once its number and so its mark and names are known.
pub type Make<'a> = Box<dyn FnOnce(&Mark) -> (Target, Value) + Send + 'a>;

/// How an effect went.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It happened.
    Applied {
        /// Its number.
        n: EffectNo,
        /// The object's UID.
        uid: String,
        /// The server's answer; none if it was found by a look-up.
        object: Option<Value>,
        /// When the request was about to be sent.
        sent: Mono,
        /// When the answer came.
        answered: Mono,
    },
    /// It did not happen.
    Refused(WorldError),
    /// The name is taken.
    Foreign {
        /// The object in the way.
        target: Target,
    },
    /// A look-up after a lost answer: it did not happen.
    Lost(String),
}

/// Why an effect could not even be tried.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// The run is closing, or the journal does not take the intent.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A cluster that the run has not connected to.
    #[error("cluster {0} is not connected")]
    NoCluster(String),
}

/// The writer of one run.
#[derive(Clone)]
pub struct Effects {
    /// The run's record.
    pub record: Arc<Record>,
    clusters: Arc<BTreeMap<String, Cluster>>,
    instance: String,
    timings: Timings,
}

impl Effects {
    /// A writer for `record` on these clusters.
    #[must_use]
    pub fn new(
        record: Arc<Record>,
        clusters: Arc<BTreeMap<String, Cluster>>,
        instance: &str,
        timings: &Timings,
    ) -> Self {
        Self { record, clusters, instance: instance.to_owned(), timings: timings.clone() }
    }

    /// The clusters that it writes to.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// Performs an effect: intend, send once, settle.
    ///
    /// # Errors
    /// If it was not tried. Whatever happened in the world is an [`Outcome`].
    pub async fn perform(&self, wish: Wish<'_>) -> Result<Outcome, EffectError> {
        let cluster = self
            .clusters
            .get(wish.cluster)
            .ok_or_else(|| EffectError::NoCluster(wish.cluster.to_owned()))?;
        let send_timeout = self.timings.send_timeout;
        let clock = Arc::clone(self.record.clock());
        let epoch = self.record.leader().epoch();
        let mut body = Value::Null;
        let entry = self
            .record
            .append_with(|machine| {
                let n = machine.next_effect();
                let mark = Mark {
                    instance: self.instance.clone(),
                    run: machine.run.clone(),
                    effect: n,
                    epoch,
                };
                let (target, made) = (wish.make)(&mark);
                body = made;
                Event::EffectIntended(Box::new(Intent {
                    n,
                    attempt: 1,
                    step: wish.step.to_owned(),
                    verb: wish.verb,
                    cluster: wish.cluster.to_owned(),
                    digest: digest(&body),
                    target,
                    precondition: wish.precondition,
                    prior: wish.prior,
                    mark,
                    send_by: clock.mono().plus(send_timeout),
                    undo: wish.undo,
                }))
            })
            .await?;
        let Event::EffectIntended(intent) = entry.event else {
            return Err(EffectError::NoCluster(wish.cluster.to_owned()));
        };
        let sent = clock.mono();
        let answer = if sent < intent.send_by {
            send(cluster, &intent, &body, intent.send_by.since(sent)).await
        } else {
            // The machine slept between the intent and here: a request now could outlive its
            // settle time.
            Err(WorldError::Timeout { cluster: cluster.name.clone(), seconds: 0 })
        };
        let answered = clock.mono();
        self.settle(cluster, &intent, answer, sent, answered).await
    }

    async fn settle(
        &self,
        cluster: &Cluster,
        intent: &Intent,
        answer: Result<Value, WorldError>,
        sent: Mono,
        answered: Mono,
    ) -> Result<Outcome, EffectError> {
        let n = intent.n;
        let settled = |settled| Event::EffectSettled { n, settled };
        match answer {
            Ok(object) => {
                let uid = match intent.verb {
                    Verb::Evict => intent.precondition.uid.clone().unwrap_or_default(),
                    Verb::Create | Verb::Patch => text(&object, "/metadata/uid"),
                };
                let applied = Settled::Applied { uid: uid.clone(), by: Evidence::Answered };
                self.record.append_undo(settled(applied)).await?;
                Ok(Outcome::Applied { n, uid, object: Some(object), sent, answered })
            }
            // A 409 on a create says that the name exists; whose it is, a look tells.
            Err(error) if error.code() == Some(409) && intent.verb == Verb::Create => {
                self.look_up(intent, &error, sent, answered).await
            }
            Err(error) if error.is_refusal() && error.code() != Some(408) => {
                let absent =
                    Settled::Absent { by: AbsentBy::Refused, why: Some(error.to_string()) };
                self.record.append_undo(settled(absent)).await?;
                Ok(Outcome::Refused(error))
            }
            Err(error) => {
                tracing::warn!(cluster = cluster.name, effect = n, %error, "an answer was lost");
                self.look_up(intent, &error, sent, answered).await
            }
        }
    }

    /// Settles a doubted effect by the same rules as recovery.
    async fn look_up(
        &self,
        intent: &Intent,
        error: &WorldError,
        sent: Mono,
        answered: Mono,
    ) -> Result<Outcome, EffectError> {
        let n = intent.n;
        self.record.append_undo(Event::EffectDoubted { n, error: error.to_string() }).await?;
        let patience = self.timings.send_timeout + self.timings.settle * 2;
        let clock = self.record.clock();
        let mut closing = self
            .record
            .with(|machine| Closing::new(machine, clock.boot(), clock.mono(), patience))
            .only([n])
            .settle_only();
        self.pump(&mut closing, None).await?;
        let state = self.record.with(|machine| machine.effects.get(&n).map(|e| e.state.clone()));
        Ok(match state {
            Some(EffectState::Applied { uid }) => {
                Outcome::Applied { n, uid, object: None, sent, answered }
            }
            Some(EffectState::Foreign) => Outcome::Foreign { target: intent.target.clone() },
            _ => Outcome::Lost(error.to_string()),
        })
    }

    /// Runs a closing pass to its end, or until `until`; tells whether it finished.
    ///
    /// # Errors
    /// If an event is not legal, which is a defect.
    pub async fn pump(
        &self,
        closing: &mut Closing,
        until: Option<Mono>,
    ) -> Result<bool, RecordError> {
        let clock = Arc::clone(self.record.clock());
        loop {
            let now = clock.mono();
            if until.is_some_and(|until| now >= until) {
                return Ok(false);
            }
            match self.record.with(|machine| closing.next(machine, now)) {
                Todo::Append(event) => self.record.append_undo(event).await?,
                Todo::Ask(asks) => {
                    let answers = asks.iter().map(|ask| async move {
                        let asked = self.record.clock().mono();
                        (ask, self.ask(ask).await, asked)
                    });
                    for (ask, heard, asked) in futures::future::join_all(answers).await {
                        tracing::debug!(?ask, ?heard, "undo");
                        closing.heard(ask, heard, asked, clock.mono());
                    }
                }
                Todo::Sleep(wake) => {
                    let wake = until.map_or(wake, |until| wake.min(until));
                    tokio::time::sleep(wake.since(clock.mono())).await;
                }
                Todo::Finished => return Ok(true),
            }
        }
    }

    async fn ask(&self, ask: &Ask) -> Heard {
        let found = self
            .record
            .with(|machine| machine.effects.get(&ask.effect()).map(|effect| effect.intent.clone()));
        let Some(intent) = found else {
            return Heard::Lost("the effect is unknown".to_owned());
        };
        let Some(cluster) = self.clusters.get(&intent.cluster) else {
            return Heard::Lost(format!("cluster {} is not connected", intent.cluster));
        };
        let url = path(&intent.target);
        match ask {
            Ask::Look(_) => match cluster.get(&intent.target).await {
                Ok(Some(object)) => Heard::Object(Facts::of(&object)),
                Ok(None) => Heard::Missing,
                Err(error) => unanswered(&error),
            },
            Ask::Bump(_, pin) => {
                let uid = pin.uid.clone().unwrap_or_default();
                let rv = pin.resource_version.clone().unwrap_or_default();
                let first = node::fence_patch(&uid, &rv, Some(&intent.mark.run));
                let send = |body| async move {
                    cluster
                        .send_write(
                            Write::MergePatch,
                            &path(&intent.target),
                            &body,
                            cluster.timeout,
                        )
                        .await
                };
                match send.clone()(first).await {
                    Ok(object) => {
                        let rv = text(&object, "/metadata/resourceVersion");
                        // Cleared by a pinned patch of its own; a failure shows as a fence at the
                        // next look, which bumps and clears again.
                        match send(node::fence_patch(&uid, &rv, None)).await {
                            Ok(_) => Heard::Done,
                            Err(error) => request_failed(&error),
                        }
                    }
                    Err(error) => request_failed(&error),
                }
            }
            Ask::Send(_, request) => {
                let how = match request {
                    Request::Delete(_) => Write::Delete,
                    Request::Uncordon(_) | Request::Strip(_) => Write::MergePatch,
                };
                let body = request.body();
                match cluster.send_write(how, &url, &body, cluster.timeout).await {
                    Ok(_) => Heard::Done,
                    Err(error) => request_failed(&error),
                }
            }
        }
    }
}

async fn send(
    cluster: &Cluster,
    intent: &Intent,
    body: &Value,
    timeout: Duration,
) -> Result<Value, WorldError> {
    let (how, url) = match intent.verb {
        Verb::Create => (Write::Create, collection(&intent.target)),
        Verb::Patch => (Write::MergePatch, path(&intent.target)),
        Verb::Evict => (Write::Create, format!("{}/eviction", path(&intent.target))),
    };
    cluster.send_write(how, &url, body, timeout).await
}

fn unanswered(error: &WorldError) -> Heard {
    if error.is_refusal() {
        Heard::Refused(error.to_string())
    } else {
        Heard::Lost(error.to_string())
    }
}

fn request_failed(error: &WorldError) -> Heard {
    match error.code() {
        Some(404) => Heard::Gone,
        Some(409) => Heard::Moved,
        _ => unanswered(error),
    }
}

/// SHA-256 of a request's body, hexadecimal.
fn digest(body: &Value) -> String {
    Sha256::digest(body.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
