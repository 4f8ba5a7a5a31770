//! The sandbox namespaces of a restore, each closed before anything comes into it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{super::spec::Spec, plan::Plan};
use crate::{
    mark::Mark,
    run::{
        effect::{EffectError, Outcome, Wish},
        event::{EffectNo, Gate, Precondition, Target, Undo, UndoAction, Verb},
        step::Running,
    },
    sandbox,
    world::kube::Cluster,
};

/// Namespaces of the backup to their sandboxes, and the effects that made these.
pub(super) type Sandbox = (BTreeMap<String, String>, Vec<EffectNo>);

/// The sandbox namespaces, each closed before anything comes into it.
pub(super) async fn make_sandbox(
    run: &Running,
    step: &str,
    spec: &Spec,
    plan: &Plan,
    cluster: &Cluster,
) -> Result<Result<Sandbox, String>, EffectError> {
    let mut mapping = BTreeMap::new();
    let mut effects = Vec::new();
    for source in &spec.namespaces {
        let level = plan.levels.get(source).map(String::as_str);
        let wish = Wish {
            step,
            verb: Verb::Create,
            cluster: &cluster.name,
            precondition: Precondition::default(),
            prior: None,
            undo: Undo::By {
                action: UndoAction::Delete,
                gate: Some(Gate::RestoresTerminal),
                after: Vec::new(),
            },
            make: Box::new(move |mark: &Mark| {
                let body = sandbox::namespace(mark, source, level);
                let name = sandbox::namespace_name(&mark.run, mark.effect, source);
                (namespace_target(&name), typed("v1", "Namespace", &body))
            }),
        };
        let (n, name) = match run.effects.perform(wish).await? {
            Outcome::Applied { n, .. } => (n, sandbox::namespace_name(run.record.run(), n, source)),
            other => return Ok(Err(format!("the sandbox of {source}: {}", cause(&other)))),
        };
        let sandbox_name = name.clone();
        let wish = Wish {
            step,
            verb: Verb::Create,
            cluster: &cluster.name,
            precondition: Precondition::default(),
            prior: None,
            undo: Undo::None(format!("it goes with namespace {name}")),
            make: Box::new(move |mark: &Mark| {
                let body = sandbox::closing_policy(mark, &sandbox_name);
                let target = Target {
                    group: "networking.k8s.io".to_owned(),
                    version: "v1".to_owned(),
                    kind: "NetworkPolicy".to_owned(),
                    plural: "networkpolicies".to_owned(),
                    namespace: Some(sandbox_name.clone()),
                    name: body.metadata.name.clone().unwrap_or_default(),
                };
                (target, typed("networking.k8s.io/v1", "NetworkPolicy", &body))
            }),
        };
        match run.effects.perform(wish).await? {
            Outcome::Applied { .. } => {}
            other => {
                return Ok(Err(format!(
                    "the sandbox of {source} cannot be closed: {}",
                    cause(&other)
                )));
            }
        }
        mapping.insert(source.clone(), name);
        effects.push(n);
    }
    Ok(Ok((mapping, effects)))
}

/// A namespace as a target.
pub(super) fn namespace_target(name: &str) -> Target {
    Target {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        plural: "namespaces".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

fn cause(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(error) => error.to_string(),
        Outcome::Foreign { target } => format!("{target} exists and is not ours"),
        Outcome::Lost(why) => why.clone(),
        Outcome::Applied { .. } => String::new(),
    }
}

/// An object with its type, as a request needs it.
fn typed(api_version: &str, kind: &str, object: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    value
}
