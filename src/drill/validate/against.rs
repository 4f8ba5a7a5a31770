//! A drill against the configuration: does it name what is there? PURE.

use crate::{
    config::Config,
    drill::{
        decode::{At, Decoder, Mention},
        problem::{Code, quote},
        suggest,
        table::Sort,
    },
};

/// Notes every name that the configuration does not have, and every number beyond its caps, of what
/// one drill mentions. The drill may have other errors.
pub(crate) fn against(out: &mut Decoder<'_>, mentions: &[Mention], config: &Config) {
    let cluster = mentions.iter().find_map(|mention| match mention {
        Mention::Name { sort: Sort::Cluster, at } if at.key == "spec.cluster" => Some(&at.value),
        _ => None,
    });
    for mention in mentions {
        match mention {
            Mention::Name { sort, at } => name(out, *sort, at, config),
            Mention::Cordons(count) => {
                let caps = cluster.and_then(|name| Some((name, config.clusters.get(name)?)));
                let Some((name, cluster)) = caps else { continue };
                if count.value <= u64::from(cluster.caps.nodes) {
                    continue;
                }
                let message = format!(
                    "the step drains {} nodes, and cluster `{name}` allows {}",
                    count.value, cluster.caps.nodes
                );
                out.error(Code::Conflict, &count.span, &count.key, message)
                    .help("drain fewer, or raise the cluster's `caps.nodes` in the configuration");
            }
        }
    }
}

fn name(out: &mut Decoder<'_>, sort: Sort, at: &At<String>, config: &Config) {
    let (code, known): (Code, Vec<&str>) = match sort {
        Sort::Cluster => {
            (Code::UnknownCluster, config.clusters.keys().map(String::as_str).collect())
        }
        Sort::Target => (Code::UnknownTarget, config.targets.keys().map(String::as_str).collect()),
        Sort::Store => (Code::UnknownStore, config.stores.keys().map(String::as_str).collect()),
    };
    if known.contains(&at.value.as_str()) {
        return;
    }
    let message = format!("the configuration has no {} {}", sort.one(), quote(&at.value));
    out.error(code, &at.span, &at.key, message).help(suggest::help(
        &at.value,
        known.iter().copied(),
        sort.plural(),
    ));
}
