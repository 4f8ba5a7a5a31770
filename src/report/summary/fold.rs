//! The walk over the entries. PURE.

use crate::{
    clock::Mono,
    drill::Outline,
    run::{
        event::{Entry, Event, Finding, Reason, StepOutcome, Verdict, What},
        verdict::{Standing, exit_code, verdict},
    },
};

use super::{
    Attempt, Availability, EffectCounts, FoldError, Interruption, Objective, SUMMARY_VERSION, Step,
    Summary, checks, effects::Ledger, measure,
};

/// Who wrote an entry, and in which boot: two instants are compared only if both are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Witness<'a> {
    pub(super) boot: &'a str,
    pub(super) process: &'a str,
}

impl<'a> Witness<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self { boot: &entry.boot, process: &entry.process }
    }
}

/// An `Observed`, with who saw it.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) step: &'a str,
    pub(super) what: &'a What,
    pub(super) at: Mono,
    pub(super) lower: Option<Mono>,
    pub(super) note: Option<&'a str>,
    pub(super) by: Witness<'a>,
    /// The attempt of its step; what was seen before the step began counts for the first.
    pub(super) attempt: u32,
}

/// A step on its way, with the instants of its start and end.
pub(super) struct StepRun<'a> {
    pub(super) step: Step,
    /// The start of each attempt.
    pub(super) starts: Vec<(u32, Mono, Witness<'a>)>,
    /// The start and the end of the last attempt.
    pub(super) started: Option<(Mono, Witness<'a>)>,
    pub(super) ended: Option<(Mono, Witness<'a>)>,
}

/// What the walk has gathered.
pub(super) struct Walk<'a> {
    pub(super) first: &'a Entry,
    /// The last entry before `RunEnded`.
    pub(super) last: &'a Entry,
    pub(super) outline: &'a Outline,
    pub(super) steps: Vec<StepRun<'a>>,
    pub(super) seen: Vec<Seen<'a>>,
    pub(super) closing: Option<(Reason, Option<&'a str>)>,
    pub(super) interruptions: Vec<Interruption>,
    ended: bool,
    refusals: Vec<String>,
    findings: Vec<Finding>,
    ledger: Ledger<'a>,
    /// The last entry of each process before `RunEnded`.
    lasts: Vec<(Witness<'a>, Mono)>,
}

pub(super) fn fold(entries: &[Entry]) -> Result<Summary, FoldError> {
    let first = entries.first().ok_or(FoldError::Empty)?;
    let Event::RunOpened {
        run,
        drill,
        definition: _,
        definition_hash,
        outline,
        trigger,
        instance,
        clusters,
        versions,
    } = &first.event
    else {
        return Err(FoldError::NotOpened(first.event.name()));
    };
    let mut walk = Walk {
        first,
        last: first,
        outline,
        steps: outline.steps.iter().map(|step| StepRun::new(&step.name, &step.kind)).collect(),
        seen: vec![],
        closing: None,
        interruptions: vec![],
        ended: false,
        refusals: vec![],
        findings: vec![],
        ledger: Ledger::default(),
        lasts: vec![(Witness::of(first), first.mono)],
    };
    for entry in &entries[1..] {
        if entry.stream != first.stream {
            return Err(FoldError::OtherStream(entry.seq));
        }
        walk.take(entry)?;
    }
    Ok(walk.finish(Summary {
        schema_version: SUMMARY_VERSION,
        run: run.clone(),
        drill: drill.clone(),
        instance: instance.clone(),
        clusters: clusters.clone(),
        trigger: trigger.clone(),
        definition_hash: definition_hash.clone(),
        versions: versions.clone(),
        opened: first.wall,
        ended: None,
        duration_millis: None,
        verdict: None,
        reason: None,
        why: None,
        exit_code: 0,
        refusals: vec![],
        steps: vec![],
        objectives: vec![],
        recoveries: vec![],
        recovery_points: vec![],
        guards: vec![],
        availability: vec![],
        findings: vec![],
        effects: vec![],
        effect_counts: EffectCounts::default(),
        leftovers: vec![],
        interruptions: vec![],
    }))
}

impl<'a> Walk<'a> {
    fn take(&mut self, entry: &'a Entry) -> Result<(), FoldError> {
        let by = Witness::of(entry);
        match &entry.event {
            Event::RunOpened { .. } => return Err(FoldError::OpenedTwice(entry.seq)),
            Event::PlanMade { refusals, .. } => self.refusals.clone_from(refusals),
            Event::StepStarted { step, attempt } => {
                self.step(step).start(*attempt, entry.mono, by);
            }
            Event::StepEnded { step, outcome, why, measures } => {
                let run = self.step(step);
                run.step.outcome = Some(*outcome);
                run.step.why.clone_from(why);
                // A second end of one attempt says only that there will be no other.
                if run.ended.is_none() {
                    run.step.measures.clone_from(measures);
                    run.ended = Some((entry.mono, by));
                }
            }
            Event::Observed { step, what, at, lower, note } => {
                let note = note.as_deref();
                let attempt = self.find(step).map_or(1, StepRun::attempt);
                self.seen.push(Seen { step, what, at: *at, lower: *lower, note, by, attempt });
            }
            Event::FindingMade(finding) => self.findings.push(finding.clone()),
            Event::RunClosing { reason, why } => {
                // The first reason decides for good.
                self.closing.get_or_insert((*reason, why.as_deref()));
            }
            Event::RunRecovered { process, same_boot, last_seq } => {
                // After the end it is a sweep for leftovers, which interrupts nothing.
                if !self.ended {
                    self.interruptions.push(Interruption {
                        at: entry.wall,
                        process: process.clone(),
                        same_boot: *same_boot,
                        last_seq: *last_seq,
                    });
                }
            }
            Event::RunEnded { .. } => self.ended = true,
            event => self.ledger.take(event),
        }
        if !self.ended {
            self.last = entry;
            match self.lasts.iter_mut().find(|(who, _)| *who == by) {
                Some((_, at)) => *at = entry.mono.max(*at),
                None => self.lasts.push((by, entry.mono)),
            }
        }
        Ok(())
    }

    /// The step of that name; one that the outline does not know is added.
    fn step(&mut self, name: &str) -> &mut StepRun<'a> {
        let at = self.steps.iter().position(|run| run.step.name == name).unwrap_or_else(|| {
            self.steps.push(StepRun::new(name, ""));
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }

    /// The step of that name.
    pub(super) fn find(&self, name: &str) -> Option<&StepRun<'a>> {
        self.steps.iter().find(|run| run.step.name == name)
    }

    /// The instant of a process' last entry before the end.
    pub(super) fn last_of(&self, who: Witness<'_>) -> Option<Mono> {
        self.lasts.iter().find(|(it, _)| *it == who).map(|(_, at)| *at)
    }

    /// Fills in what was gathered.
    fn finish(mut self, mut out: Summary) -> Summary {
        for run in &mut self.steps {
            run.step.took_millis = run.took();
        }
        out.recoveries = measure::recoveries(&self);
        out.recovery_points = measure::recovery_points(&self);
        out.objectives = measure::objectives(&self, &out.recoveries);
        out.guards = checks::guards(&self);
        out.availability = checks::availability(&self);
        out.effects = self.ledger.effects();
        out.effect_counts = out.effects.iter().collect();
        out.leftovers = self.ledger.leftovers();
        out.reason = self.closing.map(|(reason, _)| reason);
        out.verdict = out.reason.map(|reason| {
            verdict(
                reason,
                self.steps.iter().map(|run| run.step.outcome),
                // The time that a check may be red is an objective like any other.
                out.objectives.iter().map(|objective| objective.standing).chain(
                    out.availability.iter().filter_map(|it| Some(it.limit.as_ref()?.standing)),
                ),
            )
        });
        out.why = self.why(out.verdict, &out.objectives, &out.availability);
        out.exit_code = exit_code(out.verdict, out.leftovers.len());
        let settled = || out.effects.iter().all(|effect| effect.state.is_final());
        if self.ended || (out.verdict.is_some() && settled()) {
            out.ended = Some(self.last.wall);
            if self.first.boot == self.last.boot {
                out.duration_millis = millis_between(self.first.mono, self.last.mono);
            }
        }
        out.steps = self.steps.into_iter().map(|run| run.step).collect();
        out.refusals = self.refusals;
        out.findings = self.findings;
        out.interruptions = self.interruptions;
        out
    }

    /// The cause of a verdict in one sentence.
    fn why(
        &self,
        verdict: Option<Verdict>,
        objectives: &[Objective],
        checks: &[Availability],
    ) -> Option<String> {
        let (reason, why) = self.closing?;
        if verdict? == Verdict::Passed {
            return None;
        }
        if let Some(why) = why {
            return Some(why.to_owned());
        }
        let step = || {
            let run =
                self.steps.iter().find(|run| run.step.outcome == Some(StepOutcome::Failed))?;
            let name = &run.step.name;
            Some(match &run.step.why {
                Some(why) => format!("step {name} failed: {why}"),
                None => format!("step {name} failed"),
            })
        };
        let objective = || {
            let bad =
                |it: &&Objective| matches!(it.standing, Standing::Missed | Standing::Unproven);
            let it = objectives.iter().find(bad)?;
            let standing = if it.standing == Standing::Missed { "missed" } else { "unproven" };
            let why = it.why.as_deref().unwrap_or("no figure");
            let more = objectives.iter().filter(bad).count() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            Some(format!("objective {} {standing}: {why}{more}", it.name))
        };
        let check = || {
            checks.iter().find_map(|it| {
                let why = it.limit.as_ref()?.why.as_ref()?;
                Some(format!("check {} {why}", it.check))
            })
        };
        let plain = |text: &str| Some(text.to_owned());
        match reason {
            Reason::Completed => {
                step().or_else(objective).or_else(check).or(plain("a step did not end"))
            }
            Reason::StepFailed => step().or(plain("a step failed")),
            Reason::Refused => self.refusals.first().cloned().or(plain("refused")),
            Reason::Check => plain("a background check was red for too long"),
            Reason::Halt => plain("the halt lever was pulled"),
            Reason::Deadline => plain("the drill's deadline passed"),
            Reason::Signal => plain("the process was asked to stop"),
            Reason::LeaseLost => plain("the Lease could not be renewed"),
            Reason::Interrupted => plain("the process that ran it died"),
        }
    }
}

impl<'a> StepRun<'a> {
    fn new(name: &str, kind: &str) -> Self {
        Self { step: Step::new(name, kind), starts: vec![], started: None, ended: None }
    }

    /// The number of the last attempt; 1 before there was any.
    pub(super) fn attempt(&self) -> u32 {
        self.step.attempts.max(1)
    }

    /// An attempt begins. What stands here so far was the one before.
    fn start(&mut self, attempt: u32, at: Mono, by: Witness<'a>) {
        if self.started.is_some() {
            let before = Attempt {
                attempt: self.step.attempts,
                outcome: self.step.outcome.take(),
                why: self.step.why.take(),
                took_millis: self.took(),
            };
            self.step.earlier_attempts.push(before);
            self.step.measures.clear();
            self.ended = None;
        }
        self.step.attempts = attempt;
        self.started = Some((at, by));
        self.starts.push((attempt, at, by));
    }

    /// How long the last attempt took, where one process saw all of it.
    fn took(&self) -> Option<u64> {
        match (self.started, self.ended) {
            (Some((start, a)), Some((end, b))) if a == b => millis_between(start, end),
            _ => None,
        }
    }
}

impl Step {
    fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            outcome: None,
            why: None,
            attempts: 0,
            took_millis: None,
            measures: std::collections::BTreeMap::new(),
            earlier_attempts: vec![],
        }
    }
}

/// The time between two instants of one boot; none if they stand the wrong way round.
pub(super) fn millis_between(from: Mono, to: Mono) -> Option<u64> {
    to.0.checked_sub(from.0)
}
