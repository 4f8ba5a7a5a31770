//! Effects that happened: what undoes each, pinned to what was just read. PURE.

use super::{
    super::{
        event::{EffectNo, Gate, Precondition, UndoAction, UndoOutcome},
        look::{Facts, Heard, Request},
        machine::{Effect, EffectState, Machine, uid_of},
    },
    CONFIRM, Closing, FRESH, Rules,
    gate::Due,
    known::{Planned, Step},
};
use crate::{clock::Mono, kind::drain_nodes::node};

impl Closing {
    pub(super) fn undo(
        &mut self,
        machine: &Machine,
        effect: &Effect,
        action: UndoAction,
        gate: Option<Gate>,
        after: &[EffectNo],
        now: Mono,
    ) -> Step {
        let n = effect.intent.n;
        let known = self.known.entry(n).or_default();
        if let Some(planned) = known.planned.clone() {
            return known.carry_out(effect, action, planned);
        }
        if known.deleted {
            // Only its disappearance is awaited; gates were open when the delete was sent.
        } else if let Err(reason) = self.is_due(machine, effect, gate, after, now) {
            return match reason {
                Due::Ask(ask) => Step::Ask(ask),
                Due::Wait(until) => Step::Wait(until),
                Due::Closed(why) => self.wait(effect, n, &why, now),
            };
        }
        let known = self.known.entry(n).or_default();
        // What a gate was told long ago is not what is there now.
        let stale = now.since(known.heard_at) >= FRESH;
        let Some((heard, _)) = known.heard.take().filter(|_| !stale) else {
            return known.look(n, now);
        };
        let uid = uid_of(effect).unwrap_or_default();
        match heard {
            Heard::Refused(why) | Heard::Lost(why) => self.wait(effect, n, &why, now),
            Heard::Missing | Heard::Gone => self.missing(effect, action, now),
            Heard::Object(facts) => match action {
                UndoAction::Uncordon => {
                    let known = self.known.entry(n).or_default();
                    known.planned = Some(uncordon(effect, &uid, &facts, self.rules));
                    let planned = known.planned.clone();
                    planned.map_or(Step::Over, |p| known.carry_out(effect, action, p))
                }
                UndoAction::Delete => self.delete(effect, &uid, facts, now),
            },
            Heard::Done | Heard::Moved => self.known.entry(n).or_default().look(n, now),
        }
    }

    pub(super) fn missing(&mut self, effect: &Effect, action: UndoAction, now: Mono) -> Step {
        let n = effect.intent.n;
        let known = self.known.entry(n).or_default();
        let since = *known.missing_since.get_or_insert(now);
        if effect.intent.target.kind == "Namespace" && now.since(since) < CONFIRM {
            known.ask_at = since.plus(CONFIRM);
            return Step::Wait(known.ask_at);
        }
        let ours = known.deleted || effect.undo_attempts > 0;
        let outcome = if ours && action == UndoAction::Delete {
            UndoOutcome::Undone
        } else {
            UndoOutcome::Gone
        };
        known.carry_out(effect, action, Planned::Settle(outcome))
    }

    pub(super) fn delete(&mut self, effect: &Effect, uid: &str, facts: Facts, now: Mono) -> Step {
        let n = effect.intent.n;
        let pins = self.rules.pin_uid;
        let known = self.known.entry(n).or_default();
        let action = UndoAction::Delete;
        if facts.uid != uid && pins {
            if effect.intent.target.kind == "Namespace" {
                known.given_up = true;
                // An open run has no leftovers; its closing will name this one.
                if matches!(effect.state, EffectState::Left { .. }) || self.never_leave {
                    return Step::Over;
                }
                return Self::leave(effect, "a namespace of that name came late, without our mark");
            }
            return known.carry_out(effect, action, Planned::Settle(UndoOutcome::Gone));
        }
        let ours = facts.is_marked_by(&effect.intent.mark);
        if !ours && pins {
            let why = "somebody removed our mark".to_owned();
            return known.carry_out(effect, action, Planned::Settle(UndoOutcome::NotOurs(why)));
        }
        if facts.terminating {
            known.deleted = true;
            return self.wait(effect, n, "it is being deleted", now);
        }
        // A namespace also by resourceVersion: what was read is what is deleted. So is a Restore
        // that nobody has picked up, which makes the delete safe without a gate.
        let unpicked = facts.restore.is_some_and(|r| !r.picked_up);
        let pin = if effect.intent.target.kind == "Namespace" || unpicked {
            facts.pin_both()
        } else {
            Precondition::uid(&facts.uid)
        };
        known.carry_out(effect, action, Planned::Send(Request::Delete(pin)))
    }
}

impl Facts {
    pub(super) fn pin_both(&self) -> Precondition {
        Precondition {
            uid: Some(self.uid.clone()),
            resource_version: Some(self.resource_version.clone()),
        }
    }
}

/// What becomes of a cordon.
fn uncordon(effect: &Effect, uid: &str, facts: &Facts, rules: Rules) -> Planned {
    // The planted bug: whatever bears the name is taken for ours.
    let uid = if rules.pin_uid { uid } else { facts.uid.as_str() };
    match node::undo(Some(facts), &effect.intent.mark, uid) {
        node::Undo::Uncordon => Planned::Send(Request::Uncordon(facts.pin_both())),
        node::Undo::Strip(_) => Planned::Send(Request::Strip(facts.pin_both())),
        node::Undo::Leave(why) if facts.unschedulable => Planned::Settle(UndoOutcome::NotOurs(why)),
        // Not cordoned, and no mark: an undo of ours whose answer was lost, or somebody else's.
        node::Undo::Leave(_) if effect.undo_attempts > 0 => Planned::Settle(UndoOutcome::Undone),
        node::Undo::Leave(_) | node::Undo::Gone(_) => Planned::Settle(UndoOutcome::Gone),
    }
}
