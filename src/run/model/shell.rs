//! The model's shell: does what [`Closing`] says, against the model's world, and keeps a snapshot
//! at every event, because a crash may come after each of them.

use std::time::Duration;

use super::{
    super::{
        closing::{Closing, Rules, Todo},
        event::{
            AbsentBy, EffectNo, Entry, Event, Evidence, Intent, Precondition, Reason, Settled,
            StepOutcome, Undo, Verb, Verdict,
        },
        look::{Ask, Facts, Heard, Request, RestoreFacts},
        machine::{Effect, EffectState, Machine, Next, StepState},
    },
    sample::{INSTANCE, Move, PATIENCE, Plan, RUN, SEND, SETTLE, Sample, ended, patience},
    world::{Answer, Call, Key, Maker, What, World},
};
use crate::{clock::Mono, mark::Mark};

/// A closing that calls for more than this in one second spins.
const CALLS_IN_A_SECOND: u32 = 150;
/// A pass ends within its patience, and what it had begun by then.
const LONGEST: u64 = PATIENCE + SEND + SETTLE + 8000;
/// The pause before a further attempt.
const BACKOFF: u64 = 700;

/// A boot: its name, and the instant of the world at which its clock stood at 0.
#[derive(Clone, Debug)]
pub struct Boot {
    pub id: String,
    pub zero: u64,
}

impl Boot {
    pub fn at(zero: u64) -> Self {
        Self { id: format!("boot-{zero}"), zero }
    }
}

/// The world and the journal right after an event, and what was sent before the next.
#[derive(Clone, Debug)]
pub struct Point {
    pub machine: Machine,
    pub world: World,
    pub calls: Vec<Call>,
    pub name: &'static str,
}

#[derive(Clone, Debug)]
pub struct Shell<'a> {
    pub sample: &'a Sample,
    pub world: World,
    pub machine: Machine,
    pub boot: Boot,
    pub epoch: u64,
    pub rules: Rules,
    /// Keep snapshots.
    pub record: bool,
    pub points: Vec<Point>,
    /// Nobody interferes: an undo is announced once.
    pub calm: bool,
    undone: Vec<EffectNo>,
    told_late: bool,
}

impl<'a> Shell<'a> {
    pub fn new(sample: &'a Sample, world: World, machine: Machine, boot: Boot) -> Self {
        let epoch = world.epoch;
        Self {
            sample,
            world,
            machine,
            boot,
            epoch,
            rules: Rules::SOUND,
            record: false,
            points: Vec::new(),
            calm: false,
            undone: Vec::new(),
            told_late: false,
        }
    }

    fn mono(&self) -> Mono {
        Mono(self.world.now - self.boot.zero)
    }

    fn broken(&mut self, what: String) {
        self.world.broken.push(what);
    }

    pub fn append(&mut self, event: Event) {
        if let Event::UndoIntended { n, .. } = &event {
            // A Restore may be picked up between look and delete, and is then read again.
            if self.calm && self.undone.contains(n) && !matches!(self.key(*n), Key::Restore(_)) {
                self.broken(format!("the undo of effect {n} was announced twice without cause"));
            }
            self.undone.push(*n);
        }
        let name = event.name();
        let entry = Entry {
            stream: String::new(),
            seq: self.machine.next_seq,
            prev: String::new(),
            wall: jiff::Timestamp::UNIX_EPOCH,
            boot: self.boot.id.clone(),
            mono: self.mono(),
            process: String::new(),
            epoch: self.epoch,
            event,
        };
        if let Err(illegal) = self.machine.apply(&entry) {
            self.broken(illegal.to_string());
        }
        if self.record {
            self.points.push(Point {
                machine: self.machine.clone(),
                world: self.world.clone(),
                calls: Vec::new(),
                name,
            });
        }
    }

    /// Sends a write and hears its answer; the clock moves by the way there.
    fn send(&mut self, call: Call) -> Option<Answer> {
        if let Some(point) = self.points.last_mut() {
            point.calls.push(call);
        }
        if self.world.cut.has(self.world.now) {
            if self.world.cut_lands {
                self.world.land(&call);
            }
            return None;
        }
        Some(self.world.land(&call))
    }

    /// The undisturbed run.
    pub fn forward(&mut self) {
        let sample = self.sample;
        if !self.moves(&sample.moves) {
            self.broken("the undisturbed run could not do what it does".to_owned());
        }
        self.end(Reason::Completed);
    }

