//! Guards, background checks and check steps through whole runs of the real binary: a real
//! Prometheus, the shop's Deployment, and the shop as it is inside its sandbox.

#![expect(clippy::disallowed_methods, reason = "a test is not the program: it writes as an admin")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use lab::{
    Lab,
    firedrill::ConfigOptions,
    inside::Mode,
    prometheus::Prometheus,
    shop::{Shop, ShopOptions},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use common::case::{Case, Ended};

const LIMIT: Duration = Duration::from_secs(90);
const FIRING: &str = "ALERTS{severity=\"page\",alertstate=\"firing\"}";

struct World {
    lab: &'static Lab,
    shop: Shop,
    prometheus: Prometheus,
    switch: Switch,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_asked_through_a_run() -> anyhow::Result<()> {
    let lab = Lab::shared().await?;
    let options = ShopOptions { namespace: lab.unique("shop"), ..ShopOptions::default() };
    let world = World {
        lab,
        shop: Shop::open(lab, &options).await?,
        prometheus: lab.prometheus().await?,
        switch: Switch::start().await?,
    };
    world.shop.backup().await?;
    let mut results = vec![
        ("guards", guards(&world).await),
        ("an object of the cluster", object(&world).await),
        ("within the sandbox", within(&world).await),
        ("red in sum and without a break", red(&world).await),
    ];
    let World { lab, prometheus, .. } = world;
    results.push(("Prometheus stopped", stopped(lab, prometheus).await));
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

type Rows = anyhow::Result<Vec<String>>;

/// A drill of these steps, with further keys of its spec. JSON is YAML.
fn drill(spec: Value, steps: Value) -> String {
    let mut drill = json!({
        "apiVersion": "firedrill.dev/v1alpha1",
        "kind": "Drill",
        "metadata": {"name": "asks"},
        "spec": {"cluster": "lab", "deadline": "3m", "undoPatience": "2m", "steps": steps},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        drill["spec"][key] = value.clone();
    }
    drill.to_string()
}

fn restore(namespace: &str) -> Value {
    json!({
        "name": "restore",
        "veleroRestore": {
            "backup": {"newestOf": {"schedule": format!("{namespace}-nightly")}},
            "namespaces": [namespace],
        },
    })
}

impl World {
    fn promql(&self, query: &str, expect: Value) -> Value {
        let mut promql = json!({"url": self.prometheus.url(), "query": query});
        for (key, value) in expect.as_object().into_iter().flatten() {
            promql[key] = value.clone();
        }
        json!({"promql": promql, "timeout": "10s"})
    }

    /// A guard of this name.
    fn guard(&self, name: &str, query: &str, expect: Value) -> Value {
        let mut guard = self.promql(query, expect);
        guard["name"] = name.into();
        guard
    }
}

async fn case(lab: &Lab, name: &'static str) -> anyhow::Result<Case> {
    Case::begin(lab, name, ConfigOptions::default()).await
}

/// A run that passes.
async fn passes(lab: &Lab, name: &'static str, text: &str) -> anyhow::Result<Ended> {
    let case = case(lab, name).await?;
    let ran = case.firedrill.run(text).await?;
    ensure!(ran.code == 0, "{ran}");
    let report = case.firedrill.report().await?;
    case.clean(report).await
}

async fn ends(
    lab: &Lab,
    name: &'static str,
    text: &str,
    code: i32,
    words: &[&str],
) -> anyhow::Result<Ended> {
    let case = case(lab, name).await?;
    let ran = case.firedrill.run(text).await?;
    case.end(&ran, code, words).await
}

async fn guards(world: &World) -> Rows {
    let World { lab, prometheus, shop, .. } = world;
    let calm = world.guard("no-incident", FIRING, json!({"expect": "empty"}));
    let sees = world.guard("sees", "up{job=\"page\"}", json!({"atLeast": 1}));
    let look =
        json!([{"name": "look", "check": {"http": {"url": shop.url(), "path": "/healthz"}}}]);
    prometheus.page(Some("incident 0\n"));
    prometheus.wait_for("incident == 0", 1, LIMIT).await?;
    prometheus.wait_for(FIRING, 0, LIMIT).await?;
    let mut rows = Vec::new();
    let green = passes(lab, "guards-green", &drill(json!({"guards": [calm, sees]}), look)).await?;
    ensure!(green.report["guards"][0]["green"] == true, "{:#}", green.report);
    green.changed_nothing()?;
    rows.push(green.row);

    // The same guard beside steps that would write: nothing is, not even the Lease.
    prometheus.page(Some("incident 1\n"));
    prometheus.wait_for(FIRING, 1, LIMIT).await?;
    let guards = json!({"guards": [sees, calm]});
    let steps = json!([restore(shop.namespace())]);
    let words = ["guard no-incident is not green", "has 1 result, first ALERTS{"];
    let red = ends(lab, "guard-red", &drill(guards, steps.clone()), 3, &words).await?;
    red.changed_nothing()?;
    ensure!(red.report["guards"][0]["green"] == true, "{:#}", red.report);
    ensure!(red.report["guards"][1]["green"] == false, "{:#}", red.report);
    rows.push(red.row);
    prometheus.page(Some("incident 0\n"));
    prometheus.wait_for(FIRING, 0, LIMIT).await?;

    let typo = json!({"guards": [world.guard("typo", "up{", json!({"expect": "empty"}))]});
    let words = ["guard typo is not green", "answered 400", "parse error"];
    let wrong = ends(lab, "guard-wrong-query", &drill(typo, steps), 3, &words).await?;
    wrong.changed_nothing()?;
    rows.push(wrong.row);
    Ok(rows)
}

async fn object(world: &World) -> Rows {
    let World { lab, shop, .. } = world;
    let namespace = shop.namespace();
    let ask = |name: &str, wanted: Value| {
        let mut question = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": name,
        });
        for (key, value) in wanted.as_object().into_iter().flatten() {
            question[key] = value.clone();
        }
        json!({"kubernetes": question, "timeout": "10s"})
    };
    let step = |name: &str, check: Value| json!({"name": name, "check": check});
    let available = json!({"condition": {"type": "Available"}});
    let steps = json!([
        step("available", ask("web", available.clone())),
        step(
            "enough",
            ask("web", json!({"field": {"path": "{.status.readyReplicas}", "atLeast": 6}}))
        ),
        step(
            "small",
            ask(
                "web",
                json!({"field": {
                    "path": "spec.template.spec.containers[0].resources.requests.cpu", "atMost": "0.05",
                }})
            )
        ),
    ]);
    let text = drill(json!({}), steps);
    let mut rows = Vec::new();
    let words = ["our account may not get deployments.apps web in namespace", namespace];
    let refused = ends(lab, "object-without-right", &text, 3, &words).await?;
    refused.changed_nothing()?;
    rows.push(refused.row);

    lab.apply_objects(rights(namespace)).await.context("rights")?;
    let green = passes(lab, "object-green", &text).await?;
    green.changed_nothing()?;
    rows.push(green.row);

    for (name, question, words) in [
        ("object-missing", ask("wep", available), ["Deployment", "wep is not there"]),
        (
            "object-too-few",
            ask("web", json!({"field": {"path": "status.readyReplicas", "atLeast": 7}})),
            ["status.readyReplicas", "which is 6, not at least 7"],
        ),
    ] {
        let mut guard = question;
        guard["name"] = "deployed".into();
        let text = drill(json!({"guards": [guard]}), json!([restore(namespace)]));
        let red = ends(lab, name, &text, 3, &words).await?;
        red.changed_nothing()?;
        rows.push(red.row);
    }
    Ok(rows)
}

/// What no file of config/rbac can know: the one object, and objects of any sandbox.
fn rights(namespace: &str) -> Vec<Value> {
    let account =
        json!([{"kind": "ServiceAccount", "name": "firedrill", "namespace": "firedrill"}]);
    let name = format!("looks-into-{namespace}");
    vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name,
            },
            "subjects": account,
        }),
    ]
}

