//! Looks at an object of a cluster. Reads only: GET of what the API server serves, and of one object
//! by its name. ACT.

use serde_json::Value;

use super::{Asker, Red, lock};
use crate::{
    check::{KubernetesAt, KubernetesCheck, object::judge},
    run::event::Target,
    world::{WorldError, kube::Cluster},
};

/// Cluster, group, version, kind.
pub(super) type Key = (String, String, String, String);

/// How a kind is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// `deployments`
    pub(super) plural: String,
    namespaced: bool,
}

impl Resource {
    /// Whether a check can be about it.
    pub(super) fn fits(&self, check: &KubernetesCheck) -> Result<(), String> {
        let kind = &check.kind;
        match (self.namespaced, &check.namespace, &check.at) {
            (true, None, KubernetesAt::Cluster(_)) => {
                Err(format!("{kind} is namespaced: add `namespace` to the check"))
            }
            (false, Some(_), _) => {
                Err(format!("{kind} has no namespace: leave `namespace` out of the check"))
            }
            (false, None, KubernetesAt::Step(_)) => {
                Err(format!("{kind} has no namespace, so it is in no sandbox: leave `in` out"))
            }
            _ => Ok(()),
        }
    }
}

impl Asker {
    pub(super) async fn kubernetes(&self, check: &KubernetesCheck) -> Result<(), Red> {
        let name = match &check.at {
            KubernetesAt::Cluster(Some(name)) => name,
            KubernetesAt::Cluster(None) | KubernetesAt::Step(_) => &self.own,
        };
        let cluster = self.cluster(name)?;
        let namespace = match &check.at {
            KubernetesAt::Cluster(_) => check.namespace.clone(),
            KubernetesAt::Step(step) => Some(self.namespace(step, check.namespace.as_deref())?),
        };
        let resource = self.resource(cluster, check).await.map_err(|error| red(&error))?;
        let resource = resource.map_err(Red::because)?;
        resource.fits(check).map_err(Red::because)?;
        let target = Target {
            group: check.group.clone(),
            version: check.version.clone(),
            kind: check.kind.clone(),
            plural: resource.plural,
            namespace: namespace.clone(),
            name: check.name.clone(),
        };
        let place = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let whom = format!("{} {place}{}", check.kind, check.name);
        match cluster.get(&target).await {
            Ok(Some(object)) => judge(&object, &check.wanted)
                .map_err(|why| Red { status: Some(200), why: format!("{whom} {why}") }),
            Ok(None) => Err(Red { status: Some(404), why: format!("{whom} is not there") }),
            Err(error) => Err(red(&error)),
        }
    }

    /// How the cluster serves the kind of a check; the inner error says that it does not.
    pub(super) async fn resource(
        &self,
        cluster: &Cluster,
        check: &KubernetesCheck,
    ) -> Result<Result<Resource, String>, WorldError> {
        let KubernetesCheck { group, version, kind, .. } = check;
        let key = (cluster.name.clone(), group.clone(), version.clone(), kind.clone());
        if let Some(known) = lock(&self.resources).get(&key) {
            return Ok(Ok(known.clone()));
        }
        let path = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        let served = match cluster.read(&path).await {
            Ok(served) => served,
            Err(error) if error.is_not_found() => Value::Null,
            Err(error) => return Err(error),
        };
        let Some(resource) = find(&served, kind) else {
            let slash = if group.is_empty() { "" } else { "/" };
            return Ok(Err(format!(
                "cluster {} serves no {kind} of {group}{slash}{version}",
                cluster.name
            )));
        };
        lock(&self.resources).insert(key, resource.clone());
        Ok(Ok(resource))
    }
}

/// A kind in an APIResourceList; subresources have a slash in their names.
fn find(served: &Value, kind: &str) -> Option<Resource> {
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    served.get("resources")?.as_array()?.iter().find_map(|item| {
        let plural = text(item, "name").filter(|name| !name.contains('/'))?;
        (text(item, "kind")? == kind).then_some(Resource {
            plural,
            namespaced: item.get("namespaced").and_then(Value::as_bool) == Some(true),
        })
    })
}

fn red(error: &WorldError) -> Red {
    Red { status: error.code(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name_and_not_by_its_subresources() {
        let served = json!({"resources": [
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true},
            {"name": "deployments/status", "kind": "Deployment", "namespaced": true},
            {"name": "deployments", "kind": "Deployment", "namespaced": true},
            {"name": "nodes", "kind": "Node", "namespaced": false},
        ]});
        let of = |kind: &str| find(&served, kind).map(|it| (it.plural, it.namespaced));
        assert_eq!(of("Deployment"), Some(("deployments".to_owned(), true)));
        assert_eq!(of("Node"), Some(("nodes".to_owned(), false)));
        assert_eq!(of("Scale"), None);
        assert_eq!(find(&Value::Null, "Node"), None);
    }
}
