//! Drills against a shop that is broken in every way that we know: each ends with the right exit
//! code, names the cause in one sentence, and leaves nothing behind.
//!
//! One run with effects at a time for each cluster: so the cases of the one lab come in turn. All
//! are tried, whatever became of those before.

#![expect(clippy::disallowed_methods, reason = "a test is not the program: it writes as an admin")]

mod common;

use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use lab::{
    Lab,
    firedrill::ConfigOptions,
    shop::{Shop, ShopOptions, pod_ready},
    velero,
    wait::until,
};
use serde_json::{Value, json};

use common::case::Case;

const LIMIT: Duration = Duration::from_secs(90);
/// The node that a drain of one node takes: the first drillable one by name.
const NODE: &str = "node-a-1";

/// Where the cases happen.
struct World {
    lab: &'static Lab,
    client: Client,
    shop: Shop,
}

/// What a case answers: a line of the table for each run.
type Rows = anyhow::Result<Vec<String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_shop_ends_a_drill_with_its_cause_and_without_a_trace() -> anyhow::Result<()> {
    let world = World::new().await?;
    let results = [
        ("budget that never allows", never(&world).await),
        ("budget that does not allow now", not_now(&world).await),
        // Here, where the node still has the pod of `web` that the budget holds: a case that drains
        // it whole leaves none there for those after it.
        ("budget that allows at the second attempt", drained_again(&world).await),
        ("more nodes than allowed", too_many_nodes(&world).await),
        ("no backup", no_backup(&world).await),
        ("check red", check_red(&world).await),
        ("SIGTERM", terminated(&world).await),
        ("halt file", halted(&world).await),
        ("deadline", deadline(&world).await),
        ("broken image", broken_image(&world).await),
        ("Velero there at the second attempt", restored_again(&world).await),
        ("Velero not there", velero_gone(&world).await),
        ("Velero stopped in mid-restore", velero_stopped(&world).await),
    ];
    println!("case                       exit  cause");
    let mut failed = Vec::new();
    for (name, rows) in results {
        match rows {
            Ok(rows) => rows.iter().for_each(|row| println!("{row}")),
            Err(error) => {
                println!("{name:<28} FAILED {error:#}");
                failed.push(name);
            }
        }
    }
    ensure!(failed.is_empty(), "failed: {failed:?}");
    Ok(())
}

