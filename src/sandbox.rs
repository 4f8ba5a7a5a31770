//! The sandbox of a restore: closed namespaces, and what may come back into them.
//!
//! PURE. The namespace and its policy exist before the Restore does, so that nothing of the backup
//! ever runs in the open. Velero finds the namespace there and does not touch its labels.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        core::v1::Namespace,
        networking::v1::{
            NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
            NetworkPolicyPort, NetworkPolicySpec,
        },
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use crate::mark::{self, Mark};

/// Annotation on a sandbox namespace: the namespace of the backup that it stands in for.
pub const SOURCE: &str = "firedrill.dev/source-namespace";

/// Resources that a restore brings back without being asked, as Velero names them
/// (`resource.group`, core without a group).
///
/// Nothing here acts on its own or owns anything outside its namespace. VolumeSnapshotClasses are
/// left out: they are cluster-scoped, and undo could not tell a restored one from the original.
pub const RESTORABLE: [&str; 15] = [
    "pods",
    "replicasets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "controllerrevisions.apps",
    "services",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "persistentvolumeclaims",
    "persistentvolumes",
    "volumesnapshots.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
];

/// Resources that no drill may restore, and why. The second column ends a sentence.
const NEVER: [(&str, &str); 14] = [
    ("networkpolicies.networking.k8s.io", "would open the sandbox"),
    ("namespaces", "are made by firedrill itself"),
    ("nodes", "belong to the whole cluster"),
    ("events", "are no state"),
    ("customresourcedefinitions.apiextensions.k8s.io", "belong to the whole cluster"),
    ("apiservices.apiregistration.k8s.io", "belong to the whole cluster"),
    ("clusterroles.rbac.authorization.k8s.io", "belong to the whole cluster"),
    ("clusterrolebindings.rbac.authorization.k8s.io", "belong to the whole cluster"),
    ("storageclasses.storage.k8s.io", "belong to the whole cluster"),
    ("priorityclasses.scheduling.k8s.io", "belong to the whole cluster"),
    (
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "would act on the whole cluster",
    ),
    (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "would act on the whole cluster",
    ),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", "would act on the whole cluster"),
    ("leases.coordination.k8s.io", "would make a restored controller lead beside the original"),
];

/// Resources and groups whose objects own something outside their namespace: a DNS name, a
/// certificate, a cloud resource. A row that starts with `.` stands for all resources whose name
/// ends in it.
const OWNS_OUTSIDE: [&str; 14] = [
    "ingresses.networking.k8s.io",
    ".gateway.networking.k8s.io",
    "dnsendpoints.externaldns.k8s.io",
    ".cert-manager.io",
    ".external-secrets.io",
    ".crossplane.io",
    ".upbound.io",
    ".services.k8s.aws",
    ".cnrm.cloud.google.com",
    ".azure.com",
    ".cluster.x-k8s.io",
    ".argoproj.io",
    ".toolkit.fluxcd.io",
    ".karpenter.sh",
];

/// Why a resource of `alsoRestore` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not of the form `resource` or `resource.group`.
    #[error(
        "{0:?} is not a resource: write the plural and the group in lower case, as in jobs.batch"
    )]
    Malformed(String),
    /// One of the few that no drill may restore.
    #[error("{0} are never restored: they {1}")]
    Never(String, &'static str),
    /// It owns something outside the sandbox, and the configuration does not consent.
    #[error(
        "{0} may own something outside the sandbox: the cluster's `mayOwnOutside` must allow it"
    )]
    OwnsOutside(String),
}

/// The resources that a Restore asks for: the allow-list and what the drill adds, each once, in a
/// stable order. `consented` are the resources that the configuration allows although they own
/// something outside their namespace.
///
/// # Errors
/// Every refused resource, in the order of `also`.
pub fn resources(also: &[String], consented: &[String]) -> Result<Vec<String>, Vec<Refused>> {
    let mut all: Vec<String> = RESTORABLE.iter().map(|&name| name.to_owned()).collect();
    let mut refused = Vec::new();
    for name in also {
        match refusal(name, consented) {
            Some(why) => refused.push(why),
            None if all.contains(name) => {}
            None => all.push(name.clone()),
        }
    }
    if refused.is_empty() { Ok(all) } else { Err(refused) }
}

