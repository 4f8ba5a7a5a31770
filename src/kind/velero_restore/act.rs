//! The act of `veleroRestore`: sandbox first, then the watches, then the Restore.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher,
};
use serde_json::Value;

use super::{
    choose::{choose, judge_location, location_of},
    decide::{
        self, Order, RecoveryPoint, Standing, judge, not_accepted, picked_up, recovery_point,
        restore_body,
    },
    object::{Backup, Location, Restore},
    spec::Spec,
};
use crate::{
    clock::Mono,
    drill::StepKind,
    kind::workloads_ready::act::Armed,
    mark::{Mark, RUN},
    run::{
        effect::{EffectError, Outcome, Wish},
        event::{EffectNo, Gate, Precondition, Severity, Target, Undo, UndoAction, Verb, What},
        step::{Running, StepEnd},
    },
    sandbox,
    world::{
        access::Need,
        kube::Cluster,
        watch::{Seen, watch},
    },
};

/// What our account must be allowed to.
pub const NEEDS: &[Need] = &[
    Need::velero("list", "backups"),
    Need::velero("list", "backupstoragelocations"),
    Need::velero("create", "restores"),
    Need::velero("get", "restores"),
    // Also to find those that an earlier run left.
    Need::velero("list", "restores"),
    Need::velero("watch", "restores"),
    Need::velero("delete", "restores"),
    Need::cluster("create", "", "namespaces"),
    Need::cluster("get", "", "namespaces"),
    Need::cluster("delete", "", "namespaces"),
    Need::cluster("create", "networking.k8s.io", "networkpolicies"),
    // To find out what became of a create whose answer was lost.
    Need::cluster("get", "networking.k8s.io", "networkpolicies"),
];

/// How long Velero waits for asynchronous plugin operations, its own default.
const ITEM_OPERATION_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

/// What the step is about to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The backup that comes back.
    pub backup: Backup,
    /// What may come back.
    pub resources: Vec<String>,
    /// Pod security of the originals, where they still exist.
    pub levels: BTreeMap<String, String>,
    /// Things that a reader should know.
    pub findings: Vec<String>,
    /// One line for each effect.
    pub foreseen: Vec<String>,
}