/// A drill of these steps; `spec` holds further keys of its spec. JSON is YAML.
fn drill(spec: Value, steps: Value) -> String {
    let mut drill = json!({
        "apiVersion": "firedrill.dev/v1alpha1",
        "kind": "Drill",
        "metadata": {"name": "broken"},
        "spec": {"cluster": "lab", "deadline": "3m", "undoPatience": "2m", "steps": steps},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        drill["spec"][key] = value.clone();
    }
    drill.to_string()
}

fn drain(count: u32, timeout: &str) -> Value {
    json!([{
        "name": "drain",
        "timeout": timeout,
        "drainNodes": {
            "selector": "firedrill.dev/drillable=true", "count": count, "pick": "first",
            "stableFor": "2s",
        },
    }])
}

/// The restore of a shop, and readiness that has to last for `stable_for`.
fn restore(namespace: &str, stable_for: &str) -> Value {
    json!([
        {
            "name": "restore",
            "veleroRestore": {
                "backup": {"newestOf": {"schedule": format!("{namespace}-nightly")}},
                "namespaces": [namespace],
            },
        },
        {"name": "ready", "workloadsReady": {"in": "restore", "stableFor": stable_for}},
    ])
}

fn timings(set: &[(&str, &str)]) -> ConfigOptions {
    let timings = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ConfigOptions { timings: timings.collect(), ..ConfigOptions::default() }
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let lab = Lab::shared().await?;
        let options = ShopOptions { namespace: lab.unique("shop"), ..ShopOptions::default() };
        let shop = Shop::open(lab, &options).await?;
        Ok(Self { lab, client: lab.client().await?, shop })
    }

    /// Sets the budget of `web` and waits until its controller has taken it in.
    async fn budget(&self, spec: Value, allowed: i32) -> anyhow::Result<()> {
        let api: Api<PodDisruptionBudget> =
            Api::namespaced(self.client.clone(), self.shop.namespace());
        let patch = Patch::Merge(json!({"spec": spec}));
        let set = api.patch("web", &PatchParams::default(), &patch).await?;
        until(&format!("the budget allows {allowed}"), LIMIT, || async {
            let status = api.get("web").await?.status.unwrap_or_default();
            let seen = status.observed_generation >= set.metadata.generation;
            Ok(seen && status.disruptions_allowed == allowed)
        })
        .await
    }

    async fn scale(&self, replicas: u32) -> anyhow::Result<()> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), self.shop.namespace());
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch("web", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Makes a pod of `web` on another node unready, so that the budget allows no eviction.
    async fn unready_elsewhere(&self, pods: &Api<Pod>) -> anyhow::Result<String> {
        let web = pods.list(&ListParams::default().labels("app=web")).await?;
        let elsewhere = |pod: &&Pod| {
            pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_some_and(|n| n != NODE)
        };
        let unlucky = web.iter().find(elsewhere).context("no pod elsewhere")?.name_any();
        let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        pods.patch_status(&unlucky, &PatchParams::default(), &Patch::Strategic(unready)).await?;
        self.budget(json!({"maxUnavailable": 1}), 0).await?;
        Ok(unlucky)
    }

    async fn cordoned(&self) -> anyhow::Result<bool> {
        let node = Api::<Node>::all(self.client.clone()).get(NODE).await?;
        Ok(node.spec.and_then(|spec| spec.unschedulable) == Some(true))
    }

    async fn case(&self, name: &'static str) -> anyhow::Result<Case> {
        Case::begin(self.lab, name, ConfigOptions::default()).await
    }
}

async fn never(world: &World) -> Rows {
    let mut rows = Vec::new();
    let cases = [
        ("budget-max-unavailable-0", json!({"maxUnavailable": 0}), "maxUnavailable is 0"),
        (
            "budget-min-available-all",
            json!({"maxUnavailable": null, "minAvailable": "100%"}),
            "minAvailable is 100%",
        ),
    ];
    for (name, spec, cause) in cases {
        world.budget(spec, 0).await?;
        let case = world.case(name).await?;
        let ran = case.firedrill.run(&drill(json!({}), drain(1, "1m"))).await?;
        let budget = format!("budget {}/web", world.shop.namespace());
        let ended = case.end(&ran, 3, &[&budget, cause]).await?;
        ended.changed_nothing()?;
        rows.push(ended.row);
    }
    world.budget(json!({"maxUnavailable": 1, "minAvailable": null}), 1).await?;
    Ok(rows)
}

async fn not_now(world: &World) -> Rows {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), world.shop.namespace());
    let unlucky = world.unready_elsewhere(&pods).await?;
    let case = world.case("budget-allows-none-now").await?;
    let ran = case.firedrill.run(&drill(json!({}), drain(1, "6s"))).await?;
    let ended = case.end(&ran, 1, &["timeout", "budget web allows 0 now"]).await?;
    ensure!(!world.cordoned().await?, "{NODE} is cordoned");

    ensure!(!pod_ready(&pods.get(&unlucky).await?), "the pod became ready by itself");
    pods.delete(&unlucky, &DeleteParams::default()).await?;
    world.budget(json!({"maxUnavailable": 1}), 1).await?;
    world.shop.wait_ready(&[], LIMIT).await?;
    Ok(vec![ended.row])
}

async fn too_many_nodes(world: &World) -> Rows {
    let case = world.case("two-nodes-of-one").await?;
    let ran = case.firedrill.run(&drill(json!({}), drain(2, "1m"))).await?;
    // Known from the files alone: invalid input, before there is a run.
    let cause = "the step drains 2 nodes, and cluster `lab` allows 1";
    ensure!(ran.code == 2 && ran.stderr.contains(cause), "{ran}");
    ensure!(!case.firedrill.journal().exists(), "there is a run");
    let report = json!({"exitCode": 2, "why": cause});
    let ended = case.clean(report).await?;
    ended.changed_nothing()?;
    Ok(vec![ended.row])
}

