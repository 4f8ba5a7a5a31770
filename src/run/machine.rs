//! The machine of a run: what may follow what, and what comes next.
//!
//! PURE. [`Machine::apply`] serves the live run and recovery alike, so what a process believes is
//! always what the journal says. An event that is not legal here is never written.

mod effect;
mod legal;

use std::collections::BTreeMap;

use super::event::{
    EffectNo, Entry, Event, Precondition, Reason, Settled, StepOutcome, Trigger, Verdict,
};
use crate::{
    clock::Mono,
    drill::{Outline, When},
};

pub use effect::{Effect, EffectState};

/// An event that may not happen in this state. A defect, in firedrill or in the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal event {event}: {why}")]
pub struct Illegal {
    /// The event's name.
    pub event: &'static str,
    /// Why it is illegal.
    pub why: String,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is written yet.
    Unopened,
    /// The forward part.
    Open,
    /// Undoing.
    Closing {
        /// The first reason, for good.
        reason: Reason,
        /// Its cause.
        why: Option<String>,
    },
    /// Over.
    Ended {
        /// The verdict.
        verdict: Verdict,
    },
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not started.
    Pending,
    /// Running.
    Active {
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// An attempt failed and there is another: what it did is given back first.
    Retrying {
        /// The attempt that failed.
        attempt: u32,
        /// Why it failed.
        why: Option<String>,
    },
    /// Over.
    Ended {
        /// How.
        outcome: StepOutcome,
        /// Why, unless it passed.
        why: Option<String>,
        /// The last attempt; 0 if it never started.
        attempt: u32,
    },
}

/// What the run does next, while open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Start this attempt of this step, 1 for the first; a further one after its backoff.
    Start(usize, u32),
    /// An attempt of this step failed and there is another: give back what it did. If that cannot
    /// be done, end the step as failed for good.
    GiveBack(usize),
    /// This step runs.
    Running(usize),
    /// Record this step as skipped.
    Skip(usize),
    /// Close, for this reason.
    Close(Reason, Option<String>),
    /// Closing: undo decides.
    Undo,
    /// Nothing.
    Ended,
}

/// A run as its journal tells it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The run's id.
    pub run: String,
    /// The drill's name.
    pub drill: String,
    /// The installation.
    pub instance: String,
    /// The clusters that it names.
    pub clusters: Vec<String>,
    /// Steps, objectives, patience.
    pub outline: Outline,
    /// What started it.
    pub trigger: Trigger,
    /// Where it stands.
    pub phase: Phase,
    /// One for each step of the outline.
    pub steps: Vec<StepState>,
    /// By number.
    pub effects: BTreeMap<EffectNo, Effect>,
    /// The seq that the next event must have.
    pub next_seq: u64,
    /// The boot of the last event.
    pub last_boot: String,
    /// When the run began to close, and in which boot.
    pub closing_at: Option<(String, Mono)>,
    planned: bool,
    must_close: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            run: String::new(),
            drill: String::new(),
            instance: String::new(),
            clusters: Vec::new(),
            outline: Outline::default(),
            trigger: Trigger::Hand,
            phase: Phase::Unopened,
            steps: Vec::new(),
            effects: BTreeMap::new(),
            next_seq: 0,
            last_boot: String::new(),
            closing_at: None,
            planned: false,
            must_close: false,
        }
    }
}