fn refusal(name: &str, consented: &[String]) -> Option<Refused> {
    if !is_resource(name) {
        return Some(Refused::Malformed(name.to_owned()));
    }
    // Velero also takes a plural without its group, so the bare name is the same danger.
    let bare_of = |full: &str| full.split('.').next() == Some(name);
    if let Some((_, why)) = NEVER.iter().find(|(never, _)| *never == name || bare_of(never)) {
        return Some(Refused::Never(name.to_owned(), why));
    }
    let outside = OWNS_OUTSIDE.iter().any(|&row| {
        if row.starts_with('.') { name.ends_with(row) } else { row == name || bare_of(row) }
    });
    if outside && !consented.iter().any(|ok| ok == name) {
        return Some(Refused::OwnsOutside(name.to_owned()));
    }
    None
}

/// Whether `name` is a plural, or a plural and its group. `*` is none: it would be everything.
fn is_resource(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.len() <= 63
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

/// The name of the sandbox namespace that effect `effect` of `run` makes for namespace `source`.
#[must_use]
pub fn namespace_name(run: &str, effect: u32, source: &str) -> String {
    mark::object_name(run, effect, source)
}

/// The sandbox namespace for `source`: marked, and with pod security enforced at `baseline`, or at
/// `restricted` where the original (`source_level`, its label `pod-security.kubernetes.io/enforce`)
/// is as strict.
#[must_use]
pub fn namespace(mark: &Mark, source: &str, source_level: Option<&str>) -> Namespace {
    let level = if source_level == Some("restricted") { "restricted" } else { "baseline" };
    let mut labels = mark.labels();
    labels.insert("pod-security.kubernetes.io/enforce".to_owned(), level.to_owned());
    labels.insert("pod-security.kubernetes.io/enforce-version".to_owned(), "latest".to_owned());
    let mut annotations = mark.annotations(None);
    annotations.insert(SOURCE.to_owned(), source.to_owned());
    Namespace {
        metadata: ObjectMeta {
            name: Some(namespace_name(&mark.run, mark.effect, source)),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// The policy that closes sandbox `namespace`: nothing comes in and nothing goes out, but traffic
/// within the namespace and DNS to `kube-system`.
///
/// Policies only ever add permissions, which is why the backup's own are never restored.
#[must_use]
pub fn closing_policy(mark: &Mark, namespace: &str) -> NetworkPolicy {
    let itself = || {
        vec![NetworkPolicyPeer {
            pod_selector: Some(LabelSelector::default()),
            ..NetworkPolicyPeer::default()
        }]
    };
    let dns = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(
                "kubernetes.io/metadata.name".to_owned(),
                "kube-system".to_owned(),
            )])),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    };
    let port = |protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(53)),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(mark::object_name(&mark.run, mark.effect, "closed")),
            namespace: Some(namespace.to_owned()),
            labels: Some(mark.labels()),
            annotations: Some(mark.annotations(None)),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector::default()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(itself()),
                ..NetworkPolicyIngressRule::default()
            }]),
            egress: Some(vec![
                NetworkPolicyEgressRule {
                    to: Some(itself()),
                    ..NetworkPolicyEgressRule::default()
                },
                NetworkPolicyEgressRule {
                    to: Some(vec![dns]),
                    ports: Some(vec![port("UDP"), port("TCP")]),
                },
            ]),
        }),
    }
}

