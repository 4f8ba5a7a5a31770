//! Who controls a pod. PURE.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The controller of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// API group; empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// UID; none where the controller was derived from a name.
    pub uid: Option<String>,
}

/// The label that a Deployment puts on the ReplicaSets that it makes and on their pods.
const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The controller that an object names in its owner references; a ReplicaSet that a Deployment
/// made (its name ends in the pod's own `pod-template-hash`) is traced to the Deployment.
///
/// The name is evidence enough where ReplicaSets are not watched: the Deployment controller has
/// named them so since 1.9, and it saves a watch in every namespace.
#[must_use]
pub fn controller(meta: &ObjectMeta) -> Option<Controller> {
    let owner = direct(meta)?;
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    if owner.kind == "ReplicaSet" && group == "apps" {
        let hash = meta.labels.as_ref().and_then(|labels| labels.get(POD_TEMPLATE_HASH));
        let deployment = hash
            .and_then(|hash| owner.name.strip_suffix(hash.as_str()))
            .and_then(|name| name.strip_suffix('-'))
            .filter(|name| !name.is_empty());
        if let Some(name) = deployment {
            return Some(Controller {
                group: group.to_owned(),
                kind: "Deployment".to_owned(),
                name: name.to_owned(),
                uid: None,
            });
        }
    }
    Some(Controller {
        group: group.to_owned(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: Some(owner.uid.clone()),
    })
}

/// The owner reference of the direct controller.
#[must_use]
pub fn direct(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(meta: Value) -> Option<(String, String)> {
        let meta: ObjectMeta = serde_json::from_value(meta).expect("metadata");
        controller(&meta).map(|controller| (controller.kind, controller.name))
    }

    #[test]
    fn a_replica_set_is_traced_to_its_deployment() {
        let owned = |kind: &str, api: &str, name: &str, controls: bool, hash: &str| {
            of(json!({
                "labels": {"pod-template-hash": hash},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "0"},
                    {"apiVersion": api, "kind": kind, "name": name, "uid": "1",
                     "controller": controls},
                ],
            }))
        };
        let pair = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
        assert_eq!(
            owned("ReplicaSet", "apps/v1", "web-5d9", true, "5d9"),
            pair("Deployment", "web")
        );
        assert_eq!(owned("ReplicaSet", "apps/v1", "web", true, "5d9"), pair("ReplicaSet", "web"));
        assert_eq!(owned("ReplicaSet", "apps/v1", "-5d9", true, "5d9"), pair("ReplicaSet", "-5d9"));
        assert_eq!(
            owned("ReplicaSet", "example.org/v1", "web-5d9", true, "5d9"),
            pair("ReplicaSet", "web-5d9")
        );
        assert_eq!(owned("StatefulSet", "apps/v1", "db", true, ""), pair("StatefulSet", "db"));
        assert_eq!(owned("StatefulSet", "apps/v1", "db", false, ""), None);
        assert_eq!(of(json!({})), None);
    }
}
