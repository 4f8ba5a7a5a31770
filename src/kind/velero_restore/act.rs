//! The act of `veleroRestore`: sandbox first, then the watches, then the Restore.

mod follow;
mod plan;
mod sandboxes;

use std::{collections::BTreeMap, pin::pin, time::Duration};

use kube::{
    Api,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher,
};

pub use self::plan::{Plan, plan};
use self::{
    follow::{follow, listed},
    sandboxes::make_sandbox,
};
use super::{
    decide::{self, Order, RecoveryPoint, recovery_point, restore_body},
    spec::Spec,
};
use crate::{
    drill::StepKind,
    kind::{self, workloads_ready::act::Armed},
    mark::{Mark, RUN},
    run::{
        effect::{EffectError, Outcome, Wish},
        event::{EffectNo, Precondition, Severity, Target, Undo, UndoAction, Verb, What},
        step::{Running, StepEnd},
    },
    world::{access::Need, kube::Cluster, watch::watch},
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
    run.asker.sandbox(step, mapping.clone());
    kind::check::act::arm(run, step);
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
