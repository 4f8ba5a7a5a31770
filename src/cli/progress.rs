//! Live progress of a run: plain lines on stderr, and on a terminal a line that says what is
//! waited for.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Mono,
    report::words,
    run::event::{Entry, Event, Severity, StepOutcome, What},
    supervise::{Task, TaskKind, spawn},
};

/// Shows the entries of a run until it ends.
pub fn show(mut entries: mpsc::UnboundedReceiver<Entry>) -> Task<()> {
    let token = CancellationToken::new();
    spawn(TaskKind::Progress, "", token, async move {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let mut began: Option<Mono> = None;
        while let Some(entry) = entries.recv().await {
            let began = *began.get_or_insert(entry.mono);
            let Some(line) = line(&entry.event) else { continue };
            let line = words::neutral(&line);
            let stamp = words::exact(crate::clock::millis(entry.mono.since(began)));
            match &bar {
                Some(bar) => {
                    bar.println(format!("{stamp:>10}  {line}"));
                    bar.set_message(line);
                }
                None => eprintln!("{stamp:>10}  {line}"),
            }
            if matches!(entry.event, Event::RunEnded { .. }) {
                break;
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    })
}

/// One line for what a person follows; the rest is in `show`. PURE.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunOpened { run, drill, .. } => format!("run {run} of drill {drill}"),
        Event::PlanMade { foreseen, refusals } if refusals.is_empty() => {
            format!("planned: {}", words::count(foreseen.len(), "effect"))
        }
        // What closes the run says the first reason, the report all of them.
        Event::PlanMade { refusals, .. } => {
            format!("refused for {}", words::count(refusals.len(), "reason"))
        }
        Event::StepStarted { step, .. } => format!("{step} begins"),
        Event::StepEnded { step, outcome, why, .. } => {
            let outcome = match outcome {
                StepOutcome::Passed => "passed",
                StepOutcome::Failed => "failed",
                StepOutcome::Aborted => "aborted",
                StepOutcome::Skipped => "skipped",
            };
            match why {
                Some(why) => format!("{step} {outcome}: {why}"),
                None => format!("{step} {outcome}"),
            }
        }
        Event::Observed { step, what: What::Phase(phase), .. } => format!("{step}: {phase} done"),
        Event::Observed { step, what: What::Red, note, .. } => {
            format!("{step} is red: {}", note.as_deref().unwrap_or("no answer"))
        }
        Event::Observed { step, what: What::Green, .. } => format!("{step} is green"),
        Event::FindingMade(finding) if finding.severity >= Severity::Warning => {
            format!("note: {}", finding.text)
        }
        Event::EffectDoubted { n, error } => format!("effect {n} is in doubt: {error}"),
        Event::RunClosing { why, .. } => match why {
            Some(why) => format!("closing: {why}"),
            None => "closing: everything is given back".to_owned(),
        },
        Event::RunRecovered { .. } => "found open; it is ended and undone".to_owned(),
        Event::UndoWaits { reason, .. } => format!("undo waits: {reason}"),
        Event::LeftoverNamed { object, why, .. } => format!("LEFT: {object}: {why}"),
        Event::LeftoverCleared { how, .. } => format!("a leftover is cleared: {how}"),
        _ => return None,
    })
}
