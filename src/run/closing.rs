//! Closing: settle what is in doubt, then undo, in the order of the graph.
//!
//! PURE. The shell calls [`Closing::next`], does what it says, and tells it what it
//! [heard](Closing::heard). A live run that closes, a recovery after a crash, an early release and
//! a sweep for leftovers all go through here, so there is one answer to "may this be deleted now".
//!
//! The rules, each of which stands because its absence is a known way to lose something:
//! - An absence proves nothing before the settle time: a create may still be on its way.
//! - A patch in doubt is fenced (the resourceVersion is moved) before it counts as absent.
//! - A sandbox is deleted only when no Restore of the run can act any more; otherwise Velero
//!   makes the namespace again, without our mark.
//! - Nodes come first and wait for nobody.
//! - Everything is pinned to the UID that was seen with our mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    event::{
        AbsentBy, EffectNo, Event, Evidence, Gate, Precondition, Settled, StepOutcome, Undo,
        UndoAction, UndoOutcome, Verb,
    },
    look::{Ask, Facts, Heard, Request},
    machine::{Effect, EffectState, Machine, uid_of},
};
use crate::{clock::Mono, kind::drain_nodes::node};

/// How often the world is asked again while something is awaited.
const POLL: Duration = Duration::from_millis(500);
/// After a conflict the object is read again soon, but never in a tight loop.
const AGAIN: Duration = Duration::from_millis(50);
/// What was read longer ago is read again before anything is deleted or patched.
const FRESH: Duration = Duration::from_millis(200);
/// A namespace is looked at twice before it counts as gone: a late one comes under the same name.
const CONFIRM: Duration = Duration::from_millis(300);

/// What the shell does next.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once")]
#[derive(Clone, Debug, PartialEq)]
pub enum Todo {
    /// Append this event (and apply it), then call again. If the journal does not take it, go on
    /// with an undo all the same: it is idempotent.
    Append(Event),
    /// Ask all of these, at once; tell what was heard of each, then call again.
    Ask(Vec<Ask>),
    /// Call again at this instant.
    Sleep(Mono),
    /// Every effect is over, kept or left.
    Finished,
}

/// Rules that the model test switches off one by one, to see that it would notice.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// An absence proves nothing before the settle time.
    pub settle_time: bool,
    /// A 404 at the first look is not yet a proof.
    pub absence_is_no_proof: bool,
    /// Requests are pinned to the UID.
    pub pin_uid: bool,
    /// Undo is a graph with gates, not a stack.
    pub gates: bool,
}

impl Rules {
    /// All rules in force. The only value outside the model test.
    pub const SOUND: Self =
        Self { settle_time: true, absence_is_no_proof: true, pin_uid: true, gates: true };
}

#[derive(Debug, Default)]
struct Known {
    /// What the last look heard, and when it was asked.
    heard: Option<(Heard, Mono)>,
    /// When its answer came.
    heard_at: Mono,
    /// Not asked again before this.
    ask_at: Mono,
    /// What the announced undo will do.
    planned: Option<Planned>,
    /// UndoIntended is written for `planned`.
    announced: bool,
    /// Our delete was accepted.
    deleted: bool,
    /// First time that the object was seen gone.
    missing_since: Option<Mono>,
    /// The reason for waiting that the journal knows already.
    told: Option<String>,
    /// Nothing more is tried in this pass.
    given_up: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Planned {
    Send(Request),
    Settle(UndoOutcome),
}

#[expect(clippy::large_enum_variant, reason = "one at a time, moved once")]
enum Step {
    Append(Event),
    Ask(Ask),
    Wait(Mono),
    Over,
}

/// One pass of settling and undoing.
#[derive(Debug)]
pub struct Closing {
    known: BTreeMap<EffectNo, Known>,
    only: Option<BTreeSet<EffectNo>>,
    /// The boot of this process.
    boot: String,
    /// When this pass began.
    started: Mono,
    patience_until: Mono,
    settle: Duration,
    rules: Rules,
    /// Creates that were found absent are looked for again (a sweep of an ended run).
    look_for_late: bool,
    /// Only what is in doubt is settled; nothing is undone.
    settle_only: bool,
    /// Nothing becomes a leftover: a later pass goes on.
    never_leave: bool,
    /// What was to be asked when an event had to be appended first.
    queued: Vec<Ask>,
}

impl Closing {
    /// A pass over the whole run, from `now` in boot `boot`.
    #[must_use]
    pub fn new(machine: &Machine, boot: &str, now: Mono, patience: Duration) -> Self {
        Self {
            known: BTreeMap::new(),
            only: None,
            boot: boot.to_owned(),
            started: now,
            patience_until: now.plus(patience),
            settle: Duration::from_millis(machine.outline.settle_millis),
            rules: Rules::SOUND,
            look_for_late: machine.is_ended(),
            settle_only: false,
            never_leave: false,
            queued: Vec::new(),
        }
    }

    /// A pass over these effects only, while the run goes on (early release).
    #[must_use]
    pub fn only(mut self, effects: impl IntoIterator<Item = EffectNo>) -> Self {
        self.only = Some(effects.into_iter().collect());
        self
    }