/// Whether two sources would share one sandbox name, or a source is named twice; the sentence
/// names it.
///
/// # Errors
/// The sentence.
pub fn check_sources(sources: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match sources.iter().find(|source| !seen.insert(source.as_str())) {
        Some(twice) => Err(format!("namespace {twice} is listed twice")),
        None if sources.is_empty() => Err("no namespace to restore".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark() -> Mark {
        Mark { instance: "lab".into(), run: "0199-run".into(), effect: 2, epoch: 7 }
    }

    #[test]
    fn the_namespace_is_marked_and_held_to_baseline() {
        let object = serde_json::to_value(namespace(&mark(), "shop", Some("privileged")))
            .expect("serializable");
        assert_eq!(object["apiVersion"], "v1");
        assert_eq!(object["kind"], "Namespace");
        let name = object["metadata"]["name"].as_str().expect("name");
        assert_eq!(name, namespace_name("0199-run", 2, "shop"));
        assert!(name.starts_with("fd-") && name.ends_with("-shop"));
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "baseline");
        assert_eq!(labels[mark::INSTANCE], "lab");
        assert_eq!(labels[mark::RUN], "0199-run");
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations[mark::EFFECT], "2");
        assert_eq!(annotations[mark::EPOCH], "7");
        assert_eq!(annotations[SOURCE], "shop");
    }

    #[test]
    fn a_restricted_original_stays_restricted() {
        let labels = namespace(&mark(), "shop", Some("restricted")).metadata.labels;
        assert_eq!(labels.expect("labels")["pod-security.kubernetes.io/enforce"], "restricted");
    }

    #[test]
    fn the_policy_lets_only_itself_and_dns_through() {
        let policy = serde_json::to_value(closing_policy(&mark(), "fd-x")).expect("serializable");
        assert_eq!(policy["metadata"]["namespace"], "fd-x");
        assert_eq!(
            policy["spec"],
            json!({
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}]}],
                "egress": [
                    {"to": [{"podSelector": {}}]},
                    {
                        "to": [{"namespaceSelector": {"matchLabels":
                            {"kubernetes.io/metadata.name": "kube-system"}}}],
                        "ports": [
                            {"port": 53, "protocol": "UDP"},
                            {"port": 53, "protocol": "TCP"},
                        ],
                    },
                ],
            })
        );
    }

    #[test]
    fn the_allow_list_grows_only_by_what_is_asked_and_allowed() {
        let also = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let all = resources(&also(&["jobs.batch", "pods", "jobs.batch"]), &[]).expect("allowed");
        assert_eq!(all.len(), RESTORABLE.len() + 1);
        assert_eq!(all.last().map(String::as_str), Some("jobs.batch"));
        assert!(!all.iter().any(|name| name.starts_with("networkpolicies")));

        for (name, sentence) in [
            ("*", "is not a resource"),
            ("", "is not a resource"),
            ("Jobs.batch", "is not a resource"),
            ("jobs..batch", "is not a resource"),
            ("networkpolicies.networking.k8s.io", "never restored: they would open the sandbox"),
            ("networkpolicies", "never restored"),
            ("namespaces", "never restored"),
            ("ingresses.networking.k8s.io", "the cluster's `mayOwnOutside` must allow it"),
            ("certificates.cert-manager.io", "the cluster's `mayOwnOutside` must allow it"),
        ] {
            let refused = resources(&also(&[name]), &[]).expect_err(name);
            assert!(refused[0].to_string().contains(sentence), "{name}: {}", refused[0]);
        }
        let consent = also(&["certificates.cert-manager.io", "namespaces"]);
        assert!(resources(&consent[..1], &consent).is_ok());
        assert!(resources(&consent[1..], &consent).is_err(), "no consent opens what is never");
    }

    #[test]
    fn a_source_is_named_once() {
        assert!(check_sources(&[]).is_err());
        assert!(check_sources(&["a".to_owned(), "b".to_owned()]).is_ok());
        assert!(check_sources(&["a".to_owned(), "a".to_owned()]).is_err());
    }
}