    /// Whether all of these could be done.
    fn moves(&mut self, moves: &[Move]) -> bool {
        for one in moves {
            match one {
                Move::Event(event) => self.append((**event).clone()),
                Move::Pass(time) => self.world.advance(self.world.now + time),
                Move::Effect(plan) => {
                    if !self.effect(plan) {
                        return false;
                    }
                }
                Move::Release(keys) => {
                    let all = self.machine.effects.keys().copied();
                    let effects: Vec<_> = all.filter(|n| keys.contains(&self.key(*n))).collect();
                    let closing =
                        Closing::new(&self.machine, &self.boot.id, self.mono(), patience());
                    self.close(closing.with_rules(self.rules).only(effects).never_leave());
                }
                Move::Again => {
                    if !self.again() {
                        return false;
                    }
                }
            }
            self.world.advance(self.world.now + 20);
        }
        true
    }

    /// What the drive does between two attempts: it gives back what the failed one did, and begins
    /// the next if there is nothing left of it; false if there is no other.
    fn again(&mut self) -> bool {
        let Some(index) = self.machine.retrying() else { return false };
        let step = self.machine.outline.steps[index].name.clone();
        let of_step = self.machine.effects.values().filter(|it| it.intent.step == step);
        let before: Vec<_> = of_step.map(|it| (it.intent.n, Key::of(&it.intent.target))).collect();
        // The planted bug: what is in doubt does not count.
        let hasty = !self.rules.attempts_apart;
        let counts = |effect: &&Effect| {
            let doubted = matches!(effect.state, EffectState::Intended | EffectState::Doubted);
            !(hasty && doubted)
        };
        let wanted: Vec<_> =
            self.machine.to_give_back(&step).filter(counts).map(|it| it.intent.n).collect();
        let closing = Closing::new(&self.machine, &self.boot.id, self.mono(), patience());
        self.close(closing.with_rules(self.rules).only(wanted).never_leave());
        if !hasty && !matches!(self.machine.next(), Next::Start(_, 2)) {
            self.append(ended(&step, StepOutcome::Failed));
            return false;
        }
        self.world.advance(self.world.now + BACKOFF);
        if let Some(what) = self.world.left_of(&before) {
            self.broken(format!("attempt 2 began while {what}"));
        }
        self.append(Event::StepStarted { step, attempt: 2 });
        self.machine.active() == Some(index)
    }

    /// Whether something is in doubt, or a node can be given back, while the run is open.
    pub fn can_go_on(machine: &Machine) -> bool {
        machine.effects.values().any(|effect| match effect.state {
            EffectState::Intended => true,
            EffectState::Applied { .. } => effect.is_cordon(),
            _ => false,
        }) || Self::can_try_again(machine)
    }

    /// Whether the active step has another attempt, or has begun to prepare it.
    pub fn can_try_again(machine: &Machine) -> bool {
        let active = machine.active().is_some_and(|index| {
            matches!(&machine.steps[index], StepState::Active { attempt }
                if *attempt < machine.outline.steps[index].attempts)
        });
        active || machine.retrying().is_some()
    }

    /// What a live run does before it closes: it settles lost answers, gives nodes back, and tries a
    /// step again that has another attempt.
    pub fn go_on(&mut self) {
        let cordons: Vec<EffectNo> =
            self.machine.effects.values().filter(|e| e.is_cordon()).map(|e| e.intent.n).collect();
        let open = self.machine.effects.values().find(|e| e.state == EffectState::Intended);
        if let Some(n) = open.map(|effect| effect.intent.n) {
            self.doubt(n);
        }
        let closing = Closing::new(&self.machine, &self.boot.id, self.mono(), patience());
        self.close(closing.with_rules(self.rules).only(cordons).never_leave());
        if Self::can_try_again(&self.machine) {
            self.try_again();
        }
    }

    /// The active step fails, with whatever is in doubt, and is tried again.
    pub fn try_again(&mut self) {
        if let Some(active) = self.machine.active() {
            let step = self.machine.outline.steps[active].name.clone();
            self.append(ended(&step, StepOutcome::Failed));
        }
        let sample = self.sample;
        if self.again() {
            self.moves(sample.after_again());
        }
    }

