//! Effects in doubt: settled by a look-up, never by an absence alone. PURE.

use super::{
    super::{
        event::{AbsentBy, EffectNo, Event, Evidence, Settled, Verb},
        look::{Ask, Facts, Heard},
        machine::{Effect, EffectState, Machine},
    },
    AGAIN, Closing, POLL,
    gate::Due,
    known::Step,
};
use crate::{clock::Mono, kind::drain_nodes::node};

impl Closing {
    /// When an absence of this effect proves something: `sendBy` plus the settle time, or, where
    /// the machine has been restarted since, the settle time from the start of this pass.
    pub(super) fn settle_time(&self, effect: &Effect) -> Mono {
        if !self.rules.settle_time {
            return Mono(0);
        }
        let base = if effect.boot == self.boot { effect.intent.send_by } else { self.started };
        base.plus(self.settle)
    }

    /// A doubted effect: settled by a look-up, never by an absence alone.
    pub(super) fn settle(&mut self, effect: &Effect, n: EffectNo, now: Mono) -> Step {
        let settle_time = self.settle_time(effect);
        let rules = self.rules;
        let known = self.known.entry(n).or_default();
        let Some((heard, asked)) = known.heard.take() else {
            return known.look(n, now);
        };
        let settled = |settled| Step::Append(Event::EffectSettled { n, settled });
        let absent = |why: &str| {
            settled(Settled::Absent { by: AbsentBy::Fenced, why: Some(why.to_owned()) })
        };
        let proves = asked >= settle_time || !rules.absence_is_no_proof;
        match (effect.intent.verb, heard) {
            (_, Heard::Refused(why) | Heard::Lost(why)) => {
                self.wait(effect, n, &format!("cannot look: {why}"), now)
            }
            (Verb::Create, Heard::Object(facts)) => {
                let ours = facts.is_marked_by(&effect.intent.mark);
                if !ours && effect.was_left && effect.is_sandbox() {
                    // Not ours to delete, and not to be forgotten: it stays a leftover by name.
                    known.given_up = true;
                    return Step::Over;
                }
                settled(if ours {
                    Settled::Applied { uid: facts.uid, by: Evidence::Found }
                } else {
                    Settled::Foreign { uid: facts.uid }
                })
            }
            (Verb::Create, _) if proves => absent("not there after the settle time"),
            (Verb::Create, _) => {
                let until = settle_time.min(now.plus(POLL)).max(Mono(now.0 + 1));
                self.wait_for(effect, n, "the create may still be on its way", until, now)
            }
            (Verb::Patch, heard) => {
                let facts = match &heard {
                    Heard::Object(facts) => Some(facts),
                    _ => None,
                };
                let pin = &effect.intent.precondition;
                let uid = pin.uid.clone().unwrap_or_default();
                let version = pin.resource_version.clone().unwrap_or_default();
                match node::look_up(facts, &effect.intent.mark, &uid, &version) {
                    node::Look::Applied => settled(Settled::Applied { uid, by: Evidence::Found }),
                    node::Look::Absent(why) => absent(&why),
                    node::Look::Fence => {
                        let pin = facts.map(Facts::pin_both).unwrap_or_default();
                        Step::Ask(Ask::Bump(n, pin))
                    }
                }
            }
            (Verb::Evict, Heard::Object(facts)) => {
                let uid = effect.intent.precondition.uid.clone().unwrap_or_default();
                if facts.uid != uid || facts.terminating {
                    settled(Settled::Applied { uid, by: Evidence::Found })
                } else if proves {
                    absent("the pod is still there after the settle time")
                } else {
                    let until = settle_time.min(now.plus(POLL)).max(Mono(now.0 + 1));
                    self.wait_for(effect, n, "the eviction may still be on its way", until, now)
                }
            }
            (Verb::Evict, _) => settled(Settled::Applied {
                uid: effect.intent.precondition.uid.clone().unwrap_or_default(),
                by: Evidence::Found,
            }),
        }
    }

    /// A create that was found absent: looked for once in each sweep.
    pub(super) fn late(&mut self, effect: &Effect, n: EffectNo, now: Mono) -> Step {
        let known = self.known.entry(n).or_default();
        let Some((heard, _)) = known.heard.take() else {
            return known.look(n, now);
        };
        known.given_up = true;
        match heard {
            Heard::Object(facts) if facts.is_marked_by(&effect.intent.mark) => {
                known.given_up = false;
                Step::Append(Event::LeftoverNamed {
                    n,
                    object: effect.intent.target.to_string(),
                    why: "it came after the run had ended".to_owned(),
                })
            }
            _ => Step::Over,
        }
    }

    /// A sandbox that is gone: a Restore that came after the end may have made a namespace of its
    /// name, without our mark. Looked for once in each sweep, when no Restore can act any more.
    pub(super) fn late_sandbox(
        &mut self,
        machine: &Machine,
        effect: &Effect,
        n: EffectNo,
        now: Mono,
    ) -> Step {
        let cluster = &effect.intent.cluster;
        for restore in machine.effects.values() {
            if !restore.is_restore() || restore.intent.cluster != *cluster {
                continue;
            }
            let seen = self.known.get(&restore.intent.n).is_some_and(|known| known.given_up);
            if restore.state == EffectState::Absent && !seen {
                return Step::Wait(now.plus(AGAIN));
            }
            match self.restore_is_at_rest(restore, false, now) {
                Err(Due::Ask(ask)) => return Step::Ask(ask),
                Err(Due::Wait(until)) => return Step::Wait(until),
                // When patience is over, what is there now is named.
                Err(Due::Closed(_)) if now < self.patience_until => {
                    return Step::Wait(now.plus(POLL));
                }
                Err(Due::Closed(_)) | Ok(()) => {}
            }
        }
        let known = self.known.entry(n).or_default();
        let Some((heard, _)) = known.heard.take() else {
            return known.look(n, now);
        };
        let Heard::Object(facts) = heard else {
            known.given_up = true;
            return Step::Over;
        };
        let ours = facts.is_marked_by(&effect.intent.mark);
        known.given_up = !ours;
        Self::leave(
            effect,
            if ours {
                "it came after the run had ended"
            } else {
                "a namespace of that name came late, without our mark"
            },
        )
    }
}
