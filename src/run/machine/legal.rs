//! What may be written when: the legality of every event in every state. PURE.

use super::{
    super::event::{Event, Intent, RUN_STEP, StepOutcome, Trigger},
    EffectState, Illegal, Machine, Phase, StepState,
};

impl Machine {
    /// Whether `event` may be written now.
    ///
    /// # Errors
    /// If it may not, with the reason.
    pub fn allows(&self, event: &Event) -> Result<(), Illegal> {
        let fail = |why: String| Err(Illegal { event: event.name(), why });
        let opened = self.phase != Phase::Unopened;
        if opened == matches!(event, Event::RunOpened { .. }) {
            return fail(
                if opened { "the run is open already" } else { "the run is not open" }.into(),
            );
        }
        let ends_it = matches!(event, Event::RunClosing { .. } | Event::RunRecovered { .. });
        if self.must_close && !ends_it {
            return fail("a recovered run can only close".into());
        }
        match event {
            Event::RunOpened { .. } => Ok(()),
            Event::PlanMade { .. } => {
                match (self.is_open(), self.planned || !self.effects.is_empty()) {
                    (true, false) => Ok(()),
                    _ => fail("a plan is made once, before the first effect".into()),
                }
            }
            Event::StepStarted { step, attempt } => {
                if !self.is_open() || self.active().is_some() {
                    return fail("the run is closing or another step is active".into());
                }
                match self.step(step) {
                    Some(StepState::Pending) if *attempt == 1 && self.retrying().is_none() => {
                        Ok(())
                    }
                    Some(StepState::Retrying { attempt: failed, .. }) if *attempt == failed + 1 => {
                        match self.to_give_back(step).next() {
                            None => Ok(()),
                            Some(effect) => fail(format!(
                                "effect {} of the attempt before is {:?}",
                                effect.intent.n, effect.state
                            )),
                        }
                    }
                    state => {
                        fail(format!("step {step} is {state:?}, not before attempt {attempt}"))
                    }
                }
            }
            Event::StepEnded { step, outcome, .. } => {
                self.allows_step_end(step, *outcome).or_else(fail)
            }
            Event::EffectIntended(intent) => self.allows_intent(intent).or_else(fail),
            Event::EffectDoubted { n, .. } => match (self.effect(*n)?, self.is_ended()) {
                (EffectState::Intended, false) => Ok(()),
                (state, _) => fail(format!("effect {n} is {state:?}")),
            },
            Event::EffectSettled { n, .. } => match (self.effect(*n)?, self.is_ended()) {
                (EffectState::Intended | EffectState::Doubted, false)
                | (EffectState::Left { uid: None }, _) => Ok(()),
                (state, _) => fail(format!("effect {n} is {state:?}")),
            },
            Event::Observed { .. } | Event::FindingMade(_) => match self.is_ended() {
                false => Ok(()),
                true => fail("the run has ended".into()),
            },
            Event::RunClosing { .. } => match self.is_open() {
                true => Ok(()),
                false => fail("the first reason to close decides for good".into()),
            },
            Event::RunRecovered { last_seq, .. } => {
                if *last_seq + 1 != self.next_seq {
                    return fail(format!("the last seq is {}", self.next_seq - 1));
                }
                match !self.is_ended() || self.unfinished_business() {
                    true => Ok(()),
                    false => fail("nothing is left to recover".into()),
                }
            }
            Event::UndoIntended { n, attempt, .. } => {
                let effect = self.effects.get(n).ok_or_else(|| self.unknown(event, *n))?;
                if *attempt != effect.undo_attempts + 1 {
                    return fail(format!("attempt {} is next", effect.undo_attempts + 1));
                }
                match (&effect.state, &self.phase) {
                    (EffectState::Left { uid: Some(_) }, _) => Ok(()),
                    (EffectState::Undoing { .. }, _) => Ok(()),
                    (EffectState::Applied { .. }, Phase::Closing { .. }) => Ok(()),
                    (EffectState::Applied { .. }, Phase::Open) if self.may_release(effect) => {
                        Ok(())
                    }
                    (state, _) => fail(format!("effect {n} is {state:?}")),
                }
            }
            Event::UndoWaits { n, .. } => match self.effect(*n)? {
                EffectState::Applied { .. }
                | EffectState::Undoing { .. }
                | EffectState::Doubted
                | EffectState::Left { .. } => Ok(()),
                state => fail(format!("effect {n} is {state:?}")),
            },
            Event::UndoSettled { n, .. } => match self.effect(*n)? {
                EffectState::Undoing { .. } => Ok(()),
                state => fail(format!("effect {n} is {state:?}")),
            },
            Event::EffectKept { n, .. } => match (self.effect(*n)?, self.is_closing()) {
                (EffectState::Applied { .. }, true) => Ok(()),
                (state, _) => fail(format!("effect {n} is {state:?}")),
            },
            Event::LeftoverNamed { n, .. } => match (self.effect(*n)?, &self.phase) {
                (
                    EffectState::Doubted
                    | EffectState::Applied { .. }
                    | EffectState::Undoing { .. },
                    Phase::Closing { .. },
                )
                | (EffectState::Absent, Phase::Closing { .. } | Phase::Ended { .. })
                | (EffectState::Over(_) | EffectState::Cleared, Phase::Ended { .. })
                | (EffectState::Undoing { .. }, Phase::Ended { .. }) => Ok(()),
                (state, _) => fail(format!("effect {n} is {state:?}")),
            },
            Event::LeftoverCleared { n, .. } => {
                let effect = self.effects.get(n).ok_or_else(|| self.unknown(event, *n))?;
                match (&effect.state, effect.was_left) {
                    (EffectState::Left { .. }, _)
                    | (EffectState::Over(_) | EffectState::Absent | EffectState::Foreign, true) => {
                        Ok(())
                    }
                    (state, _) => fail(format!("effect {n} is {state:?}")),
                }
            }
            Event::RunEnded { .. } => {
                if !self.is_closing() {
                    return fail("the run is not closing".into());
                }
                match self.effects.values().find(|effect| !effect.is_final()) {
                    None => Ok(()),
                    Some(effect) => {
                        fail(format!("effect {} is {:?}", effect.intent.n, effect.state))
                    }
                }
            }
        }
    }

