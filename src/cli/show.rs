//! `firedrill show RUN`: the run's events, one line each, in the order of the journal.

use serde::Serialize;

use super::output::{Output, json, short, table, wall};
use crate::{
    report::{Summary, text, words},
    run::event::{Entry, Event, Intent, Settled, Undo, UndoOutcome, Verb, What},
};

/// The events of a run, after a head of three lines.
///
/// As JSON it is an object with `summary` and `entries`, the latter as the journal keeps them.
///
/// # Errors
/// See [`json`].
pub fn render(summary: &Summary, entries: &[Entry], output: Output) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Document<'a> {
        summary: &'a Summary,
        entries: &'a [Entry],
    }
    if output == Output::Json {
        return json(&Document { summary, entries });
    }
    let mut out = String::new();
    for line in [
        format!("{}  {}  {}", summary.run, summary.drill, text::verdict(summary.verdict)),
        format!("{}, started {}", wall(summary.opened), text::trigger(&summary.trigger)),
    ] {
        for line in words::wrap(&words::neutral(&line), words::WIDTH) {
            out += &(line + "\n");
        }
    }
    out.push('\n');
    let rows = entries.iter().map(|entry| {
        [entry.seq.to_string(), since(entries, entry), entry.event.name().to_owned(), what(entry)]
    });
    out += &table(["SEQ", "AFTER", "EVENT", "WHAT"], 3, rows);
    Ok(out)
}

/// The time since the run opened; wall time where another boot wrote the entry.
fn since(entries: &[Entry], entry: &Entry) -> String {
    match entries.first() {
        Some(first) if first.boot == entry.boot => {
            words::exact(entry.mono.0.saturating_sub(first.mono.0))
        }
        _ => entry.wall.strftime("%H:%M:%SZ").to_string(),
    }
}

fn what(entry: &Entry) -> String {
    let with = |head: String, why: Option<&String>| match why {
        Some(why) => format!("{head}: {why}"),
        None => head,
    };
    match &entry.event {
        Event::RunOpened { drill, trigger, .. } => format!("{drill}, {}", text::trigger(trigger)),
        Event::PlanMade { foreseen, refusals } if refusals.is_empty() => {
            words::count(foreseen.len(), "effect") + " foreseen"
        }
        Event::PlanMade { refusals, .. } => format!("refused: {}", refusals.join("; ")),
        Event::StepStarted { step, attempt: 1 } => step.clone(),
        Event::StepStarted { step, attempt } => format!("{step}, attempt {attempt}"),
        Event::StepEnded { step, outcome, why, .. } => {
            with(format!("{step} {}", camel(outcome)), why.as_ref())
        }
        Event::EffectIntended(intent) => intended(intent),
        Event::EffectDoubted { n, error } => format!("#{n}: {error}"),
        Event::EffectSettled { n, settled } => match settled {
            Settled::Applied { by, .. } => format!("#{n} applied, {}", camel(by)),
            Settled::Absent { by, why } => {
                with(format!("#{n} absent, {}", camel(by)), why.as_ref())
            }
            Settled::Foreign { uid } => format!("#{n} is somebody else's, uid {uid}"),
        },
        Event::Observed { step, what, note, .. } => {
            with(format!("{step} {}", observed(what)), note.as_ref())
        }
        Event::FindingMade(finding) => format!("{}: {}", finding.code, finding.text),
        Event::RunClosing { reason, why } => with(camel(reason), why.as_ref()),
        Event::RunRecovered { process, last_seq, .. } => {
            format!("by {process}, after entry {last_seq}")
        }
        Event::UndoIntended { n, attempt, action, .. } => {
            format!("#{n} {}, attempt {attempt}", camel(action))
        }
        Event::UndoWaits { n, reason, .. } => format!("#{n} waits: {reason}"),
        Event::UndoSettled { n, outcome } => match outcome {
            UndoOutcome::Undone => format!("#{n} undone"),
            UndoOutcome::Gone => format!("#{n} was gone"),
            UndoOutcome::NotOurs(what) => format!("#{n} is not ours any more: {what}"),
        },
        Event::EffectKept { n, policy } => format!("#{n} kept: {policy}"),
        Event::LeftoverNamed { n, object, why } => format!("#{n} {object}: {why}"),
        Event::LeftoverCleared { n, how } => format!("#{n}: {how}"),
        Event::RunEnded { verdict, leftovers, .. } => {
            let verdict = text::verdict(Some(*verdict));
            format!("{verdict}, {}", words::count(*leftovers as usize, "leftover"))
        }
    }
}

