//! What a proxy remembers: its rules, the requests it saw, and those it holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::Method;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::rule::Rules;

/// A request that a proxy saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its number, from 0, in the order in which requests came.
    pub id: u64,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The `User-Agent`, or empty.
    pub user_agent: String,
    /// When it came.
    pub at: Timestamp,
    /// What a rule did to it.
    pub action: Option<String>,
    /// The status code that the server gave; none if it was not forwarded or not answered yet.
    pub upstream: Option<u16>,
    /// The status code that the client got; none if it got no answer, or not yet.
    pub code: Option<u16>,
    /// Whether the client went away before it had an answer.
    pub client_left: bool,
    /// Why it could not be forwarded.
    pub error: Option<String>,
}

/// A request that is held back.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its number, as in [`Seen::id`].
    pub id: u64,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The `User-Agent`, or empty.
    pub user_agent: String,
    /// When it came.
    pub at: Timestamp,
    /// Whether its client has gone meanwhile.
    pub client_left: bool,
}

/// Told the server's status code, or why there was none.
pub(super) type Tell = oneshot::Sender<Result<u16, String>>;

/// What the proxy's tasks share.
#[derive(Debug)]
pub(super) struct State {
    inner: Mutex<Inner>,
    /// Counts changes of what is held.
    pub changed: watch::Sender<u64>,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Every task of the proxy.
    pub tasks: TaskTracker,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub rules: Rules,
    pub seen: Vec<Seen>,
    held: BTreeMap<u64, oneshot::Sender<Tell>>,
    connections: CancellationToken,
}

impl State {
    pub fn new(stop: CancellationToken, tasks: TaskTracker) -> Self {
        let connections = stop.child_token();
        let inner =
            Inner { rules: Rules::default(), seen: Vec::new(), held: BTreeMap::new(), connections };
        Self { inner: Mutex::new(inner), changed: watch::channel(0).0, stop, tasks }
    }

    /// A panic elsewhere does not make the records less true.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request down; returns its number.
    pub fn see(&self, method: Method, target: String, user_agent: String) -> u64 {
        let mut inner = self.lock();
        let id = inner.seen.len() as u64;
        inner.seen.push(Seen {
            id,
            method,
            target,
            user_agent,
            at: Timestamp::now(),
            action: None,
            upstream: None,
            code: None,
            client_left: false,
            error: None,
        });
        id
    }

    /// Changes what was written down about a request.
    pub fn note(&self, id: u64, change: impl FnOnce(&mut Seen)) {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        if let Some(seen) = self.lock().seen.get_mut(index) {
            change(seen);
        }
    }

    /// Holds a request: the receiver is told when it may go.
    pub fn hold(&self, id: u64) -> oneshot::Receiver<Tell> {
        let (go, wait) = oneshot::channel();
        self.lock().held.insert(id, go);
        self.changed.send_modify(|n| *n += 1);
        wait
    }

    /// Takes a request out of what is held.
    pub fn take_held(&self, id: u64) -> Option<oneshot::Sender<Tell>> {
        let go = self.lock().held.remove(&id);
        self.changed.send_modify(|n| *n += 1);
        go
    }

    /// What is held, oldest first. What nobody waits for any more (a hang whose client left) is
    /// not.
    pub fn held(&self) -> Vec<Held> {
        let mut inner = self.lock();
        inner.held.retain(|_, go| !go.is_closed());
        let Inner { seen, held, .. } = &*inner;
        seen.iter()
            .filter(|s| held.contains_key(&s.id))
            .map(|s| Held {
                id: s.id,
                method: s.method.clone(),
                target: s.target.clone(),
                user_agent: s.user_agent.clone(),
                at: s.at,
                client_left: s.client_left,
            })
            .collect()
    }

    /// Ends with the client's connection.
    pub fn connection(&self) -> CancellationToken {
        self.lock().connections.child_token()
    }

    pub fn cut_connections(&self) {
        let fresh = self.stop.child_token();
        std::mem::replace(&mut self.lock().connections, fresh).cancel();
    }
}

/// Lives as long as a client waits for an answer; notes when it leaves without one.
pub(super) struct Waiting {
    state: Arc<State>,
    id: u64,
    answered: bool,
}

impl Waiting {
    pub fn new(state: &Arc<State>, id: u64) -> Self {
        Self { state: Arc::clone(state), id, answered: false }
    }

    /// The client gets an answer with a code, or its connection closed on purpose (none).
    pub fn answered(mut self, code: Option<u16>) {
        self.answered = true;
        self.state.note(self.id, |seen| seen.code = code);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.state.note(self.id, |seen| seen.client_left = true);
            self.state.changed.send_modify(|n| *n += 1);
        }
    }
}
