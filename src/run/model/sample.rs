//! The model's drills: what an undisturbed run intends, in order.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::event::{Event, Gate, RUN_STEP, StepOutcome, Trigger, Undo, UndoAction, Verb, What},
    world::Key,
};
use crate::{
    clock::Mono,
    drill::{Outline, StepOutline, When},
};

/// A request is never sent later than this after its intent, in milliseconds.
pub const SEND: u64 = 500;
/// The settle time, in milliseconds.
pub const SETTLE: u64 = 1500;
/// Patience of the undo, in milliseconds.
pub const PATIENCE: u64 = 10_000;

pub fn patience() -> Duration {
    Duration::from_millis(PATIENCE)
}

/// One thing that the forward part does.
#[derive(Clone, Debug)]
pub enum Move {
    /// Append this event.
    Event(Box<Event>),
    /// Intend an effect, send it, settle it.
    Effect(Plan),
    /// Let time pass.
    Pass(u64),
    /// Undo the effects on these objects while the run is open.
    Release(Vec<Key>),
    /// Give back what the failed attempt did, and begin the next.
    Again,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub step: &'static str,
    pub key: Key,
    pub verb: Verb,
    pub undo: Undo,
}

#[derive(Debug)]
pub struct Sample {
    pub name: &'static str,
    pub moves: Vec<Move>,
    /// The object of each effect of the undisturbed run.
    pub keys: Vec<Key>,
}

impl Sample {
    pub fn has(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }

    /// What the attempt that passes does, after its start.
    pub fn after_again(&self) -> &[Move] {
        let again = self.moves.iter().position(|one| matches!(one, Move::Again));
        again.map_or(&[], |at| &self.moves[at + 1..])
    }
}

pub const RUN: &str = "0199-run";
pub const INSTANCE: &str = "model";

fn sample(name: &'static str, steps: &[(&str, &[&str])], parts: Vec<Vec<Move>>) -> Sample {
    let again = parts.iter().flatten().any(|one| matches!(one, Move::Again));
    let attempts = if again { 2 } else { 1 };
    let outline = Outline {
        steps: steps
            .iter()
            .map(|(name, reads)| StepOutline {
                name: (*name).to_owned(),
                kind: (*name).to_owned(),
                when: When::Passed,
                attempts,
                reads: reads.iter().map(|read| (*read).to_owned()).collect(),
            })
            .collect(),
        undo_patience_millis: PATIENCE,
        settle_millis: SETTLE,
        ..Outline::default()
    };
    let opened = Event::RunOpened {
        run: RUN.to_owned(),
        drill: name.to_owned(),
        definition: String::new(),
        definition_hash: String::new(),
        outline: Box::new(outline),
        trigger: Trigger::Hand,
        instance: INSTANCE.to_owned(),
        clusters: vec!["lab".to_owned()],
        versions: BTreeMap::new(),
    };
    let planned = Event::PlanMade { foreseen: Vec::new(), refusals: Vec::new() };
    let mut moves = vec![happens(opened), happens(planned), lease()];
    moves.extend(parts.into_iter().flatten());
    let keys = moves
        .iter()
        .filter_map(|one| match one {
            Move::Effect(plan) => Some(plan.key),
            _ => None,
        })
        .collect();
    Sample { name, moves, keys }
}

fn happens(event: Event) -> Move {
    Move::Event(Box::new(event))
}

fn effect(step: &'static str, key: Key, verb: Verb, undo: Undo) -> Move {
    Move::Effect(Plan { step, key, verb, undo })
}

/// The shell knows what comes first: a Restore's sandbox.
fn by(action: UndoAction, gate: Option<Gate>) -> Undo {
    Undo::By { action, gate, after: Vec::new() }
}

fn lease() -> Move {
    effect(RUN_STEP, Key::Lease, Verb::Create, by(UndoAction::Delete, Some(Gate::Last)))
}

fn start(step: &str) -> Move {
    happens(Event::StepStarted { step: step.to_owned(), attempt: 1 })
}

fn end(step: &str) -> Move {
    happens(ended(step, StepOutcome::Passed))
}

