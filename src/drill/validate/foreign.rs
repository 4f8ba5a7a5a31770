//! Documents that are no drills: what they are instead. PURE.
//!
//! Such a document has one problem, at its kind: its other keys belong to another language.

use crate::drill::{
    decode::Decoder,
    problem::{Code, quote},
    suggest,
    tree::{Node, Value},
};

/// The kinds of document that there are.
const OURS: [&str; 2] = ["Drill", "Configuration"];

/// The group of our documents, as their `apiVersion` begins.
const OUR_GROUP: &str = "firedrill.dev";

/// A document of another tool.
struct Other {
    group: &'static str,
    kind: &'static str,
    /// With an article.
    name: &'static str,
    help: &'static str,
}

const RESTORE: &str = "a drill restores with a `veleroRestore` step, into a sandbox of its own";
const DRILL_IS: &str = "a drill says in `spec.steps` what is done, and in `spec.schedule` when";
const CHAOS: &str = "firedrill drains nodes with a `drainNodes` step; it injects no other faults";

/// Documents that people have at hand when they write a drill. Others are told by their kind and
/// group.
const OTHERS: &[Other] = &[
    Other {
        group: "velero.io",
        kind: "Schedule",
        name: "a Velero Schedule",
        help: "leave it in the cluster; the drill that restores its newest backup names it under \
               `backup: {newestOf: {schedule: NAME}}`",
    },
    Other {
        group: "velero.io",
        kind: "Backup",
        name: "a Velero Backup",
        help: "a drill that restores this backup names it under `backup: {name: NAME}`",
    },
    Other { group: "velero.io", kind: "Restore", name: "a Velero Restore", help: RESTORE },
    Other { group: "chaos-mesh.org", kind: "Workflow", name: "a Chaos Mesh Workflow", help: CHAOS },
    Other { group: "chaos-mesh.org", kind: "Schedule", name: "a Chaos Mesh Schedule", help: CHAOS },
    Other { group: "litmuschaos.io", kind: "", name: "a Litmus ", help: CHAOS },
    Other { group: "restore.kymaros.io", kind: "", name: "a Kymaros ", help: RESTORE },
    Other { group: "argoproj.io", kind: "", name: "an Argo ", help: DRILL_IS },
    Other { group: "tekton.dev", kind: "", name: "a Tekton ", help: DRILL_IS },
    Other { group: "batch", kind: "CronJob", name: "a Kubernetes CronJob", help: DRILL_IS },
    Other { group: "batch", kind: "Job", name: "a Kubernetes Job", help: DRILL_IS },
    Other {
        group: "kustomize.config.k8s.io",
        kind: "",
        name: "a Kustomize ",
        help: "keep drills in a folder of their own: every *.yaml file in it is read as one",
    },
    Other {
        group: "",
        kind: "List",
        name: "a Kubernetes List",
        help: "write each drill as a document of its own, with `---` between them",
    },
    Other {
        group: "",
        kind: "ConfigMap",
        name: "a Kubernetes ConfigMap",
        help: "a drill is read from a file, and is no object of a cluster",
    },
];

/// What is told of a document without a kind by one of its keys.
const WITHOUT_KIND: &[(&[&str], &str)] = &[
    (&["replicaCount", "image"], "the values of a Helm chart"),
    (&["resources", "bases", "patches", "configMapGenerator"], "a kustomization"),
    (&["services"], "a Compose file"),
    (&["jobs", "on"], "a workflow of a CI server"),
    (&["groups"], "a file of Prometheus rules"),
    (&["stages", "include"], "a pipeline of a CI server"),
];

/// Whether a document says that it is of this kind; if not, that is its only problem. One that does
/// not say what it is, but looks like it, is read as if it did.
pub(crate) fn is_of_kind(out: &mut Decoder<'_>, root: &Node, wanted: &str) -> bool {
    let Value::Map(entries) = &root.value else { return true };
    let version = root.get("apiVersion").and_then(Node::as_text);
    let group = version.map(|version| version.rsplit_once('/').map_or("", |(group, _)| group));
    let Some(kind) = root.get("kind") else {
        let looks_like_one = ["apiVersion", "metadata", "spec", "instance", "clusters"];
        if entries.is_empty() || looks_like_one.iter().any(|key| root.get(key).is_some()) {
            return true;
        }
        without_kind(out, root, wanted);
        return false;
    };
    let Some(found) = kind.as_text() else { return true };
    if found == wanted {
        return true;
    }
    let ours = group.is_none_or(|group| group == OUR_GROUP);
    let (message, help) = if OURS.contains(&found) {
        (
            format!("expected the kind `{wanted}`, found {}", quote(found)),
            "a file holds drills, or one configuration".to_owned(),
        )
    } else if ours {
        (
            format!("expected the kind `{wanted}`, found {}", quote(found)),
            suggest::help(found, OURS, "kinds of document"),
        )
    } else {
        let (what, help) = describe(group.unwrap_or_default(), found);
        (format!("this is {what}, not a {wanted}"), help)
    };
    out.error(Code::WrongKind, &kind.span, "kind", message).help(help);
    false
}

/// What a document of this group and kind is, and what to do.
fn describe(group: &str, kind: &str) -> (String, String) {
    let known = OTHERS.iter().find(|other| {
        let of_group = group == other.group
            || !other.group.is_empty() && group.ends_with(&format!(".{}", other.group));
        of_group && (other.kind.is_empty() || other.kind == kind)
    });
    if let Some(other) = known {
        let rest = if other.kind.is_empty() { plain(kind) } else { String::new() };
        return (format!("{}{rest}", other.name), other.help.to_owned());
    }
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    let kind = plain(kind);
    let what = match group {
        // Groups of Kubernetes itself: the core, those without a dot, and those of its own domain.
        "" => format!("{article} {kind} of Kubernetes"),
        group if !group.contains('.') || group.ends_with(".k8s.io") => {
            format!("{article} {kind} of Kubernetes ({})", plain(group))
        }
        group => format!("{article} {kind} of {}", plain(group)),
    };
    let help = format!("move it elsewhere; a drill begins with `apiVersion: {OUR_GROUP}/v1alpha1`");
    (what, help)
}

/// A name of another language within a sentence, without the backticks of what can be written.
fn plain(name: &str) -> String {
    quote(name).trim_matches('`').to_owned()
}

fn without_kind(out: &mut Decoder<'_>, root: &Node, wanted: &str) {
    let known =
        WITHOUT_KIND.iter().find(|(keys, _)| keys.iter().any(|key| root.get(key).is_some()));
    let message = match known {
        Some((_, name)) => format!("this looks like {name}, not like a {wanted}"),
        None => format!("this is no {wanted}: it has neither `apiVersion` nor `kind`"),
    };
    out.error(Code::WrongKind, &root.span, "", message)
        .help(format!("begin with `apiVersion: {OUR_GROUP}/v1alpha1` and `kind: {wanted}`"));
}
