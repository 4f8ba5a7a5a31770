//! Preflight: everything that can speak against a run, asked before anything is changed.

use std::collections::BTreeMap;

use super::{house::House, lease, step::Running};
use crate::{
    check::Question,
    config::freeze,
    drill::StepKind,
    halt, kind,
    mark::NAMESPACE,
    run::event::{Target, What},
    world::{
        WorldError,
        access::{self, Need},
        kube::Cluster,
    },
};

/// What a step is about to do.
pub enum Plan {
    /// A restore.
    Restore(Box<kind::velero_restore::act::Plan>),
    /// A drain.
    Drain(Box<kind::drain_nodes::act::Plan>),
    /// Nothing but looking.
    Look,
}

/// The plans of a run's steps, by name, and whether any of them writes.
#[derive(Default)]
pub struct Plans {
    /// By step.
    pub steps: BTreeMap<String, Plan>,
    /// One line for each effect foreseen.
    pub foreseen: Vec<String>,
    /// Why it must not start.
    pub refusals: Vec<String>,
    /// Whether the run has effects, and so takes the Lease.
    pub writes: bool,
}

/// What keeps every run on these clusters from starting, whatever the clusters say: the halt lever
/// and freezes. No cluster is asked for it.
pub async fn standing(house: &House, clusters: &[String]) -> Vec<String> {
    let config = &house.config;
    let now = house.clock.now().wall;
    let frozen = clusters.iter().flat_map(|cluster| freeze::frozen(config, cluster, now));
    let pulled = halt::pulled(&config.halt_file).await;
    pulled.into_iter().chain(frozen.map(|frozen| frozen.to_string())).collect()
}

/// Asks everything. Access reviews are the only requests that are not reads.
pub async fn plan(run: &Running) -> Plans {
    let mut plans = Plans { writes: writes(run), ..Plans::default() };
    // Half of a drill would prove nothing.
    if !run.drill.pending.is_empty() {
        plans.refusals.clone_from(&run.drill.pending);
        return plans;
    }
    for cluster in run.looked.values() {
        let asked = ask(run, cluster);
        let writes = plans.writes && run.clusters.contains_key(&cluster.name);
        if !asked && !writes {
            continue;
        }
        if let Err(why) = ready(run, cluster, writes).await {
            plans.refusals.extend(why);
        }
    }
    // What a missing right or a silent cluster means for the rest is not worth a second sentence.
    if !plans.refusals.is_empty() {
        return plans;
    }
    let guards = crate::check::guards::ask(&run.asker, &run.drill.guards);
    let (told, ()) = tokio::join!(guards, plan_steps(run, &mut plans));
    for told in told {
        let what = if told.why.is_some() { What::Red } else { What::Green };
        let subject = format!("guard:{}", told.guard);
        plans.refusals.extend(told.refusal());
        run.observe_with(&subject, what, told.asked, None, told.why).await;
    }
    plans
}

async fn plan_steps(run: &Running, plans: &mut Plans) {
    for step in &run.drill.steps {
        let planned = match &step.kind {
            StepKind::VeleroRestore(spec) => {
                kind::velero_restore::act::plan(run, spec).await.map(|plan| {
                    plans.foreseen.extend(plan.foreseen.iter().cloned());
                    Plan::Restore(Box::new(plan))
                })
            }
            StepKind::DrainNodes(spec) => {
                kind::drain_nodes::act::plan(run, spec).await.map(|plan| {
                    plans.foreseen.extend(plan.foreseen.iter().cloned());
                    Plan::Drain(Box::new(plan))
                })
            }
            StepKind::WorkloadsReady(_)
            | StepKind::Check(_)
            | StepKind::VeleroBackup(_)
            | StepKind::BackupFreshness(_)
            | StepKind::EtcdSnapshot(_) => Ok(Plan::Look),
        };
        match planned {
            Ok(plan) => {
                plans.steps.insert(step.name.clone(), plan);
            }
            Err(why) => {
                plans.refusals.extend(why.into_iter().map(|why| format!("{}: {why}", step.name)));
            }
        }
    }
}

fn writes(run: &Running) -> bool {
    run.drill
        .steps
        .iter()
        .any(|step| matches!(step.kind, StepKind::VeleroRestore(_) | StepKind::DrainNodes(_)))
}

/// Whether anything of the drill looks into this cluster.
fn ask(run: &Running, cluster: &Cluster) -> bool {
    let own = &run.drill.cluster;
    let steps = run.drill.steps.iter().any(|step| !matches!(step.kind, StepKind::Check(_)));
    (steps && cluster.name == *own)
        || run.drill.questions().any(|question| question.cluster(own) == Some(&cluster.name))
}

/// Whether the cluster answers, our account may do what the steps need, and nobody else drills.
async fn ready(run: &Running, cluster: &Cluster, writes: bool) -> Result<(), Vec<String>> {
    if let Err(error) = cluster.read("/version").await {
        return Err(vec![error.to_string()]);
    }
    let own = &run.drill.cluster;
    let mut needs: Vec<Need> = if writes { access::RUN.to_vec() } else { Vec::new() };
    for step in run.drill.steps.iter().filter(|_| cluster.name == *own) {
        needs.extend_from_slice(match &step.kind {
            StepKind::VeleroRestore(_) => kind::velero_restore::act::NEEDS,
            StepKind::WorkloadsReady(_) => kind::workloads_ready::act::NEEDS,
            StepKind::DrainNodes(_) => kind::drain_nodes::act::NEEDS,
            StepKind::Check(_)
            | StepKind::VeleroBackup(_)
            | StepKind::BackupFreshness(_)
            | StepKind::EtcdSnapshot(_) => &[],
        });
    }
    let failed = |error: WorldError| vec![error.to_string()];
    let mut missing = access::missing(cluster, &needs).await.map_err(failed)?;
    let mine = |question: &&Question| question.cluster(own) == Some(&cluster.name);
    for question in run.drill.questions().filter(mine) {
        let more = run.asker.missing_rights(question).await.map_err(failed)?;
        missing.extend(more.into_iter().filter(|why| !missing.contains(why)).collect::<Vec<_>>());
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    if !writes {
        return Ok(());
    }
    let home = Target {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        plural: "namespaces".to_owned(),
        namespace: None,
        name: NAMESPACE.to_owned(),
    };
    match cluster.get(&home).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Err(vec![format!(
                "cluster {}: namespace {NAMESPACE} is missing; apply config/rbac",
                cluster.name
            )]);
        }
        Err(error) => return Err(vec![error.to_string()]),
    }
    match cluster.get(&lease::target()).await {
        Ok(None) => Ok(()),
        Ok(Some(lease)) => Err(vec![format!(
            "cluster {} is held by {}",
            cluster.name,
            lease::held_by(&lease, run.clock().now().wall)
        )]),
        Err(error) => Err(vec![error.to_string()]),
    }
}
