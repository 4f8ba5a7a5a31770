//! Steps that fail: what is tried again, what still runs, and what never does.

use std::collections::BTreeMap;

use super::{
    super::event::{
        AbsentBy, Evidence, Gate, Intent, Settled, Target, Undo, UndoAction, UndoOutcome, Verb,
    },
    *,
};
use crate::{drill::StepOutline, mark::Mark};

fn step(name: &str, when: When, attempts: u32) -> StepOutline {
    let reads = if name == "ready" { vec!["restore".to_owned()] } else { Vec::new() };
    StepOutline { name: name.to_owned(), kind: name.to_owned(), when, attempts, reads }
}

/// A run of these steps, and its stream.
struct Run {
    machine: Machine,
    entries: Vec<Entry>,
}

impl Run {
    fn of(steps: Vec<StepOutline>) -> Self {
        let mut run = Self { machine: Machine::default(), entries: Vec::new() };
        run.push(Event::RunOpened {
            run: "run".to_owned(),
            drill: "drill".to_owned(),
            definition: String::new(),
            definition_hash: String::new(),
            outline: Box::new(Outline { steps, ..Outline::default() }),
            trigger: Trigger::Hand,
            instance: "instance".to_owned(),
            clusters: vec!["lab".to_owned()],
            versions: BTreeMap::new(),
        })
        .expect("a run opens");
        run
    }

