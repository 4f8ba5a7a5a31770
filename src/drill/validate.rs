//! From the tree to a drill, or to every problem that it has.
//!
//! PURE.

mod against;
mod checks;
mod objectives;
mod steps;

pub use against::against;

use std::path::Path;

use super::{
    Drill, OnInterrupted, OnMissed, Schedule,
    decode::{At, Decoder, Object},
    fields,
    problem::{Code, quote},
    read::Document,
    suggest,
    tree::Node,
};

/// The kinds of document that there are.
const DOCUMENT_KINDS: [&str; 2] = ["Drill", "Configuration"];

/// Decodes a document as a drill. `None`: problems were noted.
pub fn drill(out: &mut Decoder<'_>, document: &Document, path: &Path, text: &str) -> Option<Drill> {
    let errors = out.errors();
    if !is_of_kind(out, &document.root, "Drill") {
        return None;
    }
    let root = Object::open(out, &fields::DRILL, &document.root, &document.root.span, "")?;
    let _ = (root.text(out, "apiVersion"), root.text(out, "kind"));
    let metadata = root.object(out, "metadata");
    let name = metadata.as_ref().and_then(|metadata| metadata.text(out, "name"));
    let labels = metadata.and_then(|metadata| metadata.labels(out, "labels")).unwrap_or_default();
    let spec = root.object(out, "spec")?;

    let description = spec.text(out, "description").map(|at| at.value);
    let cluster = spec.text(out, "cluster");
    let suspend = spec.flag(out, "suspend");
    let schedule = spec.object(out, "schedule").and_then(|object| schedule(out, &object));
    let deadline = spec.duration(out, "deadline");
    let undo_patience = spec.duration(out, "undoPatience");
    let guards = checks::guards(out, &spec);
    let checks = checks::background(out, &spec);
    let limit = deadline.as_ref().map(|at| at.value);
    let steps = steps::decode(out, &spec, limit);
    checks::within(out, &document.root, &steps);
    let objectives = objectives::decode(out, &spec, &steps, limit);

    let drill = Drill {
        name: name?.value,
        labels,
        description,
        cluster: cluster?.value,
        suspend: suspend?.value,
        schedule,
        deadline: deadline?.value,
        undo_patience: undo_patience?.value,
        guards,
        checks,
        steps: steps.into_iter().filter_map(|step| step.step).collect(),
        objectives,
        path: path.to_owned(),
        text: text.get(document.span.clone())?.to_owned(),
    };
    (out.errors() == errors).then_some(drill)
}

/// Whether a document says that it is of this kind; if not, that is its only problem: its other
/// keys belong to another language.
pub(crate) fn is_of_kind(out: &mut Decoder<'_>, root: &Node, wanted: &str) -> bool {
    let Some(kind) = root.get("kind") else { return true };
    let Some(found) = kind.as_text() else { return true };
    if found == wanted {
        return true;
    }
    let help = if DOCUMENT_KINDS.contains(&found) {
        "a file holds drills, or one configuration".to_owned()
    } else {
        suggest::help(found, DOCUMENT_KINDS, "kinds of document")
    };
    out.error(
        Code::WrongKind,
        &kind.span,
        "kind",
        format!("expected the kind `{wanted}`, found {}", quote(found)),
    )
    .help(help);
    false
}

fn schedule(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Schedule> {
    let cron = object.cron(out, "cron", Some("dayMatch"));
    let time_zone = object.time_zone(out, "timeZone");
    let jitter = object.duration(out, "jitter");
    let starting_deadline = object.duration(out, "startingDeadline").map(|at| at.value);
    let on_missed = object.text(out, "onMissed");
    let on_interrupted = object.text(out, "onInterrupted");
    Some(Schedule {
        cron: cron?.value,
        time_zone: time_zone?.value,
        jitter: jitter?.value,
        starting_deadline,
        on_missed: match on_missed?.value.as_str() {
            "runOnce" => OnMissed::RunOnce,
            _ => OnMissed::Skip,
        },
        on_interrupted: match on_interrupted?.value.as_str() {
            "runOnce" => OnInterrupted::RunOnce,
            _ => OnInterrupted::Skip,
        },
    })
}

/// Notes a name that was there before, among things of one sort.
fn unique_name(
    out: &mut Decoder<'_>,
    names: &mut Vec<At<String>>,
    name: Option<&At<String>>,
    what: &str,
) {
    let Some(name) = name else { return };
    if let Some(first) = names.iter().find(|first| first.value == name.value) {
        out.error(
            Code::DuplicateName,
            &name.span,
            &name.key,
            format!("there are two {what}s named `{}`", name.value),
        )
        .also(first.span.clone(), "first here")
        .help(format!("give each {what} a name of its own"));
    } else {
        names.push(name.clone());
    }
}

#[cfg(test)]
mod tests;