/// Leaves the shop with a backup.
async fn no_backup(world: &World) -> Rows {
    let namespace = world.shop.namespace();
    let schedule = world.shop.schedule();
    let text = drill(json!({}), restore(namespace, "2s"));
    let mut rows = Vec::new();
    let case = world.case("no-backup").await?;
    let ran = case.firedrill.run(&text).await?;
    let ended = case.end(&ran, 3, &[&format!("no backup of schedule {schedule}")]).await?;
    ended.changed_nothing()?;
    rows.push(ended.row);

    // One that Velero itself refuses, and one that lost items.
    let backups = velero::api(&world.client, "Backup");
    let backup = |name: &str, location: &str| {
        json!({
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {
                "name": format!("{schedule}-{name}"),
                "namespace": velero::NAMESPACE,
                "labels": {"velero.io/schedule-name": schedule},
            },
            "spec": {"includedNamespaces": [namespace], "storageLocation": location},
        })
    };
    let refused = serde_json::from_value(backup("1", "nowhere"))?;
    let refused = backups.create(&PostParams::default(), &refused).await?.name_any();
    until("the backup is refused", LIMIT, || async {
        let phase = velero::phase(&backups.get(&refused).await?);
        Ok(phase.as_deref() == Some("FailedValidation"))
    })
    .await?;
    let mut partial = backup("2", "default");
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    partial["status"] = json!({"phase": "PartiallyFailed", "errors": 3, "startTimestamp": now});
    backups.create(&PostParams::default(), &serde_json::from_value(partial)?).await?;
    let case = world.case("no-completed-backup").await?;
    let ran = case.firedrill.run(&text).await?;
    let ended =
        case.end(&ran, 3, &[&format!("no Completed backup of schedule {schedule}")]).await?;
    ended.changed_nothing()?;
    rows.push(ended.row);
    for name in ["1", "2"] {
        let name = format!("{schedule}-{name}");
        let _ = backups.delete(&name, &DeleteParams::default()).await;
    }
    world.shop.backup().await?;
    Ok(rows)
}

async fn check_red(world: &World) -> Rows {
    let options =
        ConfigOptions { shop_url: Some(world.shop.url().to_owned()), ..ConfigOptions::default() };
    let case = Case::begin(world.lab, "check-red", options).await?;
    let check = json!({
        "name": "shop-answers", "abortAfter": "3s",
        "http": {"target": "shop", "path": "/healthz"},
    });
    let steps = restore(world.shop.namespace(), "150s");
    let mut run = case.firedrill.start(&drill(json!({"checks": [check]}), steps))?;
    run.says("ready begins", LIMIT).await?;
    world.scale(0).await?;
    let ran = run.end().await?;
    world.scale(6).await?;
    let ended = case.end(&ran, 3, &["check shop-answers has been red for 3s", "503"]).await?;
    world.shop.wait_ready(&[], LIMIT).await?;
    Ok(vec![ended.row])
}

async fn terminated(world: &World) -> Rows {
    let mut rows = Vec::new();
    // In the middle of Velero's restore, and after it.
    for (name, at) in
        [("sigterm-restoring", "restore begins"), ("sigterm-restored", "ready begins")]
    {
        let case = world.case(name).await?;
        let mut run =
            case.firedrill.start(&drill(json!({}), restore(world.shop.namespace(), "150s")))?;
        run.says(at, LIMIT).await?;
        run.terminate().await?;
        let ran = run.end().await?;
        rows.push(case.end(&ran, 3, &["a signal asked firedrill to stop"]).await?.row);
    }
    // While a node is cordoned and pods are on their way.
    let case = world.case("sigterm-draining").await?;
    let mut steps = drain(1, "3m");
    steps[0]["drainNodes"]["stableFor"] = "2m".into();
    let run = case.firedrill.start(&drill(json!({}), steps))?;
    until("the node is cordoned", LIMIT, || world.cordoned()).await?;
    run.terminate().await?;
    let ran = run.end().await?;
    rows.push(case.end(&ran, 3, &["a signal asked firedrill to stop"]).await?.row);
    ensure!(!world.cordoned().await?, "{NODE} is cordoned");
    world.shop.wait_ready(&[], LIMIT).await?;
    Ok(rows)
}

