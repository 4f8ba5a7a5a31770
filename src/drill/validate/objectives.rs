//! Objectives, and the steps that they measure. PURE.

use std::time::Duration;

use super::{
    steps::{Decoded, resolve},
    unique_name,
};
use crate::{
    clock,
    drill::{
        Goal, Objective,
        decode::{Decoder, Object},
        problem::Code,
    },
};

/// Decodes all objectives.
pub(super) fn decode(
    out: &mut Decoder<'_>,
    spec: &Object<'_>,
    steps: &[Decoded],
    deadline: Option<Duration>,
) -> Vec<Objective> {
    let mut names = Vec::new();
    let mut objectives = Vec::new();
    for object in spec.objects(out, "objectives").unwrap_or_default() {
        let name = object.text(out, "name");
        unique_name(out, &mut names, name.as_ref(), "objective");
        let goal = match object.which(&["recoveryTime", "recoveryPoint"]) {
            Some("recoveryTime") => recovery_time(out, &object, steps, deadline),
            Some(_) => recovery_point(out, &object, steps),
            None => None,
        };
        if let (Some(name), Some(goal)) = (name, goal) {
            objectives.push(Objective { name: name.value, goal });
        }
    }
    objectives
}

fn recovery_time(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    steps: &[Decoded],
    deadline: Option<Duration>,
) -> Option<Goal> {
    let limit = object.duration(out, "recoveryTime");
    let from = object.text(out, "from");
    let until = object.text(out, "until");
    let found: Vec<Option<usize>> =
        out.take_references().iter().map(|reference| resolve(out, steps, reference)).collect();
    if let (Some(from), Some(until), [Some(first), Some(last)]) = (&from, &until, found.as_slice())
        && first > last
    {
        out.error(
            Code::LaterStep,
            &until.span,
            &until.key,
            format!("`until` names the step `{}`, which runs before `{}`", until.value, from.value),
        )
        .also(from.span.clone(), "`from` is here")
        .help("a recovery time goes from a step to itself or to a later one");
    }
    if let (Some(limit), Some(deadline)) = (&limit, deadline)
        && limit.value > deadline
    {
        out.warning(
            Code::UnreachableLimit,
            &limit.span,
            &limit.key,
            "this limit is longer than the drill's deadline, which closes the run before",
        )
        .help("shorten it, or lengthen `spec.deadline`");
    }
    Some(Goal::RecoveryTime {
        limit_millis: clock::millis(limit?.value),
        from: from?.value,
        until: until?.value,
    })
}

fn recovery_point(out: &mut Decoder<'_>, object: &Object<'_>, steps: &[Decoded]) -> Option<Goal> {
    let limit = object.duration(out, "recoveryPoint");
    let of = object.text(out, "of");
    for reference in out.take_references() {
        resolve(out, steps, &reference);
    }
    Some(Goal::RecoveryPoint { limit_millis: clock::millis(limit?.value), of: of?.value })
}
