//! What the account of `config/rbac` may do and may not, as a table that runs against a real API
//! server by impersonation.
//!
//! Two halves: [`grants`] is the whole list of permissions (nothing missing, **nothing more**),
//! compared with the server's own answer; [`rbac_cases`] are requests that the admission policies
//! let through or refuse, in an order in which each builds on those before.
//!
//! Admin applies `config/rbac` (it needs the namespace `velero`) and then calls [`check`].

mod cases;

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail, ensure};
use http::{Method, Request};
use k8s_openapi::api::authorization::v1::SelfSubjectRulesReview;
use kube::Client;
use serde_json::{Value, json};

use self::cases::epoch_cases;
pub use self::cases::{grants, rbac_cases};
use crate::audit::FIREDRILL;

const PATCH: &str = "application/merge-patch+json";
const JSON: &str = "application/json";
const NODES: &str = "/api/v1/nodes";
const NAMESPACES: &str = "/api/v1/namespaces";
const EPOCHS: &str = "/api/v1/namespaces/firedrill/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/firedrill/leases";

/// A request of firedrill's account, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, in words.
    pub name: String,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Media type of the body.
    pub content_type: &'static str,
    /// Body; null for none.
    pub body: Value,
    /// What must come of it.
    pub expect: Expect,
}

/// What must come of a [`Case`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// 2xx.
    Passes,
    /// 422 by an admission policy, with these words in the message.
    Denied(&'static str),
    /// 403 by RBAC.
    Forbidden,
    /// 404: nothing was against it, and there is no such object.
    NotFound,
}

/// One permission: verb, `resource.group` or `resource/sub.group`, and the names it is bound to.
pub type Grant = (String, String, Vec<String>);

/// Sends a request as firedrill's account (`admin` impersonates it) or as `admin` itself; the
/// status code and the server's message.
async fn send(
    admin: &Client,
    impersonate: bool,
    (method, path): (Method, &str),
    content_type: &str,
    body: &Value,
) -> anyhow::Result<(u16, String)> {
    let mut request = Request::builder().method(method).uri(path);
    if impersonate {
        request = request
            .header("Impersonate-User", FIREDRILL)
            .header("Impersonate-Group", "system:serviceaccounts")
            .header("Impersonate-Group", "system:serviceaccounts:firedrill")
            .header("Impersonate-Group", "system:authenticated");
    }
    let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
    let request = request.header(http::header::CONTENT_TYPE, content_type).body(bytes)?;
    match admin.request_text(request).await {
        Ok(text) => Ok((200, text)),
        Err(kube::Error::Api(status)) => Ok((status.code, status.message.clone())),
        Err(error) => Err(error.into()),
    }
}

impl Case {
    /// Sends it by impersonation; an error says what came instead of what was expected.
    ///
    /// # Errors
    /// If the server cannot be reached or answers otherwise.
    pub async fn run(&self, admin: &Client) -> anyhow::Result<()> {
        let request = (self.method.clone(), self.path.as_str());
        let (code, message) = send(admin, true, request, self.content_type, &self.body)
            .await
            .with_context(|| self.name.clone())?;
        let good = match self.expect {
            Expect::Passes => code == 200,
            Expect::Denied(words) => code == 422 && message.contains(words),
            Expect::Forbidden => code == 403,
            Expect::NotFound => code == 404,
        };
        ensure!(
            good,
            "{}: {} {} gave {code} instead of {:?}: {message}",
            self.name,
            self.method,
            self.path,
            self.expect
        );
        Ok(())
    }
}

