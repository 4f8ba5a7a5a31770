//! The cordon: bit and mark in one patch, pinned to the version that was decided on.

use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

use crate::{
    clock::Mono,
    kind::drain_nodes::{candidates, node},
    mark::Mark,
    run::{
        effect::{EffectError, Outcome, Wish},
        event::{Precondition, Target, Undo, UndoAction, Verb},
        look::Facts,
        step::Running,
    },
    world::kube::Cluster,
};

/// Conflicts that are tried again: nodes are written by kubelets every few seconds.
const ATTEMPTS: u32 = 5;

/// A node that we cordoned.
#[derive(Clone, Debug)]
pub struct Cordoned {
    /// Its name.
    pub node: String,
    /// Its UID.
    pub uid: String,
    /// When the patch was sent.
    pub sent: Mono,
}

/// A node as a target.
#[must_use]
pub fn target(name: &str) -> Target {
    Target {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Node".to_owned(),
        plural: "nodes".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// Cordons a node; the inner error says in one sentence why it was not.
///
/// # Errors
/// If it could not be tried.
pub async fn cordon(
    run: &Running,
    step: &str,
    cluster: &Cluster,
    name: &str,
) -> Result<Result<Cordoned, String>, EffectError> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let object = match cluster.get(&target(name)).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Err(format!("node {name} is gone"))),
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Some(why) = refusal(&object) {
            return Ok(Err(format!("node {name}: {why}")));
        }
        let facts = Facts::of(&object);
        let pin = Precondition {
            uid: Some(facts.uid.clone()),
            resource_version: Some(facts.resource_version.clone()),
        };
        let wish = Wish {
            step,
            verb: Verb::Patch,
            cluster: &cluster.name,
            precondition: pin,
            prior: Some(node::prior()),
            undo: Undo::By { action: UndoAction::Uncordon, gate: None, after: Vec::new() },
            make: Box::new(|mark: &Mark| {
                (target(name), node::cordon_patch(mark, &facts.uid, &facts.resource_version))
            }),
        };
        match run.effects.perform(wish).await? {
            Outcome::Applied { uid, sent, .. } => {
                return Ok(Ok(Cordoned { node: name.to_owned(), uid, sent }));
            }
            Outcome::Refused(error) if error.code() == Some(409) => last = error.to_string(),
            Outcome::Refused(error) => {
                return Ok(Err(format!("node {name} cannot be cordoned: {error}")));
            }
            Outcome::Lost(why) => last = why,
            Outcome::Foreign { target } => return Ok(Err(format!("{target} is not ours"))),
        }
    }
    Ok(Err(format!("node {name} cannot be cordoned: {last}")))
}

/// Decided anew on what was just read: between plan and cordon somebody may have acted.
fn refusal(object: &Value) -> Option<String> {
    match serde_json::from_value::<Node>(object.clone()) {
        Ok(node) => candidates::refusal(&node),
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}
