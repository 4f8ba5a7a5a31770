//! Watches: objects as they change, each stamped with our own clock at receipt, and gaps named.
//!
//! kube's watcher restarts by itself; what it does not tell is how long nothing could be seen.
//! Here a break is a [`Seen::Gap`] with both ends, so that a figure measured across it gets its
//! honest bounds.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;

use crate::clock::{Clock, Mono};

/// How long a broken watch waits before it is opened again.
const REOPEN: Duration = Duration::from_millis(200);

/// One observation.
#[derive(Clone, Debug)]
pub enum Seen<K> {
    /// The object exists as it is here; also each object of the first list.
    Apply(Box<K>),
    /// The object is gone.
    Delete(Box<K>),
    /// The list is complete: objects not seen since the last [`Seen::Restart`] are gone.
    Complete,
    /// A new list begins.
    Restart,
    /// Nothing could be seen from `from` until now.
    Gap {
        /// The last instant at which the watch was known to work.
        from: Mono,
        /// Why it broke.
        why: String,
    },
}

/// A stream of observations that never ends by itself; drop it to stop.
pub fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    clock: Arc<dyn Clock>,
) -> impl Stream<Item = (Mono, Seen<K>)> + Send + Unpin
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let mut last_good = clock.mono();
    let stream = watcher::watcher(api, config).then(move |event| {
        let now = clock.mono();
        let (seen, pause) = match event {
            Ok(event) => {
                last_good = now;
                let seen = match event {
                    Event::Apply(object) | Event::InitApply(object) => {
                        Seen::Apply(Box::new(object))
                    }
                    Event::Delete(object) => Seen::Delete(Box::new(object)),
                    Event::Init => Seen::Restart,
                    Event::InitDone => Seen::Complete,
                };
                (seen, None)
            }
            Err(error) => {
                let why = super::error::chain(&error);
                (Seen::Gap { from: last_good, why }, Some(REOPEN))
            }
        };
        async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            (now, seen)
        }
    });
    Box::pin(stream)
}
