//! Recovery times, recovery points and objectives. PURE.

use std::collections::BTreeSet;

use crate::{
    clock::Mono,
    drill::Goal,
    report::words,
    run::{
        event::{StepOutcome, What},
        verdict::Standing,
    },
};

use super::{
    Objective, Phase, Recovery, RecoveryPoint,
    fold::{Seen, StepRun, Walk, millis_between},
};

/// The phase whose end is a restore's terminal phase: a recovery is not over before it.
const RESTORING: &str = "restoring";
/// The kind of step whose restore must be terminal before anything counts as recovered.
const RESTORE: &str = "veleroRestore";
/// The name of what is left between the last phase and the recovery.
const RECOVERED: &str = "recovered";
/// From T0 to the start of the attempt that recovered: what failed before it, giving that back, and
/// the pauses. A real recovery would have spent this time as well.
pub(crate) const EARLIER: &str = "earlier attempts";
/// From the start of that attempt to its own T0.
const PREPARING: &str = "preparing";

/// The recovery times that objectives ask for, in their order, and then those that were measured
/// although nothing asks: each T0 up to the last recovery before the next T0.
pub(super) fn recoveries(walk: &Walk<'_>) -> Vec<Recovery> {
    let mut pairs: Vec<(&str, &str)> = vec![];
    for objective in &walk.outline.objectives {
        if let Goal::RecoveryTime { from, until, .. } = &objective.goal
            && !pairs.contains(&(from, until))
        {
            pairs.push((from, until));
        }
    }
    let asked: BTreeSet<&str> = pairs.iter().map(|(from, _)| *from).collect();
    let has = |step: &str, what: &What| {
        walk.seen.iter().any(|seen| {
            // What an earlier attempt brought back is gone; that it began still counts.
            seen.step == step && seen.what == what && (*what == What::T0 || is_last(walk, seen))
        })
    };
    let names: Vec<&str> = walk.outline.steps.iter().map(|step| step.name.as_str()).collect();
    for (at, from) in names.iter().enumerate() {
        if asked.contains(from) || !has(from, &What::T0) {
            continue;
        }
        let next = names[at + 1..].iter().position(|step| has(step, &What::T0));
        let end = next.map_or(names.len(), |next| at + 1 + next);
        let until = names[at..end].iter().rfind(|step| has(step, &What::Recovered));
        pairs.extend(until.map(|until| (*from, *until)));
    }
    pairs.into_iter().map(|(from, until)| recovery(walk, from, until)).collect()
}

fn recovery(walk: &Walk<'_>, from: &str, until: &str) -> Recovery {
    let mut out = Recovery {
        from: from.to_owned(),
        until: until.to_owned(),
        preparing_millis: None,
        t0_millis: None,
        total_millis: None,
        lower_millis: None,
        phases: vec![],
        last: None,
        why: None,
    };
    let Some(t0) = t0(walk, from) else {
        out.why = Some(format!("it never began: {}", state_of(walk, from)));
        return out;
    };
    out.preparing_millis = walk.find(from).and_then(|run| {
        let (_, start, by) = run.starts.iter().find(|(attempt, ..)| *attempt == t0.attempt)?;
        if *by == t0.by { millis_between(*start, t0.at) } else { None }
    });
    if walk.first.boot == t0.by.boot {
        out.t0_millis = millis_between(walk.first.mono, t0.at);
    }
    let end = end(walk, t0, from, until);
    out.phases = phases(walk, t0, from, until, end.as_ref().ok().map(|end| end.at));
    match end {
        Ok(end) => {
            out.total_millis = Some(end.at.0.saturating_sub(t0.at.0));
            out.lower_millis = end.lower.map(|lower| lower.0.saturating_sub(t0.at.0));
            out.last = end.note;
        }
        Err(why) => out.why = Some(why),
    }
    out
}

/// The first T0 of a step: a second attempt does not shorten the recovery.
fn t0<'a>(walk: &Walk<'a>, from: &str) -> Option<Seen<'a>> {
    walk.seen.iter().find(|seen| seen.step == from && *seen.what == What::T0).copied()
}

