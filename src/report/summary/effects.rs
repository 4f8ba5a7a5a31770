//! What became of every write. PURE.

use std::collections::BTreeMap;

use crate::run::event::{AbsentBy, EffectNo, Event, Intent, Settled, Undo, UndoOutcome};

use super::{Effect, EffectCounts, EffectState, Leftover};

/// The effects and leftovers of a run, by number.
#[derive(Default)]
pub(super) struct Ledger<'a> {
    lines: BTreeMap<EffectNo, Line<'a>>,
    left: BTreeMap<EffectNo, (&'a str, &'a str)>,
}

struct Line<'a> {
    intent: &'a Intent,
    state: EffectState,
    detail: Option<String>,
}

impl<'a> Ledger<'a> {
    /// Takes an event about an effect; others are none of its business.
    pub(super) fn take(&mut self, event: &'a Event) {
        match event {
            Event::EffectIntended(intent) => {
                let line = Line { intent, state: EffectState::Intended, detail: None };
                self.lines.insert(intent.n, line);
            }
            Event::EffectDoubted { n, error } => {
                self.set(*n, EffectState::Doubted, Some(error.clone()));
            }
            Event::EffectSettled { n, settled } => self.settle(*n, settled),
            Event::UndoIntended { n, .. } => self.set(*n, EffectState::Undoing, None),
            Event::UndoWaits { n, reason, .. } => {
                self.set(*n, EffectState::Waiting, Some(reason.clone()));
            }
            Event::UndoSettled { n, outcome } => {
                self.left.remove(n);
                match outcome {
                    UndoOutcome::Undone => self.set(*n, EffectState::Undone, None),
                    UndoOutcome::Gone => self.set(*n, EffectState::Gone, None),
                    UndoOutcome::NotOurs(what) => {
                        self.set(*n, EffectState::NotOurs, Some(what.clone()));
                    }
                }
            }
            Event::EffectKept { n, policy } => {
                self.set(*n, EffectState::Kept, Some(policy.clone()));
            }
            Event::LeftoverNamed { n, object, why } => {
                self.left.insert(*n, (object, why));
                self.set(*n, EffectState::Left, Some(why.clone()));
            }
            Event::LeftoverCleared { n, how } => {
                self.left.remove(n);
                self.set(*n, EffectState::Cleared, Some(how.clone()));
            }
            _ => {}
        }
    }

    fn set(&mut self, n: EffectNo, state: EffectState, detail: Option<String>) {
        // A leftover stays one while a sweep tries again.
        if self.left.contains_key(&n) && !state.is_final() {
            return;
        }
        if let Some(line) = self.lines.get_mut(&n) {
            line.state = state;
            line.detail = detail;
        }
    }

    fn settle(&mut self, n: EffectNo, settled: &Settled) {
        let Some(line) = self.lines.get(&n) else { return };
        let (state, detail) = match settled {
            Settled::Applied { .. } => match &line.intent.undo {
                Undo::None(why) => (EffectState::Done, Some(why.clone())),
                // Kept once EffectKept says so, at the end.
                Undo::By { .. } | Undo::Kept(_) => (EffectState::Applied, None),
            },
            Settled::Absent { by, why } => {
                let by = match by {
                    AbsentBy::Refused => "refused",
                    AbsentBy::Fenced => "fenced off",
                };
                let detail =
                    why.as_ref().map_or_else(|| by.to_owned(), |why| format!("{by}: {why}"));
                (EffectState::Absent, Some(detail))
            }
            Settled::Foreign { uid } => (EffectState::Foreign, Some(format!("uid {uid}"))),
        };
        // A leftover that turns out to exist is still one; one that does not exist is none.
        if state != EffectState::Applied {
            self.left.remove(&n);
        }
        self.set(n, state, detail);
    }

    pub(super) fn effects(&self) -> Vec<Effect> {
        self.lines
            .values()
            .map(|line| Effect {
                n: line.intent.n,
                step: line.intent.step.clone(),
                verb: line.intent.verb,
                cluster: line.intent.cluster.clone(),
                target: line.intent.target.clone(),
                undo: match &line.intent.undo {
                    Undo::By { action, .. } => Some(*action),
                    Undo::Kept(_) | Undo::None(_) => None,
                },
                state: line.state,
                detail: line.detail.clone(),
            })
            .collect()
    }

    pub(super) fn leftovers(&self) -> Vec<Leftover> {
        self.left
            .iter()
            .map(|(n, (object, why))| {
                let intent = self.lines.get(n).map(|line| line.intent);
                Leftover {
                    n: *n,
                    cluster: intent.map(|it| it.cluster.clone()).unwrap_or_default(),
                    object: (*object).to_owned(),
                    target: intent.map(|it| it.target.clone()),
                    undo: intent.and_then(|it| match &it.undo {
                        Undo::By { action, .. } => Some(*action),
                        Undo::Kept(_) | Undo::None(_) => None,
                    }),
                    why: (*why).to_owned(),
                }
            })
            .collect()
    }
}

impl<'a> FromIterator<&'a Effect> for EffectCounts {
    fn from_iter<I: IntoIterator<Item = &'a Effect>>(effects: I) -> Self {
        let mut counts = Self::default();
        for effect in effects {
            *match effect.state {
                EffectState::Undone | EffectState::Gone | EffectState::Cleared => {
                    &mut counts.undone
                }
                EffectState::Done | EffectState::Absent | EffectState::Foreign => {
                    &mut counts.nothing_to_undo
                }
                EffectState::NotOurs => &mut counts.not_ours,
                EffectState::Kept => &mut counts.kept,
                EffectState::Left => &mut counts.left,
                EffectState::Intended
                | EffectState::Doubted
                | EffectState::Applied
                | EffectState::Waiting
                | EffectState::Undoing => &mut counts.open,
            } += 1;
        }
        counts
    }
}
