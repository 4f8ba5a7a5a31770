//! Checks that are asked all through a run.

use std::sync::Arc;

use crate::{
    check::colour::{Colour, Lamp},
    drill::BackgroundCheck,
    run::{
        event::{Reason, What},
        step::Running,
    },
    supervise::{Task, TaskKind, spawn},
};

/// The step name that a background check's observations bear.
fn subject(check: &BackgroundCheck) -> String {
    format!("check:{}", check.name)
}

/// Starts every background check; each pulls the lever when it is red for too long.
pub fn background(run: &Arc<Running>) -> Vec<Task<()>> {
    let checks = run.drill.checks.clone();
    checks.into_iter().map(|check| one(Arc::clone(run), check)).collect()
}

fn one(run: Arc<Running>, check: BackgroundCheck) -> Task<()> {
    let token = run.lever.token().child_token();
    let detail = check.name.clone();
    spawn(TaskKind::BackgroundCheck, &detail, token, async move {
        let mut lamp = Lamp::new(check.successes);
        loop {
            let asked = run.clock().mono();
            let answer = run.asker.ask(&check.question, check.timeout).await;
            run.share(|shared| shared.last_asked.insert(check.name.clone(), asked));
            if let Some(turn) = lamp.answer(answer.green, asked) {
                let what = match turn.colour {
                    Colour::Green => What::Green,
                    Colour::Red => What::Red,
                };
                let note = answer.why.clone();
                run.observe_with(&subject(&check), what, turn.since, turn.lower, note).await;
            }
            let now = run.clock().mono();
            if let Some(limit) = check.abort_after.filter(|limit| lamp.too_long(*limit, now)) {
                let limit = crate::report::words::limit(crate::clock::millis(limit));
                let last = answer.why.unwrap_or_else(|| "the last answer was good".to_owned());
                let why = format!("check {} has been red for {limit}: {last}", check.name);
                return run.lever.pull(Reason::Check, why);
            }
            // From question to question, so that slow answers do not thin the samples out.
            let next = asked.plus(check.every);
            tokio::time::sleep(next.since(run.clock().mono())).await;
        }
    })
}

/// Records that every background check was asked for the last time. Its colour is known up to the
/// last question that was answered.
pub async fn end(run: &Running) {
    let now = run.clock().mono();
    for check in &run.drill.checks {
        let last = run.share(|shared| shared.last_asked.get(&check.name).copied());
        run.observe_with(&subject(check), What::CheckEnded, now, last, None).await;
    }
}
