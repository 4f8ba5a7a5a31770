//! `timings`. PURE.

use std::time::Duration;

use crate::{
    config::Timings,
    drill::{
        decode::{At, Decoder, Object},
        problem::Code,
    },
};

/// Decodes `timings`: the order of its durations is checked too.
pub(super) fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Timings> {
    let send_timeout = object.duration(out, "sendTimeout");
    let settle = object.duration(out, "settle");
    let lease_duration = object.duration(out, "leaseDuration");
    let lease_renew = object.duration(out, "leaseRenew");
    let lease_lost = object.duration(out, "leaseLost");
    let velero_accept = object.duration(out, "veleroAccept");
    let stop_budget = object.duration(out, "stopBudget");
    let mut shorter = |short: &Option<_>, long: &Option<_>, otherwise| {
        if let (Some(short), Some(long)) = (short, long) {
            shorter(out, object, short, long, otherwise);
        }
    };
    shorter(&send_timeout, &settle, "an absence would be believed while a write may still arrive");
    shorter(&lease_renew, &lease_lost, "the Lease would be lost between two renewals");
    shorter(
        &lease_lost,
        &lease_duration,
        "another instance could take the Lease while our run goes on",
    );
    let value = |at: Option<At<Duration>>| at.map(|at| at.value);
    Some(Timings {
        send_timeout: value(send_timeout)?,
        settle: value(settle)?,
        lease_duration: value(lease_duration)?,
        lease_renew: value(lease_renew)?,
        lease_lost: value(lease_lost)?,
        velero_accept: value(velero_accept)?,
        stop_budget: value(stop_budget)?,
    })
}

/// Notes if one duration is not shorter than another. What is not written has its default, and then
/// the problem is told at the other one.
fn shorter(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    short: &At<Duration>,
    long: &At<Duration>,
    otherwise: &str,
) {
    if short.value < long.value {
        return;
    }
    let name = |at: &At<Duration>| at.key.rsplit('.').next().unwrap_or_default().to_owned();
    let written = |at: &At<Duration>| object.entry(&name(at)).is_some();
    let told = |at: &At<Duration>| {
        let default = if written(at) { "" } else { ", the default" };
        format!("`{}` ({:?}{default})", name(at), at.value)
    };
    let at = if written(long) { long } else { short };
    let message = format!("{} must be longer than {}", told(long), told(short));
    let problem =
        out.error(Code::Conflict, &at.span, &at.key, message).help(format!("else {otherwise}"));
    if written(long) && written(short) {
        problem.also(short.span.clone(), "this one");
    }
}