/// Makes, as admin, what the cases need: a node and a namespace of others, and an epoch. Then
/// waits until the policies are in force.
///
/// # Errors
/// If the server refuses, or the policies are not in force after 10 s.
pub async fn set_up(admin: &Client, tag: &str) -> anyhow::Result<()> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("fd-{tag}"), "labels": {"theirs": "yes"}, "annotations": {"theirs": "yes"}},
    });
    let theirs = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("{tag}-theirs")}});
    let epochs = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "firedrill-epoch"}, "data": {},
    });
    for (path, body) in [(NODES, &node), (NAMESPACES, &theirs), (EPOCHS, &epochs)] {
        // The ConfigMap's first create is firedrill's own, to see that it may.
        let own = path == EPOCHS;
        let (code, message) = send(admin, own, (Method::POST, path), JSON, body).await?;
        ensure!(code == 200 || (own && code == 409), "{path}: {code}: {message}");
    }
    let epoch = json!({"data": {tag: "5"}});
    let path = format!("{EPOCHS}/firedrill-epoch");
    let (code, message) = send(admin, true, (Method::PATCH, &path), PATCH, &epoch).await?;
    ensure!(code == 200, "{path}: {code}: {message}");
    let late = &epoch_cases(tag)[0];
    for _ in 0..100 {
        if late.run(admin).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the admission policies are not in force after 10 s")
}

/// Deletes, as admin, what [`set_up`] and the cases left. The key of `tag` in the epoch ConfigMap
/// is taken out too.
///
/// # Errors
/// If the server cannot be reached.
pub async fn clean_up(admin: &Client, tag: &str) -> anyhow::Result<()> {
    for path in [
        format!("{NODES}/fd-{tag}"),
        format!("{NAMESPACES}/{tag}-theirs"),
        format!("{NAMESPACES}/fd-{tag}-ours"),
        format!("{LEASES}/{tag}-bare"),
    ] {
        send(admin, false, (Method::DELETE, &path), JSON, &Value::Null).await?;
    }
    let path = format!("{EPOCHS}/firedrill-epoch");
    send(admin, false, (Method::PATCH, &path), PATCH, &json!({"data": {tag: null}})).await?;
    Ok(())
}

/// What the server says that firedrill's account may do in a namespace, without what every account
/// may.
///
/// # Errors
/// If the server cannot be reached or its answer is incomplete.
pub async fn granted(admin: &Client, namespace: &str) -> anyhow::Result<BTreeSet<Grant>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (code, text) = send(admin, true, (Method::POST, path), JSON, &review).await?;
    ensure!(code == 200, "{path}: {code}: {text}");
    let review: SelfSubjectRulesReview = serde_json::from_str(&text)?;
    let status = review.status.context("a review without status")?;
    ensure!(!status.incomplete, "the server's answer is incomplete");
    let mut all = BTreeSet::new();
    for rule in status.resource_rules {
        for group in rule.api_groups.unwrap_or_default() {
            // system:basic-user.
            if group == "authorization.k8s.io" || group == "authentication.k8s.io" {
                continue;
            }
            for resource in rule.resources.iter().flatten() {
                let dot = if group.is_empty() { "" } else { "." };
                for verb in &rule.verbs {
                    let names = rule.resource_names.clone().unwrap_or_default();
                    all.insert((verb.clone(), format!("{resource}{dot}{group}"), names));
                }
            }
        }
    }
    Ok(all)
}

/// Everything of this module against a cluster that has `config/rbac`; every deviation in one
/// error.
///
/// # Errors
/// If the server cannot be reached, or any permission or case deviates.
pub async fn check(admin: &Client, tag: &str) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for namespace in ["default", "firedrill", "velero"] {
        let (want, have) = (grants(namespace), granted(admin, namespace).await?);
        wrong.extend(want.difference(&have).map(|g| format!("missing in {namespace}: {g:?}")));
        wrong.extend(have.difference(&want).map(|g| format!("too much in {namespace}: {g:?}")));
    }
    set_up(admin, tag).await?;
    for case in rbac_cases(tag) {
        // The policies read their parameter from a cache: what was raised a moment ago may not be
        // in force yet.
        let mut last = Ok(());
        for _ in 0..20 {
            last = case.run(admin).await;
            if last.is_ok() || !matches!(case.expect, Expect::Denied(_)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        wrong.extend(last.err().map(|error| format!("{error:#}")));
    }
    clean_up(admin, tag).await?;
    ensure!(wrong.is_empty(), "{} deviations:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_distinct_and_of_every_sort() {
        let cases = rbac_cases("t");
        let names: BTreeSet<_> = cases.iter().map(|c| c.name.clone()).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().any(|c| c.expect == Expect::Passes));
        assert!(cases.iter().any(|c| c.expect == Expect::Forbidden));
        assert!(grants("firedrill").len() > grants("default").len());
    }
}
