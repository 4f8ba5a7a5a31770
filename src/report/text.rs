//! The report for a person: what happened, why, and what to do, in 80 columns. PURE.
//!
//! Everything goes through `Page`, which neutralises and wraps each line: names and messages
//! come from clusters, and whoever may write there must not be able to write to a terminal.

mod measures;
mod page;
mod recovery;

use crate::{
    drill::Goal,
    run::{
        event::{Reason, Severity, StepOutcome, Target, Trigger, UndoAction, Verb, Verdict},
        verdict::Standing,
    },
};

use super::{
    summary::{
        Availability, Effect, EffectState, Leftover, Objective, RecoveryPoint, Step, Summary,
    },
    words,
};
use page::Page;

/// The report as text: UTF-8, no colour, lines of at most 80 columns.
#[must_use]
pub fn render(summary: &Summary) -> String {
    let mut page = Page::default();
    head(&mut page, summary);
    leftovers(&mut page, summary);
    guards(&mut page, summary);
    // A run that was refused has measured nothing, and `head` says so.
    if summary.reason != Some(Reason::Refused) {
        recovery::section(&mut page, summary);
        for point in &summary.recovery_points {
            recovery_point(&mut page, summary, point);
        }
        unseen(&mut page, summary);
        steps(&mut page, &summary.steps);
        availability(&mut page, summary);
    }
    findings(&mut page, summary);
    effects(&mut page, summary);
    interruptions(&mut page, summary);
    run(&mut page, summary);
    page.finish()
}

/// A verdict, as a word.
#[must_use]
pub fn verdict(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "passed",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Aborted) => "aborted",
        Some(Verdict::Interrupted) => "interrupted",
        None => "running",
    }
}

/// An objective's standing, as a word.
#[must_use]
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Met => "met",
        Standing::Missed => "missed",
        Standing::Unproven => "unproven",
        Standing::NotApplicable => "not applicable",
    }
}

/// A step's outcome, as a word.
#[must_use]
pub fn outcome(step: &Step) -> &'static str {
    match step.outcome {
        Some(outcome) => outcome_word(outcome),
        None if step.attempts > 0 => "active",
        None => "not begun",
    }
}

fn outcome_word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Passed => "passed",
        StepOutcome::Failed => "failed",
        StepOutcome::Aborted => "aborted",
        StepOutcome::Skipped => "skipped",
    }
}

/// What started a run, as words.
#[must_use]
pub fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Hand => "by hand".to_owned(),
        Trigger::Slot(slot) => format!("slot {slot}"),
        Trigger::Api => "by the API".to_owned(),
        Trigger::RerunOf(run) => format!("again, in place of {run}"),
        Trigger::Marks => "rebuilt from marks found in a cluster".to_owned(),
    }
}

fn head(page: &mut Page, summary: &Summary) {
    let word = verdict(summary.verdict).to_uppercase();
    page.title(&word, &summary.drill);
    page.gap();
    match (summary.verdict, &summary.why) {
        (Some(Verdict::Passed), _)
            if summary.objectives.is_empty()
                && summary.availability.iter().all(|it| it.limit.is_none()) =>
        {
            page.line("  ", "Every step passed. The drill has no objective.");
        }
        (Some(Verdict::Passed), _) => {
            page.line("  ", "Every step passed, and no objective was missed.");
        }
        (_, Some(why)) => page.line("  ", &sentence(why)),
        (None, None) => page.line("  ", "It has not closed yet."),
        (Some(_), None) => {}
    }
    let again: Vec<String> = summary
        .steps
        .iter()
        .filter(|step| step.attempts > 1)
        .map(|step| format!("{} was tried {} times", step.name, step.attempts))
        .collect();
    if !again.is_empty() {
        page.line("  ", &format!("Not at the first attempt: {}.", again.join(", ")));
    }
    let further = further(summary);
    if !further.is_empty() {
        page.line("  ", &format!("And {}:", words::count(further.len(), "further reason")));
        for refusal in further {
            page.item("  ", &sentence(refusal));
        }
    }
    if !summary.leftovers.is_empty() {
        let left = words::count(summary.leftovers.len(), "leftover").to_uppercase();
        page.line("  ", &format!("{left} REMAIN: see below."));
    } else if summary.ended.is_none() {
        page.line("  ", "What it does has not been undone yet.");
    } else if summary.effects.is_empty() {
        page.line("  ", "Nothing was changed.");
    } else if summary.effect_counts.kept > 0 {
        let kept = words::count(summary.effect_counts.kept as usize, "effect");
        page.line("  ", &format!("{kept} kept, as the drill says; nothing else is left behind."));
    } else {
        page.line("  ", "Nothing is left behind.");
    }
    if summary.reason == Some(Reason::Refused) && !summary.objectives.is_empty() {
        page.line("  ", "Nothing was measured, so no objective is proven.");
    }
}

