//! The loop of a drain: evict what may go now, watch, measure, until all has recovered.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::watches::View;
use crate::{
    clock::{Mono, millis},
    kind::drain_nodes::{
        Spec,
        answer::{self, Answer},
        budget::Turn,
        pods,
        recovery::{Fleet, Recovery},
    },
    mark::Mark,
    run::{
        effect::{EffectError, Outcome, Wish},
        event::{Precondition, Severity, Target, Undo, Verb, What},
        step::{Running, StepEnd},
    },
    world::{WorldError, kube::Cluster},
};

/// Evictions under way at once: acceptance takes milliseconds, so a few keep the server busy.
const AT_ONCE: usize = 16;
/// A refused eviction is asked again after this, if no watch woke us before.
const AGAIN: Duration = Duration::from_secs(2);
/// An accepted eviction that no budget status ever accounts for stops counting after this.
const FORGET: Duration = Duration::from_secs(10);

/// What a pod waits for.
#[derive(Default)]
struct Queue {
    /// Not to be asked before.
    not_before: BTreeMap<String, Mono>,
    /// Sent and not answered.
    flying: BTreeMap<String, Mono>,
    /// Accepted at.
    accepted: BTreeMap<String, Mono>,
}

/// Drains the nodes of `view`, and ends when every workload has recovered.
///
/// # Errors
/// If an effect could not be tried.
pub async fn drain(
    run: &Running,
    step: &str,
    spec: &Spec,
    cluster: &Cluster,
    mut view: View,
) -> Result<StepEnd, EffectError> {
    let mut queue = Queue::default();
    let mut answers = FuturesUnordered::new();
    let mut landed = VecDeque::new();
    let mut told_t0 = false;
    let failed = 'drain: loop {
        while let Some((outcome, pod)) = landed.pop_front() {
            if let Some(why) = heard(run, &mut view, &mut queue, &pod, outcome?) {
                break 'drain Some(why);
            }
        }
        let now = run.clock().mono();
        if let Some(why) = view.interference.clone() {
            let find = run.find(Severity::Warning, "drainNodes.interference", why.clone(), None);
            beside(&mut answers, &mut landed, find).await;
            break Some(why);
        }
        let (sendable, waits) = due(&mut view, &mut queue, now, answers.len());
        if let Some(why) = waits.blocked {
            break Some(why);
        }
        for pod in sendable {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            queue.flying.insert(uid, now);
            answers.push(async move { (evict(run, step, cluster, &pod).await, pod) });
        }
        if let Some(recovery) = &view.recovery {
            if !told_t0 && let Some(t0) = recovery.t0() {
                told_t0 = true;
                beside(&mut answers, &mut landed, run.observe(step, What::T0, t0)).await;
            }
            let busy =
                !answers.is_empty() || !landed.is_empty() || view.evictable().next().is_some();
            if !busy && recovery.waiting_for().is_empty() {
                match recovery.fleet(spec.stable_for, now) {
                    Fleet::Recovered(_) | Fleet::NotApplicable => break None,
                    Fleet::NotRecovered(why) => run.say(why.join("; ")),
                }
            } else {
                run.say(waits.sentence.unwrap_or_else(|| {
                    format!("{} to evict, {} leaving", view.evictable().count(), view.leaving())
                }));
            }
        }
        if !landed.is_empty() {
            continue;
        }
        tokio::select! {
            () = run.lever.token().cancelled() => break Some("the run is closing".to_owned()),
            Some(answer) = answers.next(), if !answers.is_empty() => landed.push_back(answer),
            () = view.step() => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    };
    Ok(beside(&mut answers, &mut landed, ended(run, step, &view, spec, failed)).await)
}

/// Awaits `act` while the evictions under way go on. They append to the same record: one that is
/// next in turn there and is not polled would hold up every other append, this one first.
async fn beside<F: Future, T>(
    answers: &mut FuturesUnordered<F>,
    landed: &mut VecDeque<F::Output>,
    act: impl Future<Output = T>,
) -> T {
    tokio::pin!(act);
    loop {
        tokio::select! {
            done = &mut act => return done,
            Some(answer) = answers.next(), if !answers.is_empty() => landed.push_back(answer),
        }
    }
}

#[derive(Default)]
struct Waits {
    sentence: Option<String>,
    blocked: Option<String>,
}

/// The pods whose eviction may be sent now.
fn due(view: &mut View, queue: &mut Queue, now: Mono, under_way: usize) -> (Vec<Pod>, Waits) {
    let mut waits = Waits::default();
    let mut sendable = Vec::new();
    let candidates: Vec<Pod> = view.evictable().map(|(_, pod)| pod.clone()).collect();
    for (uid, at) in &queue.accepted {
        if now.since(*at) >= FORGET {
            view.gate.release(uid);
        }
    }
    for pod in candidates {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let early = queue.not_before.get(&uid).is_some_and(|at| now < *at);
        if early || queue.flying.contains_key(&uid) || queue.accepted.contains_key(&uid) {
            continue;
        }
        if under_way + sendable.len() >= AT_ONCE {
            break;
        }
        match view.gate.turn(&pod) {
            Turn::Go => sendable.push(pod),
            Turn::Wait(why) => waits.sentence = waits.sentence.or(Some(why)),
            Turn::Blocked(why) => waits.blocked = Some(why),
        }
    }
    (sendable, waits)
}

