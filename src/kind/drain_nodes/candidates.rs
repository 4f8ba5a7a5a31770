//! Which nodes a drill may drain, and which of them it does. PURE.

use k8s_openapi::api::core::v1::Node;
use sha2::{Digest, Sha256};

use super::{
    Spec,
    selector::Selector,
    spec::{Amount, Candidates, Pick},
};
use crate::{
    kind::words::{count, list},
    mark,
};

/// A candidate that is not drained, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The node.
    pub node: String,
    /// One sentence.
    pub why: String,
}

/// The nodes that are drained.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice<'a> {
    /// In the order of the pick.
    pub nodes: Vec<&'a Node>,
    /// The other candidates.
    pub refused: Vec<Refused>,
}

/// Labels of a control-plane node.
pub(super) const CONTROL_PLANE: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Taints by which another actor says that it works on the node. A row that ends in `/` stands for
/// every key that begins with it.
const FOREIGN_TAINTS: [(&str, &str); 8] = [
    ("medik8s.io/", "medik8s"),
    ("node.medik8s.io/", "medik8s"),
    ("karpenter.sh/disrupted", "Karpenter"),
    ("karpenter.sh/disruption", "Karpenter"),
    ("ToBeDeletedByClusterAutoscaler", "the cluster autoscaler"),
    ("DeletionCandidateOfClusterAutoscaler", "the cluster autoscaler"),
    ("aws-node-termination-handler/", "the AWS node termination handler"),
    ("node.cloudprovider.kubernetes.io/shutdown", "the cloud provider"),
];

/// Annotations by which another actor says the same.
const FOREIGN_ANNOTATIONS: [(&str, &str); 3] = [
    ("weave.works/kured-reboot-in-progress", "kured"),
    ("kured.dev/reboot-in-progress", "kured"),
    ("skyhook.nvidia.com/cordon_", "nodewright"),
];

/// The label that says in which zone a node is.
/// Source: Kubernetes' documentation, "Well-Known Labels, Annotations and Taints".
const ZONE: &str = "topology.kubernetes.io/zone";

/// Chooses the nodes that the drill asks for. `cap` is the most that the configuration lets a run
/// cordon at once, `seed` is the run's id.
///
/// # Errors
/// One sentence, with the reason for each candidate that may not be drained.
pub fn choose<'a>(
    nodes: &'a [Node],
    spec: &Spec,
    cap: u32,
    seed: &str,
) -> Result<Choice<'a>, String> {
    let candidates = candidates(nodes, &spec.of)?;
    let wanted = match spec.count {
        Amount::Count(number) => usize::try_from(number).unwrap_or(usize::MAX),
        // Of what a drain could ever take: a control plane in the zone does not make the share
        // out of reach. But a node that nobody made drillable does: then the zone is not lost.
        Amount::Percent(share) => {
            let workers = candidates.iter().filter(|node| !control_plane(node)).count();
            (workers * usize::from(share) / 100).max(1)
        }
    };
    if wanted == 0 {
        return Err("the drill drains no node".to_owned());
    }
    if wanted > cap as usize {
        return Err(format!(
            "the drill drains {}, but the configuration allows {cap} at once (caps)",
            count(wanted, "node")
        ));
    }
    let mut refused = Vec::new();
    let mut fit: Vec<&Node> = Vec::new();
    for node in candidates {
        match refusal(node) {
            Some(why) => refused.push(Refused { node: name(node).to_owned(), why }),
            None => fit.push(node),
        }
    }
    order(&mut fit, spec.pick, seed);
    let mut left = nodes.iter().filter(|node| schedulable(node)).count();
    let mut chosen = Vec::new();
    for node in fit {
        if chosen.len() == wanted {
            break;
        }
        let counts = usize::from(schedulable(node));
        if left - counts == 0 {
            let why = "it is the last schedulable node".to_owned();
            refused.push(Refused { node: name(node).to_owned(), why });
        } else {
            left -= counts;
            chosen.push(node);
        }
    }
    if chosen.len() < wanted {
        let whys: Vec<String> =
            refused.iter().map(|refused| format!("{}: {}", refused.node, refused.why)).collect();
        let found = if chosen.is_empty() { "none".to_owned() } else { chosen.len().to_string() };
        let because =
            if whys.is_empty() { String::new() } else { format!(" ({})", whys.join("; ")) };
        return Err(format!(
            "the drill drains {}, and {found} may be drained{because}",
            count(wanted, "node")
        ));
    }
    Ok(Choice { nodes: chosen, refused })
}

