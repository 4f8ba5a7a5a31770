//! What our account may do, asked of the API server before anything is changed.
//!
//! Access reviews are creates, but of nothing: the server answers and keeps no object. They stand
//! in the table of exceptions to "only run/effect.rs writes".

use serde_json::{Value, json};

use crate::mark::{EPOCHS, LEASE};

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

/// What every run with effects needs: its Lease and the epoch.
pub const RUN: &[Need] = &[
    Need::ours("get", "coordination.k8s.io", "leases", LEASE),
    Need::ours("create", "coordination.k8s.io", "leases", ""),
    Need::ours("update", "coordination.k8s.io", "leases", LEASE),
    Need::ours("delete", "coordination.k8s.io", "leases", LEASE),
    Need::ours("get", "", "configmaps", EPOCHS),
    Need::ours("create", "", "configmaps", ""),
    Need::ours("update", "", "configmaps", EPOCHS),
];

/// Asks which of `needs` are missing; one sentence for each.
///
/// # Errors
/// If the API server does not answer.
pub async fn missing(cluster: &Cluster, needs: &[Need]) -> Result<Vec<String>, WorldError> {
    let asks = needs.iter().map(|need| review(cluster, *need));
    let answers = futures::future::try_join_all(asks).await?;
    Ok(answers.into_iter().flatten().collect())
}

async fn review(cluster: &Cluster, need: Need) -> Result<Option<String>, WorldError> {
    let namespace = match need.scope {
        Scope::Cluster => None,
        Scope::Velero => Some(cluster.velero_namespace.as_str()),
        Scope::Firedrill => Some(crate::mark::NAMESPACE),
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
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = cluster.send_write(Write::Create, path, &body, cluster.timeout).await?;
    if answer.pointer("/status/allowed").and_then(Value::as_bool) == Some(true) {
        return Ok(None);
    }
    let slash = if need.subresource.is_empty() { "" } else { "/" };
    let dot = if need.group.is_empty() { "" } else { "." };
    let place = namespace.map_or(String::new(), |ns| format!(" in namespace {ns}"));
    Ok(Some(format!(
        "cluster {}: our account may not {} {}{dot}{}{slash}{}{place}; apply config/rbac",
        cluster.name, need.verb, need.resource, need.group, need.subresource
    )))
}
