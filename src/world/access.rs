//! What our account may do, asked of the API server before anything is changed.
//!
//! Access reviews are creates, but of nothing: the server answers and keeps no object. They stand
//! in the table of exceptions to "only run/effect.rs writes".

use serde_json::{Value, json};

use crate::mark::{EPOCHS, LEASE, NAMESPACE};

use super::{
    WorldError,
    kube::{Cluster, Write},
};

/// One permission that a kind needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// `create`
    pub verb: &'static str,
    /// API group; empty for core.
    pub group: &'static str,
    /// Plural resource.
    pub resource: &'static str,
    /// Subresource, empty for none.
    pub subresource: &'static str,
    /// Where it is needed.
    pub scope: Scope,
    /// The one object that it is needed for; empty for any.
    pub name: &'static str,
}

/// Where a permission is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace, or for cluster-scoped objects.
    Cluster,
    /// In Velero's namespace.
    Velero,
    /// In our namespace.
    Firedrill,
}

impl Need {
    /// Cluster-wide.
    #[must_use]
    pub const fn cluster(verb: &'static str, group: &'static str, resource: &'static str) -> Self {
        Self { verb, group, resource, subresource: "", scope: Scope::Cluster, name: "" }
    }

    /// In Velero's namespace.
    #[must_use]
    pub const fn velero(verb: &'static str, resource: &'static str) -> Self {
        Self { verb, group: "velero.io", resource, subresource: "", scope: Scope::Velero, name: "" }
    }

    /// In our namespace, for one object (none for a create, which has no name yet).
    #[must_use]
    pub const fn ours(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        name: &'static str,
    ) -> Self {
        Self { verb, group, resource, subresource: "", scope: Scope::Firedrill, name }
    }
}

/// A right that a drill itself asks for, by what it names: no file of config/rbac can know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// `get`
    pub verb: String,
    /// API group; empty for core.
    pub group: String,
    /// Plural resource.
    pub resource: String,
    /// None: in every namespace, or for an object without one.
    pub namespace: Option<String>,
    /// The one object.
    pub name: String,
}

/// What every run with effects needs: to find marks that an earlier run left, its Lease and the
/// epoch. Restores are looked for by whoever makes them.
pub const RUN: &[Need] = &[
    Need::cluster("list", "", "nodes"),
    Need::cluster("list", "", "namespaces"),
    // Preflight looks whether our own is there.
    Need::cluster("get", "", "namespaces"),
    Need::ours("list", "coordination.k8s.io", "leases", ""),
    Need::ours("get", "coordination.k8s.io", "leases", LEASE),
    Need::ours("create", "coordination.k8s.io", "leases", ""),
    Need::ours("update", "coordination.k8s.io", "leases", LEASE),
    Need::ours("delete", "coordination.k8s.io", "leases", LEASE),
    Need::ours("get", "", "configmaps", EPOCHS),
    Need::ours("create", "", "configmaps", ""),
    Need::ours("update", "", "configmaps", EPOCHS),
];

/// Asks which of `needs` are missing; one sentence for each resource and place.
///
/// # Errors
/// If the API server does not answer.
pub async fn missing(cluster: &Cluster, needs: &[Need]) -> Result<Vec<String>, WorldError> {
    let mut distinct: Vec<Need> = Vec::new();
    for need in needs {
        if !distinct.contains(need) {
            distinct.push(*need);
        }
    }
    let asks = distinct.iter().map(|need| allowed(cluster, *need));
    let answers = futures::future::try_join_all(asks).await?;
    let missing = distinct.into_iter().zip(answers).filter(|(_, allowed)| !allowed);
    let missing: Vec<Need> = missing.map(|(need, _)| need).collect();
    Ok(sentences(&cluster.name, &cluster.velero_namespace, &missing))
}