/// The nodes that the drill chooses from, at least one.
fn candidates<'a>(nodes: &'a [Node], of: &Candidates) -> Result<Vec<&'a Node>, String> {
    let (found, none): (Vec<&Node>, String) = match of {
        Candidates::Selector(text) => {
            let selector = Selector::parse(text).map_err(|error| error.to_string())?;
            let matches = |node: &&Node| selector.matches(node.metadata.labels.as_ref());
            (nodes.iter().filter(matches).collect(), "no node matches the selector".to_owned())
        }
        Candidates::Zone(zone) => {
            let lies_there = |node: &&Node| label(node, ZONE).is_some_and(|name| name == zone);
            (nodes.iter().filter(lies_there).collect(), format!("no node is in the zone {zone}"))
        }
        Candidates::Names(names) => {
            let of_name = |wanted: &String| nodes.iter().find(|node| name(node) == wanted);
            let missing: Vec<&str> =
                names.iter().filter(|name| of_name(name).is_none()).map(String::as_str).collect();
            if !missing.is_empty() {
                return Err(format!("there is no node {}", list(&missing)));
            }
            (names.iter().filter_map(of_name).collect(), "the drill names no node".to_owned())
        }
    };
    if found.is_empty() { Err(none) } else { Ok(found) }
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a String> {
    node.metadata.labels.as_ref().and_then(|labels| labels.get(key))
}

fn control_plane(node: &Node) -> bool {
    CONTROL_PLANE.iter().any(|key| label(node, key).is_some())
}

/// Why this node may not be drained, whatever the others are.
#[must_use]
pub fn refusal(node: &Node) -> Option<String> {
    let label = |key: &str| label(node, key);
    if control_plane(node) {
        return Some("it is a control-plane node".to_owned());
    }
    if label(mark::DRILLABLE).map(String::as_str) != Some("true") {
        return Some(format!("it does not carry the label {}=true", mark::DRILLABLE));
    }
    if let Some(instance) = label(mark::INSTANCE) {
        let run = label(mark::RUN).map_or("?", String::as_str);
        return Some(format!("it carries the mark of run {run} of instance {instance}"));
    }
    if node.metadata.deletion_timestamp.is_some() {
        return Some("it is being deleted".to_owned());
    }
    if cordoned(node) {
        return Some("it is cordoned already".to_owned());
    }
    if let Some(actor) = foreign_actor(node) {
        return Some(format!("{actor} is working on it"));
    }
    (!ready(node)).then(|| "it is not Ready".to_owned())
}

/// Another actor that marked the node, and by what: `Karpenter (taint karpenter.sh/disrupted)`.
#[must_use]
pub fn foreign_actor(node: &Node) -> Option<String> {
    let fits = |row: &str, key: &str| {
        if row.ends_with(['/', '_']) { key.starts_with(row) } else { key == row }
    };
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    for taint in taints {
        if let Some((_, actor)) = FOREIGN_TAINTS.iter().find(|(row, _)| fits(row, &taint.key)) {
            return Some(format!("{actor} (taint {})", taint.key));
        }
    }
    for key in node.metadata.annotations.iter().flat_map(|all| all.keys()) {
        if let Some((_, actor)) = FOREIGN_ANNOTATIONS.iter().find(|(row, _)| fits(row, key)) {
            return Some(format!("{actor} (annotation {key})"));
        }
    }
    None
}

/// Whether the scheduler may put ordinary pods on the node.
fn schedulable(node: &Node) -> bool {
    let tainted = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten())
        .any(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    ready(node) && !cordoned(node) && !tainted && node.metadata.deletion_timestamp.is_none()
}

fn cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
}

