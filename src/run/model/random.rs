//! The machine against random events: whatever a journal holds, reading it does not panic, and
//! what is refused changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::{
        event::{
            AbsentBy, Entry, Event, Evidence, Finding, Gate, Intent, Precondition, RUN_STEP,
            Reason, Settled, Severity, StepOutcome, Trigger, Undo, UndoAction, UndoOutcome, Verb,
            Verdict,
        },
        machine::{EffectState, Machine, StepState},
    },
    world::Key,
};
use crate::{
    clock::Mono,
    drill::{Outline, StepOutline, When},
    mark::Mark,
};

/// Four random numbers, from which an event is made. Half of the events fit the machine (the next
/// effect, the next attempt), so that sequences get somewhere.
type Dice = (u8, u8, u8, bool);

fn event(machine: &Machine, (kind, a, b, fits): Dice) -> Event {
    let n = if fits && kind == 4 { machine.next_effect() } else { u32::from(a % 4) };
    let step =
        if b % 3 == 2 && fits { RUN_STEP } else { ["one", "two", "none"][usize::from(b % 3)] };
    let step = step.to_owned();
    let attempt = match (fits, machine.effects.get(&n)) {
        (true, Some(effect)) if kind == 4 => effect.intent.attempt + 1,
        (true, Some(effect)) => effect.undo_attempts + 1,
        _ => u32::from(b % 3) + u32::from(fits),
    };
    match kind {
        0 => opened(),
        1 => Event::PlanMade { foreseen: Vec::new(), refusals: Vec::new() },
        2 => {
            let next = match machine.retrying().map(|index| &machine.steps[index]) {
                Some(StepState::Retrying { attempt, .. }) => attempt + 1,
                _ => 1,
            };
            let attempt = if fits { next } else { u32::from(a % 4) };
            Event::StepStarted { step, attempt }
        }
        3 => {
            let outcome = [
                StepOutcome::Passed,
                StepOutcome::Failed,
                StepOutcome::Aborted,
                StepOutcome::Skipped,
            ][usize::from(a % 4)];
            Event::StepEnded { step, outcome, why: None, measures: BTreeMap::new() }
        }
        4 => Event::EffectIntended(Box::new(intent(n, attempt.max(1), step, a))),
        5 => Event::EffectDoubted { n, error: String::new() },
        6 => {
            let settled = match b % 3 {
                0 => Settled::Applied { uid: "1".to_owned(), by: Evidence::Found },
                1 => Settled::Absent { by: AbsentBy::Fenced, why: None },
                _ => Settled::Foreign { uid: "2".to_owned() },
            };
            Event::EffectSettled { n, settled }
        }
        7 => Event::FindingMade(Finding {
            severity: Severity::Info,
            code: String::new(),
            text: String::new(),
            evidence: None,
        }),
        8 => Event::RunClosing { reason: Reason::Halt, why: None },
        9 => Event::RunRecovered {
            process: String::new(),
            same_boot: fits,
            last_seq: machine.next_seq.wrapping_sub(u64::from(fits)),
        },
        10 => Event::UndoIntended {
            n,
            attempt,
            action: UndoAction::Delete,
            precondition: Precondition::default(),
        },
        11 => Event::UndoWaits { n, reason: String::new(), until: Mono(0) },
        12 => Event::UndoSettled { n, outcome: UndoOutcome::Undone },
        13 => Event::EffectKept { n, policy: String::new() },
        14 => Event::LeftoverNamed { n, object: String::new(), why: String::new() },
        15 => Event::LeftoverCleared { n, how: String::new() },
        _ => Event::RunEnded {
            verdict: Verdict::Aborted,
            leftovers: 0,
            summary: serde_json::Value::Null,
            summary_version: 1,
        },
    }
}

