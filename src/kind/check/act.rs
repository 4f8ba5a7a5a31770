//! The act of `check`, and the checks that are asked all through a run.

use std::sync::Arc;

use super::{
    Spec,
    decide::{Streak, question},
};
use crate::{
    check::{
        HttpAt, HttpCheck,
        colour::{Colour, Lamp},
        http::ask,
    },
    drill::BackgroundCheck,
    run::{
        event::{Reason, What},
        step::{Running, StepEnd},
    },
    supervise::{Task, TaskKind, spawn},
};

/// The base URL that a check asks, from the configuration's targets.
fn base<'a>(run: &'a Running, check: &'a HttpCheck) -> Result<&'a str, String> {
    match &check.at {
        HttpAt::Url(url) => Ok(url),
        HttpAt::Target(name) => run
            .house
            .config
            .targets
            .get(name)
            .map(|target| target.url.as_str())
            .ok_or_else(|| format!("target {name} is not in the configuration")),
    }
}

/// Asks until it is answered well often enough in a row.
pub async fn act(run: &Running, step: &str, spec: &Spec) -> StepEnd {
    let base = match base(run, &spec.http) {
        Ok(base) => base.to_owned(),
        Err(why) => return StepEnd::failed(why),
    };
    run.say(question(&spec.http));
    let mut streak = Streak::new(spec.successes, run.clock().mono());
    let mut asked_times: u64 = 0;
    loop {
        let asked = run.clock().mono();
        let answer = ask(&run.http, &base, &spec.http, spec.timeout, run.clock().as_ref()).await;
        let answered = run.clock().mono();
        asked_times += 1;
        if answer.green {
            if let Some(start) = streak.good(answered) {
                let lower = (start.lower < start.upper).then_some(start.lower);
                run.observe_with(step, What::Recovered, start.upper, lower, None).await;
                return StepEnd::passed().with("asked", asked_times);
            }
        } else {
            streak.bad(asked, answer.why.unwrap_or_else(|| "no answer".to_owned()));
        }
        run.say(format!("{}: {}", question(&spec.http), streak.why_not()));
        if !run.sleep(spec.every).await {
            return StepEnd::failed("the run is closing");
        }
    }
}

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
        let base = match base(&run, &check.http) {
            Ok(base) => base.to_owned(),
            Err(why) => {
                return run.lever.pull(Reason::Check, format!("check {}: {why}", check.name));
            }
        };
        let mut lamp = Lamp::default();
        loop {
            let asked = run.clock().mono();
            let answer =
                ask(&run.http, &base, &check.http, check.timeout, run.clock().as_ref()).await;
            if let Some((colour, since)) = lamp.answer(answer.green, asked) {
                let what = match colour {
                    Colour::Green => What::Green,
                    Colour::Red => What::Red,
                };
                run.observe_with(&subject(&check), what, since, None, answer.why.clone()).await;
            }
            let now = run.clock().mono();
            if let Some(limit) = check.abort_after.filter(|limit| lamp.too_long(*limit, now)) {
                let why = format!(
                    "check {} has been red for {limit:?}: {}",
                    check.name,
                    answer.why.unwrap_or_else(|| "no answer".to_owned())
                );
                return run.lever.pull(Reason::Check, why);
            }
            // From question to question, so that slow answers do not thin the samples out.
            let next = asked.plus(check.every);
            tokio::time::sleep(next.since(run.clock().mono())).await;
        }
    })
}

/// Records that every background check was asked for the last time.
pub async fn end(run: &Running) {
    let now = run.clock().mono();
    for check in &run.drill.checks {
        run.observe(&subject(check), What::CheckEnded, now).await;
    }
}