async fn within(world: &World) -> Rows {
    let World { lab, shop, .. } = world;
    let serving = json!({
        "http": {"in": "restore", "service": "web", "port": "http", "path": "/healthz",
                 "contains": "from inside"},
        "successes": 3, "timeout": "5s",
    });
    let steps = |timeout: &str| {
        json!([
            restore(shop.namespace()),
            {"name": "ready", "workloadsReady": {"in": "restore", "stableFor": "6s"}},
            {"name": "serving", "timeout": timeout, "check": serving},
            {"name": "database", "check": {
                "tcp": {"in": "restore", "service": "database", "port": "sql"}, "timeout": "10s",
            }},
            {"name": "deployed", "check": {
                "kubernetes": {
                    "in": "restore", "apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
                    "condition": {"type": "Available"},
                },
                "timeout": "10s",
            }},
        ])
    };
    let objectives = json!({"objectives": [
        {"name": "rto", "recoveryTime": "2m", "from": "restore", "until": "serving"},
    ]});
    lab.inside().set(Mode::Answer(200))?;
    let green = passes(lab, "within-green", &drill(objectives.clone(), steps("1m"))).await?;
    let report = &green.report;
    let recovery = &report["recoveries"][0];
    let number = |value: &Value| value.as_u64().with_context(|| format!("{report:#}"));
    let total = number(&recovery["totalMillis"])?;
    // The step begins after `ready` was stable for 6 s; the recovery does not.
    let ready = report["steps"].as_array().context("steps")?;
    let before: u64 = ready[..2].iter().filter_map(|step| step["tookMillis"].as_u64()).sum();
    let prepared = number(&recovery["preparingMillis"])?;
    ensure!(
        total + 5_000 < before - prepared,
        "{total} ms, and the step began {} ms after T0: {report:#}",
        before - prepared
    );
    ensure!(number(&recovery["lowerMillis"])? <= total, "{recovery:#}");
    let mut rows = vec![green.row];

    lab.inside().set(Mode::Answer(503))?;
    let words = ["serving", "timeout of 5s is over", "answered 503, not 200"];
    let red = ends(lab, "within-red", &drill(objectives, steps("5s")), 1, &words).await;
    lab.inside().set(Mode::Answer(200))?;
    rows.push(red?.row);
    Ok(rows)
}