/// What the plan refused besides the cause.
fn further(summary: &Summary) -> Vec<&str> {
    let why = summary.why.as_deref();
    summary.refusals.iter().map(String::as_str).filter(|it| Some(*it) != why).collect()
}

/// A full stop, and a capital letter unless the sentence begins with a name.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let word = word.trim_end_matches([':', ',']);
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let mut chars = text.chars();
    let first = chars.next().map(|c| if plain { c.to_ascii_uppercase() } else { c });
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{stop}", first.map(String::from).unwrap_or_default(), chars.as_str())
}

fn leftovers(page: &mut Page, summary: &Summary) {
    if summary.leftovers.is_empty() {
        return;
    }
    page.heading("LEFTOVERS", "");
    for left in &summary.leftovers {
        // The journal's words, unless the effect itself is known.
        let object = left.target.as_ref().map_or_else(
            || left.object.clone(),
            |target| format!("{target} on cluster {}", left.cluster),
        );
        page.line("  ", &object);
        page.line("    ", &sentence(&left.why));
        if let Some(by_hand) = by_hand(left) {
            page.line("    ", &format!("By hand: {by_hand}"));
        }
    }
    page.line("  ", &format!("To try again: firedrill undo {}", summary.run));
    page.line(
        "  ",
        &format!("Before you act by hand, see that firedrill.dev/run still says {}.", summary.run),
    );
}

/// The command that undoes a leftover by hand, where its names are plain enough to be pasted.
fn by_hand(left: &Leftover) -> Option<String> {
    let target = left.target.as_ref()?;
    let plain = |name: &str| {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
        !name.is_empty() && !name.starts_with('-') && name.chars().all(legal)
    };
    let Target { group, plural, namespace, name, .. } = target;
    if ![plural, name].into_iter().chain(namespace).all(|it| plain(it)) {
        return None;
    }
    Some(match left.undo? {
        UndoAction::Uncordon => format!("kubectl uncordon {name}"),
        UndoAction::Delete => {
            let dot = if group.is_empty() { "" } else { "." };
            let within = namespace.as_ref().map(|it| format!(" -n {it}")).unwrap_or_default();
            format!("kubectl delete{within} {plural}{dot}{group} {name}")
        }
    })
}

fn recovery_point(page: &mut Page, summary: &Summary, point: &RecoveryPoint) {
    page.heading("RECOVERY POINT", &point.step);
    let age = point.age_millis.map_or_else(|| "not applicable".to_owned(), words::duration);
    let mut asked = false;
    for objective in &summary.objectives {
        match &objective.goal {
            Goal::RecoveryPoint { limit_millis, of } if *of == point.step => {
                asked = true;
                against(page, &age, *limit_millis, objective);
            }
            _ => {}
        }
    }
    if !asked {
        page.line("  ", &format!("{age}; the drill sets no limit"));
    }
    if let Some(note) = &point.note {
        page.line("  ", &sentence(note));
    }
}

/// A figure beside the limit of its objective, and why the limit is not proven.
fn against(page: &mut Page, figure: &str, limit: u64, objective: &Objective) {
    let (word, limit) = (standing(objective.standing), words::limit(limit));
    page.line("  ", &format!("{figure}; {} allows {limit}: {word}", objective.name));
    if objective.standing == Standing::Unproven
        && let Some(why) = &objective.why
    {
        page.line("  ", &sentence(why));
    }
}