/// Whether something was seen in the last attempt of its step.
fn is_last(walk: &Walk<'_>, seen: &Seen<'_>) -> bool {
    walk.find(seen.step).is_none_or(|run| run.attempt() == seen.attempt)
}

struct End {
    at: Mono,
    /// None if nothing bounds the error.
    lower: Option<Mono>,
    note: Option<String>,
}

/// The instant of recovery: the last of what `until` waits for and, after a restore, of the
/// restore itself. The error is a sentence.
fn end(walk: &Walk<'_>, t0: Seen<'_>, from: &str, until: &str) -> Result<End, String> {
    let mut ends: Vec<&Seen<'_>> = walk
        .seen
        .iter()
        .filter(|seen| seen.by == t0.by && seen.step == until && *seen.what == What::Recovered)
        .filter(|seen| is_last(walk, seen))
        .collect();
    if ends.is_empty() {
        return Err(format!("no recovery was seen: {}", state_of(walk, until)));
    }
    if walk.find(from).is_some_and(|run| run.step.kind == RESTORE) {
        let restored = walk.seen.iter().rfind(|seen| {
            seen.by == t0.by
                && seen.step == from
                && is_last(walk, seen)
                && matches!(seen.what, What::Phase(name) if name == RESTORING)
        });
        ends.push(restored.ok_or_else(|| {
            format!("the end of the restore was not seen: {}", state_of(walk, from))
        })?);
    }
    // Never before T0: what was ready before the loss has not recovered from it.
    let clamp = |at: Mono| at.max(t0.at);
    let lag = lag(walk, from, until);
    let lower_of = |seen: &Seen<'_>| {
        let own = seen.lower.map(|lower| lower.min(seen.at));
        own.or_else(|| lag.map(|lag| Mono(seen.at.0.saturating_sub(lag)))).map(clamp)
    };
    let at = ends.iter().map(|seen| clamp(seen.at)).max().unwrap_or(t0.at);
    let lower = ends.iter().filter_map(|seen| lower_of(seen)).max();
    // The latest of several instants cannot be earlier than any of their lower bounds; one without
    // a bound spoils that only if it may have been the latest.
    let unbounded = ends
        .iter()
        .any(|seen| lower_of(seen).is_none() && lower.is_none_or(|lower| clamp(seen.at) > lower));
    let note = ends.iter().filter(|seen| clamp(seen.at) == at).find_map(|seen| seen.note);
    Ok(End { at, lower: lower.filter(|_| !unbounded), note: note.map(str::to_owned) })
}

/// The echo of our watches in the steps of a recovery, in milliseconds; of any step if those have
/// none.
fn lag(walk: &Walk<'_>, from: &str, until: &str) -> Option<u64> {
    let of = |mine: &dyn Fn(&str) -> bool| {
        let lags =
            walk.seen.iter().filter(|seen| mine(seen.step)).filter_map(|seen| match seen.what {
                What::WatchLag { millis } => Some(*millis),
                _ => None,
            });
        lags.max()
    };
    let range = range(walk, from, until);
    of(&|step| range.contains(&step)).or_else(|| of(&|_| true))
}

/// The names of the steps from `from` to `until`, in the drill's order.
fn range<'a>(walk: &'a Walk<'_>, from: &str, until: &str) -> Vec<&'a str> {
    let names = || walk.steps.iter().map(|run| run.step.name.as_str());
    let (Some(a), Some(b)) =
        (names().position(|it| it == from), names().position(|it| it == until))
    else {
        return vec![];
    };
    names().take(b.max(a) + 1).skip(a.min(b)).collect()
}

