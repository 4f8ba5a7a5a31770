//! Steps, and what they read of each other. PURE.

use std::time::Duration;

use super::{review, unique_name};
use crate::{
    clock::millis,
    drill::{
        Retry, Step, StepKind, When,
        decode::{At, Decoder, Object, Reference},
        fields,
        problem::Code,
        suggest, table,
    },
    kind::{
        backup_freshness, check, drain_nodes, etcd_snapshot, velero_backup, velero_restore,
        workloads_ready,
    },
    report::words,
};

/// A step as far as it could be decoded: others may refer to it even if its inside is wrong.
pub(super) struct Decoded {
    /// Its name, if that is legal.
    pub name: Option<At<String>>,
    /// Its kind, if it has exactly one.
    pub kind: Option<&'static str>,
    /// The earlier steps that it names.
    pub reads: Vec<At<String>>,
    /// The step, if all of it is legal.
    pub step: Option<Step>,
}

/// Decodes all steps and looks up what they refer to.
pub(super) fn decode(
    out: &mut Decoder<'_>,
    spec: &Object<'_>,
    deadline: Option<Duration>,
) -> Vec<Decoded> {
    let mut names = Vec::new();
    let mut references = Vec::new();
    let mut steps = Vec::new();
    for object in spec.objects(out, "steps").unwrap_or_default() {
        let mut step = decode_one(out, &object, deadline);
        unique_name(out, &mut names, step.name.as_ref(), "step");
        let index = steps.len();
        let taken = out.take_references();
        step.reads.extend(taken.iter().map(|reference| reference.to.clone()));
        references.extend(taken.into_iter().map(|reference| (index, reference)));
        steps.push(step);
    }
    for (index, reference) in &references {
        let named = |step: &Decoded| {
            step.name.as_ref().is_some_and(|name| name.value == reference.to.value)
        };
        // Of two steps of one name, which is told elsewhere, the earlier one is meant.
        if named(&steps[*index]) && !steps[..*index].iter().any(named) {
            let Reference { to, .. } = reference;
            out.error(
                Code::LaterStep,
                &to.span,
                &to.key,
                format!("`{}` names its own step", last_key(to)),
            )
            .help("a step reads what an earlier step made");
        } else if let Some(found) = resolve(out, &steps, reference)
            && found > *index
        {
            later(out, &steps, *index, found, reference);
        }
    }
    steps
}

/// The key that a value stands under.
fn last_key(at: &At<String>) -> &str {
    at.key.rsplit('.').next().unwrap_or_default()
}

fn decode_one(out: &mut Decoder<'_>, object: &Object<'_>, deadline: Option<Duration>) -> Decoded {
    let name = object.text(out, "name");
    let timeout = object.duration(out, "timeout");
    let when = object.text(out, "when");
    let retry = object.object(out, "retry").map_or(Some(Retry::default()), |retry| {
        let (attempts, backoff) = (retry.count(out, "attempts"), retry.duration(out, "backoff"));
        let (attempts, backoff) = (attempts?, backoff?);
        let all = u32::try_from(attempts.value).unwrap_or(u32::MAX);
        let between = backoff.value.saturating_mul(all.saturating_sub(1));
        let each = timeout.as_ref().map_or(Duration::ZERO, |timeout| timeout.value);
        let whole = each.saturating_mul(all).saturating_add(between);
        // A single attempt that is too long has a message of its own.
        if let Some(deadline) = deadline.filter(|it| all > 1 && each <= *it && whole > *it) {
            let what = if each.is_zero() {
                "the pauses between its attempts are"
            } else {
                "its attempts and the pauses between them may be"
            };
            let [whole, deadline] = [whole, deadline].map(|it| words::limit(millis(it)));
            let message =
                format!("{what} {whole} together, and the drill's deadline is {deadline}");
            out.warning(Code::UnreachableLimit, &attempts.span, &attempts.key, message).help(
                "no attempt begins after the deadline: lengthen `spec.deadline`, or try less",
            );
        }
        Some(Retry { attempts: all, backoff: backoff.value })
    });
    if let (Some(timeout), Some(deadline)) = (&timeout, deadline)
        && timeout.value > deadline
    {
        out.warning(
            Code::UnreachableLimit,
            &timeout.span,
            &timeout.key,
            "this timeout is longer than the drill's deadline, which ends the step before",
        )
        .help("shorten it, or lengthen `spec.deadline`");
    }
    let kind = object.which(&table::names(fields::KINDS));
    let spec = kind
        .and_then(|kind| object.object(out, kind).and_then(|inner| step_kind(out, kind, &inner)));
    if let (Some(timeout), Some(spec)) = (&timeout, &spec) {
        review::timeout_is_enough(out, timeout, spec.least());
    }
    let step = match (&name, spec, when, retry) {
        (Some(name), Some(kind), Some(when), Some(retry)) => Some(Step {
            name: name.value.clone(),
            kind,
            timeout: timeout.map(|at| at.value),
            retry,
            when: if when.value == "always" { When::Always } else { When::Passed },
        }),
        _ => None,
    };
    Decoded { name, kind, reads: Vec::new(), step }
}

