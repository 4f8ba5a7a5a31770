//! What a careful reviewer would say of a drill that is legal: limits that can never be kept, and
//! proofs that prove less than they seem to. PURE.
//!
//! Each warning costs the reader attention, so each is about a drill that would mislead.

use std::time::Duration;

use super::steps::Decoded;
use crate::{
    clock::millis,
    drill::{
        When,
        decode::{At, Decoder, Object},
        problem::Code,
    },
    report::words,
};

/// Reviews a drill's steps together. `good`: the drill has no errors.
pub(super) fn review(
    out: &mut Decoder<'_>,
    spec: &Object<'_>,
    steps: &[Decoded],
    deadline: Option<&At<Duration>>,
    good: bool,
) {
    // What could not be decoded may be just what is missed.
    if steps.is_empty() || steps.iter().any(|step| step.step.is_none()) {
        return;
    }
    if let Some(deadline) = deadline {
        deadline_is_enough(out, steps, deadline);
    }
    if !good {
        return;
    }
    sandboxes_are_read(out, steps);
    always_has_something_to_read(out, steps);
    has_objectives(out, spec, steps);
}

/// Notes a deadline that ends the run before its steps could pass.
fn deadline_is_enough(out: &mut Decoder<'_>, steps: &[Decoded], deadline: &At<Duration>) {
    let least: Duration =
        steps.iter().filter_map(|step| step.step.as_ref()).map(|step| step.kind.least()).sum();
    if least >= deadline.value {
        let message = format!(
            "the steps take {} at least, so that they never pass before this deadline",
            span(least)
        );
        out.error(Code::Conflict, &deadline.span, &deadline.key, message)
            .help("lengthen `deadline`, or shorten `stableFor`, `successes` and `every`");
    }
}

/// Notes a step whose own timeout ends it before it could pass.
pub(super) fn timeout_is_enough(out: &mut Decoder<'_>, timeout: &At<Duration>, least: Duration) {
    if !least.is_zero() && least >= timeout.value {
        let message =
            format!("this step takes {} at least, so that it never passes in time", span(least));
        out.error(Code::Conflict, &timeout.span, &timeout.key, message)
            .help("lengthen `timeout`, or shorten `stableFor`, or `successes` times `every`");
    }
}

/// Notes a sandbox that nobody looks into.
fn sandboxes_are_read(out: &mut Decoder<'_>, steps: &[Decoded]) {
    for step in steps.iter().filter(|step| step.kind == Some("veleroRestore")) {
        let Some(name) = &step.name else { continue };
        let read = steps.iter().any(|other| other.reads.iter().any(|at| at.value == name.value));
        if !read {
            let message = format!("no step looks at what `{}` brings back", name.value);
            out.warning(Code::UnreadSandbox, &name.span, &name.key, message).help(format!(
                "a completed restore proves little: add a step with `workloadsReady: {{in: {}}}`",
                name.value
            ));
        }
    }
}

/// Notes a step that runs after a failure and then finds nothing to read.
fn always_has_something_to_read(out: &mut Decoder<'_>, steps: &[Decoded]) {
    for step in steps {
        if !step.step.as_ref().is_some_and(|step| step.when == When::Always) {
            continue;
        }
        for read in &step.reads {
            let message = format!(
                "this step runs also after `{}` failed, and then there is nothing to read",
                read.value
            );
            out.warning(Code::MayBeMissing, &read.span, &read.key, message)
                .help("leave `when: always` out, or ask something that does not need that step");
        }
    }
}

/// Notes a drill that restores or drains and asks nothing of it.
fn has_objectives(out: &mut Decoder<'_>, spec: &Object<'_>, steps: &[Decoded]) {
    let recovers = |step: &&Decoded| matches!(step.kind, Some("veleroRestore" | "drainNodes"));
    let Some(name) = steps.iter().find(recovers).and_then(|step| step.name.as_ref()) else {
        return;
    };
    if spec.entry("objectives").is_none() {
        out.warning(
            Code::NoObjective,
            &spec.span,
            &spec.key,
            "this drill measures a recovery, and no objective says how long it may take",
        )
        .help(format!(
            "add `objectives: [{{name: rto, recoveryTime: 15m, from: {}, until: STEP}}]`",
            name.value
        ));
    }
}

/// Reviews the limits of a background check.
pub(super) fn check(
    out: &mut Decoder<'_>,
    every: Option<&At<Duration>>,
    timeout: Option<&At<Duration>>,
    abort_after: Option<&At<Duration>>,
) {
    let (Some(every), Some(timeout), Some(abort_after)) = (every, timeout, abort_after) else {
        return;
    };
    let one = every.value.max(timeout.value);
    if abort_after.value <= one {
        out.warning(
            Code::HastyLimit,
            &abort_after.span,
            &abort_after.key,
            "one bad answer is enough to close the run",
        )
        .help(format!("make it several times as long as `every` and `timeout` ({})", span(one)));
    }
}

/// A duration as it is read best.
fn span(duration: Duration) -> String {
    words::limit(millis(duration))
}
