//! A configuration file: text to a configuration, or to every problem that it has.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Cluster, Config, Login, Store, Target, Timings, fields};
use crate::drill::{
    decode::{At, Decoder, Object},
    load::{documents, read_file},
    problem::{Code, Problem},
    tree::Node,
    validate,
};

/// Reads a configuration file. A file that cannot be read is a problem like any other.
#[must_use]
pub fn load(path: &Path) -> (Option<Config>, Vec<Problem>) {
    match read_file(path) {
        Ok(text) => parse(path, &text),
        Err(problem) => (None, vec![*problem]),
    }
}

/// Reads a configuration from the text of the file `path`. Relative paths in it start from that
/// file's folder. Never panics, whatever the text.
#[must_use]
pub fn parse(path: &Path, text: &str) -> (Option<Config>, Vec<Problem>) {
    let mut out = Decoder::new(path, text);
    let documents = documents(&mut out, text);
    if let [_, second, ..] = documents.as_slice() {
        out.error(
            Code::WrongKind,
            &second.root.span,
            "",
            "a configuration is one document, and this is a second one",
        )
        .help("move it into a file of its own");
    }
    let config =
        documents.first().and_then(|document| configuration(&mut out, &document.root, path));
    let config = config.filter(|_| out.errors() == 0);
    (config, out.finish())
}

fn configuration(out: &mut Decoder<'_>, root: &Node, path: &Path) -> Option<Config> {
    if !validate::is_of_kind(out, root, "Configuration") {
        return None;
    }
    let root = Object::open(out, &fields::CONFIGURATION, root, &root.span, "")?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let _ = (root.text(out, "apiVersion"), root.text(out, "kind"));
    let instance = root.text(out, "instance");
    let journal = file(out, &root, "journal", base);
    let drills = root.texts(out, "drills").unwrap_or_default();
    let drills = drills.into_iter().map(|at| base.join(at.value)).collect();
    let clusters = all(out, &root, "clusters", |out, object| cluster(out, object, base));
    if clusters.is_empty()
        && let Some(entry) = root.entry("clusters")
        && out.errors() == 0
    {
        out.error(Code::EmptyValue, &entry.key.span, "clusters", "there is no cluster to drill")
            .help("name at least one");
    }
    let targets = all(out, &root, "targets", |out, object| target(out, object, base));
    let stores = all(out, &root, "stores", |out, object| store(out, object, base));
    let timings = match root.object(out, "timings") {
        Some(object) => timings(out, &object),
        None => Some(Timings::default()),
    };
    Some(Config {
        path: path.to_owned(),
        instance: instance?.value,
        journal: journal?,
        clusters,
        targets,
        stores,
        drills,
        timings: timings?,
    })
}

/// The objects of a map from names, each decoded.
fn all<T>(
    out: &mut Decoder<'_>,
    root: &Object<'_>,
    name: &str,
    decode: impl Fn(&mut Decoder<'_>, &Object<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let named = root.named(out, name).unwrap_or_default();
    named.into_iter().filter_map(|(name, object)| Some((name, decode(out, &object)?))).collect()
}

fn file(out: &mut Decoder<'_>, object: &Object<'_>, name: &str, base: &Path) -> Option<PathBuf> {
    object.text(out, name).map(|at| base.join(at.value))
}

fn cluster(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Cluster> {
    let login = match object.which(&["server", "kubeconfig"]) {
        Some("server") => {
            let server = object.text(out, "server");
            let token_file = file(out, object, "tokenFile", base);
            let ca_file = file(out, object, "caFile", base);
            server.zip(token_file).zip(ca_file).map(|((server, token_file), ca_file)| {
                Login::Token { server: server.value, token_file, ca_file }
            })
        }
        Some(_) => {
            let context = object.text(out, "context").map(|at| at.value);
            file(out, object, "kubeconfig", base).map(|path| Login::Kubeconfig { path, context })
        }
        None => None,
    };
    let velero_namespace = object.text(out, "veleroNamespace");
    let max_nodes = object.count(out, "maxNodes");
    Some(Cluster {
        login: login?,
        velero_namespace: velero_namespace?.value,
        max_nodes: u32::try_from(max_nodes?.value).ok()?,
    })
}

fn target(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Target> {
    let url = object.text(out, "url");
    let bearer_token_file = file(out, object, "bearerTokenFile", base);
    let ca_file = file(out, object, "caFile", base);
    Some(Target { url: url?.value, bearer_token_file, ca_file })
}

fn store(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Store> {
    let endpoint = object.text(out, "endpoint").map(|at| at.value);
    let region = object.text(out, "region");
    let bucket = object.text(out, "bucket");
    let prefix = object.text(out, "prefix");
    let path_style = object.flag(out, "pathStyle");
    let credentials_file = file(out, object, "credentialsFile", base);
    Some(Store {
        endpoint,
        region: region?.value,
        bucket: bucket?.value,
        prefix: prefix?.value,
        path_style: path_style?.value,
        credentials_file,
    })
}

fn timings(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Timings> {
    let send_timeout = object.duration(out, "sendTimeout");
    let settle = object.duration(out, "settle");
    let lease_duration = object.duration(out, "leaseDuration");
    let lease_renew = object.duration(out, "leaseRenew");
    let lease_lost = object.duration(out, "leaseLost");
    let velero_accept = object.duration(out, "veleroAccept");
    let stop_budget = object.duration(out, "stopBudget");
    let mut shorter = |short: &Option<_>, long: &Option<_>, otherwise| {
        if let (Some(short), Some(long)) = (short, long) {
            shorter(out, object, short, long, otherwise);
        }
    };
    shorter(&send_timeout, &settle, "an absence would be believed while a write may still arrive");
    shorter(&lease_renew, &lease_lost, "the Lease would be lost between two renewals");
    shorter(
        &lease_lost,
        &lease_duration,
        "another instance could take the Lease while our run goes on",
    );
    let value = |at: Option<At<Duration>>| at.map(|at| at.value);
    Some(Timings {
        send_timeout: value(send_timeout)?,
        settle: value(settle)?,
        lease_duration: value(lease_duration)?,
        lease_renew: value(lease_renew)?,
        lease_lost: value(lease_lost)?,
        velero_accept: value(velero_accept)?,
        stop_budget: value(stop_budget)?,
    })
}

/// Notes if one duration is not shorter than another. What is not written has its default, and then
/// the problem is told at the other one.
fn shorter(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    short: &At<Duration>,
    long: &At<Duration>,
    otherwise: &str,
) {
    if short.value < long.value {
        return;
    }
    let name = |at: &At<Duration>| at.key.rsplit('.').next().unwrap_or_default().to_owned();
    let written = |at: &At<Duration>| object.entry(&name(at)).is_some();
    let told = |at: &At<Duration>| {
        let default = if written(at) { "" } else { ", the default" };
        format!("`{}` ({:?}{default})", name(at), at.value)
    };
    let at = if written(long) { long } else { short };
    let message = format!("{} must be longer than {}", told(long), told(short));
    let problem =
        out.error(Code::Conflict, &at.span, &at.key, message).help(format!("else {otherwise}"));
    if written(long) && written(short) {
        problem.also(short.span.clone(), "this one");
    }
}

#[cfg(test)]
mod tests;