/// A step is over.
pub fn ended(step: &str, outcome: StepOutcome) -> Event {
    Event::StepEnded { step: step.to_owned(), outcome, why: None, measures: BTreeMap::new() }
}

fn note(step: &str) -> Move {
    happens(Event::Observed {
        step: step.to_owned(),
        what: What::T0,
        at: Mono(0),
        lower: None,
        note: None,
    })
}

/// Sandbox (effect 1), its policy (2), the Restore (3): all of them in the step `restore`, whose
/// work ends in the middle of a Restore, so that crashes fall before, into and after it.
fn restore() -> Vec<Move> {
    let mut moves = vec![start("restore")];
    moves.extend(restores(0));
    moves.extend([
        // 600 ms: not picked up yet. 950 ms: between a look and its delete, it is.
        Move::Pass(600),
        note("restore"),
        Move::Pass(350),
        note("restore"),
        Move::Pass(1200),
        note("restore"),
    ]);
    moves
}

/// What an attempt of the step `restore` intends.
fn restores(of: u8) -> Vec<Move> {
    let gate = Some(Gate::RestoresTerminal);
    let goes_with_it = Undo::None("goes with the namespace".to_owned());
    vec![
        effect("restore", Key::Sandbox(of), Verb::Create, by(UndoAction::Delete, gate)),
        effect("restore", Key::Policy(of), Verb::Create, goes_with_it),
        effect("restore", Key::Restore(of), Verb::Create, by(UndoAction::Delete, None)),
    ]
}

fn cordon(step: &'static str) -> Move {
    effect(step, Key::Node, Verb::Patch, by(UndoAction::Uncordon, None))
}

fn evict(step: &'static str, pod: u8) -> Move {
    effect(step, Key::Pod(pod), Verb::Evict, Undo::None("its controller replaces it".to_owned()))
}

/// A restore that is released as soon as its reader has ended.
pub fn shop() -> Sample {
    let kept = Undo::Kept("the drill keeps it".to_owned());
    sample(
        "shop",
        &[("restore", &[]), ("ready", &["restore"])],
        vec![
            restore(),
            vec![
                Move::Pass(2200),
                end("restore"),
                start("ready"),
                effect("ready", Key::Kept, Verb::Create, kept),
                end("ready"),
                Move::Release(vec![Key::Sandbox(0), Key::Restore(0)]),
            ],
        ],
    )
}

/// A drained node, released while its step is active.
pub fn node() -> Sample {
    sample(
        "node",
        &[("drain", &[])],
        vec![vec![
            start("drain"),
            cordon("drain"),
            evict("drain", 0),
            evict("drain", 1),
            Move::Release(vec![Key::Node]),
            end("drain"),
        ]],
    )
}

/// A restore that is still at work while a node is cordoned; all of it is undone at the end.
pub fn both() -> Sample {
    sample(
        "both",
        &[("restore", &[]), ("drain", &[])],
        vec![
            restore(),
            vec![end("restore"), start("drain"), cordon("drain"), evict("drain", 0), end("drain")],
        ],
    )
}

/// A restore that fails while Velero is at it, is given back and tried again.
pub fn again() -> Sample {
    let mut moves = vec![start("restore")];
    moves.extend(restores(0));
    // Picked up after 1000 ms.
    moves.extend([Move::Pass(1200), happens(ended("restore", StepOutcome::Failed)), Move::Again]);
    moves.extend(restores(1));
    moves.extend([Move::Pass(4500), end("restore")]);
    sample("again", &[("restore", &[])], vec![moves])
}

/// A drain that fails, and is tried again on the same node.
pub fn node_again() -> Sample {
    sample(
        "node again",
        &[("drain", &[])],
        vec![vec![
            start("drain"),
            cordon("drain"),
            evict("drain", 0),
            happens(ended("drain", StepOutcome::Failed)),
            Move::Again,
            cordon("drain"),
            evict("drain", 1),
            Move::Release(vec![Key::Node]),
            end("drain"),
        ]],
    )
}
