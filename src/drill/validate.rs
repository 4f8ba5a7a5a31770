//! From the tree to a drill, or to every problem that it has.
//!
//! PURE.

mod against;
mod checks;
mod foreign;
mod objectives;
mod review;
mod steps;

pub(crate) use against::against;
pub(crate) use foreign::is_of_kind;

use std::path::Path;

use super::{
    Drill, OnInterrupted, OnMissed, Schedule,
    decode::{At, Decoder, Object},
    fields,
    load::Known,
    problem::Code,
    read::Document,
};

/// Decodes a document as a drill. Without one in the answer, problems were noted.
pub(crate) fn drill(out: &mut Decoder<'_>, document: &Document, path: &Path, text: &str) -> Known {
    let errors = out.errors();
    let mut known = Known::default();
    known.drill = decode(out, document, path, text, &mut known.name);
    known.mentions = out.take_mentions();
    let pending = out.take_pending();
    if out.errors() != errors {
        known.drill = None;
    }
    if let Some(drill) = &mut known.drill {
        drill.pending = pending;
    }
    known
}

fn decode(
    out: &mut Decoder<'_>,
    document: &Document,
    path: &Path,
    text: &str,
    known_as: &mut Option<At<String>>,
) -> Option<Drill> {
    let errors = out.errors();
    if !foreign::is_of_kind(out, &document.root, "Drill") {
        return None;
    }
    let root = Object::open(out, &fields::DRILL, &document.root, &document.root.span, "")?;
    let _ = (root.text(out, "apiVersion"), root.text(out, "kind"));
    let metadata = root.object(out, "metadata");
    let name = metadata.as_ref().and_then(|metadata| metadata.text(out, "name"));
    known_as.clone_from(&name);
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
    // What a reviewer would say of it may be an outcome of its errors.
    let good = out.errors() == errors;
    let objectives = objectives::decode(out, &spec, &steps, limit, good);
    let good = out.errors() == errors;
    review::review(out, &spec, &steps, deadline.as_ref(), good);

    Some(Drill {
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
        pending: Vec::new(),
        path: path.to_owned(),
        text: text.get(document.span.clone())?.to_owned(),
    })
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
