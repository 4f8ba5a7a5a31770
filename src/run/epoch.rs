//! The epoch in a cluster: a number that only grows, so that a late write of a dead leader fails.
//!
//! The ConfigMap `firedrill-epoch` is the parameter of config/rbac's ValidatingAdmissionPolicy:
//! once it holds our epoch, creates and patches that carry an older one are denied. It stands in
//! the table of exceptions to "only run/effect.rs writes": owner = the leader, undo = none (it
//! only grows), sweep = none.

use serde_json::json;

use crate::{
    journal::{JournalError, Leader},
    mark::{EPOCHS, NAMESPACE},
    run::event::Target,
    world::{
        WorldError,
        kube::{Cluster, Write, collection, path},
    },
};

/// Conflicts that are tried again: each means that another leader moved the ConfigMap.
const ATTEMPTS: u32 = 5;

/// Why the epoch could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The cluster.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Makes `cluster` know our epoch, raising ours first if the cluster has seen a newer one (the
/// journal was lost, or restored from a copy).
///
/// # Errors
/// If the cluster or the journal does not take it.
pub async fn raise(cluster: &Cluster, leader: &Leader, instance: &str) -> Result<u64, EpochError> {
    let target = target();
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let found = cluster.get(&target).await?;
        let known: u64 = found
            .as_ref()
            .and_then(|map| map.get("data")?.get(instance)?.as_str()?.parse().ok())
            .unwrap_or(0);
        // The same number, and not from us: a leader whose journal is lost had it, and what it sent
        // may still be on its way.
        let same = known > 0 && known == leader.epoch() && !leader.has_told(&cluster.name);
        if known > leader.epoch() || same {
            leader.raise_epoch(known).await?;
        }
        let ours = leader.epoch();
        if known == ours {
            return Ok(ours);
        }
        let sent = match found {
            Some(mut map) => {
                map["data"][instance] = json!(ours.to_string());
                cluster.send_write(Write::Replace, &path(&target), &map, cluster.timeout).await
            }
            None => {
                let map = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": EPOCHS, "namespace": NAMESPACE},
                    "data": {instance: ours.to_string()},
                });
                cluster.send_write(Write::Create, &collection(&target), &map, cluster.timeout).await
            }
        };
        match sent {
            Ok(_) => {
                leader.tell(&cluster.name);
                return Ok(ours);
            }
            Err(error) if error.code() == Some(409) => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    let why = last.map_or_else(String::new, |error: WorldError| error.to_string());
    Err(WorldError::Nonsense { cluster: cluster.name.clone(), why }.into())
}

fn target() -> Target {
    Target {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: EPOCHS.to_owned(),
    }
}
