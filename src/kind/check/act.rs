//! The act of `check`, and the checks that are asked all through a run.

mod background;
mod until;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::{
    background::{background, end},
    until::arm,
};
use super::{Spec, decide::Answers};
use crate::{
    check::ask::Asker,
    clock::Mono,
    run::{
        event::{Severity, What},
        step::{Running, StepEnd},
    },
    supervise::{Task, TaskKind, spawn},
};

/// A question that is asked in the background, and its answers so far.
pub struct Asked {
    answers: Mutex<Answers>,
    changed: Notify,
    task: Mutex<Option<Task<()>>>,
}

impl Asked {
    /// Begins to ask; nothing is known before `from`. It ends with the run, or when it is dropped.
    fn start(
        asker: &Arc<Asker>,
        step: &str,
        spec: &Spec,
        from: Mono,
        token: CancellationToken,
    ) -> Arc<Self> {
        let asked = Arc::new(Self {
            answers: Mutex::new(Answers::new(from)),
            changed: Notify::new(),
            task: Mutex::new(None),
        });
        let (asker, spec) = (Arc::clone(asker), spec.clone());
        let told = Arc::downgrade(&asked);
        let ask = async move {
            loop {
                let asked = asker.clock().mono();
                let answer = asker.ask(&spec.question, spec.timeout).await;
                let answered = asker.clock().mono();
                let Some(told) = told.upgrade() else { return };
                if answer.green {
                    told.answers().good(asked, answered);
                } else {
                    let why = answer.why.unwrap_or_else(|| "no answer".to_owned());
                    told.answers().bad(asked, answered, why);
                }
                told.changed.notify_waiters();
                drop(told);
                // From question to question, so that slow answers do not thin the window out.
                let next = asked.plus(spec.every);
                tokio::time::sleep(next.since(asker.clock().mono())).await;
            }
        };
        let task = spawn(TaskKind::BackgroundCheck, step, token, ask);
        *asked.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        asked
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the question was answered well often enough in a row. Where an objective's recovery
/// ends with this step, it has been asked since T0, and the step only reads the window.
pub async fn act(run: &Running, step: &str, spec: &Spec) -> StepEnd {
    if let Some(from) = spec.question.within()
        && !run.asker.has_sandbox(from)
    {
        return StepEnd::failed(format!("step {from} made no sandbox to ask in"));
    }
    run.say(spec.question.to_string());
    let armed = run.share(|shared| shared.asked.get(step).cloned());
    let began = run.clock().mono();
    // A window may have begun before this step did; how early is not known.
    let asked = armed.unwrap_or_else(|| {
        let token = run.lever.token().child_token();
        Asked::start(&run.asker, step, spec, Mono(0), token)
    });
    let floor = until::floor(run, step, spec).unwrap_or(began);
    loop {
        let changed = asked.changed.notified();
        let (window, holds, why) = {
            let answers = asked.answers();
            let window = answers.window(spec.successes, floor);
            (window, answers.holds(), answers.why_not(spec.successes))
        };
        // It passes on what is true now, not on what was.
        if let Some(start) = window.filter(|_| holds) {
            let (broke, count) = {
                let answers = asked.answers();
                (answers.broke_after(start.upper), answers.len())
            };
            if broke {
                let text = format!("{step} held, broke and held again: {}", spec.question);
                run.find(Severity::Warning, "check.broke", text, Some(why)).await;
            }
            let lower = (start.lower < start.upper).then_some(start.lower);
            run.observe_with(step, What::Recovered, start.upper, lower, None).await;
            run.share(|shared| shared.asked.remove(step));
            return StepEnd::passed().with("asked", count);
        }
        run.say(format!("{}: {why}", spec.question));
        tokio::select! {
            () = run.lever.token().cancelled() => return StepEnd::failed("the run is closing"),
            () = changed => {}
            // A notification between reading and waiting would be lost otherwise.
            () = tokio::time::sleep(std::time::Duration::from_millis(100)) => {}
        }
    }
}