impl Machine {
    /// Reads a whole stream.
    ///
    /// # Errors
    /// At the first event that is not legal where it stands.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, Illegal> {
        let mut machine = Self::default();
        for entry in entries {
            machine.apply(entry)?;
        }
        Ok(machine)
    }

    /// Whether the forward part goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the run is undoing.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// The active step, if any.
    #[must_use]
    pub fn active(&self) -> Option<usize> {
        self.steps.iter().position(|step| matches!(step, StepState::Active { .. }))
    }

    /// The number of the next effect.
    #[must_use]
    pub fn next_effect(&self) -> EffectNo {
        self.effects.keys().next_back().map_or(0, |last| last + 1)
    }

    /// Effects that are leftovers now.
    #[must_use]
    pub fn leftovers(&self) -> u32 {
        let left = self.effects.values().filter(|e| matches!(e.state, EffectState::Left { .. }));
        u32::try_from(left.count()).unwrap_or(u32::MAX)
    }

    /// What comes next. The first failed step stops the run: steps with `when: always` still
    /// run, the rest are skipped, then it closes.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.phase {
            Phase::Unopened | Phase::Ended { .. } => return Next::Ended,
            Phase::Closing { .. } => return Next::Undo,
            Phase::Open => {}
        }
        let mut failed = None;
        for (index, state) in self.steps.iter().enumerate() {
            let step = &self.outline.steps[index];
            match state {
                StepState::Active { .. } => return Next::Running(index),
                StepState::Retrying { attempt, .. } if self.has_given_back(&step.name) => {
                    return Next::Start(index, attempt + 1);
                }
                StepState::Retrying { .. } => return Next::GiveBack(index),
                StepState::Pending if failed.is_some() && step.when != When::Always => {
                    return Next::Skip(index);
                }
                StepState::Pending => return Next::Start(index, 1),
                StepState::Ended { outcome: StepOutcome::Failed, why, attempt }
                    if failed.is_none() =>
                {
                    let mut sentence = match why {
                        Some(why) => format!("{}: {why}", step.name),
                        None => format!("step {} failed", step.name),
                    };
                    if *attempt > 1 {
                        sentence += &format!(" (attempt {attempt} of {})", step.attempts);
                    }
                    failed = Some(sentence);
                }
                StepState::Ended { .. } => {}
            }
        }
        match failed {
            Some(sentence) => Next::Close(Reason::StepFailed, Some(sentence)),
            None => Next::Close(Reason::Completed, None),
        }
    }

    /// Takes the next entry of the stream.
    ///
    /// # Errors
    /// If it is not legal here; the machine is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let event = &entry.event;
        if entry.seq != self.next_seq {
            let why = format!("seq {} where {} is next", entry.seq, self.next_seq);
            return Err(Illegal { event: event.name(), why });
        }
        self.allows(event)?;
        self.next_seq += 1;
        self.last_boot.clone_from(&entry.boot);
        match event {
            Event::RunOpened { run, drill, outline, trigger, instance, clusters, .. } => {
                self.run.clone_from(run);
                self.drill.clone_from(drill);
                self.instance.clone_from(instance);
                self.clusters.clone_from(clusters);
                self.trigger = trigger.clone();
                self.steps = vec![StepState::Pending; outline.steps.len()];
                self.outline = (**outline).clone();
                self.phase = Phase::Open;
            }
            Event::PlanMade { .. } => self.planned = true,
            Event::StepStarted { step, attempt } => {
                self.set_step(step, StepState::Active { attempt: *attempt });
            }
            Event::StepEnded { step, outcome, why, .. } => self.end_step(step, *outcome, why),
            Event::EffectIntended(intent) => {
                let effect = Effect {
                    intent: (**intent).clone(),
                    boot: entry.boot.clone(),
                    state: EffectState::Intended,
                    undo_attempts: 0,
                    was_left: false,
                };
                self.effects.insert(intent.n, effect);
            }
            Event::EffectDoubted { n, .. } => self.set(*n, EffectState::Doubted),
            Event::EffectSettled { n, settled } => {
                let left = self
                    .effects
                    .get(n)
                    .is_some_and(|e| matches!(e.state, EffectState::Left { .. }));
                let state = match settled {
                    Settled::Applied { uid, .. } if left => {
                        EffectState::Left { uid: Some(uid.clone()) }
                    }
                    Settled::Applied { uid, .. } => EffectState::Applied { uid: uid.clone() },
                    Settled::Absent { .. } => EffectState::Absent,
                    Settled::Foreign { .. } => EffectState::Foreign,
                };
                self.set(*n, state);
            }
            Event::RunClosing { reason, why } => {
                self.must_close = false;
                self.phase = Phase::Closing { reason: *reason, why: why.clone() };
                self.closing_at = Some((entry.boot.clone(), entry.mono));
            }
            Event::RunRecovered { .. } => self.must_close = self.is_open(),
            Event::UndoIntended { n, attempt, .. } => {
                let uid = self.effects.get(n).and_then(uid_of).unwrap_or_default();
                self.set(*n, EffectState::Undoing { uid });
                if let Some(effect) = self.effects.get_mut(n) {
                    effect.undo_attempts = *attempt;
                }
            }
            Event::UndoSettled { n, outcome } => self.set(*n, EffectState::Over(outcome.clone())),
            Event::EffectKept { n, .. } => self.set(*n, EffectState::Kept),
            Event::LeftoverNamed { n, .. } => {
                let uid = self.effects.get(n).and_then(uid_of);
                self.set(*n, EffectState::Left { uid });
                if let Some(effect) = self.effects.get_mut(n) {
                    effect.was_left = true;
                }
            }
            Event::LeftoverCleared { n, .. } => {
                if let Some(effect) = self.effects.get_mut(n) {
                    // What is absent may still come late, and each sweep looks for it again.
                    if effect.state == EffectState::Absent {
                        effect.was_left = false;
                    } else {
                        effect.state = EffectState::Cleared;
                    }
                }
            }
            Event::RunEnded { verdict, .. } => self.phase = Phase::Ended { verdict: *verdict },
            Event::Observed { .. } | Event::FindingMade(_) | Event::UndoWaits { .. } => {}
        }
        Ok(())
    }

    /// Whether an ended run still has something to look after: leftovers, or undos under way.
    #[must_use]
    pub fn unfinished_business(&self) -> bool {
        self.effects.values().any(|effect| {
            matches!(
                effect.state,
                EffectState::Left { .. } | EffectState::Undoing { .. } | EffectState::Absent
            )
        })
    }

    /// Whether an effect may be undone while the run is open: by its own step (active or over),
    /// and for a sandbox once its last reader has ended.
    #[must_use]
    pub fn may_release(&self, effect: &Effect) -> bool {
        let Some(owner) = self.outline.steps.iter().position(|s| s.name == effect.intent.step)
        else {
            return false;
        };
        if effect.is_cordon() {
            return self.steps[owner] != StepState::Pending;
        }
        // Readers come after their owner, so nobody has begun to read.
        if matches!(self.steps[owner], StepState::Retrying { .. }) {
            return true;
        }
        let over = |index: usize| matches!(self.steps[index], StepState::Ended { .. });
        let readers = self.outline.steps.iter().enumerate();
        over(owner)
            && readers
                .filter(|(_, step)| step.reads.contains(&effect.intent.step))
                .all(|(index, _)| over(index))
    }

    /// Whether nothing of what a step did is there or may still come: only then may it be tried
    /// again. What the drill keeps does not stand in the way.
    #[must_use]
    pub fn has_given_back(&self, step: &str) -> bool {
        self.to_give_back(step).next().is_none()
    }

    /// The effects of a step that are neither given back nor kept.
    pub fn to_give_back(&self, step: &str) -> impl Iterator<Item = &Effect> {
        self.effects.values().filter(move |it| it.intent.step == step && !it.is_given_back())
    }

    /// The step between two attempts, if any.
    #[must_use]
    pub fn retrying(&self) -> Option<usize> {
        self.steps.iter().position(|step| matches!(step, StepState::Retrying { .. }))
    }

    fn end_step(&mut self, step: &str, outcome: StepOutcome, why: &Option<String>) {
        let Some(index) = self.outline.steps.iter().position(|it| it.name == step) else { return };
        let why = why.clone();
        self.steps[index] = match self.steps[index] {
            // Only an open run tries again; that of a dead process is only ended.
            StepState::Active { attempt }
                if outcome == StepOutcome::Failed
                    && self.is_open()
                    && attempt < self.outline.steps[index].attempts =>
            {
                StepState::Retrying { attempt, why }
            }
            StepState::Active { attempt } | StepState::Retrying { attempt, .. } => {
                StepState::Ended { outcome, why, attempt }
            }
            StepState::Pending | StepState::Ended { .. } => {
                StepState::Ended { outcome, why, attempt: 0 }
            }
        };
    }

    fn step(&self, name: &str) -> Option<&StepState> {
        let index = self.outline.steps.iter().position(|step| step.name == name)?;
        self.steps.get(index)
    }

    fn set_step(&mut self, name: &str, state: StepState) {
        if let Some(index) = self.outline.steps.iter().position(|step| step.name == name) {
            self.steps[index] = state;
        }
    }

    fn effect(&self, n: EffectNo) -> Result<&EffectState, Illegal> {
        self.effects.get(&n).map(|effect| &effect.state).ok_or_else(|| Illegal {
            event: "effect",
            why: format!("effect {n} was never intended"),
        })
    }

    fn set(&mut self, n: EffectNo, state: EffectState) {
        if let Some(effect) = self.effects.get_mut(&n) {
            effect.state = state;
        }
    }

    fn unknown(&self, event: &Event, n: EffectNo) -> Illegal {
        Illegal { event: event.name(), why: format!("effect {n} was never intended") }
    }
}

/// The UID of an effect's object, where it is known to have happened.
#[must_use]
pub fn uid_of(effect: &Effect) -> Option<String> {
    match &effect.state {
        EffectState::Applied { uid } | EffectState::Undoing { uid } => Some(uid.clone()),
        EffectState::Left { uid } => uid.clone(),
        _ => None,
    }
}

impl Precondition {
    /// Pinned to a UID only.
    #[must_use]
    pub fn uid(uid: &str) -> Self {
        Self { uid: Some(uid.to_owned()), resource_version: None }
    }
}

#[cfg(test)]
mod tests;