    fn push(&mut self, event: Event) -> Result<(), Illegal> {
        let entry = Entry {
            stream: "run".to_owned(),
            seq: self.machine.next_seq,
            prev: String::new(),
            wall: jiff::Timestamp::UNIX_EPOCH,
            boot: "boot".to_owned(),
            mono: Mono(self.machine.next_seq),
            process: String::new(),
            epoch: 1,
            event,
        };
        self.machine.apply(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    fn start(&mut self, step: &str, attempt: u32) -> Result<(), Illegal> {
        self.push(Event::StepStarted { step: step.to_owned(), attempt })
    }

    fn end(&mut self, step: &str, outcome: StepOutcome, why: &str) -> Result<(), Illegal> {
        self.push(Event::StepEnded {
            step: step.to_owned(),
            outcome,
            why: Some(why.to_owned()),
            measures: BTreeMap::new(),
        })
    }

    fn intend(&mut self, n: EffectNo, step: &str, undo: Undo) -> Result<(), Illegal> {
        self.push(Event::EffectIntended(Box::new(Intent {
            n,
            attempt: 1,
            step: step.to_owned(),
            verb: Verb::Create,
            cluster: "lab".to_owned(),
            target: Target {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                plural: "namespaces".to_owned(),
                namespace: None,
                name: format!("fd-{n}"),
            },
            digest: String::new(),
            precondition: Precondition::default(),
            prior: None,
            mark: Mark {
                instance: "instance".to_owned(),
                run: "run".to_owned(),
                effect: n,
                epoch: 1,
            },
            send_by: Mono(0),
            undo,
        })))
    }

    fn settle(&mut self, n: EffectNo, settled: Settled) -> Result<(), Illegal> {
        self.push(Event::EffectSettled { n, settled })
    }

    fn undo(&mut self, n: EffectNo) -> Result<(), Illegal> {
        let (action, precondition) = (UndoAction::Delete, Precondition::default());
        self.push(Event::UndoIntended { n, attempt: 1, action, precondition })
    }

    fn undone(&mut self, n: EffectNo) -> Result<(), Illegal> {
        self.push(Event::UndoSettled { n, outcome: UndoOutcome::Undone })
    }

    fn close(&mut self, reason: Reason) -> Result<(), Illegal> {
        self.push(Event::RunClosing { reason, why: None })
    }
}

fn applied() -> Settled {
    Settled::Applied { uid: "uid".to_owned(), by: Evidence::Answered }
}

fn sandbox() -> Undo {
    let gate = Some(Gate::RestoresTerminal);
    Undo::By { action: UndoAction::Delete, gate, after: Vec::new() }
}

fn passed() -> [StepOutline; 2] {
    [step("restore", When::Passed, 3), step("ready", When::Passed, 1)]
}

use StepOutcome::{Aborted, Failed, Passed, Skipped};

#[test]
fn a_step_is_tried_again_when_nothing_of_it_is_left() -> Result<(), Illegal> {
    let mut run = Run::of(passed().into());
    assert_eq!(run.machine.next(), Next::Start(0, 1));
    run.start("restore", 1)?;
    run.intend(0, "restore", sandbox())?;
    run.settle(0, applied())?;
    run.intend(1, "restore", Undo::None("goes with it".to_owned()))?;
    run.settle(1, applied())?;
    run.intend(2, "restore", Undo::Kept("the drill keeps it".to_owned()))?;
    run.settle(2, applied())?;
    run.intend(3, "restore", sandbox())?;
    assert!(run.undo(0).is_err(), "an active step holds its sandbox");
    run.end("restore", Failed, "first")?;

    assert_eq!(run.machine.next(), Next::GiveBack(0));
    let left = |run: &Run| -> Vec<EffectNo> {
        run.machine.to_give_back("restore").map(|it| it.intent.n).collect()
    };
    assert_eq!(left(&run), [0, 3]);
    assert!(run.start("restore", 2).is_err(), "a sandbox is there");
    assert!(run.start("ready", 1).is_err(), "another step is not begun meanwhile");
    assert!(run.intend(4, "restore", sandbox()).is_err(), "no effect between two attempts");
    run.undo(0)?;
    assert!(run.start("restore", 2).is_err(), "it is being deleted");
    run.undone(0)?;
    assert_eq!(run.machine.next(), Next::GiveBack(0));
    assert!(run.start("restore", 2).is_err(), "one is in doubt");
    run.push(Event::EffectDoubted { n: 3, error: "time-out".to_owned() })?;
    assert!(run.start("restore", 2).is_err(), "one is in doubt");
    run.settle(3, Settled::Absent { by: AbsentBy::Fenced, why: None })?;

    assert_eq!(run.machine.next(), Next::Start(0, 2));
    assert!(run.start("restore", 1).is_err() && run.start("restore", 3).is_err());
    run.start("restore", 2)?;
    run.intend(4, "restore", sandbox())?;
    run.settle(4, applied())?;
    run.end("restore", Passed, "")?;
    assert_eq!(run.machine.next(), Next::Start(1, 1));
    run.start("ready", 1)?;
    run.end("ready", Passed, "")?;
    assert_eq!(run.machine.next(), Next::Close(Reason::Completed, None));
    let again = Machine::replay(&run.entries)?;
    assert_eq!(format!("{again:?}"), format!("{:?}", run.machine));
    Ok(())
}

#[test]
fn the_last_attempt_decides() -> Result<(), Illegal> {
    let mut run = Run::of(passed().into());
    for attempt in 1..=3 {
        assert_eq!(run.machine.next(), Next::Start(0, attempt));
        run.start("restore", attempt)?;
        run.end("restore", Failed, &format!("cause {attempt}"))?;
    }
    assert!(run.start("restore", 4).is_err());
    assert_eq!(run.machine.next(), Next::Skip(1));
    run.end("ready", Skipped, "")?;
    let why = "restore: cause 3 (attempt 3 of 3)".to_owned();
    assert_eq!(run.machine.next(), Next::Close(Reason::StepFailed, Some(why)));
    Ok(())
}

#[test]
fn what_cannot_be_given_back_ends_the_step() -> Result<(), Illegal> {
    let steps = vec![step("restore", When::Passed, 3), step("tell", When::Always, 1)];
    let mut run = Run::of(steps);
    run.start("restore", 1)?;
    run.intend(0, "restore", sandbox())?;
    run.settle(0, applied())?;
    run.end("restore", Failed, "first")?;
    run.undo(0)?;
    for outcome in [Passed, Aborted, Skipped] {
        assert!(run.end("restore", outcome, "").is_err(), "{outcome:?}");
    }
    run.end("restore", Failed, "first; and it stays")?;
    assert!(run.end("restore", Failed, "again").is_err(), "it is over");
    assert!(run.start("restore", 2).is_err());
    run.undone(0)?;
    assert!(run.start("restore", 2).is_err(), "it is over, even if nothing is left now");
    assert_eq!(run.machine.next(), Next::Start(1, 1), "what always runs");
    run.start("tell", 1)?;
    run.end("tell", Passed, "")?;
    let why = "restore: first; and it stays".to_owned();
    assert_eq!(run.machine.next(), Next::Close(Reason::StepFailed, Some(why)));
    Ok(())
}

#[test]
fn nothing_is_tried_again_once_the_run_closes() -> Result<(), Illegal> {
    // While the attempt is active, and in the pause after it.
    for paused in [false, true] {
        let mut run = Run::of(passed().into());
        run.start("restore", 1)?;
        if paused {
            run.end("restore", Failed, "first")?;
        }
        run.close(Reason::Halt)?;
        assert!(run.start("restore", 2).is_err() && run.start("ready", 1).is_err());
        assert!(run.end("restore", Failed, "").is_err());
        assert_eq!(run.end("restore", Aborted, "").is_ok(), !paused);
        assert!(run.start("restore", 2).is_err());
        assert_eq!(run.machine.next(), Next::Undo);
    }
    Ok(())
}

#[test]
fn after_a_crash_nothing_is_tried_again() -> Result<(), Illegal> {
    // In the pause, and in the second attempt.
    for second in [false, true] {
        let mut run = Run::of(passed().into());
        run.start("restore", 1)?;
        run.intend(0, "restore", sandbox())?;
        run.settle(0, applied())?;
        run.end("restore", Failed, "first")?;
        run.undo(0)?;
        run.undone(0)?;
        if second {
            run.start("restore", 2)?;
            run.intend(1, "restore", sandbox())?;
        }
        let last_seq = run.machine.next_seq - 1;
        let process = "another".to_owned();
        run.push(Event::RunRecovered { process, same_boot: true, last_seq })?;
        assert!(run.start("restore", 2).is_err(), "it can only close");
        run.close(Reason::Interrupted)?;
        assert!(run.start("restore", 2).is_err() && run.start("restore", 3).is_err());
        let left = run.machine.effects.values().filter(|it| !it.is_final()).count();
        assert_eq!(left, usize::from(second), "the closing has to do with the second only");
    }
    Ok(())
}

#[test]
fn what_always_runs_does_so_after_a_failure_only_or_in_its_turn() -> Result<(), Illegal> {
    let steps = || {
        vec![
            step("restore", When::Passed, 1),
            step("ready", When::Passed, 1),
            step("tell", When::Always, 2),
            step("more", When::Passed, 1),
        ]
    };
    // In its turn.
    let mut run = Run::of(steps());
    for (index, name) in ["restore", "ready", "tell", "more"].into_iter().enumerate() {
        assert_eq!(run.machine.next(), Next::Start(index, 1));
        run.start(name, 1)?;
        run.end(name, Passed, "")?;
    }
    // After a failure: itself with all its attempts, and nothing else. The first failure is the
    // cause, whatever becomes of it.
    for outcome in [Passed, Failed] {
        let mut run = Run::of(steps());
        run.start("restore", 1)?;
        run.end("restore", Failed, "the cause")?;
        assert_eq!(run.machine.next(), Next::Skip(1));
        run.end("ready", Skipped, "")?;
        assert_eq!(run.machine.next(), Next::Start(2, 1));
        run.start("tell", 1)?;
        run.end("tell", Failed, "nobody listens")?;
        assert_eq!(run.machine.next(), Next::Start(2, 2));
        run.start("tell", 2)?;
        run.end("tell", outcome, "nobody listens")?;
        assert_eq!(run.machine.next(), Next::Skip(3));
        run.end("more", Skipped, "")?;
        let why = "restore: the cause".to_owned();
        assert_eq!(run.machine.next(), Next::Close(Reason::StepFailed, Some(why)));
    }
    // On any other reason to close it does not run.
    let mut run = Run::of(steps());
    run.start("restore", 1)?;
    run.close(Reason::Deadline)?;
    assert_eq!(run.machine.next(), Next::Undo);
    assert!(run.start("tell", 1).is_err());
    Ok(())
}

#[test]
fn a_journal_from_before_there_were_attempts_is_read() {
    let old = r#"{"name": "restore", "kind": "veleroRestore", "when": "passed", "reads": []}"#;
    let step: StepOutline = serde_json::from_str(old).expect("an old outline");
    assert_eq!(step.attempts, 1);
    let new = serde_json::to_string(&step).expect("json");
    assert_eq!(serde_json::from_str::<StepOutline>(&new).expect("a new one"), step);
}