fn opened() -> Event {
    let step = |name: &str, reads: &[&str]| StepOutline {
        name: name.to_owned(),
        kind: name.to_owned(),
        when: When::Passed,
        attempts: if name == "one" { 3 } else { 1 },
        reads: reads.iter().map(|read| (*read).to_owned()).collect(),
    };
    Event::RunOpened {
        run: "run".to_owned(),
        drill: "drill".to_owned(),
        definition: String::new(),
        definition_hash: String::new(),
        outline: Box::new(Outline {
            steps: vec![step("one", &[]), step("two", &["one"])],
            ..Outline::default()
        }),
        trigger: Trigger::Hand,
        instance: "instance".to_owned(),
        clusters: vec!["lab".to_owned()],
        versions: BTreeMap::new(),
    }
}

fn intent(n: u32, attempt: u32, step: String, a: u8) -> Intent {
    let undo = match a % 4 {
        0 => Undo::None(String::new()),
        1 => Undo::Kept(String::new()),
        2 => Undo::By { action: UndoAction::Uncordon, gate: None, after: Vec::new() },
        _ => Undo::By { action: UndoAction::Delete, gate: Some(Gate::Last), after: vec![n] },
    };
    Intent {
        n,
        attempt,
        step,
        verb: Verb::Create,
        cluster: "lab".to_owned(),
        target: Key::Restore(0).target(),
        digest: String::new(),
        precondition: Precondition::default(),
        prior: None,
        mark: Mark { instance: "i".to_owned(), run: "run".to_owned(), effect: n, epoch: 1 },
        send_by: Mono(0),
        undo,
    }
}

fn entry(seq: u64, event: Event) -> Entry {
    Entry {
        stream: "run".to_owned(),
        seq,
        prev: String::new(),
        wall: jiff::Timestamp::UNIX_EPOCH,
        boot: "boot".to_owned(),
        mono: Mono(seq),
        process: String::new(),
        epoch: 1,
        event,
    }
}

fn dice() -> impl Strategy<Value = Dice> {
    // Closing and ending are rarer, or most sequences end before anything happens.
    let kinds =
        prop_oneof![20 => 1u8..8, 1 => Just(8u8), 12 => 9u8..16, 1 => Just(16u8), 1 => Just(0u8)];
    (kinds, any::<u8>(), any::<u8>(), prop::bool::weighted(0.8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_refused_changes_nothing(rolls in prop::collection::vec(dice(), 1..120)) {
        let mut machine = Machine::default();
        let mut journal = vec![entry(0, opened())];
        machine.apply(&journal[0]).expect("a run opens");
        let mut closed = false;
        for roll in rolls {
            let event = event(&machine, roll);
            let gap = u64::from(roll.1 == 255);
            let entry = entry(machine.next_seq + gap, event);
            let allowed = machine.allows(&entry.event).is_ok() && gap == 0;
            let before = format!("{machine:?}");
            if let Event::StepStarted { step, attempt } = &entry.event
                && allowed
            {
                let none_before = machine.effects.values().all(|it| it.intent.step != *step);
                prop_assert!(*attempt == 1 && none_before || machine.has_given_back(step));
                prop_assert!(*attempt <= 3 && !closed);
            }
            let applied = machine.apply(&entry).is_ok();
            prop_assert_eq!(applied, allowed);
            if !applied {
                prop_assert_eq!(&before, &format!("{machine:?}"));
                continue;
            }
            match &entry.event {
                Event::RunClosing { .. } => {
                    prop_assert!(!closed, "the first reason decides for good");
                    closed = true;
                }
                Event::EffectIntended(_) => prop_assert!(!closed, "an effect after RunClosing"),
                Event::RunEnded { .. } => {
                    prop_assert!(closed && machine.effects.values().all(|e| e.is_final()));
                }
                Event::UndoIntended { n, .. } => {
                    let undoing = matches!(machine.effects[n].state, EffectState::Undoing { .. });
                    prop_assert!(undoing);
                }
                _ => {}
            }
            journal.push(entry);
        }
        let again = Machine::replay(&journal).expect("what was accepted is accepted again");
        prop_assert_eq!(format!("{again:?}"), format!("{machine:?}"));
    }
}
