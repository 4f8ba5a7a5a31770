//! What the account of `config/rbac` may do and may not, as a table that runs against a real API
//! server by impersonation.
//!
//! Two halves: [`grants`] is the whole list of permissions (nothing missing, **nothing more**),
//! compared with the server's own answer; [`rbac_cases`] are requests that the admission policies
//! let through or refuse, in an order in which each builds on those before.
//!
//! Admin applies `config/rbac` (it needs the namespace `velero`) and then calls [`check`].

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail, ensure};
use http::{Method, Request};
use k8s_openapi::api::authorization::v1::SelfSubjectRulesReview;
use kube::Client;
use serde_json::{Value, json};

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
}

/// One permission: verb, `resource.group` or `resource/sub.group`, and the names it is bound to.
pub type Grant = (String, String, Vec<String>);

/// Everything that firedrill's account may do in a namespace, beyond what every account may.
#[must_use]
pub fn grants(namespace: &str) -> BTreeSet<Grant> {
    const READ: &[&str] = &["get", "list", "watch"];
    let mut rows: Vec<(&str, Vec<&str>, &[&str])> = vec![
        ("nodes", [READ, &["patch"]].concat(), &[]),
        ("pods", READ.to_vec(), &[]),
        ("pods/eviction", vec!["create"], &[]),
        ("poddisruptionbudgets.policy", READ.to_vec(), &[]),
        ("deployments.apps", READ.to_vec(), &[]),
        ("statefulsets.apps", READ.to_vec(), &[]),
        ("daemonsets.apps", READ.to_vec(), &[]),
        ("replicasets.apps", READ.to_vec(), &[]),
        ("jobs.batch", READ.to_vec(), &[]),
        ("services", READ.to_vec(), &[]),
        ("endpointslices.discovery.k8s.io", READ.to_vec(), &[]),
        ("namespaces", [READ, &["create", "patch", "delete"]].concat(), &[]),
        ("networkpolicies.networking.k8s.io", [READ, &["create"]].concat(), &[]),
        ("persistentvolumes", vec!["get", "list"], &[]),
        ("events", vec!["create"], &[]),
        ("events.events.k8s.io", vec!["create"], &[]),
    ];
    let velero = [
        "backups",
        "backupstoragelocations",
        "datadownloads",
        "podvolumerestores",
        "restores",
        "schedules",
    ]
    .map(|resource| format!("{resource}.velero.io"));
    match namespace {
        "firedrill" => rows.extend([
            (
                "leases.coordination.k8s.io",
                vec!["get", "list", "create", "update", "patch", "delete"],
                &[][..],
            ),
            ("configmaps", vec!["create"], &[]),
            ("configmaps", vec!["get", "update", "patch"], &["firedrill-epoch"]),
        ]),
        "velero" => {
            rows.extend(velero.iter().map(|name| (name.as_str(), READ.to_vec(), &[][..])));
            rows.push(("restores.velero.io", vec!["create", "patch", "delete"], &[]));
        }
        _ => {}
    }
    rows.into_iter()
        .flat_map(|(resource, verbs, names)| {
            verbs.into_iter().map(move |verb| {
                let names = names.iter().map(|&name| name.to_owned()).collect();
                (verb.to_owned(), resource.to_owned(), names)
            })
        })
        .collect()
}

fn case(
    name: &str,
    (method, path): (Method, String),
    content_type: &'static str,
    body: Value,
    expect: Expect,
) -> Case {
    Case { name: name.to_owned(), method, path, content_type, body, expect }
}

/// Requests in order. `tag` keeps the names of one execution apart from another's and is the
/// instance whose epochs are raised: a DNS-1123 label.
///
/// They expect what [`set_up`] makes, and leave what [`clean_up`] deletes.
#[must_use]
pub fn rbac_cases(tag: &str) -> Vec<Case> {
    let mut all = node_cases(tag);
    all.extend(namespace_cases(tag));
    all.extend(home_cases(tag));
    all.extend(epoch_cases(tag));
    all.extend(beyond(tag));
    all
}