/// The phases along the critical path, in the order of the steps: each ends at its own instant,
/// but not before the one ahead of it and not after the recovery, so that they sum to the whole.
fn phases(walk: &Walk<'_>, t0: Seen<'_>, from: &str, until: &str, end: Option<Mono>) -> Vec<Phase> {
    let mut marks: Vec<(&str, &str, Mono)> = vec![];
    for step in range(walk, from, until) {
        for seen in walk.seen.iter().filter(|seen| seen.step == step && seen.by == t0.by) {
            let What::Phase(name) = seen.what else { continue };
            if seen.at < t0.at || !is_last(walk, seen) {
                continue;
            }
            // Seen more than once (for each of several nodes or workloads): the last one counts.
            match marks.iter_mut().find(|(of, known, _)| *of == step && known == name) {
                Some((_, _, at)) => *at = seen.at.max(*at),
                None => marks.push((step, name, seen.at)),
            }
        }
    }
    let mut previous = t0.at;
    let mut phases = vec![];
    let mut cut = |name: &str, at: Mono| {
        let at = at.max(previous).min(end.unwrap_or(at.max(previous)));
        phases.push(Phase { name: name.to_owned(), millis: at.0 - previous.0 });
        previous = at;
    };
    for (name, at) in again(walk, t0, from) {
        cut(name, at);
    }
    for (_, name, at) in marks {
        cut(name, at);
    }
    if let Some(end) = end
        && (end > previous || phases.is_empty())
    {
        phases.push(Phase { name: RECOVERED.to_owned(), millis: end.0 - previous.0 });
    }
    phases
}

/// Where the last attempt of `from` begins and has its own T0, if the recovery's T0 is that of an
/// earlier one.
fn again(walk: &Walk<'_>, t0: Seen<'_>, from: &str) -> Vec<(&'static str, Mono)> {
    let Some(run) = walk.find(from).filter(|run| run.attempt() > t0.attempt) else {
        return vec![];
    };
    let start = run.started.filter(|(_, by)| *by == t0.by).map(|(at, _)| (EARLIER, at));
    let own = walk.seen.iter().find(|seen| {
        seen.step == from && seen.by == t0.by && *seen.what == What::T0 && is_last(walk, seen)
    });
    start.into_iter().chain(own.map(|seen| (PREPARING, seen.at))).collect()
}

/// How a step stands, as the end of a sentence.
fn state_of(walk: &Walk<'_>, step: &str) -> String {
    let Some(run) = walk.find(step) else { return format!("step {step} is unknown") };
    match run.step.outcome {
        _ if lost(walk, run) => format!("the process died while step {step} was active"),
        Some(StepOutcome::Passed) => format!("step {step} passed without saying when"),
        Some(StepOutcome::Failed) => format!("step {step} failed"),
        Some(StepOutcome::Aborted) => format!("step {step} was aborted"),
        Some(StepOutcome::Skipped) => format!("step {step} was skipped"),
        None if run.started.is_some() => format!("step {step} has not ended"),
        None if !walk.interruptions.is_empty() => {
            format!("the process died before step {step} began")
        }
        None => format!("step {step} did not begin"),
    }
}

/// Whether another process ended the step, or had to.
fn lost(walk: &Walk<'_>, run: &StepRun<'_>) -> bool {
    match (run.started, run.ended) {
        (Some((_, a)), Some((_, b))) => a != b,
        (Some(_), None) => !walk.interruptions.is_empty(),
        (None, _) => false,
    }
}

/// Every objective against its figure.
pub(super) fn objectives(walk: &Walk<'_>, recoveries: &[Recovery]) -> Vec<Objective> {
    let judge = |objective: &crate::drill::Objective| {
        let mut out = Objective {
            name: objective.name.clone(),
            goal: objective.goal.clone(),
            value_millis: None,
            lower_millis: None,
            upper_millis: None,
            standing: Standing::Unproven,
            why: None,
        };
        (out.standing, out.why) = match &objective.goal {
            Goal::RecoveryTime { limit_millis, from, until } => {
                let found = recoveries.iter().find(|it| it.from == *from && it.until == *until);
                if let Some(found) = found {
                    out.value_millis = found.total_millis;
                    out.upper_millis = found.total_millis;
                    out.lower_millis = found.lower_millis;
                }
                recovery_time(walk, *limit_millis, from, until, found)
            }
            Goal::RecoveryPoint { limit_millis, of } => {
                let seen = point(walk, of);
                out.value_millis = seen.and_then(|(age, _)| age);
                recovery_point(walk, *limit_millis, of, seen)
            }
        };
        out
    };
    walk.outline.objectives.iter().map(judge).collect()
}