async fn halted(world: &World) -> Rows {
    let case = world.case("halt-file").await?;
    // Beside the journal, where it is looked for without the key.
    let halt = case.firedrill.journal().with_file_name("halt");
    let mut run =
        case.firedrill.start(&drill(json!({}), restore(world.shop.namespace(), "150s")))?;
    run.says("ready begins", LIMIT).await?;
    std::fs::write(&halt, "")?;
    let ran = run.end().await?;
    let ended = case.end(&ran, 3, &["the halt lever is pulled", "halt exists"]).await?;
    ensure!(ended.report["reason"] == "halt", "{:#}", ended.report);
    Ok(vec![ended.row])
}

async fn deadline(world: &World) -> Rows {
    let case = world.case("deadline").await?;
    // Shorter than the deadline, or it is refused; with the restore before it, too long.
    let steps = restore(world.shop.namespace(), "14s");
    let ran = case.firedrill.run(&drill(json!({"deadline": "15s"}), steps)).await?;
    Ok(vec![case.end(&ran, 3, &["the deadline of 15.0s is over"]).await?.row])
}

async fn broken_image(world: &World) -> Rows {
    let options = ShopOptions {
        namespace: world.lab.unique("broken"),
        replicas: 2,
        broken: vec!["web".into()],
        ..ShopOptions::default()
    };
    let shop = Shop::open(world.lab, &options).await?;
    shop.backup().await?;
    let case = world.case("broken-image").await?;
    let mut steps = restore(shop.namespace(), "2s");
    steps[1]["timeout"] = "8s".into();
    let ran = case.firedrill.run(&drill(json!({}), steps)).await?;
    let words = ["timeout", "deployment web: 0 of 2 ready", "ImagePullBackOff"];
    Ok(vec![case.end(&ran, 1, &words).await?.row])
}

async fn velero_gone(world: &World) -> Rows {
    world.lab.stop_velero();
    let case =
        Case::begin(world.lab, "velero-not-there", timings(&[("veleroAccept", "4s")])).await?;
    let ran = case.firedrill.run(&drill(json!({}), restore(world.shop.namespace(), "2s"))).await;
    world.lab.start_velero().await?;
    let words = ["Velero has not picked up restore", "is it running?"];
    Ok(vec![case.end(&ran?, 1, &words).await?.row])
}

/// The budget allows nothing at first: the node is given back, and drained when it does.
async fn drained_again(world: &World) -> Rows {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), world.shop.namespace());
    let unlucky = world.unready_elsewhere(&pods).await?;
    let case = world.case("budget-allows-later").await?;
    let mut steps = drain(1, "10s");
    steps[0]["retry"] = json!({"attempts": 3, "backoff": "8s"});
    let mut run = case.firedrill.start(&drill(json!({}), steps))?;
    run.says("drain failed, attempt 1 of 3", LIMIT).await?;
    ensure!(!world.cordoned().await?, "{NODE} is cordoned between two attempts");
    pods.delete(&unlucky, &DeleteParams::default()).await?;
    let ran = run.end().await?;
    ensure!(ran.code == 0, "{ran}");
    ensure!(!world.cordoned().await?, "{NODE} is cordoned");
    let report = case.firedrill.report().await?;
    let step = &report["steps"][0];
    ensure!(step["attempts"].as_u64() >= Some(2), "{step:#}");
    let first = &step["earlierAttempts"][0];
    let why = first["why"].as_str().unwrap_or_default();
    ensure!(first["outcome"] == "failed" && why.contains("budget web allows 0 now"), "{first:#}");
    ensure!(ran.stdout.contains("Not at the first attempt: drain"), "{ran}");
    let ended = case.clean(report).await?;
    world.budget(json!({"maxUnavailable": 1}), 1).await?;
    world.shop.wait_ready(&[], LIMIT).await?;
    Ok(vec![ended.row])
}