/// Takes an answer; the sentence if the drain cannot go on.
fn heard(
    run: &Running,
    view: &mut View,
    queue: &mut Queue,
    pod: &Pod,
    outcome: Outcome,
) -> Option<String> {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let name = pods::full_name(pod);
    let now = run.clock().mono();
    queue.flying.remove(&uid);
    let error = match outcome {
        Outcome::Applied { sent, answered, .. } => {
            queue.accepted.insert(uid.clone(), answered);
            if let Some(recovery) = &mut view.recovery {
                recovery.accepted(&uid, sent);
            }
            return None;
        }
        Outcome::Refused(error) => error,
        Outcome::Lost(_) | Outcome::Foreign { .. } => {
            view.gate.release(&uid);
            queue.not_before.insert(uid, now.plus(AGAIN));
            return None;
        }
    };
    let (code, status, after) = match &error {
        WorldError::Status { code, status, retry_after, .. } => {
            (*code, (**status).clone(), retry_after.map(|after| after.as_secs()))
        }
        _ => (0, json!({"message": error.to_string()}), None),
    };
    view.gate.release(&uid);
    match answer::read(code, &status, after) {
        Answer::Accepted | Answer::Gone(_) => {
            queue.not_before.insert(uid, now.plus(AGAIN));
            None
        }
        Answer::BudgetRefused { why, retry_after }
        | Answer::TooManyRequests { why, retry_after } => {
            run.say(format!("{name} waits: {why}"));
            let pause = retry_after.map_or(AGAIN, Duration::from_secs);
            queue.not_before.insert(uid, now.plus(pause));
            None
        }
        Answer::NamespaceTerminating(_) | Answer::Refused(_) | Answer::Unknown(_) => {
            queue.not_before.insert(uid, now.plus(AGAIN));
            None
        }
        Answer::TwoBudgets(why) => Some(format!("{name} cannot be evicted: {why}")),
        Answer::Forbidden(why) => Some(format!("{name} may not be evicted: {why}")),
    }
}

async fn evict(
    run: &Running,
    step: &str,
    cluster: &Cluster,
    pod: &Pod,
) -> Result<Outcome, EffectError> {
    let meta = &pod.metadata;
    let name = meta.name.clone().unwrap_or_default();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let uid = meta.uid.clone().unwrap_or_default();
    let pinned = uid.clone();
    run.effects
        .perform(Wish {
            step,
            verb: Verb::Evict,
            cluster: &cluster.name,
            precondition: Precondition::uid(&uid),
            prior: None,
            undo: Undo::None("an evicted pod is replaced by its controller".to_owned()),
            make: Box::new(move |mark: &Mark| {
                let body = json!({
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    // The mark lets the admission policy refuse it once a newer leader is there.
                    "metadata": {
                        "name": name,
                        "namespace": namespace,
                        "labels": mark.labels(),
                        "annotations": mark.annotations(None),
                    },
                    "deleteOptions": {"preconditions": {"uid": pinned}},
                });
                let target = Target {
                    group: String::new(),
                    version: "v1".to_owned(),
                    kind: "Pod".to_owned(),
                    plural: "pods".to_owned(),
                    namespace: Some(namespace),
                    name,
                };
                (target, body)
            }),
        })
        .await
}

/// Ends the step, with every figure that was measured.
async fn ended(
    run: &Running,
    step: &str,
    view: &View,
    spec: &Spec,
    failed: Option<String>,
) -> StepEnd {
    let now = run.clock().mono();
    let mut end = match failed {
        Some(why) => StepEnd::failed(why),
        None => StepEnd::passed(),
    };
    let Some(recovery) = &view.recovery else { return end };
    // Of all writes whose echo was seen, the slowest: a bound that one lucky event set would be
    // too narrow.
    if let Some(lag) = view.lag.max(recovery.echo().map(millis)) {
        run.observe(step, What::WatchLag { millis: lag }, now).await;
    }
    if end.failed.is_none()
        && let Fleet::Recovered(at) = recovery.fleet(spec.stable_for, now)
    {
        for (phase, ends) in recovery.phases(at.upper) {
            run.observe(step, What::Phase(phase.to_owned()), ends).await;
            if phase == "gone" {
                run.share(|shared| shared.floors.insert(step.to_owned(), ends));
            }
        }
        let lower = (at.lower < at.upper).then_some(at.lower);
        run.observe_with(step, What::Recovered, at.upper, lower, None).await;
    }
    for text in recovery.confounders() {
        run.find(Severity::Warning, "drainNodes.confounder", text, None).await;
    }
    end = end.with("workloads", workloads(recovery, now));
    if let Some(t0) = recovery.t0() {
        end = end.with("sinceFirstEvictionMillis", millis(now.since(t0)));
    }
    end
}

fn workloads(recovery: &Recovery, now: Mono) -> serde_json::Value {
    let each = recovery.workloads().filter_map(|workload| {
        let figures = recovery.figures(workload, now)?;
        Some(json!({
            "workload": workload.to_string(),
            "desired": figures.desired,
            "readyBefore": figures.ready_before,
            "minimumReady": figures.minimum_ready,
            "lostReplicaMillis": figures.lost_replica_millis,
        }))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_eviction_under_way_never_holds_up_what_is_awaited_beside_it() {
        let turn = tokio::sync::Mutex::new(());
        let mut answers = FuturesUnordered::new();
        let mut landed = VecDeque::new();
        let held = turn.lock().await;
        let eviction = async {
            let _mine = turn.lock().await;
            tokio::task::yield_now().await;
        };
        answers.push(eviction);
        // Polled once, it stands in the queue of the fair lock: it is the next to get it.
        assert!(futures::poll!(answers.next()).is_pending());
        drop(held);
        let append = async { drop(turn.lock().await) };
        let append = beside(&mut answers, &mut landed, append);
        let done = tokio::time::timeout(Duration::from_secs(5), append).await;
        assert!(done.is_ok(), "the append waits for an eviction that nobody polls");
    }
}
