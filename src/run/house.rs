//! What a process has while it leads: configuration, journal, clock. And the lever of a run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::event::Reason;
use crate::{
    clock::Clock,
    config::Config,
    journal::Leader,
    world::{WorldError, kube::Cluster},
};

/// What a leading process has.
#[derive(Clone)]
pub struct House {
    /// The configuration.
    pub config: Arc<Config>,
    /// The journal's write side.
    pub leader: Leader,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Cancelled by the first signal.
    pub stop: CancellationToken,
}

impl House {
    /// Connects to the named clusters; those that cannot be logged in to are told apart.
    pub async fn connect(
        &self,
        names: &[String],
    ) -> (BTreeMap<String, Cluster>, Vec<(String, WorldError)>) {
        let mut connected = BTreeMap::new();
        let mut failed = Vec::new();
        for name in names {
            let Some(settings) = self.config.clusters.get(name) else {
                let why = "it is not in the configuration".to_owned();
                failed.push((name.clone(), WorldError::Login { cluster: name.clone(), why }));
                continue;
            };
            match Cluster::connect(name, settings, &self.config.timings).await {
                Ok(cluster) => {
                    connected.insert(name.clone(), cluster);
                }
                Err(error) => failed.push((name.clone(), error)),
            }
        }
        (connected, failed)
    }
}

/// Closes the forward part of a run. The first pull decides.
#[derive(Clone, Debug, Default)]
pub struct Lever {
    token: CancellationToken,
    cause: Arc<Mutex<Option<(Reason, String)>>>,
}

impl Lever {
    /// Pulls it; later pulls change nothing.
    pub fn pull(&self, reason: Reason, why: impl Into<String>) {
        let mut cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        if cause.is_none() {
            *cause = Some((reason, why.into()));
            self.token.cancel();
        }
    }

    /// Why it was pulled, if it was.
    #[must_use]
    pub fn cause(&self) -> Option<(Reason, String)> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Cancelled once it is pulled.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}
