//! The table of permissions and of requests.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::{Case, EPOCHS, Expect, Grant, JSON, LEASES, NAMESPACES, NODES, PATCH};

/// Everything that firedrill's account may do in a namespace, beyond what every account may.
#[must_use]
pub fn grants(namespace: &str) -> BTreeSet<Grant> {
    const READ: &[&str] = &["get", "list", "watch"];
    let mut rows: Vec<(&str, Vec<&str>, &[&str])> = vec![
        ("nodes", [READ, &["patch"]].concat(), &[]),
        ("pods", READ.to_vec(), &[]),
        ("pods/eviction", vec!["create"], &[]),
        ("poddisruptionbudgets.policy", vec!["list", "watch"], &[]),
        ("deployments.apps", vec!["list", "watch"], &[]),
        ("statefulsets.apps", vec!["list", "watch"], &[]),
        ("replicasets.apps", vec!["list", "watch"], &[]),
        ("namespaces", vec!["get", "list", "create", "delete"], &[]),
        ("networkpolicies.networking.k8s.io", vec!["get", "create"], &[]),
        ("services", vec!["get"], &[]),
        ("endpointslices.discovery.k8s.io", vec!["list"], &[]),
        ("pods/portforward", vec!["get", "create"], &[]),
    ];
    match namespace {
        "firedrill" => rows.extend([
            (
                "leases.coordination.k8s.io",
                vec!["get", "list", "create", "update", "delete"],
                &[][..],
            ),
            ("configmaps", vec!["create"], &[]),
            ("configmaps", vec!["get", "update", "patch"], &["firedrill-epoch"]),
        ]),
        "velero" => rows.extend([
            ("backups.velero.io", vec!["list"], &[][..]),
            ("backupstoragelocations.velero.io", vec!["list"], &[]),
            ("restores.velero.io", [READ, &["create", "delete"]].concat(), &[]),
        ]),
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
/// They expect what [`super::set_up`] makes, and leave what [`super::clean_up`] deletes.
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
    let mark = json!({"firedrill.dev/instance": tag, "firedrill.dev/run": "r"});
    let connect =
        |namespace: &str, sub: &str| format!("{NAMESPACES}/{namespace}/pods/fd-{tag}/{sub}");
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
            Expect::Forbidden,
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
        // Both go by way of admission before the server looks for the pod.
        case(
            "a port forwarded into a sandbox",
            (Method::POST, connect(&ours, "portforward?ports=8080")),
            JSON,
            Value::Null,
            Expect::NotFound,
        ),
        case(
            "a port forwarded by GET, as a WebSocket is",
            (Method::GET, connect(&ours, "portforward?ports=8080")),
            JSON,
            Value::Null,
            Expect::NotFound,
        ),
        case(
            "a port forwarded into a namespace of others",
            (Method::POST, connect(&theirs, "portforward?ports=8080")),
            JSON,
            Value::Null,
            Expect::Denied("only into a sandbox of its own"),
        ),
        case(
            "the same by GET",
            (Method::GET, connect(&theirs, "portforward?ports=8080")),
            JSON,
            Value::Null,
            Expect::Denied("only into a sandbox of its own"),
        ),
        case(
            "a command in a pod of a sandbox",
            (Method::POST, connect(&ours, "exec?command=id")),
            JSON,
            Value::Null,
            Expect::Forbidden,
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
            "a Lease patched",
            (Method::PATCH, format!("{LEASES}/{ours}")),
            PATCH,
            json!({"spec": {"leaseDurationSeconds": 61}}),
            Expect::Forbidden,
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

/// [`super::set_up`] made the ConfigMap, with the key `TAG` at 5. The second instance has no key.
pub(super) fn epoch_cases(tag: &str) -> Vec<Case> {
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
