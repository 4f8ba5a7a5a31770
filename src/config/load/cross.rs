//! What only shows when parts of the file are held against each other. PURE.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::References;
use crate::{
    config::{Cluster, Login},
    drill::{
        decode::{At, Decoder, Object},
        problem::{Code, quote},
        suggest,
        tree::{Entry, Span, Value},
    },
};

/// Our own files and folders.
pub(super) struct Paths {
    pub journal: Option<At<PathBuf>>,
    pub drills: Vec<At<PathBuf>>,
    pub halt_file: Option<At<PathBuf>>,
    pub scratch: Option<At<PathBuf>>,
    pub evidence: Option<At<PathBuf>>,
    /// The place of what is not written, and has its default.
    pub root: Span,
}

impl Paths {
    /// Notes what would be wiped with the scratch folder, and a halt file that is always there.
    pub(super) fn check(&self, out: &mut Decoder<'_>) {
        let others = [
            ("the journal", self.journal.as_ref()),
            ("the halt file", self.halt_file.as_ref()),
            ("the evidence", self.evidence.as_ref()),
        ];
        let drills = self.drills.iter().map(|at| ("a folder of drills", Some(at)));
        if let Some(scratch) = &self.scratch {
            for (what, other) in others.into_iter().chain(drills) {
                let Some(other) = other.filter(|other| other.value.starts_with(&scratch.value))
                else {
                    continue;
                };
                let message = format!("{what} lies in the scratch folder, which is wiped");
                let problem = out
                    .error(Code::Conflict, &scratch.span, &scratch.key, message)
                    .help("give `scratch` a folder of its own");
                if other.span != self.root {
                    problem.also(other.span.clone(), "this one");
                }
            }
        }
        if let (Some(halt), Some(journal)) = (&self.halt_file, &self.journal)
            && halt.value == journal.value
        {
            out.error(
                Code::Conflict,
                &halt.span,
                &halt.key,
                "the halt file is the journal, which is always there",
            )
            .help("name a file that nothing else makes");
        }
    }
}

/// The keys that stand in a map of the file, right or wrong.
fn written<'t>(root: &Object<'t>, name: &str) -> Vec<(&'t str, &'t Entry)> {
    match root.entry(name).map(|entry| &entry.value.value) {
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|entry| entry.key.as_text().map(|name| (name, entry)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Notes names of clusters and hooks that there are not.
pub(super) fn references(out: &mut Decoder<'_>, root: &Object<'_>, references: &References) {
    for (code, what, names, wanted) in [
        (Code::UnknownCluster, "cluster", written(root, "clusters"), &references.clusters),
        (Code::UnknownHook, "hook", written(root, "hooks"), &references.hooks),
    ] {
        for at in wanted {
            if names.iter().any(|(name, _)| *name == at.value) {
                continue;
            }
            let known = names.iter().map(|(name, _)| *name);
            let message = format!("there is no {what} {} in this file", quote(&at.value));
            out.error(code, &at.span, &at.key, message).help(suggest::help(
                &at.value,
                known,
                &format!("{what}s"),
            ));
        }
    }
}

/// Notes hooks that no rule names, and rules that name a heartbeat.
pub(super) fn hooks(out: &mut Decoder<'_>, root: &Object<'_>, references: &References) {
    for (name, entry) in written(root, "hooks") {
        let heartbeat = entry.value.get("heartbeat").is_some();
        let users: Vec<&At<String>> =
            references.hooks.iter().filter(|at| at.value == name).collect();
        if heartbeat {
            for at in &users {
                let message =
                    format!("the hook {} is a heartbeat and takes no messages", quote(name));
                out.error(Code::Conflict, &at.span, &at.key, message)
                    .also(entry.key.span.clone(), "the hook")
                    .help("name a hook with `slack` or `webhook`");
            }
        } else if users.is_empty() {
            let message = format!("no rule of `notify` names the hook {}", quote(name));
            let key = format!("hooks.{name}");
            out.warning(Code::Unused, &entry.key.span, &key, message)
                .help("nothing is ever sent to it: add a rule, or leave the hook out");
        }
    }
}

/// Notes two names for one cluster: caps and freezes go by name, and the Lease does not.
pub(super) fn twins(
    out: &mut Decoder<'_>,
    root: &Object<'_>,
    clusters: &BTreeMap<String, Cluster>,
) {
    let mut seen: BTreeMap<(&Path, &str), (&str, Span)> = BTreeMap::new();
    for (name, entry) in written(root, "clusters") {
        let Some(cluster) = clusters.get(name) else { continue };
        let place = match &cluster.login {
            Login::Server { server, .. } => (Path::new(""), server.trim_end_matches('/')),
            Login::Kubeconfig { path, context } => {
                (path.as_path(), context.as_deref().unwrap_or_default())
            }
        };
        match seen.get(&place) {
            // A name that is there twice was told already.
            Some((first, _)) if *first == name => {}
            Some((first, span)) => {
                let message = format!("{} and {} are one cluster", quote(name), quote(first));
                let key = format!("clusters.{name}");
                out.warning(Code::Conflict, &entry.key.span, &key, message)
                    .also(span.clone(), "the same place")
                    .help("caps and freezes of the one do not hold for the other: keep one name");
            }
            None => {
                seen.insert(place, (name, entry.key.span.clone()));
            }
        }
    }
}