fn recovery_time(
    walk: &Walk<'_>,
    limit: u64,
    from: &str,
    until: &str,
    found: Option<&Recovery>,
) -> (Standing, Option<String>) {
    let passed = |step: &str| {
        walk.find(step).is_some_and(|run| run.step.outcome == Some(StepOutcome::Passed))
    };
    let allowed = words::limit(limit);
    match found.and_then(|it| Some((it.total_millis?, it.lower_millis))) {
        // What came back and did not stay, or came back beside a failure, has not recovered.
        Some(_) if !(passed(from) && passed(until)) => {
            let step = if passed(from) { until } else { from };
            (Standing::Unproven, Some(state_of(walk, step)))
        }
        Some((total, _)) if total <= limit => (Standing::Met, None),
        Some((total, lower)) if lower.is_none_or(|lower| lower > limit) => {
            (Standing::Missed, Some(format!("{} against {allowed}", words::exact(total))))
        }
        Some((total, lower)) => {
            let (lower, total) = (words::exact(lower.unwrap_or(total)), words::exact(total));
            let why = format!("{allowed} lies within the error bound, {lower} to {total}");
            (Standing::Unproven, Some(why))
        }
        None => match waited(walk, from, until).filter(|waited| *waited > limit) {
            Some(waited) => {
                let waited = words::duration(waited);
                let why = format!("not recovered after {waited}, against {allowed}");
                (Standing::Missed, Some(why))
            }
            None => (Standing::Unproven, found.and_then(|it| it.why.clone())),
        },
    }
}

/// From T0 to the end of step `until`, where one process saw both.
fn waited(walk: &Walk<'_>, from: &str, until: &str) -> Option<u64> {
    let t0 = t0(walk, from)?;
    let (end, by) = walk.find(until)?.ended?;
    if by == t0.by { millis_between(t0.at, end) } else { None }
}

fn recovery_point(
    walk: &Walk<'_>,
    limit: u64,
    of: &str,
    seen: Option<(Option<u64>, Option<&str>)>,
) -> (Standing, Option<String>) {
    let passed = walk.find(of).is_some_and(|run| run.step.outcome == Some(StepOutcome::Passed));
    match seen {
        // What did not come back has no age.
        _ if !passed => (Standing::Unproven, Some(state_of(walk, of))),
        None => (Standing::Unproven, Some(format!("step {of} measured no recovery point"))),
        Some((None, note)) => (Standing::NotApplicable, note.map(str::to_owned)),
        Some((Some(age), _)) if age <= limit => (Standing::Met, None),
        Some((Some(age), _)) => {
            let why = format!("{} against {}", words::duration(age), words::limit(limit));
            (Standing::Missed, Some(why))
        }
    }
}

/// The recovery point of a step's last attempt, the only one that may have brought something back: its age and what it was measured by.
fn point<'a>(walk: &Walk<'a>, of: &str) -> Option<(Option<u64>, Option<&'a str>)> {
    walk.seen.iter().rev().find_map(|seen| match seen.what {
        What::RecoveryPoint { age_millis } if seen.step == of && is_last(walk, seen) => {
            Some((*age_millis, seen.note))
        }
        _ => None,
    })
}

/// The recovery point of each step that measured one.
pub(super) fn recovery_points(walk: &Walk<'_>) -> Vec<RecoveryPoint> {
    let of = |run: &StepRun<'_>| {
        let (age_millis, note) = point(walk, &run.step.name)?;
        let step = run.step.name.clone();
        Some(RecoveryPoint { step, age_millis, note: note.map(str::to_owned) })
    };
    walk.steps.iter().filter_map(of).collect()
}