    /// Closes, for this reason if the run is still open, and ends.
    pub fn end(&mut self, reason: Reason) {
        if self.machine.is_open() {
            self.append(Event::RunClosing { reason, why: None });
        }
        if self.machine.is_closing() {
            self.pass();
            let verdict = Verdict::Interrupted;
            let leftovers = self.machine.leftovers();
            let summary = serde_json::Value::Null;
            self.append(Event::RunEnded { verdict, leftovers, summary, summary_version: 1 });
        }
    }

    /// One pass over the whole run.
    pub fn pass(&mut self) {
        let closing = Closing::new(&self.machine, &self.boot.id, self.mono(), patience());
        self.close(closing.with_rules(self.rules));
    }

    /// Intends an effect, sends it, settles it; false if it did not happen.
    fn effect(&mut self, plan: &Plan) -> bool {
        let n = self.machine.next_effect();
        let object = self.world.objects.get(&plan.key).copied();
        // Preflight and the step itself refuse a node that is cordoned.
        if plan.verb == Verb::Patch && object.is_none_or(|node| node.cordon.is_some()) {
            return false;
        }
        let pinned = |of: fn(&super::world::Object) -> u64| {
            object.as_ref().filter(|_| plan.verb != Verb::Create).map(of)
        };
        let what = match plan.verb {
            Verb::Create => What::Create,
            Verb::Patch => What::Cordon,
            Verb::Evict => What::Evict,
        };
        let call = Call {
            key: plan.key,
            effect: n,
            what,
            uid: pinned(|object| object.uid),
            version: pinned(|object| object.version).filter(|_| plan.verb == Verb::Patch),
            epoch: self.epoch,
            sent: self.world.now,
            deadline: self.world.now + SEND + SETTLE,
        };
        self.append(Event::EffectIntended(Box::new(Intent {
            n,
            attempt: 1,
            step: plan.step.to_owned(),
            verb: plan.verb,
            cluster: "lab".to_owned(),
            target: plan.key.target(),
            digest: String::new(),
            precondition: Precondition {
                uid: call.uid.map(|uid| uid.to_string()),
                resource_version: call.version.map(|version| version.to_string()),
            },
            prior: None,
            mark: self.mark(n),
            send_by: self.mono().plus(Duration::from_millis(SEND)),
            undo: self.undo(plan),
        })));
        self.world.advance(self.world.now + self.world.way);
        let answer = self.send(call);
        self.world.advance(self.world.now + self.world.way);
        let settled = match answer {
            Some(Answer::Done(uid)) => {
                Settled::Applied { uid: uid.to_string(), by: Evidence::Answered }
            }
            Some(Answer::Gone | Answer::Moved | Answer::Denied) => {
                Settled::Absent { by: AbsentBy::Refused, why: None }
            }
            None => {
                self.doubt(n);
                let state = &self.machine.effects[&n].state;
                return matches!(state, EffectState::Applied { .. });
            }
        };
        let applied = matches!(settled, Settled::Applied { .. });
        self.append(Event::EffectSettled { n, settled });
        applied
    }

    /// An answer was lost: the effect is settled by looking for it.
    fn doubt(&mut self, n: EffectNo) {
        self.append(Event::EffectDoubted { n, error: "the answer was lost".to_owned() });
        let patience = Duration::from_millis(SEND + 2 * SETTLE);
        let closing = Closing::new(&self.machine, &self.boot.id, self.mono(), patience);
        self.close(closing.with_rules(self.rules).only([n]).settle_only());
    }

    /// The undo of an effect; that of a Restore comes after its sandbox.
    fn undo(&self, plan: &Plan) -> Undo {
        match (&plan.undo, plan.key) {
            (Undo::By { action, gate, .. }, Key::Restore(of)) => {
                let all = self.machine.effects.keys().copied();
                let after = all.filter(|n| self.key(*n) == Key::Sandbox(of)).collect();
                Undo::By { action: *action, gate: *gate, after }
            }
            (undo, _) => undo.clone(),
        }
    }

    fn close(&mut self, mut closing: Closing) {
        let begun = self.world.now;
        self.undone.clear();
        let mut calls = 0;
        let mut second = self.world.now / 1000;
        loop {
            if self.world.now / 1000 != second {
                (second, calls) = (self.world.now / 1000, 0);
            }
            calls += 1;
            if calls > CALLS_IN_A_SECOND || self.world.now > begun + LONGEST {
                return self.broken("closing spins".to_owned());
            }
            self.node_is_given_back(begun);
            match closing.next(&self.machine, self.mono()) {
                Todo::Append(event) => {
                    let legal = self.machine.next_seq;
                    self.append(event);
                    if self.machine.next_seq == legal {
                        return;
                    }
                }
                Todo::Sleep(until) => self.world.advance(self.boot.zero + until.0),
                Todo::Finished => return,
                Todo::Ask(asks) => {
                    let asked = self.mono();
                    self.world.advance(self.world.now + self.world.way);
                    let heard: Vec<Heard> = asks.iter().map(|ask| self.ask(ask)).collect();
                    self.world.advance(self.world.now + self.world.way);
                    for (ask, heard) in asks.iter().zip(heard) {
                        closing.heard(ask, heard, asked, self.mono());
                    }
                }
            }
        }
    }