fn node_cases(tag: &str) -> Vec<Case> {
    let patch = |name: &str, body: Value, expect| {
        case(name, (Method::PATCH, format!("{NODES}/fd-{tag}")), PATCH, body, expect)
    };
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let annotations = |annotations: Value| json!({"metadata": {"annotations": annotations}});
    let ours = Expect::Denied("only its own labels");
    let notes = Expect::Denied("only its own annotations");
    vec![
        patch(
            "cordon with our mark",
            json!({
                "spec": {"unschedulable": true},
                "metadata": {
                    "labels": {"firedrill.dev/instance": tag, "firedrill.dev/run": "r"},
                    "annotations": {
                        "firedrill.dev/effect": "1", "firedrill.dev/epoch": "5",
                        "firedrill.dev/prior": "{}",
                    },
                },
            }),
            Expect::Passes,
        ),
        patch("a fence", annotations(json!({"firedrill.dev/fence": "1"})), Expect::Passes),
        patch("a label of others", labels(json!({"zone": "b"})), ours),
        patch("a label of others changed", labels(json!({"theirs": "changed"})), ours),
        patch("a label of others removed", labels(json!({"theirs": null})), ours),
        patch("the operator's word", labels(json!({"firedrill.dev/drillable": "true"})), ours),
        patch("an annotation of others", annotations(json!({"theirs": "changed"})), notes),
        patch("an annotation removed", annotations(json!({"theirs": null})), notes),
        patch(
            "a taint",
            json!({"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}),
            Expect::Denied("taints"),
        ),
        patch(
            "a provider ID",
            json!({"spec": {"providerID": "x://y"}}),
            Expect::Denied("only spec.unschedulable"),
        ),
        patch(
            "a finalizer",
            json!({"metadata": {"finalizers": ["example.com/f"]}}),
            Expect::Denied("finalizers"),
        ),
        patch(
            "uncordon and take the mark off",
            json!({
                "spec": {"unschedulable": null},
                "metadata": {
                    "labels": {"firedrill.dev/instance": null, "firedrill.dev/run": null},
                    "annotations": {
                        "firedrill.dev/effect": null, "firedrill.dev/epoch": null,
                        "firedrill.dev/prior": null, "firedrill.dev/fence": null,
                    },
                },
            }),
            Expect::Passes,
        ),
    ]
}

fn namespace_cases(tag: &str) -> Vec<Case> {
    let ours = format!("fd-{tag}-ours");
    let theirs = format!("{tag}-theirs");
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "labels": {"firedrill.dev/instance": tag}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    });
    let policies = |namespace: &str| {
        format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
    };
    let mark = json!({"firedrill.dev/instance": tag});
    let one = |name: &str| format!("{NAMESPACES}/{name}");
    let only_ours = Expect::Denied("only namespaces with the label");
    vec![
        case(
            "a sandbox",
            (Method::POST, NAMESPACES.into()),
            JSON,
            namespace(&ours, mark.clone()),
            Expect::Passes,
        ),
        case(
            "a namespace without our label",
            (Method::POST, NAMESPACES.into()),
            JSON,
            namespace(&format!("fd-{tag}-bare"), json!({})),
            only_ours,
        ),
        case(
            "our label on a namespace of others",
            (Method::PATCH, one(&theirs)),
            PATCH,
            json!({"metadata": {"labels": mark}}),
            only_ours,
        ),
        case(
            "a fence on a sandbox",
            (Method::PATCH, one(&ours)),
            PATCH,
            json!({"metadata": {"annotations": {"firedrill.dev/fence": "1"}}}),
            Expect::Passes,
        ),
        case(
            "a sandbox closed",
            (Method::POST, policies(&ours)),
            JSON,
            policy.clone(),
            Expect::Passes,
        ),
        case(
            "a namespace of others closed",
            (Method::POST, policies(&theirs)),
            JSON,
            policy,
            Expect::Denied("only into a sandbox of its own"),
        ),
        case(
            "a namespace of others deleted",
            (Method::DELETE, one(&theirs)),
            JSON,
            Value::Null,
            Expect::Denied("may delete only objects with the label"),
        ),
        case("a sandbox deleted", (Method::DELETE, one(&ours)), JSON, Value::Null, Expect::Passes),
    ]
}

fn home_cases(tag: &str) -> Vec<Case> {
    let lease = |name: &str, labels: Value| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "labels": labels},
            "spec": {"holderIdentity": format!("{tag}/r"), "leaseDurationSeconds": 60},
        })
    };
    let ours = format!("{tag}-ours");
    let bare = format!("{tag}-bare");
    vec![
        case(
            "a Lease taken",
            (Method::POST, LEASES.into()),
            JSON,
            lease(&ours, json!({"firedrill.dev/instance": tag})),
            Expect::Passes,
        ),
        case(
            "a Lease renewed",
            (Method::PATCH, format!("{LEASES}/{ours}")),
            PATCH,
            json!({"spec": {"leaseDurationSeconds": 61}}),
            Expect::Passes,
        ),
        case(
            "a Lease released",
            (Method::DELETE, format!("{LEASES}/{ours}")),
            JSON,
            Value::Null,
            Expect::Passes,
        ),
        case(
            "a Lease without our label",
            (Method::POST, LEASES.into()),
            JSON,
            lease(&bare, json!({})),
            Expect::Passes,
        ),
        case(
            "its delete",
            (Method::DELETE, format!("{LEASES}/{bare}")),
            JSON,
            Value::Null,
            Expect::Denied("may delete only objects with the label"),
        ),
        case(
            "a ConfigMap of another name",
            (Method::POST, EPOCHS.into()),
            JSON,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": tag}}),
            Expect::Denied("only the ConfigMap firedrill/firedrill-epoch"),
        ),
    ]
}

