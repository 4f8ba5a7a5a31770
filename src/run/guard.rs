//! What watches over the forward part of a run: its Leases, its deadline, the signals. Each pulls
//! the lever when it has to.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    effect::{EffectError, Outcome},
    event::Reason,
    lease,
    record::RecordError,
    step::Running,
};
use crate::{
    clock::{Mono, millis},
    halt,
    supervise::{Task, TaskKind, spawn},
};

/// Takes the Lease of every cluster of the run, and starts to renew them. The inner error closes
/// the run.
///
/// # Errors
/// If the journal does not take the intent.
pub async fn take_leases(
    running: &Arc<Running>,
) -> Result<Result<Vec<Task<()>>, (Reason, String)>, RecordError> {
    let timings = &running.house.config.timings;
    let mut renewals = Vec::new();
    for (name, cluster) in running.clusters.iter() {
        running.say(format!("taking the lease of cluster {name}"));
        match lease::take(&running.effects, name, timings).await {
            Ok(Outcome::Applied { object, .. }) => {
                let object = match object {
                    Some(object) => object,
                    // Found by a look-up: read it once more for its version.
                    None => match cluster.get(&lease::target()).await {
                        Ok(Some(object)) => object,
                        _ => {
                            return Ok(Err((
                                Reason::LeaseLost,
                                format!("the lease of cluster {name} cannot be read"),
                            )));
                        }
                    },
                };
                let renew = lease::renew(
                    cluster.clone(),
                    running.clock().clone(),
                    timings.clone(),
                    running.lever.clone(),
                    object,
                );
                let token = CancellationToken::new();
                renewals.push(spawn(TaskKind::LeaseRenewal, name, token, renew));
            }
            Ok(Outcome::Foreign { .. }) => {
                let holder = match cluster.get(&lease::target()).await {
                    Ok(Some(lease)) => lease::held_by(&lease, running.clock().now().wall),
                    _ => "another".to_owned(),
                };
                return Ok(Err((Reason::Refused, format!("cluster {name} is held by {holder}"))));
            }
            Ok(Outcome::Refused(error)) => {
                return Ok(Err((Reason::Refused, format!("the lease of cluster {name}: {error}"))));
            }
            Ok(Outcome::Lost(why)) => {
                return Ok(Err((Reason::LeaseLost, format!("the lease of cluster {name}: {why}"))));
            }
            Err(EffectError::Record(error)) => return Err(error),
            Err(error) => return Ok(Err((Reason::Refused, error.to_string()))),
        }
    }
    Ok(Ok(renewals))
}

/// Pulls the lever at the first signal.
pub fn on_signal(running: &Arc<Running>) -> Task<()> {
    let lever = running.lever.clone();
    let stop = running.house.stop.clone();
    let wait = async move {
        stop.cancelled().await;
        lever.pull(Reason::Signal, "a signal asked firedrill to stop");
    };
    spawn(TaskKind::Signals, "", running.lever.token().child_token(), wait)
}

/// Pulls the run's lever when the halt file appears.
pub fn on_halt(running: &Arc<Running>) -> Task<()> {
    let lever = running.lever.clone();
    let file = running.house.config.halt_file.clone();
    let wait = async move {
        let why = halt::wait(file).await;
        lever.pull(Reason::Halt, why);
    };
    spawn(TaskKind::HaltFile, "", running.lever.token().child_token(), wait)
}

/// Pulls the lever when the deadline is over, and says what was waited for.
pub fn on_deadline(running: &Arc<Running>, deadline: Mono) -> Task<()> {
    let held = Arc::clone(running);
    let wait = async move {
        loop {
            let left = deadline.since(held.clock().mono());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
        let why = format!(
            "the deadline of {} is over; {}",
            crate::report::words::duration(millis(held.drill.deadline)),
            held.waiting()
        );
        held.lever.pull(Reason::Deadline, why);
    };
    spawn(TaskKind::Deadline, "", running.lever.token().child_token(), wait)
}