    /// A node waits for nobody: it is uncordoned within 1.5 s of reaching the cluster.
    fn node_is_given_back(&mut self, begun: u64) {
        let from = if self.world.cut.has(begun) { self.world.cut.until } else { begun };
        let ours = self
            .world
            .objects
            .get(&Key::Node)
            .is_some_and(|node| node.cordon == Some(Maker::Us) && node.stripped.is_none());
        let late = self.world.now > from.saturating_add(1500 + 6 * self.world.way);
        if self.machine.is_closing() && ours && late && !self.told_late {
            self.told_late = true;
            self.broken("the node waited for something else".to_owned());
        }
    }

    fn key(&self, n: EffectNo) -> Key {
        Key::of(&self.machine.effects[&n].intent.target)
    }

    fn mark(&self, effect: u32) -> Mark {
        Mark { instance: INSTANCE.to_owned(), run: RUN.to_owned(), effect, epoch: self.epoch }
    }

    fn ask(&mut self, ask: &Ask) -> Heard {
        let n = ask.effect();
        let key = self.key(n);
        let (what, pin) = match ask {
            Ask::Look(_) if self.world.cut.has(self.world.now) => {
                return Heard::Lost("connection refused".to_owned());
            }
            Ask::Look(_) => return self.look(key),
            Ask::Bump(_, pin) => (What::Bump, pin),
            Ask::Send(_, Request::Delete(pin)) => {
                self.comes_in_order(n, pin.resource_version.is_some());
                (What::Delete, pin)
            }
            Ask::Send(_, Request::Uncordon(pin)) => (What::Uncordon, pin),
            Ask::Send(_, Request::Strip(pin)) => (What::Strip, pin),
        };
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let call = Call {
            key,
            effect: n,
            what,
            uid: number(&pin.uid),
            version: number(&pin.resource_version),
            epoch: self.epoch,
            sent: self.world.now,
            deadline: self.world.now + SETTLE,
        };
        match self.send(call) {
            None => Heard::Lost("time-out".to_owned()),
            Some(Answer::Done(_)) => Heard::Done,
            Some(Answer::Gone) => Heard::Gone,
            Some(Answer::Moved) => Heard::Moved,
            Some(Answer::Denied) => Heard::Refused("denied".to_owned()),
        }
    }

    /// The Lease goes last, and a Restore that Velero has seen goes after its sandbox.
    fn comes_in_order(&mut self, n: EffectNo, pinned: bool) {
        let key = self.key(n);
        let picked_up = self.world.objects.get(&key).is_some_and(|object| object.picked_up);
        let first = self.machine.effects.values().find(|other| match key {
            Key::Lease => other.intent.n != n && !other.is_final(),
            Key::Restore(_) => picked_up && !pinned && other.is_sandbox() && !other.is_final(),
            _ => false,
        });
        if let Some(first) = first.map(|effect| effect.intent.target.to_string()) {
            self.broken(format!("{} was deleted before {first}", key.target()));
        }
    }

    fn look(&self, key: Key) -> Heard {
        let Some(object) = self.world.objects.get(&key) else { return Heard::Missing };
        Heard::Object(Facts {
            uid: object.uid.to_string(),
            resource_version: object.version.to_string(),
            mark: object.mark.map(|effect| self.mark(effect)),
            terminating: object.gone_at.is_some(),
            unschedulable: object.cordon.is_some(),
            bit_owners: match object.cordon {
                Some(Maker::Us) => vec![crate::mark::FIELD_MANAGER.to_owned()],
                _ => vec!["kubectl".to_owned()],
            },
            managed: true,
            foreign: None,
            fence: object.fence,
            restore: matches!(key, Key::Restore(_))
                .then_some(RestoreFacts { picked_up: object.picked_up, terminal: object.terminal }),
        })
    }
}
