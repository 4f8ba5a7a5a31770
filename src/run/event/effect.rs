//! Effects in the journal: what is sent, what became of it, and how it is undone. PURE.

use serde::{Deserialize, Serialize};

use super::EffectNo;
use crate::{clock::Mono, mark::Mark};

/// An effect, known in full before it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub n: EffectNo,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The step that wants it, or [`RUN_STEP`].
    pub step: String,
    /// What is done to the target.
    pub verb: Verb,
    /// The configured cluster.
    pub cluster: String,
    /// The object.
    pub target: Target,
    /// SHA-256 of the request's body, hexadecimal.
    pub digest: String,
    /// UID and resourceVersion that the request is pinned to.
    pub precondition: Precondition,
    /// What was there before, to be given back.
    pub prior: Option<serde_json::Value>,
    /// The mark that it writes.
    pub mark: Mark,
    /// It is never sent at or after this instant.
    pub send_by: Mono,
    /// How it is undone.
    pub undo: Undo,
}

/// The step name of effects that belong to the run itself (its Lease).
pub const RUN_STEP: &str = "run";

/// What is done to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Create, refused if it exists.
    Create,
    /// Patch, pinned to a resourceVersion.
    Patch,
    /// Evict a pod, pinned to its UID.
    Evict,
}

/// An object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// API group; empty for core.
    pub group: String,
    /// API version, `v1`.
    pub version: String,
    /// Kind, `Node`.
    pub kind: String,
    /// Plural resource name, `nodes`.
    pub plural: String,
    /// Namespace; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.to_ascii_lowercase();
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.name),
            None => write!(f, "{kind} {}", self.name),
        }
    }
}

/// What a request is pinned to; the server refuses it with 409 if the object has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// metadata.uid
    pub uid: Option<String>,
    /// metadata.resourceVersion
    pub resource_version: Option<String>,
}

/// How an effect is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// By an action of ours.
    By {
        /// The action.
        action: UndoAction,
        /// What must hold in the world first.
        gate: Option<Gate>,
        /// Effects whose undo comes first.
        after: Vec<EffectNo>,
    },
    /// It stays, by this policy of the drill.
    Kept(String),
    /// Nothing to undo, and why (an evicted pod is replaced by its controller).
    None(String),
}

/// An undo of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UndoAction {
    /// Delete the object that we created, pinned to its UID (and resourceVersion for a namespace).
    Delete,
    /// Clear `spec.unschedulable` and our marks, pinned to the resourceVersion.
    Uncordon,
}

/// A condition of the world that an undo waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// No Velero Restore of this run may still act: each is terminal, absent or deleted.
    RestoresTerminal,
    /// Every other effect of the run on this cluster is settled and undone, or left.
    Last,
}

/// The outcome of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Settled {
    /// It happened.
    Applied {
        /// The object's UID.
        uid: String,
        /// How we know.
        by: Evidence,
    },
    /// It did not happen and cannot happen any more.
    Absent {
        /// How we know.
        by: AbsentBy,
        /// The server's words, if any.
        why: Option<String>,
    },
    /// The name is taken by an object that is not ours.
    Foreign {
        /// Its UID.
        uid: String,
    },
}

/// How we know that an effect happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The server answered.
    Answered,
    /// A look-up found it.
    Found,
}

/// How we know that an effect did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsentBy {
    /// The server refused it.
    Refused,
    /// A look-up after the settle time, or a fence, excludes it.
    Fenced,
}

/// How an undo ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UndoOutcome {
    /// Undone by us.
    Undone,
    /// It was gone already.
    Gone,
    /// It is not ours any more, and was left alone.
    NotOurs(String),
}
