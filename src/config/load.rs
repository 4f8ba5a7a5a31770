//! A configuration file: text to a configuration, or to every problem that it has.

mod cross;
mod duty;
mod place;
mod tell;
mod timings;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Config, Patience, Retain, Timings, fields};
use crate::drill::{
    decode::{At, Decoder, Object},
    load::{documents, read_file},
    problem::{Code, Problem},
    read::{self, Document, Fault},
    tree::{Node, Value},
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
    parse_read(path, text, read::read(text))
}

/// As [`parse`], of a text that has been read already.
#[must_use]
pub fn parse_read(
    path: &Path,
    text: &str,
    read: (Vec<Document>, Vec<Fault>),
) -> (Option<Config>, Vec<Problem>) {
    let mut out = Decoder::new(path, text);
    let documents = documents(&mut out, read);
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

/// Names that other parts of the file must have, to be looked up when all is read.
#[derive(Default)]
struct References {
    clusters: Vec<At<String>>,
    hooks: Vec<At<String>>,
}

fn configuration(out: &mut Decoder<'_>, root: &Node, path: &Path) -> Option<Config> {
    if !validate::is_of_kind(out, root, "Configuration") {
        return None;
    }
    let root = Object::open(out, &fields::CONFIGURATION, root, &root.span, "")?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let mut references = References::default();
    let _ = (root.text(out, "apiVersion"), root.text(out, "kind"));
    let instance = root.text(out, "instance");
    let journal = file_at(out, &root, "journal", base);
    let drills = root.texts(out, "drills").unwrap_or_default();
    let drills = drills
        .into_iter()
        .map(|at| At { value: base.join(at.value), span: at.span, key: at.key })
        .collect();
    let folders = root.object(out, "folders");
    let halt_file = file_at(out, &root, "haltFile", base);
    let listen = root.text(out, "listen").and_then(|at| at.value.parse().ok());
    let socket = file(out, &root, "socket", base);
    let paths = cross::Paths {
        journal,
        drills,
        halt_file,
        scratch: folders.as_ref().and_then(|folders| file_at(out, folders, "scratch", base)),
        evidence: folders.as_ref().and_then(|folders| file_at(out, folders, "evidence", base)),
        root: root.span.clone(),
    };
    paths.check(out);

    let caps = root.object(out, "caps");
    let caps = caps.map(|caps| duty::caps(out, &caps)).unwrap_or_default();
    let clusters =
        all(out, &root, "clusters", |out, object| place::cluster(out, object, base, caps));
    if clusters.is_empty()
        && let Some(entry) = root.entry("clusters")
        && matches!(&entry.value.value, Value::Map(entries) if entries.is_empty())
    {
        out.error(Code::EmptyValue, &entry.key.span, "clusters", "there is no cluster to drill")
            .help("name at least one");
    }
    let targets = all(out, &root, "targets", |out, object| place::target(out, object, base));
    let stores = all(out, &root, "stores", |out, object| place::store(out, object, base));
    let freezes =
        all(out, &root, "freezes", |out, object| duty::freeze(out, object, &mut references));
    let sentinels = root.object(out, "sentinels");
    let sentinels = sentinels.and_then(|object| duty::sentinels(out, &object, &mut references));
    let hooks = all(out, &root, "hooks", |out, object| tell::hook(out, object, base));
    let rules = root.objects(out, "notify").unwrap_or_default();
    let notify =
        rules.iter().filter_map(|object| tell::rule(out, object, &mut references)).collect();
    let max_concurrent = root.count(out, "maxConcurrent");
    let patience = match root.object(out, "patience") {
        Some(object) => duty::patience(out, &object),
        None => Some(Patience::default()),
    };
    let retain = root.object(out, "retain");
    let retain = retain.map_or_else(Retain::default, |object| duty::retain(out, &object));
    let timings = match root.object(out, "timings") {
        Some(object) => timings::decode(out, &object),
        None => Some(Timings::default()),
    };
    cross::references(out, &root, &references);
    cross::hooks(out, &root, &references);
    cross::twins(out, &root, &clusters);

    let beside = |given: Option<At<PathBuf>>, name: &str, journal: &Path| {
        given.map_or_else(|| journal.with_file_name(name), |at| at.value)
    };
    let journal = paths.journal?.value;
    Some(Config {
        path: path.to_owned(),
        instance: instance?.value,
        drills: paths.drills.into_iter().map(|at| at.value).collect(),
        scratch: beside(paths.scratch, "scratch", &journal),
        evidence: beside(paths.evidence, "evidence", &journal),
        halt_file: beside(paths.halt_file, "halt", &journal),
        listen,
        socket: socket?,
        journal,
        clusters,
        targets,
        stores,
        freezes,
        sentinels,
        hooks,
        notify,
        max_concurrent: u32::try_from(max_concurrent?.value).ok()?,
        patience: patience?,
        retain,
        timings: timings?,
    })
}

/// The objects of a map from names, each decoded.
fn all<T>(
    out: &mut Decoder<'_>,
    root: &Object<'_>,
    name: &str,
    mut decode: impl FnMut(&mut Decoder<'_>, &Object<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let named = root.named(out, name).unwrap_or_default();
    named.into_iter().filter_map(|(name, object)| Some((name, decode(out, &object)?))).collect()
}

fn file(out: &mut Decoder<'_>, object: &Object<'_>, name: &str, base: &Path) -> Option<PathBuf> {
    file_at(out, object, name, base).map(|at| at.value)
}

/// The path of a file, relative ones from `base`. What should stand in the file and not here is
/// covered.
fn file_at(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    name: &str,
    base: &Path,
) -> Option<At<PathBuf>> {
    let at = object.text(out, name)?;
    if let Some(what) = content(&at.value) {
        let message = format!("`{name}` holds {what}, and not the name of a file");
        out.error(Code::InlineSecret, &at.span, &at.key, message)
            .help("write it into a file that only firedrill can read, and name that file here")
            .secret(at.span.clone());
        return None;
    }
    Some(At { value: base.join(at.value), span: at.span, key: at.key })
}

/// What a text is that should stand in a file of its own.
fn content(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    if text.contains("-----BEGIN") {
        Some("PEM")
    } else if text.contains("://") {
        Some("a URL")
    } else if text.starts_with("eyJ") || text.starts_with("xox") {
        Some("what looks like a token")
    } else if text.contains('\n') {
        Some("several lines")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