async fn red(world: &World) -> Rows {
    let World { lab, switch, .. } = world;
    let mut rows = Vec::new();
    // Ten good answers of a server that is always well take long enough for the other to blink.
    let steps = json!([{"name": "wait", "check": {
        "http": {"url": world.shop.url(), "path": "/healthz"}, "successes": 24, "every": "500ms",
    }}]);
    for (name, key, limit, code, words) in [
        (
            "fail-after-missed",
            "failAfter",
            "500ms",
            1,
            vec!["check answers was red for", "against"],
        ),
        ("fail-after-met", "failAfter", "1m", 0, vec![]),
        (
            "abort-after",
            "abortAfter",
            "1s",
            3,
            vec!["check answers has been red for", "answered 503"],
        ),
    ] {
        switch.set(200);
        let mut check = json!({
            "name": "answers", "http": {"url": switch.url}, "every": "200ms", "timeout": "5s",
        });
        check[key] = limit.into();
        let case = case(lab, name).await?;
        let mut going = case.firedrill.start(&drill(json!({"checks": [check]}), steps.clone()))?;
        going.says("check:answers is green", LIMIT).await?;
        switch.set(503);
        going.says("check:answers is red", LIMIT).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        switch.set(200);
        let ran = going.end().await?;
        let ended = if code == 0 {
            ensure!(ran.code == 0, "{ran}");
            let report = case.firedrill.report().await?;
            case.clean(report).await?
        } else {
            case.end(&ran, code, &words).await?
        };
        let seen = &ended.report["availability"][0];
        ensure!(seen["redSpans"] == 1, "{seen:#}");
        if key == "failAfter" {
            let (low, high) = (&seen["limit"]["lowerMillis"], &seen["limit"]["upperMillis"]);
            ensure!(low.as_u64() <= seen["redMillis"].as_u64(), "{seen:#}");
            ensure!(high.as_u64() >= seen["redMillis"].as_u64(), "{seen:#}");
            let standing = if code == 0 { "met" } else { "missed" };
            ensure!(seen["limit"]["standing"] == standing, "{seen:#}");
        }
        rows.push(ended.row);
    }
    Ok(rows)
}

async fn stopped(lab: &Lab, prometheus: Prometheus) -> Rows {
    let url = prometheus.url().to_owned();
    drop(prometheus);
    let guard = json!({"name": "calm", "promql": {"url": url, "query": FIRING, "expect": "empty"}});
    let look = json!([{"name": "look", "check": {"http": {"url": url}}}]);
    let text = drill(json!({"guards": [guard]}), look);
    let words = ["guard calm is not green", "cannot be asked"];
    let red = ends(lab, "prometheus-stopped", &text, 3, &words).await?;
    red.changed_nothing()?;
    Ok(vec![red.row])
}

/// A server that answers with the status that it is set to.
struct Switch {
    url: String,
    status: Arc<AtomicU16>,
    task: tokio::task::JoinHandle<()>,
}

impl Switch {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let status = Arc::new(AtomicU16::new(200));
        let now = Arc::clone(&status);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                // A GET comes in one piece on loopback.
                let _ = stream.read(&mut request).await;
                let status = now.load(Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Self { url, status, task })
    }

    fn set(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