/// Objectives whose recovery point was never measured: they have no section of their own.
fn unseen(page: &mut Page, summary: &Summary) {
    for objective in &summary.objectives {
        let Goal::RecoveryPoint { limit_millis, of } = &objective.goal else { continue };
        if summary.recovery_points.iter().any(|point| point.step == *of) {
            continue;
        }
        page.heading("RECOVERY POINT", of);
        against(page, "unknown", *limit_millis, objective);
    }
}

fn steps(page: &mut Page, steps: &[Step]) {
    if steps.is_empty() {
        return;
    }
    page.heading("STEPS", "");
    let rows: Vec<_> = steps
        .iter()
        .map(|step| {
            let took = step.took_millis.map(words::duration).unwrap_or_default();
            let why = attempts(step);
            let cells = [step.name.clone(), step.kind.clone(), outcome(step).to_owned(), took];
            (cells, why.into_iter().chain(measures::lines(step)).collect())
        })
        .collect();
    page.table([28, 16, 9, 8], &rows);
}

/// Why a step ended as it did; one line for each attempt if there were several.
fn attempts(step: &Step) -> Vec<String> {
    if step.earlier_attempts.is_empty() {
        return step.why.iter().map(|why| sentence(why)).collect();
    }
    let line = |attempt: u32, word: &str, took: Option<u64>, why: Option<&String>| {
        let took = took.map(|took| format!(" after {}", words::duration(took)));
        let why = why.map(|why| format!(": {why}"));
        let (took, why) = (took.unwrap_or_default(), why.unwrap_or_default());
        sentence(&format!("attempt {attempt} {word}{took}{why}"))
    };
    let earlier = step.earlier_attempts.iter().map(|it| {
        let word = it.outcome.map_or("ended", outcome_word);
        line(it.attempt, word, it.took_millis, it.why.as_ref())
    });
    let word = step.outcome.map_or("is active", outcome_word);
    let last = line(step.attempts, word, step.took_millis, step.why.as_ref());
    earlier.chain([last]).collect()
}

fn guards(page: &mut Page, summary: &Summary) {
    if summary.guards.is_empty() {
        return;
    }
    page.heading("GUARDS", "");
    for it in &summary.guards {
        let text = match (it.green, &it.why) {
            (Some(true), _) => format!("{}: green", it.guard),
            (Some(false), Some(why)) => format!("{}: red. {}", it.guard, sentence(why)),
            (Some(false), None) => format!("{}: red", it.guard),
            (None, _) => format!("{}: not asked", it.guard),
        };
        page.line("  ", &text);
    }
}

fn availability(page: &mut Page, summary: &Summary) {
    if summary.availability.is_empty() {
        return;
    }
    page.heading("AVAILABILITY", "");
    for it in &summary.availability {
        let Availability { check, seen_millis, red_millis, red_spans, .. } = it;
        let seen = words::duration(*seen_millis);
        let until = match (it.complete, summary.verdict) {
            (true, _) => "",
            (false, None) => " so far",
            (false, Some(_)) => "; it was not asked to the end",
        };
        let text = match red_spans {
            0 if *seen_millis == 0 => format!("{check}: no answer was seen"),
            0 => format!("{check}: never red in {seen}{until}"),
            _ => format!(
                "{check}: red for {} of {seen} ({:.1}% green) in {}, the longest {}{until}",
                words::duration(*red_millis),
                green_percent(it),
                words::count(*red_spans as usize, "span"),
                words::duration(it.longest_red_millis),
            ),
        };
        page.line("  ", &text);
        if let Some(limit) = &it.limit {
            let (word, allowed) = (standing(limit.standing), words::limit(limit.fail_after_millis));
            page.line("    ", &format!("failAfter allows {allowed} in red: {word}"));
            if limit.standing == Standing::Unproven
                && let Some(why) = &limit.why
            {
                page.line("    ", &sentence(&format!("it {why}")));
            }
        }
    }
}