/// Velero is not there at first: the sandbox and the Restore are given back before the second
/// attempt makes its own.
async fn restored_again(world: &World) -> Rows {
    world.lab.stop_velero();
    let tried = second_restore(world).await;
    if tried.is_err() {
        // The next cases need it; if it runs already, that is no news.
        let _ = world.lab.start_velero().await;
    }
    Ok(vec![tried?])
}

async fn second_restore(world: &World) -> anyhow::Result<String> {
    let case =
        Case::begin(world.lab, "velero-there-later", timings(&[("veleroAccept", "10s")])).await?;
    let mut steps = restore(world.shop.namespace(), "2s");
    steps[0]["retry"] = json!({"attempts": 4, "backoff": "20s"});
    let objectives = json!([
        {"name": "rto", "recoveryTime": "10m", "from": "restore", "until": "ready"},
    ]);
    let spec = json!({"deadline": "5m", "objectives": objectives});
    let mut run = case.firedrill.start(&drill(spec, steps))?;
    run.says("restore failed, attempt 1 of 4", LIMIT).await?;
    world.lab.start_velero().await?;
    let ran = run.end().await?;
    ensure!(ran.code == 0, "{ran}");

    let report = case.firedrill.report().await?;
    let step = &report["steps"][0];
    let why = step["earlierAttempts"][0]["why"].as_str().unwrap_or_default();
    ensure!(why.contains("Velero has not picked up restore"), "{step:#}");
    let recovery = &report["recoveries"][0];
    let phases = recovery["phases"].as_array().context("phases")?;
    ensure!(phases[0]["name"] == "earlier attempts", "{recovery:#}");
    let sum: u64 = phases.iter().filter_map(|phase| phase["millis"].as_u64()).sum();
    ensure!(recovery["totalMillis"].as_u64() == Some(sum), "{recovery:#}");
    // It was not picked up for 10 s, and then there was a pause of 20 s.
    ensure!(sum >= 30_000, "the first attempt does not count: {recovery:#}");
    all_of_one_before_the_next(&case).await?;
    Ok(case.clean(report).await?.row)
}

/// As the journal tells it: at the start of each further attempt every effect of those before is
/// undone, or had nothing to undo.
async fn all_of_one_before_the_next(case: &Case) -> anyhow::Result<()> {
    let run = case.firedrill.report().await?["run"].as_str().context("an id")?.to_owned();
    let shown = case.firedrill.call(&["show", &run, "--output", "json"]).await?;
    let shown: Value = serde_json::from_slice(&shown.stdout).context("show")?;
    let mut open = std::collections::BTreeSet::new();
    let mut namespaces = 0;
    for entry in shown["entries"].as_array().context("entries")? {
        let (kind, body) = (&entry["event"]["kind"], &entry["event"]["body"]);
        match kind.as_str().unwrap_or_default() {
            "EffectIntended" if body["step"] == "restore" && body["undo"]["by"].is_object() => {
                namespaces += u32::from(body["target"]["kind"] == "Namespace");
                open.insert(body["n"].as_u64());
            }
            "UndoSettled" => {
                ensure!(body["outcome"] == "undone", "{body:#}");
                open.remove(&body["n"].as_u64());
            }
            "StepStarted" if body["step"] == "restore" => {
                ensure!(open.is_empty(), "{body:#} while {open:?} were there");
            }
            _ => {}
        }
    }
    ensure!(namespaces >= 2, "each attempt has a sandbox of its own: {namespaces}");
    Ok(())
}

