//! The Lease `firedrill` in a cluster: one run with effects at a time, across all journals.
//!
//! Taking it is an effect like any other (it is deleted last). Renewing it is not: it stands in
//! the table of exceptions, because a renewal that is lost changes nothing but the clock of the
//! others.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    effect::{EffectError, Effects, Outcome, Wish},
    event::{Gate, Precondition, RUN_STEP, Reason, Target, Undo, UndoAction, Verb},
    house::Lever,
};
use crate::{
    clock::{Clock, Mono, millis},
    config::Timings,
    mark::{LEASE, Mark, NAMESPACE},
    report::words,
    world::{
        WorldError,
        kube::{Cluster, Write, path},
    },
};

/// The Lease as a target.
#[must_use]
pub fn target() -> Target {
    Target {
        group: "coordination.k8s.io".to_owned(),
        version: "v1".to_owned(),
        kind: "Lease".to_owned(),
        plural: "leases".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: LEASE.to_owned(),
    }
}

/// Who holds the Lease, how old it is, and what to do about it, in words. PURE.
#[must_use]
pub fn held_by(lease: &Value, now: Timestamp) -> String {
    let holder = lease.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or("nobody");
    let renewed = lease.pointer("/spec/renewTime").and_then(Value::as_str);
    let age =
        renewed.and_then(|text| text.parse::<Timestamp>().ok()).map(|at| now.duration_since(at));
    let Some(age) = age else { return holder.to_owned() };
    let lasts = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64).unwrap_or(0);
    let ago = words::duration(millis(age.unsigned_abs()) / 1000 * 1000);
    if age.as_secs() <= lasts {
        return format!("{holder}, which renewed its lease {ago} ago: wait until it has ended");
    }
    let instance = holder.split('/').next().unwrap_or(holder);
    format!(
        "{holder}, which renewed its lease {ago} ago: if it is gone for good, `firedrill undo \
         --instance {instance}` settles what it left"
    )
}

/// Takes the Lease of `cluster` for the run; the answer's object is what [`renew`] goes on with.
///
/// # Errors
/// If it could not be tried.
pub async fn take(
    effects: &Effects,
    cluster: &str,
    timings: &Timings,
) -> Result<Outcome, EffectError> {
    let now = effects.record.clock().now().wall;
    let seconds = timings.lease_duration.as_secs();
    effects
        .perform(Wish {
            step: RUN_STEP,
            verb: Verb::Create,
            cluster,
            precondition: Precondition::default(),
            prior: None,
            undo: Undo::By {
                action: UndoAction::Delete,
                gate: Some(Gate::Last),
                after: Vec::new(),
            },
            make: Box::new(move |mark: &Mark| {
                let body = json!({
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {
                        "name": LEASE,
                        "namespace": NAMESPACE,
                        "labels": mark.labels(),
                        "annotations": mark.annotations(None),
                    },
                    "spec": {
                        "holderIdentity": format!("{}/{}", mark.instance, mark.run),
                        "leaseDurationSeconds": seconds,
                        "acquireTime": micro(now),
                        "renewTime": micro(now),
                    },
                });
                (target(), body)
            }),
        })
        .await
}

/// Renews the Lease until the lever is pulled, and pulls it when the Lease is lost: taken by
/// another, or unrenewed for too long on our own clock.
pub async fn renew(
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    timings: Timings,
    lever: Lever,
    mut lease: Value,
) {
    let uid = lease.pointer("/metadata/uid").cloned();
    let mut renewed: Mono = clock.mono();
    let mut why = String::new();
    loop {
        // A failed renewal is tried again sooner than the next is due.
        let pause = if why.is_empty() { timings.lease_renew } else { timings.lease_renew / 5 };
        tokio::time::sleep(pause.max(Duration::from_millis(200))).await;
        match renewal(&cluster, &lease, clock.now().wall, timings.lease_renew).await {
            Ok(next) if next.pointer("/metadata/uid").cloned() == uid => {
                lease = next;
                renewed = clock.mono();
                why.clear();
            }
            Ok(_) => return lever.pull(Reason::LeaseLost, lost(&cluster, "it was made anew")),
            Err(error) if error.is_not_found() => {
                return lever.pull(Reason::LeaseLost, lost(&cluster, "somebody deleted it"));
            }
            Err(error) => {
                tracing::warn!(cluster = cluster.name, %error, "the lease could not be renewed");
                why = error.to_string();
            }
        }
        if clock.mono().since(renewed) >= timings.lease_lost {
            return lever.pull(Reason::LeaseLost, lost(&cluster, &why));
        }
    }
}

fn lost(cluster: &Cluster, why: &str) -> String {
    format!("the lease of cluster {} is lost: {why}", cluster.name)
}

/// One renewal, pinned to the version that we saw last; after a conflict the version is read
/// anew, and only if the holder is still us.
async fn renewal(
    cluster: &Cluster,
    lease: &Value,
    now: Timestamp,
    timeout: Duration,
) -> Result<Value, WorldError> {
    let mut next = lease.clone();
    next["spec"]["renewTime"] = json!(micro(now));
    let url = path(&target());
    let timeout = timeout.min(cluster.timeout);
    match cluster.send_write(Write::Replace, &url, &next, timeout).await {
        Err(error) if error.code() == Some(409) => {
            let found = cluster.get(&target()).await?;
            match found {
                Some(found)
                    if found.pointer("/spec/holderIdentity")
                        == lease.pointer("/spec/holderIdentity") =>
                {
                    Ok(found)
                }
                _ => Err(error),
            }
        }
        other => other,
    }
}

/// Kubernetes' MicroTime: RFC 3339 with exactly six decimals.
fn micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_says_whose_it_is_how_old_and_what_to_do() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
        let held = |renewed: &str| {
            let spec = json!({
                "holderIdentity": "berlin/r", "leaseDurationSeconds": 60, "renewTime": renewed,
            });
            held_by(&json!({"spec": spec}), now)
        };
        assert_eq!(
            held("2026-11-24T11:59:49.500000Z"),
            "berlin/r, which renewed its lease 10.0s ago: wait until it has ended"
        );
        assert_eq!(
            held("2026-11-24T09:00:00.000000Z"),
            "berlin/r, which renewed its lease 3h 00m ago: if it is gone for good, `firedrill undo \
             --instance berlin` settles what it left"
        );
        assert_eq!(held("never"), "berlin/r");
        assert_eq!(held_by(&json!({}), now), "nobody");
    }
}
