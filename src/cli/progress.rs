//! Live progress of a run: plain lines on stderr, and on a terminal a line that says what is
//! waited for.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Mono,
    report::words,
    run::event::{EffectNo, Entry, Event, Severity, StepOutcome, UndoOutcome, What},
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
        let mut known = Known::default();
        while let Some(entry) = entries.recv().await {
            let began = *began.get_or_insert(entry.mono);
            known.take(&entry.event);
            let Some(line) = line(&entry.event, &known) else { continue };
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

/// What a line needs of the events before it.
#[derive(Default)]
struct Known {
    /// The object of each effect, as a person would look for it.
    targets: BTreeMap<EffectNo, String>,
    /// The attempt of each step, and how many there may be.
    attempts: BTreeMap<String, (u32, u32)>,
}

impl Known {
    fn take(&mut self, event: &Event) {
        match event {
            Event::RunOpened { outline, .. } => {
                let all = outline.steps.iter().map(|step| (step.name.clone(), (1, step.attempts)));
                self.attempts = all.collect();
            }
            Event::StepStarted { step, attempt } => {
                if let Some(known) = self.attempts.get_mut(step) {
                    known.0 = *attempt;
                }
            }
            Event::EffectIntended(intent) => {
                self.targets.insert(intent.n, intent.target.to_string());
            }
            _ => {}
        }
    }

    /// `, attempt 2 of 3` where there may be several.
    fn attempt(&self, step: &str) -> String {
        match self.attempts.get(step) {
            Some((attempt, all)) if *all > 1 => format!(", attempt {attempt} of {all}"),
            _ => String::new(),
        }
    }
}

/// One line for what a person follows; the rest is in `show`. PURE.
fn line(event: &Event, known: &Known) -> Option<String> {
    let of = |n: &EffectNo| known.targets.get(n).map_or("an effect", String::as_str);
    Some(match event {
        Event::RunOpened { run, drill, .. } => format!("run {run} of drill {drill}"),
        Event::PlanMade { foreseen, refusals } if refusals.is_empty() => {
            format!("planned: {}", words::count(foreseen.len(), "effect"))
        }
        // What closes the run says the first reason, the report all of them.
        Event::PlanMade { refusals, .. } => {
            format!("refused for {}", words::count(refusals.len(), "reason"))
        }
        Event::StepStarted { step, .. } => format!("{step} begins{}", known.attempt(step)),
        Event::StepEnded { step, outcome, why, .. } => {
            let word = match outcome {
                StepOutcome::Passed => "passed",
                StepOutcome::Failed => "failed",
                StepOutcome::Aborted => "aborted",
                StepOutcome::Skipped => "skipped",
            };
            let attempt = match outcome {
                StepOutcome::Skipped => String::new(),
                _ => known.attempt(step),
            };
            match why {
                Some(why) => format!("{step} {word}{attempt}: {why}"),
                None => format!("{step} {word}{attempt}"),
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
        Event::EffectDoubted { n, error } => {
            format!("{} is in doubt, and is looked for: {error}", of(n))
        }
        Event::RunClosing { why, .. } => match why {
            Some(why) => format!("closing: {why}"),
            None => "closing: everything is given back".to_owned(),
        },
        Event::RunRecovered { .. } => "found open; it is ended and undone".to_owned(),
        Event::UndoWaits { n, reason, .. } => format!("undo of {} waits: {reason}", of(n)),
        Event::UndoSettled { n, outcome } => match outcome {
            UndoOutcome::Undone => format!("{} is undone", of(n)),
            UndoOutcome::Gone => format!("{} was gone already", of(n)),
            UndoOutcome::NotOurs(why) => format!("{} is left alone: {why}", of(n)),
        },
        Event::LeftoverNamed { object, why, .. } => format!("LEFT: {object}: {why}"),
        Event::LeftoverCleared { how, .. } => format!("a leftover is cleared: {how}"),
        _ => return None,
    })
}
