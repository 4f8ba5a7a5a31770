//! Guards, background checks, and the sandboxes that checks name. PURE.

use super::{review, steps::Decoded, unique_name};
use crate::{
    check::Question,
    drill::{
        BackgroundCheck, Guard, StepKind,
        decode::{At, Decoder, Object},
        problem::Code,
        tree::{Node, Value},
    },
    kind::check,
};

/// Decodes all guards.
pub(super) fn guards(out: &mut Decoder<'_>, spec: &Object<'_>) -> Vec<Guard> {
    let mut names = Vec::new();
    let mut guards = Vec::new();
    for object in spec.objects(out, "guards").unwrap_or_default() {
        let name = object.text(out, "name");
        unique_name(out, &mut names, name.as_ref(), "guard");
        let question = check::fields::question(out, &object);
        no_sandbox(
            out,
            "a guard is asked before there is a sandbox",
            "leave `in` out and ask what is there before the run: `target`, `url` or `cluster`",
        );
        let every = object.duration(out, "every");
        let timeout = object.duration(out, "timeout");
        let successes = object.count(out, "successes").and_then(count);
        if let (Some(name), Some(question), Some(every), Some(timeout), Some(successes)) =
            (name, question, every, timeout, successes)
        {
            let (name, every, timeout) = (name.value, every.value, timeout.value);
            guards.push(Guard { name, question, every, timeout, successes });
        }
    }
    guards
}

/// Decodes all background checks.
pub(super) fn background(out: &mut Decoder<'_>, spec: &Object<'_>) -> Vec<BackgroundCheck> {
    let mut names = Vec::new();
    let mut checks = Vec::new();
    for object in spec.objects(out, "checks").unwrap_or_default() {
        let name = object.text(out, "name");
        unique_name(out, &mut names, name.as_ref(), "check");
        let question = check::fields::question(out, &object);
        no_sandbox(
            out,
            "a background check is asked from the beginning on, when there is no sandbox yet",
            "write a step `check` with `in` instead, after the step that restores",
        );
        let every = object.duration(out, "every");
        let timeout = object.duration(out, "timeout");
        let successes = object.count(out, "successes").and_then(count);
        let abort_after = object.duration(out, "abortAfter");
        review::check(out, every.as_ref(), timeout.as_ref(), abort_after.as_ref());
        let fail_after = object.duration(out, "failAfter").map(|at| at.value);
        if let (Some(name), Some(question), Some(every), Some(timeout), Some(successes)) =
            (name, question, every, timeout, successes)
        {
            checks.push(BackgroundCheck {
                name: name.value,
                question,
                every: every.value,
                timeout: timeout.value,
                successes,
                abort_after: abort_after.map(|at| at.value),
                fail_after,
            });
        }
    }
    checks
}

fn count(at: At<u64>) -> Option<u32> {
    u32::try_from(at.value).ok()
}

/// Notes every reference to a step since the last look, where there is none to refer to.
fn no_sandbox(out: &mut Decoder<'_>, why: &str, help: &str) {
    for reference in out.take_references() {
        out.error(Code::Conflict, &reference.to.span, &reference.to.key, why).help(help);
    }
}

/// Notes checks whose namespace is not one of the sandbox that they ask within, or that name none
/// where there are several.
pub(super) fn within(out: &mut Decoder<'_>, root: &Node, steps: &[Decoded]) {
    let Some(Node { value: Value::List(items), .. }) = root.find("spec.steps") else { return };
    // Where an item is no step, that has been told, and places would be those of other steps.
    if items.len() != steps.len() {
        return;
    }
    for (index, step) in steps.iter().enumerate() {
        let Some(StepKind::Check(spec)) = step.step.as_ref().map(|step| &step.kind) else {
            continue;
        };
        let question = &spec.question;
        let Some(from) = question.within() else { continue };
        let named = |step: &&Decoded| step.name.as_ref().is_some_and(|name| name.value == from);
        let restore = steps[..index].iter().find(named).and_then(|step| step.step.as_ref());
        // That there is no such step has been told.
        let Some(StepKind::VeleroRestore(restore)) = restore.map(|step| &step.kind) else {
            continue;
        };
        let key = format!("spec.steps[{index}].check.{}", question.key());
        one(out, root, &key, from, question, &restore.namespaces);
    }
}

fn one(
    out: &mut Decoder<'_>,
    root: &Node,
    key: &str,
    from: &str,
    question: &Question,
    restored: &[String],
) {
    let known = || {
        let known: Vec<String> = restored.iter().map(|name| format!("`{name}`")).collect();
        known.join(", ")
    };
    let place = |key: &str| root.find(key).map_or(0..0, |node| node.span.clone());
    match question.namespace_within() {
        Some(name) if restored.iter().any(|restored| restored == name) => {}
        Some(name) => {
            let key = format!("{key}.namespace");
            let message = format!("step `{from}` does not restore the namespace `{name}`");
            out.error(Code::Conflict, &place(&key), &key, message)
                .help(format!("it restores {}: write the name as it is in the backup", known()));
        }
        None if restored.len() > 1 => {
            let key = format!("{key}.in");
            let message = format!("step `{from}` restores several namespaces");
            out.error(Code::Conflict, &place(&key), &key, message)
                .help(format!("add `namespace`, one of {}", known()));
        }
        None => {}
    }
}

#[cfg(test)]
mod tests;