    /// Settles what is in doubt and undoes nothing (a lost answer while the run goes on). What
    /// cannot be settled stays in doubt: an open run has no leftovers.
    #[must_use]
    pub fn settle_only(mut self) -> Self {
        self.settle_only = true;
        self.never_leave = true;
        self
    }

    /// Names no leftover: the run is still open, and its closing goes on with what remains.
    #[must_use]
    pub fn never_leave(mut self) -> Self {
        self.never_leave = true;
        self
    }

    /// For the model test.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// What to do next.
    pub fn next(&mut self, machine: &Machine, now: Mono) -> Todo {
        if machine.is_closing()
            && let Some(active) = machine.active()
        {
            return Todo::Append(Event::StepEnded {
                step: machine.outline.steps[active].name.clone(),
                outcome: StepOutcome::Aborted,
                why: Some("the run closed while it was active".to_owned()),
                measures: BTreeMap::new(),
            });
        }
        // An append comes before the asks that were found so far, and must not lose them: an undo
        // that is announced is sent.
        let mut asks = std::mem::take(&mut self.queued);
        let mut wake: Option<Mono> = None;
        for n in self.order(machine) {
            if asks.iter().any(|ask| ask.effect() == n) {
                continue;
            }
            match self.step(machine, n, now) {
                Step::Append(event) => {
                    self.queued = asks;
                    return Todo::Append(event);
                }
                Step::Ask(ask) if asks.contains(&ask) => {}
                Step::Ask(ask) => asks.push(ask),
                Step::Wait(until) => wake = Some(wake.map_or(until, |w| w.min(until))),
                Step::Over => {}
            }
        }
        match (asks.is_empty(), wake) {
            (false, _) => Todo::Ask(asks),
            (true, Some(wake)) => Todo::Sleep(wake.max(Mono(now.0 + 1))),
            (true, None) => Todo::Finished,
        }
    }

    /// Takes the answer to `ask`, which was sent at `asked`.
    pub fn heard(&mut self, ask: &Ask, heard: Heard, asked: Mono, now: Mono) {
        let known = self.known.entry(ask.effect()).or_default();
        known.heard_at = now;
        match (ask, &heard) {
            (Ask::Look(_), _) => known.heard = Some((heard, asked)),
            (Ask::Bump(..), Heard::Done) => {
                known.heard = None;
            }
            (Ask::Send(_, request), Heard::Done) => match request {
                Request::Delete(_) => {
                    known.deleted = true;
                    known.ask_at = now;
                }
                Request::Uncordon(_) => known.settle(UndoOutcome::Undone),
                Request::Strip(_) => known.settle(UndoOutcome::NotOurs(
                    "the cordon is somebody else's; only our mark was removed".to_owned(),
                )),
            },
            (_, Heard::Refused(_) | Heard::Lost(_)) => {
                known.ask_at = now.plus(POLL);
                known.heard = Some((heard, asked));
            }
            // Moved or gone: look again.
            _ => {
                known.heard = None;
                known.ask_at = now.plus(AGAIN);
            }
        }
    }

    /// Nodes first, then in order of number.
    fn order(&self, machine: &Machine) -> Vec<EffectNo> {
        let wanted = |n: &EffectNo| self.only.as_ref().is_none_or(|only| only.contains(n));
        let mut order: Vec<_> = machine.effects.keys().copied().filter(wanted).collect();
        order.sort_by_key(|n| (!machine.effects[n].is_cordon(), *n));
        if !self.rules.gates {
            order.sort_by_key(|n| std::cmp::Reverse(*n));
        }
        order
    }

    fn step(&mut self, machine: &Machine, n: EffectNo, now: Mono) -> Step {
        let effect = &machine.effects[&n];
        if self.known.entry(n).or_default().given_up {
            return Step::Over;
        }
        match &effect.state {
            EffectState::Intended => Step::Append(Event::EffectDoubted {
                n,
                error: "its process ended before the answer came".to_owned(),
            }),
            EffectState::Doubted | EffectState::Left { uid: None } => self.settle(effect, n, now),
            _ if self.settle_only => Step::Over,
            EffectState::Applied { .. }
            | EffectState::Undoing { .. }
            | EffectState::Left { uid: Some(_) } => match &effect.intent.undo {
                Undo::None(why) | Undo::Kept(why) if effect.was_left => {
                    let how = format!("nothing is to be undone: {why}");
                    Step::Append(Event::LeftoverCleared { n, how })
                }
                Undo::None(_) => Step::Over,
                Undo::Kept(policy) => Step::Append(Event::EffectKept { n, policy: policy.clone() }),
                Undo::By { action, gate, after } => {
                    self.undo(machine, effect, *action, *gate, after, now)
                }
            },
            EffectState::Over(_) | EffectState::Absent | EffectState::Foreign
                if effect.was_left =>
            {
                let how = match &effect.state {
                    EffectState::Absent => "it is not there",
                    EffectState::Foreign => "it is not ours",
                    _ => "undone by a later pass",
                };
                Step::Append(Event::LeftoverCleared { n, how: how.to_owned() })
            }
            EffectState::Absent
            | EffectState::Cleared
            | EffectState::Over(UndoOutcome::Undone | UndoOutcome::Gone)
                if self.look_for_late && effect.is_sandbox() =>
            {
                self.late_sandbox(machine, effect, n, now)
            }
            EffectState::Absent if self.look_for_late && effect.intent.verb == Verb::Create => {
                self.late(effect, n, now)
            }
            EffectState::Absent
            | EffectState::Foreign
            | EffectState::Over(_)
            | EffectState::Kept
            | EffectState::Cleared => Step::Over,
        }
    }

