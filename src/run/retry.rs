//! Between two attempts of a step: what the failed one did is given back, then there is a pause.
//!
//! A further attempt begins in a world as it was before the first, or not at all: two sandboxes, or
//! a node that is half drained twice, would be a drill of something that nobody has written down.
//! So nothing of the attempt before may be there, and nothing of it may be in doubt.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    closing::Closing,
    drive::DriveError,
    event::{EffectNo, Event, Reason, StepOutcome},
    machine::{Machine, StepState},
    step::Running,
};
use crate::{
    clock::{Mono, millis},
    drill::Step,
    report::words,
};

/// Gives back what the failed attempt of `step` did, by the rules of closing. If that cannot be
/// done within the patience of undo, the step has failed for good. A lever that is pulled
/// meanwhile ends the wait: the closing of the run goes on with what remains.
///
/// # Errors
/// If the journal does not take an event.
pub async fn give_back(running: &Arc<Running>, step: &Step) -> Result<(), DriveError> {
    let (wanted, readers): (Vec<EffectNo>, Vec<String>) = running.record.with(|machine| {
        let readers = machine.outline.steps.iter().filter(|it| it.reads.contains(&step.name));
        (
            machine.to_give_back(&step.name).map(|effect| effect.intent.n).collect(),
            readers.map(|it| it.name.clone()).collect(),
        )
    });
    // They watch what goes now; the next attempt arms its own.
    running.share(|shared| shared.forget(&step.name, &readers));
    running.asker.forget(&step.name);
    running.say(format!("{} failed; giving back what it did before it is tried again", step.name));
    let clock = running.clock();
    let patience = running.drill.undo_patience;
    let mut closing = running
        .record
        .with(|machine| Closing::new(machine, clock.boot(), clock.mono(), patience))
        .only(wanted)
        .never_leave();
    let pump = running.effects.pump(&mut closing, None);
    // Dropped in the middle, an undo is simply intended again.
    match running.lever.token().run_until_cancelled(pump).await {
        Some(finished) => finished?,
        None => return Ok(()),
    };
    let Some(left) = running.record.with(|machine| in_the_way(machine, &step.name)) else {
        return Ok(());
    };
    let waited_for =
        running.record.entries().into_iter().rev().find_map(|entry| match entry.event {
            Event::UndoWaits { n, reason, .. } if n == left.0 => Some(reason),
            _ => None,
        });
    let waited_for = waited_for.map(|why| format!(" ({why})")).unwrap_or_default();
    let more = match left.2 {
        0 => String::new(),
        more => format!(", nor can {}", words::count(more, "further effect")),
    };
    let why = format!("{} cannot be given back{waited_for}{more}", left.1);
    end(running, &step.name, &why).await?;
    Ok(())
}

/// The first effect that stands in the way of a further attempt, its object, and how many more do.
fn in_the_way(machine: &Machine, step: &str) -> Option<(EffectNo, String, usize)> {
    let mut all = machine.to_give_back(step);
    let first = all.next()?;
    Some((first.intent.n, first.intent.target.to_string(), all.count()))
}

/// The pause before a further attempt; whether that may begin now. Where the pause would reach
/// beyond the deadline there is no further attempt, and the step has failed for good.
///
/// # Errors
/// If the journal does not take an event.
pub async fn pause(
    running: &Arc<Running>,
    step: &Step,
    attempt: u32,
    deadline: Mono,
) -> Result<bool, DriveError> {
    let backoff = step.retry.backoff;
    if running.clock().mono().plus(backoff) >= deadline {
        let limit = words::duration(millis(running.drill.deadline));
        end(running, &step.name, &format!("the deadline of {limit} leaves no time for it")).await?;
        return Ok(false);
    }
    let (all, pause) = (step.retry.attempts, words::duration(millis(backoff)));
    running.say(format!("attempt {attempt} of {all} of {} begins in {pause}", step.name));
    Ok(running.sleep(backoff).await)
}

/// Why the run closes when the lever was pulled for `reason`. A deadline that falls between two
/// attempts only takes the next one away: what is known is that the step failed.
///
/// # Errors
/// If the journal does not take an event.
pub async fn overtaken(
    running: &Running,
    reason: Reason,
    why: String,
) -> Result<(Reason, String), DriveError> {
    let between = running
        .record
        .with(|machine| machine.retrying().map(|index| machine.outline.steps[index].name.clone()));
    match between {
        Some(step) if reason == Reason::Deadline => {
            let why = end(running, &step, &why).await?;
            Ok((Reason::StepFailed, format!("{step}: {why}")))
        }
        _ => Ok((reason, why)),
    }
}

/// Ends a step that is between two attempts, and answers with the sentence that says both why it
/// failed and why it is not tried again.
async fn end(running: &Running, step: &str, why: &str) -> Result<String, DriveError> {
    let before = running.record.with(|machine| {
        machine.retrying().map(|index| {
            let all = machine.outline.steps[index].attempts;
            match &machine.steps[index] {
                StepState::Retrying { attempt, why: Some(why) } => {
                    format!("{why} (attempt {attempt} of {all})")
                }
                _ => "the attempt before failed".to_owned(),
            }
        })
    });
    let why = format!("{}; no further attempt: {why}", before.unwrap_or_default());
    let ended = Event::StepEnded {
        step: step.to_owned(),
        outcome: StepOutcome::Failed,
        why: Some(why.clone()),
        measures: BTreeMap::new(),
    };
    running.record.append(ended).await?;
    Ok(why)
}
