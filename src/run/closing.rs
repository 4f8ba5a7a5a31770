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

mod gate;
mod known;
mod settle;
mod undo;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use self::known::{Known, Step};
use super::{
    event::{EffectNo, Event, StepOutcome, Undo, UndoOutcome, Verb},
    look::{Ask, Heard, Request},
    machine::{Effect, EffectState, Machine},
};
use crate::clock::Mono;

/// How often the world is asked again while something is awaited.
const POLL: Duration = Duration::from_millis(500);
/// After a conflict the object is read again soon, but never in a tight loop.
const AGAIN: Duration = Duration::from_millis(50);
/// What was read longer ago is read again before anything is deleted or patched.
const FRESH: Duration = Duration::from_millis(200);
/// A namespace is looked at twice before it counts as gone: a late one comes under the same name.
const CONFIRM: Duration = Duration::from_millis(300);

/// What the shell does next.
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
    /// A further attempt of a step begins when nothing of the one before is there or in doubt.
    /// Closing has no part in it; see `Machine::next`.
    pub attempts_apart: bool,
}

impl Rules {
    /// All rules in force. The only value outside the model test.
    pub const SOUND: Self = Self {
        settle_time: true,
        absence_is_no_proof: true,
        pin_uid: true,
        gates: true,
        attempts_apart: true,
    };
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