fn step_kind(out: &mut Decoder<'_>, kind: &str, object: &Object<'_>) -> Option<StepKind> {
    match kind {
        "veleroRestore" => velero_restore::fields::decode(out, object).map(StepKind::VeleroRestore),
        "workloadsReady" => {
            workloads_ready::fields::decode(out, object).map(StepKind::WorkloadsReady)
        }
        "drainNodes" => drain_nodes::fields::decode(out, object).map(StepKind::DrainNodes),
        "check" => check::fields::decode(out, object).map(StepKind::Check),
        "veleroBackup" => velero_backup::fields::decode(out, object).map(StepKind::VeleroBackup),
        "backupFreshness" => {
            backup_freshness::fields::decode(out, object).map(StepKind::BackupFreshness)
        }
        "etcdSnapshot" => etcd_snapshot::fields::decode(out, object).map(StepKind::EtcdSnapshot),
        // `kind` is one of `fields::KINDS`; a test decodes one step of each.
        _ => None,
    }
}

/// The index of the step that a reference names. Notes if there is none, or if it is of a kind
/// that cannot give what is asked.
pub(super) fn resolve(
    out: &mut Decoder<'_>,
    steps: &[Decoded],
    reference: &Reference,
) -> Option<usize> {
    let Reference { to, kinds } = reference;
    let field = last_key(to);
    // Where there are no steps at all, that is the problem, and it has been told.
    if steps.is_empty() {
        return None;
    }
    let named = |step: &Decoded| step.name.as_ref().is_some_and(|name| name.value == to.value);
    let Some(index) = steps.iter().position(named) else {
        let names =
            steps.iter().filter_map(|step| step.name.as_ref()).map(|name| name.value.as_str());
        out.error(
            Code::UnknownStep,
            &to.span,
            &to.key,
            format!("`{field}` names the step `{}`, which is not there", to.value),
        )
        .help(suggest::help(&to.value, names, "steps"));
        return None;
    };
    let kind = steps[index].kind?;
    if kinds.is_empty() || kinds.contains(&kind) {
        return Some(index);
    }
    let wanted: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    let fitting: Vec<&str> = steps
        .iter()
        .filter(|step| step.kind.is_some_and(|kind| kinds.contains(&kind)))
        .filter_map(|step| step.name.as_ref())
        .map(|name| name.value.as_str())
        .collect();
    let help = if fitting.is_empty() {
        format!("the drill has no {} step", wanted.join(" or "))
    } else {
        format!("steps of that kind: {}", suggest::list(&fitting))
    };
    let message =
        format!("`{field}` needs a {} step, and `{}` is a `{kind}`", wanted.join(" or "), to.value);
    let problem = out.error(Code::WrongStepKind, &to.span, &to.key, message).help(help);
    if let Some(name) = &steps[index].name {
        problem.also(name.span.clone(), "this step");
    }
    None
}

/// Notes a reference to a later step.
fn later(
    out: &mut Decoder<'_>,
    steps: &[Decoded],
    index: usize,
    found: usize,
    reference: &Reference,
) {
    let Reference { to, .. } = reference;
    let own = steps[index].name.as_ref().map_or("this step", |name| name.value.as_str());
    let message = format!("`{}` names the later step `{}`", last_key(to), to.value);
    let help =
        format!("a step reads what an earlier step made: move `{}` before `{own}`", to.value);
    let problem = out.error(Code::LaterStep, &to.span, &to.key, message).help(help);
    if let Some(name) = &steps[found].name {
        problem.also(name.span.clone(), "the later step");
    }
}
