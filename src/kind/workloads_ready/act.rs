//! The act of `workloadsReady`: watches that stand since T0, and a window that is read from them.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::Pod,
    },
};
use kube::{Api, Resource, ResourceExt, runtime::watcher};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::{
    decide::{Readiness, Seen as Shown, Watched},
    spec::Spec,
};
use crate::{
    clock::Mono,
    run::{
        event::What,
        step::{Running, StepEnd},
    },
    supervise::{Task, TaskKind, spawn},
    world::{
        access::Need,
        kube::Cluster,
        watch::{Seen, watch},
    },
};

/// What our account must be allowed to.
pub const NEEDS: &[Need] = &[
    Need::cluster("list", "", "pods"),
    Need::cluster("watch", "", "pods"),
    Need::cluster("list", "apps", "deployments"),
    Need::cluster("watch", "apps", "deployments"),
    Need::cluster("list", "apps", "statefulsets"),
    Need::cluster("watch", "apps", "statefulsets"),
];

/// How far the watch of workloads may lie behind the watch of the Restore before an empty sandbox
/// counts as empty.
const LAG: Duration = Duration::from_secs(3);

/// Readiness, followed since before T0.
pub struct Armed {
    readiness: Mutex<Readiness>,
    changed: Notify,
    tasks: Mutex<Vec<Task<()>>>,
}

impl Armed {
    /// Starts the watches and waits until each has its first list.
    ///
    /// # Errors
    /// If one has none in time.
    pub async fn start(
        run: &Running,
        cluster: &Cluster,
        namespaces: Vec<String>,
    ) -> Result<Arc<Self>, String> {
        let armed = Arc::new(Self {
            readiness: Mutex::new(Readiness::new(namespaces.iter().cloned())),
            changed: Notify::new(),
            tasks: Mutex::new(Vec::new()),
        });
        let mut tasks = Vec::new();
        let mut firsts = Vec::new();
        for namespace in &namespaces {
            let (first, task) =
                armed.follow::<Deployment>(run, cluster, namespace, Watched::Deployment);
            firsts.push(first);
            tasks.push(task);
            let (first, task) =
                armed.follow::<StatefulSet>(run, cluster, namespace, Watched::StatefulSet);
            firsts.push(first);
            tasks.push(task);
            let (first, task) = armed.follow::<Pod>(run, cluster, namespace, Watched::Pod);
            firsts.push(first);
            tasks.push(task);
        }
        *armed.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        let all = futures::future::join_all(firsts.iter().map(|first| first.notified()));
        match tokio::time::timeout(cluster.timeout, all).await {
            Ok(_) => Ok(armed),
            Err(_) => Err("workloads cannot be watched: no list came in time".to_owned()),
        }
    }

    fn follow<K>(
        self: &Arc<Self>,
        run: &Running,
        cluster: &Cluster,
        namespace: &str,
        kind: Watched,
    ) -> (Arc<Notify>, Task<()>)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static
            + Show,
    {
        let api: Api<K> = Api::namespaced(cluster.client(), namespace);
        let mut stream = watch(api, watcher::Config::default(), run.clock().clone());
        let first = Arc::new(Notify::new());
        let told = Arc::clone(&first);
        let armed = Arc::downgrade(self);
        let namespace = namespace.to_owned();
        let detail = format!("{} {namespace}", K::plural(&()));
        let follow = async move {
            let mut listing: Option<Vec<Shown>> = None;
            let mut blind: Option<Mono> = None;
            while let Some((at, seen)) = stream.next().await {
                let Some(armed) = armed.upgrade() else { return };
                let mut readiness = armed.readiness.lock().unwrap_or_else(PoisonError::into_inner);
                match seen {
                    Seen::Restart => listing = Some(Vec::new()),
                    Seen::Apply(object) => match &mut listing {
                        Some(list) => list.push(K::show(object)),
                        None => readiness.apply(K::show(object), at),
                    },
                    Seen::Delete(object) => {
                        let name = object.name_any();
                        readiness
                            .apply(Shown::Gone { kind, namespace: namespace.clone(), name }, at);
                    }
                    Seen::Complete => {
                        let objects = listing.take().unwrap_or_default();
                        readiness.listed(kind, &namespace, objects, blind.take(), at);
                        told.notify_one();
                    }
                    Seen::Gap { from, .. } => blind = Some(blind.map_or(from, |b| b.min(from))),
                }
                drop(readiness);
                armed.changed.notify_waiters();
            }
        };
        let token = run.lever.token().child_token();
        (first, spawn(TaskKind::Watch, &detail, token, follow))
    }

    fn with<R>(&self, look: impl FnOnce(&Readiness) -> R) -> R {
        look(&self.readiness.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An object of a watch, as readiness sees it.
pub trait Show {
    /// Wraps it.
    fn show(object: Box<Self>) -> Shown;
}

impl Show for Deployment {
    fn show(object: Box<Self>) -> Shown {
        Shown::Deployment(object)
    }
}

impl Show for StatefulSet {
    fn show(object: Box<Self>) -> Shown {
        Shown::StatefulSet(object)
    }
}

impl Show for Pod {
    fn show(object: Box<Self>) -> Shown {
        Shown::Pod(object)
    }
}

/// Carries the step out: reads the window from watches that stand since T0.
pub async fn act(run: &Running, step: &str, spec: &Spec) -> StepEnd {
    let Some(armed) = run.share(|shared| shared.armed.get(step).cloned()) else {
        return StepEnd::failed(format!("step {} made no sandbox to watch", spec.within));
    };
    // A window counts from the end of the restore on: before it, half of the shop may be all.
    let Some(restored) = run.share(|shared| shared.restored.get(&spec.within).copied()) else {
        return StepEnd::failed(format!("step {} restored nothing", spec.within));
    };
    let began = run.clock().mono();
    loop {
        let changed = armed.changed.notified();
        let now = run.clock().mono();
        if armed.with(Readiness::nothing_to_be_ready) && now.since(restored) > LAG {
            return StepEnd::failed("the restore brought back nothing that could be ready");
        }
        if let Some(window) = armed.with(|r| r.window(restored, spec.stable_for, now)) {
            let scheduled = armed.with(|r| r.scheduled(window.upper));
            if let Some(at) = scheduled {
                let what = What::Phase("scheduled".to_owned());
                let lower = (at.lower < at.upper).then_some(at.lower);
                run.observe_with(step, what, at.upper, lower, None).await;
            }
            let lower = (window.lower < window.upper).then_some(window.lower);
            run.observe_with(step, What::Recovered, window.upper, lower, None).await;
            return StepEnd::passed().with("watchedMillis", crate::clock::millis(now.since(began)));
        }
        let why = armed.with(Readiness::why_not);
        if why.is_empty() {
            run.say(format!("all is ready; waiting that it stays so for {:?}", spec.stable_for));
        } else {
            run.say(why);
        }
        tokio::select! {
            () = run.lever.token().cancelled() => return StepEnd::failed("the run is closing"),
            () = changed => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}
