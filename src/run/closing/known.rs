//! What a closing pass knows about one effect, and the next step for it. PURE.

use super::super::{
    event::{EffectNo, Event, Precondition, UndoAction, UndoOutcome},
    look::{Ask, Heard, Request},
    machine::{Effect, EffectState},
};
use crate::clock::Mono;

#[derive(Debug, Default)]
pub(super) struct Known {
    /// What the last look heard, and when it was asked.
    pub(super) heard: Option<(Heard, Mono)>,
    /// When its answer came.
    pub(super) heard_at: Mono,
    /// Not asked again before this.
    pub(super) ask_at: Mono,
    /// What the announced undo will do.
    pub(super) planned: Option<Planned>,
    /// UndoIntended is written for `planned`.
    pub(super) announced: bool,
    /// Our delete was accepted.
    pub(super) deleted: bool,
    /// First time that the object was seen gone.
    pub(super) missing_since: Option<Mono>,
    /// The reason for waiting that the journal knows already.
    pub(super) told: Option<String>,
    /// Nothing more is tried in this pass.
    pub(super) given_up: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Planned {
    Send(Request),
    Settle(UndoOutcome),
}

pub(super) enum Step {
    Append(Event),
    Ask(Ask),
    Wait(Mono),
    Over,
}

impl Known {
    pub(super) fn look(&mut self, n: EffectNo, now: Mono) -> Step {
        if now < self.ask_at {
            return Step::Wait(self.ask_at);
        }
        Step::Ask(Ask::Look(n))
    }

    pub(super) fn settle(&mut self, outcome: UndoOutcome) {
        self.planned = Some(Planned::Settle(outcome));
        self.announced = true;
    }

    /// Announces the undo, then does it.
    pub(super) fn carry_out(
        &mut self,
        effect: &Effect,
        action: UndoAction,
        planned: Planned,
    ) -> Step {
        let n = effect.intent.n;
        let undoing = matches!(effect.state, EffectState::Undoing { .. });
        let announced = match &planned {
            // A settlement needs some announcement; a request needs its own.
            Planned::Settle(_) => undoing || self.announced,
            Planned::Send(_) => self.announced,
        };
        if !announced {
            self.announced = true;
            let precondition = match &planned {
                Planned::Send(Request::Delete(p) | Request::Uncordon(p) | Request::Strip(p)) => {
                    p.clone()
                }
                Planned::Settle(_) => Precondition::default(),
            };
            self.planned = Some(planned);
            let attempt = effect.undo_attempts + 1;
            return Step::Append(Event::UndoIntended { n, attempt, action, precondition });
        }
        self.planned = None;
        self.announced = false;
        match planned {
            Planned::Settle(outcome) => Step::Append(Event::UndoSettled { n, outcome }),
            Planned::Send(request) => Step::Ask(Ask::Send(n, request)),
        }
    }
}