async fn velero_stopped(world: &World) -> Rows {
    // So much that Velero is at it for many seconds.
    let namespace = world.lab.namespace("many").await?;
    let item = |n: usize| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("item-{n}"), "namespace": namespace},
        })
    };
    world.lab.apply_objects((0..1200).map(item).collect()).await?;
    let schedule = format!("{namespace}-nightly");
    velero::backup(&world.client, &schedule, &[&namespace], Some(&schedule)).await?;
    Ok(vec![
        stays_away(world, &namespace).await.context("Velero stays away")?,
        comes_back(world, &namespace).await.context("Velero comes back")?,
    ])
}

/// Waits until Velero is at the Restore of the run, and ends Velero.
async fn stop_in_mid_restore(world: &World) -> anyhow::Result<String> {
    let restores = velero::api(&world.client, "Restore");
    let going = ListParams::default().labels("firedrill.dev/run");
    let mut found = String::new();
    let end = tokio::time::Instant::now() + LIMIT;
    while found.is_empty() {
        ensure!(tokio::time::Instant::now() < end, "no Restore was ever InProgress");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let all = restores.list(&going).await?;
        let mut all = all.iter().filter(|it| velero::phase(it).as_deref() == Some("InProgress"));
        found = all.next().map(ResourceExt::name_any).unwrap_or_default();
    }
    world.lab.stop_velero();
    let phase = velero::phase(&restores.get(&found).await?);
    ensure!(phase.as_deref() == Some("InProgress"), "Velero was done already: {phase:?}");
    Ok(found)
}

/// Of a step that has attempts left and is not tried again.
const NO_OTHER: &str = "(attempt 1 of 2); no further attempt: ";

async fn stays_away(world: &World, namespace: &str) -> anyhow::Result<String> {
    let case = world.case("velero-stays-away").await?;
    let mut steps = restore(namespace, "2s");
    steps[0]["timeout"] = "10s".into();
    // What Velero is at cannot be given back, so it is not tried again.
    steps[0]["retry"] = json!({"attempts": 2, "backoff": "1s"});
    let run = case.firedrill.start(&drill(json!({"undoPatience": "5s"}), steps))?;
    let name = stop_in_mid_restore(world).await;
    let ran = run.end().await;
    let told = async {
        let name = name?;
        let report = case.told(&ran?, 4, &["timeout", &name, "InProgress", NO_OTHER]).await?;
        ensure!(report["steps"][0]["attempts"] == 1, "{report:#}");
        let left = report["leftovers"].as_array().context("leftovers")?;
        let named = |what: &str| left.iter().any(|it| it["target"]["kind"] == what);
        ensure!(named("Restore") && named("Namespace"), "{left:#?}");
        anyhow::Ok((name, report))
    }
    .await;
    world.lab.start_velero().await?;
    let (name, report) = told?;
    let restores = velero::api(&world.client, "Restore");
    until("Velero gives the Restore up", LIMIT, || async {
        Ok(velero::phase(&restores.get(&name).await?).as_deref() == Some("Failed"))
    })
    .await?;
    let undone = case.firedrill.call(&["undo"]).await?;
    let (out, err) =
        (String::from_utf8_lossy(&undone.stdout), String::from_utf8_lossy(&undone.stderr));
    ensure!(undone.status.code() == Some(0), "undo: {out}\n{err}");
    let after = case.firedrill.report().await?;
    ensure!(after["leftovers"].as_array().is_some_and(Vec::is_empty), "{after:#}");
    let cleared = |it: &&Value| it["state"] == "cleared";
    let count = after["effects"].as_array().map_or(0, |all| all.iter().filter(cleared).count());
    ensure!(count >= 2, "Namespace and Restore are cleared leftovers: {after:#}");
    Ok(format!("{}; undone when Velero was back", case.clean(report).await?.row))
}

async fn comes_back(world: &World, namespace: &str) -> anyhow::Result<String> {
    let case = world.case("velero-comes-back").await?;
    let run = case.firedrill.start(&drill(json!({}), restore(namespace, "2s")))?;
    let name = stop_in_mid_restore(world).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.lab.start_velero().await?;
    let ran = run.end().await?;
    Ok(case.end(&ran, 1, &["restore", &name?, "Failed", "during the server starting"]).await?.row)
}
