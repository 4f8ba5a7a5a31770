//! What a look at one object of the world can say, and what a request can answer.
//!
//! PURE: the shell fills these in, [`super::closing`] draws the conclusions.

use crate::mark::Mark;

use super::event::{EffectNo, Precondition};

/// What [`super::closing`] wants from the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Read the effect's target.
    Look(EffectNo),
    /// Move the resourceVersion of the target with a fence patch pinned to it, so that a late
    /// patch of ours is refused with 409.
    Bump(EffectNo, Precondition),
    /// Send an undo.
    Send(EffectNo, Request),
}

impl Ask {
    /// The effect that it is about.
    #[must_use]
    pub fn effect(&self) -> EffectNo {
        match self {
            Self::Look(n) | Self::Bump(n, _) | Self::Send(n, _) => *n,
        }
    }
}

/// An undo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Delete, pinned.
    Delete(Precondition),
    /// Clear `spec.unschedulable` and our marks, pinned.
    Uncordon(Precondition),
    /// Remove our marks only, pinned: the cordon is somebody else's now.
    Strip(Precondition),
}

/// The world's answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// To a look: 404.
    Missing,
    /// To a look: the object.
    Object(Facts),
    /// To a request: 2xx.
    Done,
    /// To a request: 404.
    Gone,
    /// To a request: 409, the object has moved.
    Moved,
    /// 401, 403 and other refusals that may pass.
    Refused(String),
    /// No answer: time-out, cut, 5xx. The outcome is unknown.
    Lost(String),
}

/// What matters of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// metadata.uid
    pub uid: String,
    /// metadata.resourceVersion
    pub resource_version: String,
    /// Our mark, if it bears a readable one.
    pub mark: Option<Mark>,
    /// It has a deletionTimestamp.
    pub terminating: bool,
    /// A node: `spec.unschedulable`.
    pub unschedulable: bool,
    /// A node: managedFields name our field manager for `spec.unschedulable`.
    pub cordon_is_ours: bool,
    /// It bears a fence annotation of ours that was not cleared.
    pub fence: bool,
    /// A Velero Restore.
    pub restore: Option<RestoreFacts>,
}

/// What matters of a Velero Restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreFacts {
    /// Velero has seen it: a phase other than "" or New, or a finalizer.
    pub picked_up: bool,
    /// It can act no more.
    pub terminal: bool,
}