/// How much of the time seen was green, cut to one decimal so that a red check never reads 100%.
#[expect(clippy::cast_precision_loss, reason = "at most 1000, so exact in a double")]
fn green_percent(check: &Availability) -> f64 {
    let green = check.seen_millis.saturating_sub(check.red_millis);
    let permille = u128::from(green) * 1000 / u128::from(check.seen_millis.max(1));
    permille as f64 / 10.0
}

fn findings(page: &mut Page, summary: &Summary) {
    if summary.findings.is_empty() {
        return;
    }
    page.heading("FINDINGS", "");
    for finding in &summary.findings {
        let severity = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        page.line("  ", &format!("{severity} {}: {}", finding.code, sentence(&finding.text)));
        if let Some(evidence) = &finding.evidence {
            page.line("    ", evidence);
        }
    }
}

fn effects(page: &mut Page, summary: &Summary) {
    if summary.effects.is_empty() {
        return;
    }
    page.heading("EFFECTS", "");
    let counts = &summary.effect_counts;
    let parts = [
        (counts.undone, "undone"),
        (counts.nothing_to_undo, "with nothing to undo"),
        (counts.kept, "kept"),
        (counts.not_ours, "not ours any more"),
        (counts.left, "left"),
        (counts.open, "open"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let all = words::count(summary.effects.len(), "effect");
    page.line("  ", &format!("{all}: {}", parts.join(", ")));
    for effect in &summary.effects {
        if let Some(state) = worth_a_line(effect) {
            let verb = match effect.verb {
                Verb::Create => "create",
                Verb::Patch => "patch",
                Verb::Evict => "evict",
            };
            let detail = effect.detail.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            let Effect { cluster, target, .. } = effect;
            page.line("  ", &format!("{state}: {verb} {target} on {cluster}{detail}"));
        }
    }
}

/// Effects that a reader should look at; those that went well are only counted.
fn worth_a_line(effect: &Effect) -> Option<&'static str> {
    Some(match effect.state {
        EffectState::Undone
        | EffectState::Gone
        | EffectState::Done
        // Named in a section of its own.
        | EffectState::Left => return None,
        EffectState::Absent => "did not happen",
        EffectState::Foreign => "met somebody else's",
        EffectState::NotOurs => "not ours any more",
        EffectState::Kept => "kept",
        EffectState::Cleared => "gone at last",
        EffectState::Intended => "no answer yet",
        EffectState::Doubted => "in doubt",
        EffectState::Applied => "to be undone",
        EffectState::Waiting => "undo waits",
        EffectState::Undoing => "being undone",
    })
}

fn interruptions(page: &mut Page, summary: &Summary) {
    if summary.interruptions.is_empty() {
        return;
    }
    page.heading("INTERRUPTIONS", "");
    for it in &summary.interruptions {
        let boot = if it.same_boot { "the same boot" } else { "another boot" };
        let (at, seq) = (words::wall(it.at), it.last_seq);
        page.line(
            "  ",
            &format!("{at}  {} found it open after entry {seq}, in {boot}", it.process),
        );
    }
    page.line("  ", "No figure reaches across an interruption.");
}

fn run(page: &mut Page, summary: &Summary) {
    page.heading("RUN", "");
    let opened = words::wall(summary.opened);
    let time = match (summary.ended, summary.duration_millis) {
        (Some(ended), Some(took)) => {
            format!("{opened} to {}, {}", words::wall(ended), words::duration(took))
        }
        (Some(ended), None) => {
            format!("{opened} to {}, duration unknown (another boot)", words::wall(ended))
        }
        (None, _) => format!("{opened}, has not ended"),
    };
    let versions: Vec<String> =
        summary.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    for (name, value) in [
        ("id", summary.run.clone()),
        ("started", trigger(&summary.trigger)),
        ("instance", summary.instance.clone()),
        ("clusters", summary.clusters.join(", ")),
        ("time", time),
        ("versions", versions.join(", ")),
        ("exit code", summary.exit_code.to_string()),
    ] {
        if !value.is_empty() {
            page.field(name, &value);
        }
    }
}

#[cfg(test)]
mod tests;
