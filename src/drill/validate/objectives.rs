//! Objectives, and the steps that they measure. PURE.

use std::time::Duration;

use super::{
    steps::{Decoded, resolve},
    unique_name,
};
use crate::{
    clock,
    drill::{
        Goal, Objective, StepKind,
        decode::{Decoder, Object},
        problem::Code,
    },
    kind::velero_restore::spec::{Source, Which},
};

/// Decodes all objectives. `good`: the drill has no errors so far, so that it may be reviewed.
pub(super) fn decode(
    out: &mut Decoder<'_>,
    spec: &Object<'_>,
    steps: &[Decoded],
    deadline: Option<Duration>,
    good: bool,
) -> Vec<Objective> {
    let mut names = Vec::new();
    let mut objectives = Vec::new();
    for object in spec.objects(out, "objectives").unwrap_or_default() {
        let name = object.text(out, "name");
        unique_name(out, &mut names, name.as_ref(), "objective");
        let goal = match object.which(&["recoveryTime", "recoveryPoint"]) {
            Some("recoveryTime") => recovery_time(out, &object, steps, deadline, good),
            Some(_) => recovery_point(out, &object, steps, good),
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
    good: bool,
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
    if let (Some(from), Some(until), [Some(first), Some(last)]) = (&from, &until, found.as_slice())
        && first < last
        && good
        && steps[*first].kind == Some("veleroRestore")
        && steps[*last].step.is_some()
        && !steps[*last].reads.iter().any(|read| read.value == from.value)
    {
        let message = format!(
            "`{}` does not look at what `{}` brings back, so its end is no recovery of that",
            until.value, from.value
        );
        out.warning(Code::LooksElsewhere, &until.span, &until.key, message)
            .help(format!("name a step that has `in: {}`", from.value));
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

fn recovery_point(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    steps: &[Decoded],
    good: bool,
) -> Option<Goal> {
    let limit = object.duration(out, "recoveryPoint");
    let of = object.text(out, "of");
    let found = out.take_references().iter().find_map(|reference| resolve(out, steps, reference));
    let step = found.filter(|_| good).and_then(|index| steps[index].step.as_ref());
    if let (Some(of), Some(StepKind::VeleroRestore(spec))) = (&of, step.map(|step| &step.kind)) {
        match &spec.backup {
            Source::Step(_) => {
                out.error(
                    Code::Conflict,
                    &of.span,
                    &of.key,
                    "a backup that the run makes itself has no recovery point, so that this is \
                     never met",
                )
                .help("measure it where a backup of a schedule comes back");
            }
            Source::One { which: Which::Oldest | Which::Random, .. } => {
                out.warning(
                    Code::MisleadingObjective,
                    &of.span,
                    &of.key,
                    "this is the age of a backup that nobody would take after a loss",
                )
                .help("measure the recovery point where the newest backup comes back");
            }
            Source::One { which: Which::Newest, .. } | Source::Name(_) => {}
        }
    }
    Some(Goal::RecoveryPoint { limit_millis: clock::millis(limit?.value), of: of?.value })
}