/// Looks at the world and decides what the step will do; changes nothing.
///
/// # Errors
/// Why it must not start.
pub async fn plan(run: &Running, spec: &Spec) -> Result<Plan, Vec<String>> {
    let cluster = run.cluster().map_err(|why| vec![why])?;
    sandbox::check_sources(&spec.namespaces).map_err(|why| vec![why])?;
    let resources = sandbox::resources(&spec.also_restore, &[])
        .map_err(|refused| refused.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let now = run.clock().now().wall;
    let backups: Vec<Backup> =
        velero(cluster, "backups", Backup::parse).await.map_err(|e| vec![e])?;
    let locations: Vec<Location> =
        velero(cluster, "backupstoragelocations", Location::parse).await.map_err(|e| vec![e])?;
    let needed_until = now + run.drill.deadline + run.drill.undo_patience;
    let chosen = choose(&backups, spec, needed_until).map_err(|why| vec![why])?;
    let mut findings = chosen.findings.clone();
    let location = location_of(chosen.backup, &locations).ok_or_else(|| {
        vec![format!("the location of backup {} does not exist", chosen.backup.metadata.name)]
    })?;
    findings.extend(judge_location(location, now).map_err(|why| vec![why])?);
    let mut levels = BTreeMap::new();
    for namespace in &spec.namespaces {
        let found =
            cluster.get(&namespace_target(namespace)).await.map_err(|e| vec![e.to_string()])?;
        let level = found.as_ref().and_then(|ns| {
            ns.pointer("/metadata/labels/pod-security.kubernetes.io~1enforce")?.as_str()
        });
        if let Some(level) = level {
            levels.insert(namespace.clone(), level.to_owned());
        }
    }
    let mut foreseen: Vec<String> = spec
        .namespaces
        .iter()
        .flat_map(|ns| {
            [
                format!("create a sandbox namespace for {ns}; deleted at the end"),
                format!("create a deny-all NetworkPolicy in the sandbox of {ns}; goes with it"),
            ]
        })
        .collect();
    foreseen.push(format!(
        "create a Velero Restore of backup {}; deleted at the end",
        chosen.backup.metadata.name
    ));
    Ok(Plan { backup: chosen.backup.clone(), resources, levels, findings, foreseen })
}

async fn velero<T>(
    cluster: &Cluster,
    plural: &str,
    parse: impl Fn(&Value) -> Result<T, super::object::Unreadable>,
) -> Result<Vec<T>, String> {
    let path = format!("/apis/velero.io/v1/namespaces/{}/{plural}", cluster.velero_namespace);
    match cluster.list(&path).await {
        Ok(items) => items.iter().map(|item| parse(item).map_err(|e| e.to_string())).collect(),
        Err(error) if error.is_not_found() => Err(format!(
            "Velero is not installed on cluster {}: the API server does not know {plural}.velero.io",
            cluster.name
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn namespace_target(name: &str) -> Target {
    Target {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        plural: "namespaces".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// Carries the step out.
///
/// # Errors
/// If an effect could not be tried.
pub async fn act(
    run: &Running,
    step: &str,
    spec: &Spec,
    plan: &Plan,
) -> Result<StepEnd, EffectError> {
    let cluster = match run.cluster() {
        Ok(cluster) => cluster,
        Err(why) => return Ok(StepEnd::failed(why)),
    };
    for finding in &plan.findings {
        run.find(Severity::Warning, "veleroRestore.backup", finding.clone(), None).await;
    }
    run.say("preparing the sandbox");
    let preparing = run.clock().mono();
    let (mapping, effects) = match make_sandbox(run, step, spec, plan, cluster).await? {
        Ok(made) => made,
        Err(why) => return Ok(StepEnd::failed(why)),
    };

    // The watches stand before T0, so that nothing that happens after it is missed.
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("velero.io", "v1", "Restore"),
        "restores",
    );
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client(), &cluster.velero_namespace, &resource);
    let config = watcher::Config::default().labels(&format!("{RUN}={}", run.record.run()));
    let mut restores = pin!(watch(api, config, run.clock().clone()));
    if let Err(why) = listed(run, &mut restores).await {
        return Ok(StepEnd::failed(why));
    }
    if let Err(why) = arm(run, step, cluster, mapping.values()).await {
        return Ok(StepEnd::failed(why));
    }
    let prepared = run.clock().mono().since(preparing);

    run.say(format!("restoring backup {}", plan.backup.metadata.name));
    let sent = run.effects.perform(restore_wish(step, cluster, plan, &mapping, effects)).await?;
    let (t0, name) = match sent {
        Outcome::Applied { n, sent, .. } => (sent, decide::restore_name(run.record.run(), n)),
        Outcome::Refused(error) => {
            return Ok(StepEnd::failed(format!("the Restore was refused: {error}")));
        }
        Outcome::Foreign { target } => {
            return Ok(StepEnd::failed(format!("{target} exists and is not ours")));
        }
        Outcome::Lost(why) => {
            return Ok(StepEnd::failed(format!("the Restore did not reach the cluster: {why}")));
        }
    };
    run.observe(step, What::T0, t0).await;
    let now = run.clock().now();
    let wall_t0 = now.wall - now.mono.since(t0);
    let point = recovery_point(&plan.backup, wall_t0, run.record.run());
    match &point {
        RecoveryPoint::Age { .. } | RecoveryPoint::NotApplicable(_) => {
            let what = What::RecoveryPoint { age_millis: point.age_millis() };
            run.observe_with(step, what, t0, None, Some(point.note().to_owned())).await;
        }
        // Not observed: an objective that has no figure is unproven, which never passes.
        RecoveryPoint::Unproven(why) => {
            run.find(Severity::Warning, "veleroRestore.recoveryPoint", why.clone(), None).await;
        }
    }

    let end = follow(run, step, &name, t0, &mut restores).await;
    Ok(end
        .with("sandboxMillis", crate::clock::millis(prepared))
        .with("backup", plan.backup.metadata.name.clone())
        .with("restore", name))
}

type Sandbox = (BTreeMap<String, String>, Vec<EffectNo>);

/// The sandbox namespaces, each closed before anything comes into it.
async fn make_sandbox(
    run: &Running,
    step: &str,
    spec: &Spec,
    plan: &Plan,
    cluster: &Cluster,
) -> Result<Result<Sandbox, String>, EffectError> {
    let mut mapping = BTreeMap::new();
    let mut effects = Vec::new();
    for source in &spec.namespaces {
        let level = plan.levels.get(source).map(String::as_str);
        let wish = Wish {
            step,
            verb: Verb::Create,
            cluster: &cluster.name,
            precondition: Precondition::default(),
            prior: None,
            undo: Undo::By {
                action: UndoAction::Delete,
                gate: Some(Gate::RestoresTerminal),
                after: Vec::new(),
            },
            make: Box::new(move |mark: &Mark| {
                let body = sandbox::namespace(mark, source, level);
                let name = sandbox::namespace_name(&mark.run, mark.effect, source);
                (namespace_target(&name), typed("v1", "Namespace", &body))
            }),
        };
        let (n, name) = match run.effects.perform(wish).await? {
            Outcome::Applied { n, .. } => (n, sandbox::namespace_name(run.record.run(), n, source)),
            other => return Ok(Err(format!("the sandbox of {source}: {}", cause(&other)))),
        };
        let sandbox_name = name.clone();
        let wish = Wish {
            step,
            verb: Verb::Create,
            cluster: &cluster.name,
            precondition: Precondition::default(),
            prior: None,
            undo: Undo::None(format!("it goes with namespace {name}")),
            make: Box::new(move |mark: &Mark| {
                let body = sandbox::closing_policy(mark, &sandbox_name);
                let target = Target {
                    group: "networking.k8s.io".to_owned(),
                    version: "v1".to_owned(),
                    kind: "NetworkPolicy".to_owned(),
                    plural: "networkpolicies".to_owned(),
                    namespace: Some(sandbox_name.clone()),
                    name: body.metadata.name.clone().unwrap_or_default(),
                };
                (target, typed("networking.k8s.io/v1", "NetworkPolicy", &body))
            }),
        };
        match run.effects.perform(wish).await? {
            Outcome::Applied { .. } => {}
            other => {
                return Ok(Err(format!(
                    "the sandbox of {source} cannot be closed: {}",
                    cause(&other)
                )));
            }
        }
        mapping.insert(source.clone(), name);
        effects.push(n);
    }
    Ok(Ok((mapping, effects)))
}

fn restore_wish<'a>(
    step: &'a str,
    cluster: &'a Cluster,
    plan: &'a Plan,
    mapping: &'a BTreeMap<String, String>,
    sandboxes: Vec<EffectNo>,
) -> Wish<'a> {
    Wish {
        step,
        verb: Verb::Create,
        cluster: &cluster.name,
        precondition: Precondition::default(),
        prior: None,
        undo: Undo::By { action: UndoAction::Delete, gate: None, after: sandboxes },
        make: Box::new(move |mark: &Mark| {
            let body = restore_body(&Order {
                mark,
                velero_namespace: &cluster.velero_namespace,
                backup: &plan.backup.metadata.name,
                mapping,
                resources: &plan.resources,
                item_operation_timeout: ITEM_OPERATION_TIMEOUT,
            });
            let target = Target {
                group: "velero.io".to_owned(),
                version: "v1".to_owned(),
                kind: "Restore".to_owned(),
                plural: "restores".to_owned(),
                namespace: Some(cluster.velero_namespace.clone()),
                name: decide::restore_name(&mark.run, mark.effect),
            };
            (target, body)
        }),
    }
}

/// Waits for the first complete list of a watch.
async fn listed<S>(run: &Running, restores: &mut S) -> Result<(), String>
where
    S: futures::Stream<Item = (Mono, Seen<DynamicObject>)> + Unpin,
{
    let first = async {
        while let Some((_, seen)) = restores.next().await {
            match seen {
                Seen::Complete => return Ok(()),
                Seen::Gap { why, .. } => return Err(format!("restores cannot be watched: {why}")),
                _ => {}
            }
        }
        Err("restores cannot be watched: the watch ended".to_owned())
    };
    match tokio::time::timeout(run.house.config.timings.send_timeout, first).await {
        Ok(result) => result,
        Err(_) => Err("restores cannot be watched: no list came in time".to_owned()),
    }
}

/// Arms the readiness watches of every later step that reads this one.
async fn arm(
    run: &Running,
    step: &str,
    cluster: &Cluster,
    namespaces: impl Iterator<Item = &String> + Clone,
) -> Result<(), String> {
    for reader in &run.drill.steps {
        let StepKind::WorkloadsReady(spec) = &reader.kind else { continue };
        if spec.within != step {
            continue;
        }
        let armed = Armed::start(run, cluster, namespaces.clone().cloned().collect()).await?;
        run.share(|shared| shared.armed.insert(reader.name.clone(), armed));
    }
    Ok(())
}

/// Follows the Restore to its end.
async fn follow<S>(run: &Running, step: &str, name: &str, t0: Mono, restores: &mut S) -> StepEnd
where
    S: futures::Stream<Item = (Mono, Seen<DynamicObject>)> + Unpin,
{
    let accept = run.house.config.timings.velero_accept;
    let mut last: Option<Restore> = None;
    let mut lower: Option<Mono> = None;
    let mut echoed = false;
    let mut queued = false;
    loop {
        let tick = tokio::time::sleep(Duration::from_millis(500));
        let seen = tokio::select! {
            () = run.lever.token().cancelled() => return StepEnd::failed("the run is closing"),
            seen = restores.next() => seen,
            () = tick => None,
        };
        let now = run.clock().mono();
        let Some((at, seen)) = seen else {
            if let Some(why) = last.as_ref().and_then(|r| not_accepted(r, t0, now, accept)) {
                return StepEnd::failed(why);
            }
            if last.is_none() && now.since(t0) > accept {
                return StepEnd::failed(format!("restore {name} was never seen by our watch"));
            }
            continue;
        };
        let object = match seen {
            Seen::Apply(object) if object.metadata.name.as_deref() == Some(name) => object,
            Seen::Delete(object) if object.metadata.name.as_deref() == Some(name) => {
                return StepEnd::failed(format!("somebody deleted restore {name}"));
            }
            Seen::Gap { from, why } => {
                lower = Some(lower.map_or(from, |l| l.min(from)));
                run.find(
                    Severity::Info,
                    "watch.gap",
                    format!("restores were out of sight: {why}"),
                    None,
                )
                .await;
                continue;
            }
            _ => continue,
        };
        if !echoed {
            echoed = true;
            let millis = crate::clock::millis(at.since(t0));
            run.observe(step, What::WatchLag { millis }, at).await;
        }
        let restore = match serde_json::to_value(&*object).map(|value| Restore::parse(&value)) {
            Ok(Ok(restore)) => restore,
            Ok(Err(error)) => return StepEnd::failed(error.to_string()),
            Err(error) => {
                return StepEnd::failed(format!("restore {name} cannot be read: {error}"));
            }
        };
        if !queued && picked_up(&restore) {
            queued = true;
            run.observe_with(step, What::Phase("queued".to_owned()), at, lower, None).await;
        }
        match judge(&restore) {
            Standing::Going { phase, .. } => {
                let items =
                    restore.status.as_ref().and_then(|s| s.progress.as_ref()).and_then(|p| {
                        Some(format!(", {} of {} items", p.items_restored?, p.total_items?))
                    });
                let phase = if phase.is_empty() { "not picked up yet".to_owned() } else { phase };
                run.say(format!("restore {name}: {phase}{}", items.unwrap_or_default()));
            }
            Standing::Passed { finding } => {
                run.observe_with(step, What::Phase("restoring".to_owned()), at, lower, None).await;
                run.observe_with(step, What::Recovered, at, lower, None).await;
                run.share(|shared| shared.restored.insert(step.to_owned(), at));
                if let Some(text) = finding {
                    run.find(Severity::Info, "veleroRestore.warnings", text, None).await;
                }
                let items = restore.status.as_ref().and_then(|s| s.progress.as_ref());
                let items = items.and_then(|progress| progress.items_restored).unwrap_or(0);
                return StepEnd::passed().with("itemsRestored", items);
            }
            Standing::Failed { why, infrastructure } => {
                let why = if infrastructure { format!("{why} (Velero broke off)") } else { why };
                return StepEnd::failed(why);
            }
        }
        last = Some(restore);
        // A gap widens only the instants that may have fallen into it.
        lower = None;
    }
}

fn cause(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(error) => error.to_string(),
        Outcome::Foreign { target } => format!("{target} exists and is not ours"),
        Outcome::Lost(why) => why.clone(),
        Outcome::Applied { .. } => String::new(),
    }
}

/// An object with its type, as a request needs it.
fn typed(api_version: &str, kind: &str, object: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    value
}