/// Whether the node says that it is Ready; silence is no.
#[must_use]
pub fn ready(node: &Node) -> bool {
    node.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn order(fit: &mut [&Node], pick: Pick, seed: &str) {
    match pick {
        Pick::First => fit.sort_by_key(|node| name(node).to_owned()),
        Pick::Oldest => fit.sort_by_key(|node| {
            // One without a creation time is no candidate for the oldest.
            let created = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (created.unwrap_or(jiff::Timestamp::MAX), name(node).to_owned())
        }),
        // By a hash of run and name: the same run chooses the same node again, another run most
        // likely another, and no node is preferred.
        Pick::Random => fit.sort_by_key(|node| {
            let mut hash = Sha256::new();
            hash.update((seed.len() as u64).to_be_bytes());
            hash.update(seed.as_bytes());
            hash.update(name(node).as_bytes());
            hash.finalize().to_vec()
        }),
    }
}

fn name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use serde_json::{Value, json};

    use super::*;

    /// A drillable, Ready node; `patch` is merged over it at the top level of each part.
    fn node(name: &str, patch: Value) -> Node {
        let mut object = json!({
            "metadata": {"name": name, "labels": {mark::DRILLABLE: "true", "pool": "a"},
                         "creationTimestamp": "2026-01-02T00:00:00Z"},
            "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        for (part, fields) in patch.as_object().expect("object") {
            for (key, value) in fields.as_object().expect("object") {
                if key == "labels" {
                    for (label, value) in value.as_object().expect("labels") {
                        object[part][key][label] = value.clone();
                    }
                } else {
                    object[part][key] = value.clone();
                }
            }
        }
        serde_json::from_value(object).expect("node")
    }

    fn spec(count: u64, pick: Pick) -> Spec {
        Spec {
            of: Candidates::Selector("pool=a".into()),
            count: Amount::Count(count),
            pick,
            stable_for: Duration::from_secs(10),
            hold_until_end: false,
        }
    }

    fn names(nodes: &[Node], spec: &Spec, cap: u32, seed: &str) -> Result<Vec<String>, String> {
        choose(nodes, spec, cap, seed)
            .map(|choice| choice.nodes.iter().map(|node| name(node).to_owned()).collect())
    }

    #[test]
    fn each_refusal_is_one_sentence() {
        for (patch, why) in [
            (json!({}), None),
            (
                json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}),
                Some("it is a control-plane node"),
            ),
            (
                json!({"metadata": {"labels": {"node-role.kubernetes.io/master": ""}}}),
                Some("it is a control-plane node"),
            ),
            (
                json!({"metadata": {"labels": {mark::DRILLABLE: "yes"}}}),
                Some("it does not carry the label firedrill.dev/drillable=true"),
            ),
            (
                json!({"metadata": {"labels": {mark::INSTANCE: "lab", mark::RUN: "r"}}}),
                Some("it carries the mark of run r of instance lab"),
            ),
            (json!({"spec": {"unschedulable": true}}), Some("it is cordoned already")),
            (json!({"spec": {"unschedulable": false}}), None),
            (json!({"status": {"conditions": []}}), Some("it is not Ready")),
            (
                json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
                Some("it is not Ready"),
            ),
            (
                json!({"metadata": {"deletionTimestamp": "2026-01-02T00:00:00Z"}}),
                Some("it is being deleted"),
            ),
            (
                json!({"spec": {"taints": [{"key": "medik8s.io/drain", "effect": "NoSchedule"}]}}),
                Some("medik8s (taint medik8s.io/drain) is working on it"),
            ),
            (
                json!({"spec": {"taints": [{"key": "karpenter.sh/disrupted",
                                            "effect": "NoSchedule"}]}}),
                Some("Karpenter (taint karpenter.sh/disrupted) is working on it"),
            ),
            (
                json!({"spec": {"taints": [{"key": "DeletionCandidateOfClusterAutoscaler",
                                            "effect": "PreferNoSchedule"}]}}),
                Some(
                    "the cluster autoscaler (taint DeletionCandidateOfClusterAutoscaler) is \
                     working on it",
                ),
            ),
            (
                json!({"metadata": {"annotations": {"weave.works/kured-reboot-in-progress": "t"}}}),
                Some("kured (annotation weave.works/kured-reboot-in-progress) is working on it"),
            ),
            (
                json!({"metadata": {"annotations": {
                    "weave.works/kured-most-recent-reboot-needed": "t"}}}),
                None,
            ),
            (json!({"spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}}), None),
        ] {
            assert_eq!(refusal(&node("n", patch.clone())).as_deref(), why, "{patch}");
        }
    }

    #[test]
    fn too_few_are_named_with_their_reasons() {
        let nodes = [
            node("a", json!({"spec": {"unschedulable": true}})),
            node("b", json!({"metadata": {"labels": {mark::DRILLABLE: "false"}}})),
            node("c", json!({"metadata": {"labels": {"pool": "b"}}})),
        ];
        assert_eq!(
            names(&nodes, &spec(1, Pick::First), 1, "r"),
            Err("the drill drains 1 node, and none may be drained (a: it is cordoned already; b: \
                 it does not carry the label firedrill.dev/drillable=true)"
                .into())
        );
        assert_eq!(
            names(&nodes, &spec(3, Pick::First), 2, "r"),
            Err("the drill drains 3 nodes, but the configuration allows 2 at once (caps)".into())
        );
        assert_eq!(
            names(&nodes[2..], &spec(1, Pick::First), 2, "r"),
            Err("no node matches the selector".into())
        );
    }

    #[test]
    fn the_last_schedulable_node_stays() {
        let tainted = json!({"metadata": {"labels": {"pool": "b"}},
            "spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}});
        let alone = [node("a", json!({})), node("cp", tainted)];
        let why = names(&alone, &spec(1, Pick::First), 1, "r").expect_err("refused");
        assert!(why.ends_with("(a: it is the last schedulable node)"), "{why}");
        let two = [node("a", json!({})), node("b", json!({}))];
        assert_eq!(names(&two, &spec(1, Pick::First), 2, "r"), Ok(vec!["a".into()]));
        let why = names(&two, &spec(2, Pick::First), 2, "r").expect_err("refused");
        assert!(why.contains("2 nodes, and 1 may be drained (b: it is the last"), "{why}");
    }

    #[test]
    fn the_pick_is_first_oldest_or_the_runs_own() {
        let old = json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}});
        let mut nodes: Vec<Node> = ["d", "b", "c"].map(|n| node(n, json!({}))).into();
        nodes.push(node("z", old));
        assert_eq!(names(&nodes, &spec(1, Pick::First), 1, "r"), Ok(vec!["b".into()]));
        assert_eq!(names(&nodes, &spec(1, Pick::Oldest), 1, "r"), Ok(vec!["z".into()]));
        let random = |seed: &str| names(&nodes, &spec(1, Pick::Random), 1, seed).expect("picked");
        assert_eq!(random("run-1"), random("run-1"));
        let picked: BTreeSet<_> = (0..40).flat_map(|n| random(&format!("run-{n}"))).collect();
        assert_eq!(picked.len(), 4, "every node is picked by some run");
    }

    fn of(of: Candidates, count: Amount) -> Spec {
        Spec { of, count, ..spec(1, Pick::First) }
    }

    #[test]
    fn a_zone_is_all_of_its_workers() {
        let zone =
            |name: &str, zone: &str| node(name, json!({"metadata": {"labels": {ZONE: zone}}}));
        let cp = json!({"metadata": {"labels": {
            ZONE: "z1", "node-role.kubernetes.io/control-plane": ""}}});
        let mut nodes = vec![zone("a", "z1"), zone("b", "z1"), zone("c", "z2"), node("cp", cp)];
        let lost = of(Candidates::Zone("z1".into()), Amount::Percent(100));
        assert_eq!(names(&nodes, &lost, 9, "r"), Ok(vec!["a".into(), "b".into()]));
        let elsewhere = of(Candidates::Zone("z9".into()), Amount::Percent(100));
        assert_eq!(names(&nodes, &elsewhere, 9, "r"), Err("no node is in the zone z9".into()));
        // A node that nobody made drillable: the zone would not be lost.
        let kept = json!({"metadata": {"labels": {ZONE: "z1", mark::DRILLABLE: "no"}}});
        nodes.push(node("kept", kept));
        let why = names(&nodes, &lost, 9, "r").expect_err("refused");
        assert!(why.starts_with("the drill drains 3 nodes, and 2 may be drained"), "{why}");
        assert!(why.contains("kept: it does not carry the label"), "{why}");
    }

    #[test]
    fn a_share_is_rounded_down_but_never_to_none() {
        let nodes: Vec<Node> = ('a'..='g').map(|n| node(&n.to_string(), json!({}))).collect();
        let share = |percent| of(Candidates::Selector("pool=a".into()), Amount::Percent(percent));
        for (percent, drained) in [(1, 1), (14, 1), (28, 1), (29, 2), (50, 3), (85, 5)] {
            let chosen = names(&nodes, &share(percent), 9, "r").expect("chosen");
            assert_eq!(chosen.len(), drained, "{percent} % of 7");
        }
        // The cap counts nodes, whatever the drill counts.
        assert_eq!(
            names(&nodes, &share(50), 2, "r"),
            Err("the drill drains 3 nodes, but the configuration allows 2 at once (caps)".into())
        );
        let why = names(&nodes, &share(100), 9, "r").expect_err("refused");
        assert!(why.ends_with("(g: it is the last schedulable node)"), "{why}");
    }

    #[test]
    fn named_nodes_are_drained_all_or_none() {
        let nodes: Vec<Node> = ["a", "b", "c"].map(|n| node(n, json!({}))).into();
        let named = |all: &[&str]| {
            let names = all.iter().map(|&name| name.to_owned()).collect();
            of(Candidates::Names(names), Amount::Count(all.len() as u64))
        };
        assert_eq!(names(&nodes, &named(&["c", "a"]), 9, "r"), Ok(vec!["a".into(), "c".into()]));
        assert_eq!(names(&nodes, &named(&["a", "x"]), 9, "r"), Err("there is no node x".into()));
    }
}