    fn allows_step_end(&self, step: &str, outcome: StepOutcome) -> Result<(), String> {
        match (self.step(step), outcome) {
            (Some(StepState::Active { .. }), StepOutcome::Aborted) if !self.is_ended() => Ok(()),
            (Some(StepState::Pending), StepOutcome::Skipped) if self.is_open() => Ok(()),
            // Between two attempts: there will be no other.
            (Some(StepState::Active { .. } | StepState::Retrying { .. }), StepOutcome::Failed)
                if self.is_open() =>
            {
                Ok(())
            }
            (Some(StepState::Active { .. }), StepOutcome::Passed) if self.is_open() => {
                let open = self.effects.values().find(|effect| {
                    effect.intent.step == step
                        && matches!(effect.state, EffectState::Intended | EffectState::Doubted)
                });
                match open {
                    None => Ok(()),
                    Some(effect) => Err(format!("effect {} is not settled", effect.intent.n)),
                }
            }
            (state, _) => Err(format!("step {step} is {state:?}")),
        }
    }

    fn allows_intent(&self, intent: &Intent) -> Result<(), String> {
        if !self.is_open() {
            return Err("no effect after the run began to close".into());
        }
        let active = self.active().map(|index| self.outline.steps[index].name.as_str());
        if intent.step != RUN_STEP && active != Some(intent.step.as_str()) {
            return Err(format!("step {} is not active", intent.step));
        }
        match self.effects.get(&intent.n) {
            None if intent.n == self.next_effect() && intent.attempt == 1 => Ok(()),
            // Numbers come from marks, and not all of a run's objects need be there still.
            None if self.trigger == Trigger::Marks && intent.n > self.next_effect() => Ok(()),
            Some(old)
                if old.state == EffectState::Absent && intent.attempt == old.intent.attempt + 1 =>
            {
                Ok(())
            }
            _ => Err(format!("effect {} attempt {} is out of order", intent.n, intent.attempt)),
        }
    }
}