    /// When an absence of this effect proves something: `sendBy` plus the settle time, or, where
    /// the machine has been restarted since, the settle time from the start of this pass.
    fn settle_time(&self, effect: &Effect) -> Mono {
        if !self.rules.settle_time {
            return Mono(0);
        }
        let base = if effect.boot == self.boot { effect.intent.send_by } else { self.started };
        base.plus(self.settle)
    }

    /// A doubted effect: settled by a look-up, never by an absence alone.
    fn settle(&mut self, effect: &Effect, n: EffectNo, now: Mono) -> Step {
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
    fn late(&mut self, effect: &Effect, n: EffectNo, now: Mono) -> Step {
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
    fn late_sandbox(&mut self, machine: &Machine, effect: &Effect, n: EffectNo, now: Mono) -> Step {
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

    fn undo(
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

    /// Whether an undo may be tried now.
    fn is_due(
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
            (!other.is_final()).then(|| other.intent.target.to_string())
        });
        match waits {
            // A Restore that Velero has not seen goes at once; the pin makes that safe.
            Some(_) if effect.is_restore() && self.is_unpicked(effect.intent.n) => Ok(()),
            Some(target) => Err(Due::Closed(format!("{target} comes first"))),
            None => Ok(()),
        }
    }

    fn is_unpicked(&self, n: EffectNo) -> bool {
        match self.known.get(&n).and_then(|known| known.heard.as_ref()) {
            Some((Heard::Object(facts), _)) => facts.restore.is_some_and(|r| !r.picked_up),
            _ => false,
        }
    }

    /// Whether a Restore can act no more: settled as never sent, gone, terminal, or (for its own
    /// delete) never picked up.
    fn restore_is_at_rest(&mut self, restore: &Effect, mine: bool, now: Mono) -> Result<(), Due> {
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

    fn missing(&mut self, effect: &Effect, action: UndoAction, now: Mono) -> Step {
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

    fn delete(&mut self, effect: &Effect, uid: &str, facts: Facts, now: Mono) -> Step {
        let n = effect.intent.n;
        let pins = self.rules.pin_uid;
        let known = self.known.entry(n).or_default();
        let action = UndoAction::Delete;
        if facts.uid != uid && pins {
            if effect.intent.target.kind == "Namespace" {
                known.given_up = true;
                if matches!(effect.state, EffectState::Left { .. }) {
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

    /// Waits a poll interval for a reason, or names a leftover when patience is over.
    fn wait(&mut self, effect: &Effect, n: EffectNo, why: &str, now: Mono) -> Step {
        self.wait_for(effect, n, why, now.plus(POLL), now)
    }

    fn wait_for(&mut self, effect: &Effect, n: EffectNo, why: &str, at: Mono, now: Mono) -> Step {
        let until = self.patience_until;
        let settling = matches!(effect.state, EffectState::Doubted)
            && now < self.settle_time(effect).plus(POLL + POLL);
        let known = self.known.entry(n).or_default();
        if now >= until && !settling {
            known.given_up = true;
            if matches!(effect.state, EffectState::Left { .. }) || self.never_leave {
                return Step::Over;
            }
            return Self::leave(effect, why);
        }
        known.ask_at = at;
        if known.told.as_deref() != Some(why) {
            known.told = Some(why.to_owned());
            return Step::Append(Event::UndoWaits { n, reason: why.to_owned(), until });
        }
        Step::Wait(at)
    }

    fn leave(effect: &Effect, why: &str) -> Step {
        Step::Append(Event::LeftoverNamed {
            n: effect.intent.n,
            object: format!("{} on cluster {}", effect.intent.target, effect.intent.cluster),
            why: why.to_owned(),
        })
    }
}

enum Due {
    Ask(Ask),
    Wait(Mono),
    Closed(String),
}

impl Known {
    fn look(&mut self, n: EffectNo, now: Mono) -> Step {
        if now < self.ask_at {
            return Step::Wait(self.ask_at);
        }
        Step::Ask(Ask::Look(n))
    }

    fn settle(&mut self, outcome: UndoOutcome) {
        self.planned = Some(Planned::Settle(outcome));
        self.announced = true;
    }

    /// Announces the undo, then does it.
    fn carry_out(&mut self, effect: &Effect, action: UndoAction, planned: Planned) -> Step {
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

impl Facts {
    fn pin_both(&self) -> Precondition {
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