fn intended(intent: &Intent) -> String {
    let Intent { n, verb, cluster, target, undo, .. } = intent;
    let verb = match verb {
        Verb::Create => "create",
        Verb::Patch => "patch",
        Verb::Evict => "evict",
    };
    let undo = match undo {
        Undo::By { action, .. } => format!("undo {}", camel(action)),
        Undo::Kept(policy) => format!("kept: {policy}"),
        Undo::None(why) => format!("no undo: {why}"),
    };
    format!("#{n} {verb} {target} on {cluster}; {undo}")
}

fn observed(what: &What) -> String {
    match what {
        What::T0 => "T0".to_owned(),
        What::Phase(name) => format!("phase {name} ended"),
        What::Recovered => "recovered".to_owned(),
        What::Green => "green".to_owned(),
        What::Red => "red".to_owned(),
        What::CheckEnded => "asked for the last time".to_owned(),
        What::RecoveryPoint { age_millis: Some(age) } => {
            format!("recovery point {}", words::duration(*age))
        }
        What::RecoveryPoint { age_millis: None } => "recovery point not applicable".to_owned(),
        What::WatchLag { millis } => format!("watches echo within {}", words::duration(*millis)),
    }
}

/// A unit variant as the journal writes it.
fn camel(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What names a run on the command line: its id, or enough of its beginning to mean one only.
///
/// # Errors
/// If it fits none or several of `runs`.
pub fn resolve<'a>(
    wanted: &str,
    runs: impl IntoIterator<Item = &'a str>,
) -> Result<&'a str, ResolveError> {
    let mut fits = runs.into_iter().filter(|run| !wanted.is_empty() && run.starts_with(wanted));
    match (fits.next(), fits.next()) {
        (Some(run), None) => Ok(run),
        (None, _) => Err(ResolveError::Unknown(words::neutral(wanted))),
        (Some(one), Some(other)) => {
            Err(ResolveError::Several(words::neutral(wanted), short(one), short(other)))
        }
    }
}

/// Why a run cannot be named so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// None begins so.
    #[error("no run begins with {0}")]
    Unknown(String),
    /// Several begin so.
    #[error("several runs begin with {0}, {1} and {2} among them")]
    Several(String, String, String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::samples;

    #[test]
    fn golden() {
        for (name, entries) in
            [("drained", samples::drained()), ("interrupted", samples::interrupted())]
        {
            let summary = Summary::fold(&entries).expect("a run");
            let text = render(&summary, &entries, Output::Text).expect("text");
            assert!(text.lines().all(|line| words::width(line) <= words::WIDTH), "{text}");
            insta::assert_snapshot!(name, text);
            let json = render(&summary, &entries, Output::Json).expect("json");
            let json: serde_json::Value = serde_json::from_str(&json).expect("json");
            let read: Vec<Entry> = serde_json::from_value(json["entries"].clone()).expect("them");
            assert_eq!(read, entries);
        }
    }

    #[test]
    fn a_run_is_named_by_its_beginning() {
        let runs = ["0199a3c2-7f3e-7a10", "0199a3c2-8000-7b20"];
        assert_eq!(resolve("0199a3c2-7", runs), Ok(runs[0]));
        assert_eq!(resolve(runs[1], runs), Ok(runs[1]));
        assert!(matches!(resolve("0199", runs), Err(ResolveError::Several(..))));
        assert!(matches!(resolve("", runs), Err(ResolveError::Unknown(_))));
        assert!(matches!(resolve("x", runs), Err(ResolveError::Unknown(_))));
    }
}
