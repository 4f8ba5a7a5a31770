//! What a look at one object of the world can say, and what a request can answer.
//!
//! PURE: the shell fills these in, [`super::closing`] draws the conclusions.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use crate::{
    kind::drain_nodes::{candidates::foreign_actor, node},
    mark::{FENCE, FIELD_MANAGER, Mark},
};

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

impl Request {
    /// The request's body: DeleteOptions, or a JSON merge patch (RFC 7396) whose metadata pins it.
    #[must_use]
    pub fn body(&self) -> Value {
        match self {
            Self::Delete(pin) => {
                let mut pins = json!({"uid": pin.uid});
                if let Some(version) = &pin.resource_version {
                    pins["resourceVersion"] = json!(version);
                }
                json!({
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "propagationPolicy": "Background",
                    "preconditions": pins,
                })
            }
            Self::Strip(pin) => node::strip_patch(uid(pin), version(pin)),
            Self::Uncordon(pin) => node::uncordon_patch(uid(pin), version(pin)),
        }
    }
}

fn uid(pin: &Precondition) -> &str {
    pin.uid.as_deref().unwrap_or_default()
}

fn version(pin: &Precondition) -> &str {
    pin.resource_version.as_deref().unwrap_or_default()
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
    /// A node: the field managers that own `spec.unschedulable`, from managedFields.
    pub bit_owners: Vec<String>,
    /// It has managedFields at all; without, they say nothing about who cordoned it.
    pub managed: bool,
    /// A node: another actor that works on it.
    pub foreign: Option<String>,
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

/// Restore phases after which Velero acts no more; any other, also an unknown one, may still act.
const TERMINAL: [&str; 4] = ["Completed", "PartiallyFailed", "Failed", "FailedValidation"];

impl Facts {
    /// Whether it bears the mark of this effect.
    #[must_use]
    pub fn is_marked_by(&self, mark: &Mark) -> bool {
        self.mark.as_ref().is_some_and(|on_it| on_it.same_effect(mark))
    }

    /// Whether managedFields name us for `spec.unschedulable`.
    #[must_use]
    pub fn owns_bit(&self) -> bool {
        self.bit_owners.iter().any(|owner| owner == FIELD_MANAGER)
    }

    /// Reads them from an object as the API server answers it.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let map = |pointer: &str| -> BTreeMap<String, String> {
            let entries = object.pointer(pointer).and_then(Value::as_object);
            let entries = entries.into_iter().flatten();
            entries.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
        };
        let annotations = map("/metadata/annotations");
        let is_restore =
            text("/kind") == "Restore" && text("/apiVersion").starts_with("velero.io/");
        Self {
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
            mark: Mark::read(&map("/metadata/labels"), &annotations),
            terminating: object.pointer("/metadata/deletionTimestamp").is_some(),
            unschedulable: object.pointer("/spec/unschedulable").and_then(Value::as_bool)
                == Some(true),
            bit_owners: bit_owners(object),
            managed: managed_fields(object).next().is_some(),
            foreign: (text("/kind") == "Node").then(|| foreign(object)).flatten(),
            fence: annotations.contains_key(FENCE),
            restore: is_restore.then(|| {
                let phase = text("/status/phase");
                let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
                RestoreFacts {
                    picked_up: !matches!(phase.as_str(), "" | "New")
                        || finalizers.is_some_and(|all| !all.is_empty()),
                    terminal: TERMINAL.contains(&phase.as_str()),
                }
            }),
        }
    }
}

fn managed_fields(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn bit_owners(object: &Value) -> Vec<String> {
    managed_fields(object)
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:unschedulable").is_some())
        .filter_map(|entry| Some(entry.get("manager")?.as_str()?.to_owned()))
        .collect()
}

fn foreign(object: &Value) -> Option<String> {
    let node: Node = serde_json::from_value(object.clone()).ok()?;
    foreign_actor(&node)
}