/// One sentence for each resource and place. PURE.
fn sentences(cluster: &str, velero: &str, missing: &[Need]) -> Vec<String> {
    let mut all: Vec<(Need, Vec<&str>)> = Vec::new();
    for need in missing {
        let same = |other: &Need| {
            (other.group, other.resource, other.subresource, other.scope)
                == (need.group, need.resource, need.subresource, need.scope)
        };
        match all.iter_mut().find(|(other, _)| same(other)) {
            Some((_, verbs)) if verbs.contains(&need.verb) => {}
            Some((_, verbs)) => verbs.push(need.verb),
            None => all.push((*need, vec![need.verb])),
        }
    }
    let sentence = |(need, verbs): (Need, Vec<&str>)| {
        let slash = if need.subresource.is_empty() { "" } else { "/" };
        let dot = if need.group.is_empty() { "" } else { "." };
        let (place, file) = match need.scope {
            Scope::Cluster => ("cluster-wide".to_owned(), "clusterrole.yaml"),
            Scope::Velero => (format!("in namespace {velero}"), "role-velero.yaml"),
            Scope::Firedrill => (format!("in namespace {NAMESPACE}"), "role-firedrill.yaml"),
        };
        let Need { resource, subresource, group, .. } = need;
        format!(
            "cluster {cluster}: our account may not {} {resource}{slash}{subresource}{dot}{group} \
             {place}; apply config/rbac/{file}",
            verbs.join(", "),
        )
    };
    all.into_iter().map(sentence).collect()
}

/// Asks which of `rights` are missing; one sentence for each.
///
/// # Errors
/// If the API server does not answer.
pub async fn missing_rights(
    cluster: &Cluster,
    rights: &[Right],
) -> Result<Vec<String>, WorldError> {
    let mut missing = Vec::new();
    for right in rights {
        let Right { verb, group, resource, namespace, name } = right;
        let mut attributes = json!({
            "verb": verb, "group": group, "resource": resource, "name": name,
        });
        if let Some(namespace) = namespace {
            attributes["namespace"] = json!(namespace);
        }
        if review(cluster, attributes).await? {
            continue;
        }
        let dot = if group.is_empty() { "" } else { "." };
        let place = match namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "cluster-wide".to_owned(),
        };
        missing.push(format!(
            "cluster {}: our account may not {verb} {resource}{dot}{group} {name} {place}; a check \
             of this drill reads it: grant it with a Role of your own",
            cluster.name
        ));
    }
    Ok(missing)
}

async fn allowed(cluster: &Cluster, need: Need) -> Result<bool, WorldError> {
    let namespace = match need.scope {
        Scope::Cluster => None,
        Scope::Velero => Some(cluster.velero_namespace.as_str()),
        Scope::Firedrill => Some(NAMESPACE),
    };
    let mut attributes = json!({"verb": need.verb, "group": need.group, "resource": need.resource});
    if let Some(namespace) = namespace {
        attributes["namespace"] = json!(namespace);
    }
    if !need.name.is_empty() {
        attributes["name"] = json!(need.name);
    }
    if !need.subresource.is_empty() {
        attributes["subresource"] = json!(need.subresource);
    }
    review(cluster, attributes).await
}

async fn review(cluster: &Cluster, attributes: Value) -> Result<bool, WorldError> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = cluster.send_write(Write::Create, path, &body, cluster.timeout).await?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_for_each_resource_and_place() {
        let missing = [
            Need::cluster("list", "", "nodes"),
            Need::cluster("watch", "", "nodes"),
            Need { subresource: "eviction", ..Need::cluster("create", "", "pods") },
            Need::velero("create", "restores"),
            Need::ours("get", "", "configmaps", EPOCHS),
            Need::ours("create", "", "configmaps", ""),
        ];
        assert_eq!(
            sentences("lab", "backups", &missing),
            [
                "cluster lab: our account may not list, watch nodes cluster-wide; apply \
                 config/rbac/clusterrole.yaml",
                "cluster lab: our account may not create pods/eviction cluster-wide; apply \
                 config/rbac/clusterrole.yaml",
                "cluster lab: our account may not create restores.velero.io in namespace backups; \
                 apply config/rbac/role-velero.yaml",
                "cluster lab: our account may not get, create configmaps in namespace firedrill; \
                 apply config/rbac/role-firedrill.yaml",
            ]
        );
    }
}
