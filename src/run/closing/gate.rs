//! Gates: whether an undo may be tried now. PURE.

use super::{
    super::{
        event::{EffectNo, Gate},
        look::{Ask, Heard},
        machine::{Effect, EffectState, Machine, uid_of},
    },
    AGAIN, Closing, POLL,
    known::Step,
};
use crate::clock::Mono;

pub(super) enum Due {
    Ask(Ask),
    Wait(Mono),
    Closed(String),
}

impl Closing {
    /// Whether an undo may be tried now.
    pub(super) fn is_due(
        &mut self,
        machine: &Machine,
        effect: &Effect,
        gate: Option<Gate>,
        after: &[EffectNo],
        now: Mono,
    ) -> Result<(), Due> {
        if !self.rules.gates {
            // The planted bug: a stack.
            let later = machine.effects.values().find(|e| {
                let mine = self.only.as_ref().is_none_or(|only| only.contains(&e.intent.n));
                e.intent.n > effect.intent.n && !e.is_final() && mine
            });
            return later.map_or(Ok(()), |_| Err(Due::Wait(now.plus(POLL))));
        }
        if gate == Some(Gate::Last) {
            let cluster = &effect.intent.cluster;
            // A leftover counts as well, until this pass gives it up.
            let under_way = |other: &Effect| {
                let given_up = self.known.get(&other.intent.n).is_some_and(|k| k.given_up);
                !other.is_final() || matches!(other.state, EffectState::Left { .. }) && !given_up
            };
            let busy = machine.effects.values().find(|other| {
                other.intent.n != effect.intent.n
                    && other.intent.cluster == *cluster
                    && !other.is_last()
                    && under_way(other)
            });
            if let Some(busy) = busy {
                // The others end by their own patience; the Lease must not give up beside them.
                return Err(if now < self.patience_until {
                    Due::Closed(format!("{} comes first", busy.intent.target))
                } else {
                    Due::Wait(now.plus(AGAIN))
                });
            }
        }
        let wants_restores = gate == Some(Gate::RestoresTerminal);
        for other in machine.effects.values().filter(|other| other.is_restore()) {
            let mine = other.intent.n == effect.intent.n;
            if !(mine || wants_restores && other.intent.cluster == effect.intent.cluster) {
                continue;
            }
            self.restore_is_at_rest(other, mine, now)?;
        }
        let waits = after.iter().find_map(|n| {
            let other = machine.effects.get(n)?;
            (!other.is_final()).then_some(other)
        });
        let past = now >= self.patience_until;
        match waits {
            // A Restore that Velero has not seen goes at once; the pin makes that safe.
            Some(_) if effect.is_restore() && self.is_unpicked(effect.intent.n) => Ok(()),
            // What comes first ends by its own patience; what waits for it must not give up beside
            // it, because it may well be undone then.
            Some(first) if past && self.goes_on_with(first.intent.n) => {
                Err(Due::Wait(now.plus(AGAIN)))
            }
            Some(first) => Err(Due::Closed(format!("{} comes first", first.intent.target))),
            None => Ok(()),
        }
    }

    /// Whether this pass still works on the effect.
    fn goes_on_with(&self, n: EffectNo) -> bool {
        let mine = self.only.as_ref().is_none_or(|only| only.contains(&n));
        mine && !self.known.get(&n).is_some_and(|known| known.given_up)
    }

    pub(super) fn is_unpicked(&self, n: EffectNo) -> bool {
        match self.known.get(&n).and_then(|known| known.heard.as_ref()) {
            Some((Heard::Object(facts), _)) => facts.restore.is_some_and(|r| !r.picked_up),
            _ => false,
        }
    }

    /// Whether a Restore can act no more: settled as never sent, gone, terminal, or (for its own
    /// delete) never picked up.
    pub(super) fn restore_is_at_rest(
        &mut self,
        restore: &Effect,
        mine: bool,
        now: Mono,
    ) -> Result<(), Due> {
        let n = restore.intent.n;
        match &restore.state {
            EffectState::Absent
            | EffectState::Foreign
            | EffectState::Over(_)
            | EffectState::Cleared
            | EffectState::Kept => return Ok(()),
            EffectState::Intended | EffectState::Doubted | EffectState::Left { uid: None } => {
                return Err(Due::Closed(format!("{} is not settled yet", restore.intent.target)));
            }
            EffectState::Applied { .. }
            | EffectState::Undoing { .. }
            | EffectState::Left { uid: Some(_) } => {}
        }
        let known = self.known.entry(n).or_default();
        let uid = uid_of(restore).unwrap_or_default();
        match &known.heard {
            None => match known.look(n, now) {
                Step::Ask(ask) => Err(Due::Ask(ask)),
                _ => Err(Due::Wait(known.ask_at)),
            },
            Some((Heard::Missing | Heard::Gone, _)) => Ok(()),
            Some((Heard::Object(facts), _)) => {
                let restore_facts = facts.restore.unwrap_or_default();
                // From its answer on: with a server slower than that, patience must still end.
                let fresh = now.since(known.heard_at) < POLL;
                if facts.uid != uid || restore_facts.terminal || (mine && !restore_facts.picked_up)
                {
                    return Ok(());
                }
                if !fresh {
                    known.heard = None;
                    return Err(Due::Ask(Ask::Look(n)));
                }
                Err(Due::Closed(format!("Velero still works on {}", restore.intent.target)))
            }
            Some((Heard::Refused(why) | Heard::Lost(why), asked)) => {
                let why = format!("cannot read {}: {why}", restore.intent.target);
                if now.since(*asked) >= POLL {
                    known.heard = None;
                }
                Err(Due::Closed(why))
            }
            Some((Heard::Done | Heard::Moved, _)) => {
                known.heard = None;
                Err(Due::Ask(Ask::Look(n)))
            }
        }
    }
}