/// [`set_up`] made the ConfigMap, with the key `TAG` at 5. The second instance has no key.
fn epoch_cases(tag: &str) -> Vec<Case> {
    let epochs = |name: &str, epoch: Value, expect| {
        case(
            name,
            (Method::PATCH, format!("{EPOCHS}/firedrill-epoch")),
            PATCH,
            json!({"data": {tag: epoch}}),
            expect,
        )
    };
    let marked = |instance: &str, epoch: &str| json!({"labels": {"firedrill.dev/instance": instance}, "annotations": {"firedrill.dev/epoch": epoch}});
    let node = |name: &str, instance: &str, epoch: &str, expect| {
        case(
            name,
            (Method::PATCH, format!("{NODES}/fd-{tag}?dryRun=All")),
            PATCH,
            json!({"metadata": marked(instance, epoch)}),
            expect,
        )
    };
    let namespace = |name: &str, epoch: &str, expect| {
        let mut metadata = marked(tag, epoch);
        metadata["name"] = json!(format!("fd-{tag}-epoch"));
        case(
            name,
            (Method::POST, format!("{NAMESPACES}?dryRun=All")),
            JSON,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}),
            expect,
        )
    };
    let late = Expect::Denied("a process that no longer leads");
    let grow = Expect::Denied("may only grow");
    vec![
        node("a patch of an old epoch", tag, "4", late),
        node("a patch of the current epoch", tag, "5", Expect::Passes),
        node("a patch of a newer epoch", tag, "6", Expect::Passes),
        node("an installation without a key", &format!("{tag}-other"), "1", Expect::Passes),
        namespace("a create of an old epoch", "4", late),
        namespace("a create of the current epoch", "5", Expect::Passes),
        epochs("an epoch lowered", json!("4"), grow),
        epochs("an epoch removed", Value::Null, grow),
        epochs("an epoch that is no number", json!("six"), Expect::Denied("one decimal number")),
        epochs("an epoch raised", json!("10"), Expect::Passes),
        // As numbers, not as text: "9" > "10".
        node("what was current is old now", tag, "9", late),
        case(
            "an eviction of an old epoch",
            (Method::POST, format!("/api/v1/namespaces/default/pods/fd-{tag}/eviction")),
            JSON,
            {
                let mut metadata = marked(tag, "9");
                metadata["name"] = json!(format!("fd-{tag}"));
                json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
            },
            late,
        ),
    ]
}

/// What no role grants.
fn beyond(tag: &str) -> Vec<Case> {
    let forbidden = |name: &str, method: Method, path: &str| {
        let content = if method == Method::PATCH { PATCH } else { JSON };
        let body =
            if method == Method::GET || method == Method::DELETE { Value::Null } else { json!({}) };
        case(name, (method, path.to_owned()), content, body, Expect::Forbidden)
    };
    let node = format!("{NODES}/fd-{tag}");
    vec![
        forbidden("a node deleted", Method::DELETE, &node),
        forbidden("a node's status", Method::PATCH, &format!("{node}/status")),
        forbidden("a pod deleted", Method::DELETE, "/api/v1/namespaces/default/pods/p"),
        forbidden("a command in a pod", Method::POST, "/api/v1/namespaces/default/pods/p/exec"),
        forbidden("secrets read", Method::GET, "/api/v1/namespaces/firedrill/secrets"),
        forbidden("many namespaces deleted", Method::DELETE, "/api/v1/namespaces"),
        forbidden("many leases deleted", Method::DELETE, LEASES),
        forbidden(
            "a budget edited",
            Method::PATCH,
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b",
        ),
        forbidden(
            "a network policy deleted",
            Method::DELETE,
            "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/p",
        ),
        forbidden("a ConfigMap elsewhere", Method::POST, "/api/v1/namespaces/default/configmaps"),
        forbidden(
            "a token for itself",
            Method::POST,
            "/api/v1/namespaces/firedrill/serviceaccounts/firedrill/token",
        ),
        forbidden(
            "its own policy deleted",
            Method::DELETE,
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/firedrill-nodes",
        ),
    ]
}

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
            if last.is_ok() || matches!(case.expect, Expect::Passes | Expect::Forbidden) {
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

    /// By hand, against any cluster of one's own that has `config/rbac` applied:
    /// `KUBECONFIG=... cargo test -p firedrill-lab rbac -- --ignored`.
    #[tokio::test]
    #[ignore = "needs a KUBECONFIG of an admin; the lab's own test runs it against the lab"]
    async fn the_account_may_do_what_is_written_and_no_more() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default().await.expect("KUBECONFIG");
        let tag = format!("rbac-{}", std::process::id());
        check(&client, &tag).await.expect("as written");
    }
}
