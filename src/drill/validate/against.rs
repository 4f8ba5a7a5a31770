//! A drill against the configuration: does it name what is there? PURE.

use crate::{
    check::HttpAt,
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
    for (index, check) in drill.checks.iter().enumerate() {
        target(
            &mut out,
            root,
            config,
            &check.http.at,
            &format!("spec.checks[{index}].http.target"),
        );
    }
    for (index, step) in drill.steps.iter().enumerate() {
        match &step.kind {
            StepKind::Check(spec) => {
                target(
                    &mut out,
                    root,
                    config,
                    &spec.http.at,
                    &format!("spec.steps[{index}].check.http.target"),
                );
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

fn target(out: &mut Decoder<'_>, root: Option<&Node>, config: &Config, at: &HttpAt, key: &str) {
    let HttpAt::Target(name) = at else { return };
    if config.targets.contains_key(name) {
        return;
    }
    let message = format!("the configuration has no target {}", quote(name));
    out.error(Code::UnknownTarget, &span(root, key), key, message).help(suggest::help(
        name,
        config.targets.keys().map(String::as_str),
        "targets",
    ));
}

/// The place of a key path; the document's beginning if it is not there.
fn span(root: Option<&Node>, key: &str) -> std::ops::Range<usize> {
    root.and_then(|root| root.find(key)).map_or(0..0, |node| node.span.clone())
}
