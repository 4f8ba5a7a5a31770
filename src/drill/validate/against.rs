//! A drill against the configuration: does it name what is there? PURE.

use crate::{
    check::{KubernetesAt, Question},
    config::Config,
    drill::{
        Drill, StepKind,
        decode::Decoder,
        problem::{Code, Problem, quote},
        read, suggest,
        tree::Node,
    },
};

/// Every name of the drill that the configuration does not have, and every number beyond its caps.
/// Places count within the drill's own document (`Loaded::against` gives them within the file).
#[must_use]
pub fn against(drill: &Drill, config: &Config) -> Vec<Problem> {
    let (documents, _) = read::read(&drill.text);
    let root = documents.first().map(|document| &document.root);
    let mut out = Decoder::new(&drill.path, &drill.text);
    let clusters = config.clusters.keys().map(String::as_str);
    if !config.clusters.contains_key(&drill.cluster) {
        let message = format!("the configuration has no cluster {}", quote(&drill.cluster));
        out.error(Code::UnknownCluster, &span(root, "spec.cluster"), "spec.cluster", message)
            .help(suggest::help(&drill.cluster, clusters, "clusters"));
    }
    for (index, guard) in drill.guards.iter().enumerate() {
        question(&mut out, root, config, &guard.question, &format!("spec.guards[{index}]"));
    }
    for (index, check) in drill.checks.iter().enumerate() {
        question(&mut out, root, config, &check.question, &format!("spec.checks[{index}]"));
    }
    for (index, step) in drill.steps.iter().enumerate() {
        match &step.kind {
            StepKind::Check(spec) => {
                let key = format!("spec.steps[{index}].check");
                question(&mut out, root, config, &spec.question, &key);
            }
            StepKind::DrainNodes(spec) => {
                let Some(cluster) = config.clusters.get(&drill.cluster) else { continue };
                if spec.count > cluster.max_nodes {
                    let key = format!("spec.steps[{index}].drainNodes.count");
                    let message = format!(
                        "the step drains {} nodes, and cluster `{}` allows {}",
                        spec.count, drill.cluster, cluster.max_nodes
                    );
                    out.error(Code::Conflict, &span(root, &key), &key, message).help(
                        "lower `count`, or raise the cluster's `maxNodes` in the configuration",
                    );
                }
            }
            StepKind::VeleroRestore(_) | StepKind::WorkloadsReady(_) => {}
        }
    }
    out.finish()
}

/// The target or cluster that a question names.
fn question(
    out: &mut Decoder<'_>,
    root: Option<&Node>,
    config: &Config,
    question: &Question,
    key: &str,
) {
    let key = format!("{key}.{}", question.key());
    if let Some(name) = question.target().filter(|name| !config.targets.contains_key(*name)) {
        let key = format!("{key}.target");
        let message = format!("the configuration has no target {}", quote(name));
        out.error(Code::UnknownTarget, &span(root, &key), &key, message).help(suggest::help(
            name,
            config.targets.keys().map(String::as_str),
            "targets",
        ));
    }
    // The drill's own has been told.
    let Question::Kubernetes(check) = question else { return };
    if let KubernetesAt::Cluster(Some(name)) = &check.at
        && !config.clusters.contains_key(name)
    {
        let key = format!("{key}.cluster");
        let message = format!("the configuration has no cluster {}", quote(name));
        out.error(Code::UnknownCluster, &span(root, &key), &key, message).help(suggest::help(
            name,
            config.clusters.keys().map(String::as_str),
            "clusters",
        ));
    }
}

/// The place of a key path; of a key that is left out, that of what it would stand in.
fn span(root: Option<&Node>, key: &str) -> std::ops::Range<usize> {
    let Some(root) = root else { return 0..0 };
    let mut key = key;
    loop {
        if let Some(node) = root.find(key) {
            return node.span.clone();
        }
        match key.rsplit_once('.') {
            Some((above, _)) => key = above,
            None => return 0..0,
        }
    }
}
