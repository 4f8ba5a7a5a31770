//! Proxy, audit log, snapshots, judge and budget watch together, against a real API server with a
//! controller manager and `config/rbac`. By hand:
//!
//! ```text
//! KUBECONFIG=admin.conf AUDIT_LOG=audit.log API_CA=ca.crt API_CERT=server.crt API_KEY=server.key \
//!     cargo test -p firedrill-lab live -- --ignored
//! ```

use std::time::Duration;

use http::{Method, Request};
use k8s_openapi::api::{
    authentication::v1::TokenRequest, core::v1::Node, policy::v1::PodDisruptionBudget,
};
use kube::{Client, Config, config::Kubeconfig};
use serde_json::{Value, json};

use super::*;
use crate::{
    audit::{AuditLog, Counts, Filter},
    proxy::{Action, Match, Options, Proxy, ProxyHandle},
};

const SOON: Duration = Duration::from_secs(10);

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

async fn call(
    client: &Client,
    method: Method,
    path: &str,
    body: Value,
) -> Result<Value, kube::Error> {
    let content = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("content-type", content);
    client.request(request.body(bytes).expect("request")).await
}

/// Logs in as firedrill's account, through a proxy.
async fn firedrill(admin: &Client, proxy: &Proxy) -> Client {
    let path = "/api/v1/namespaces/firedrill/serviceaccounts/firedrill/token";
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
    let token = call(admin, Method::POST, path, token).await.expect("token");
    let token: TokenRequest = serde_json::from_value(token).expect("token");
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "clusters": [{"name": "c", "cluster": {"server": proxy.url(), "certificate-authority": env("API_CA")}}],
        "users": [{"name": "u", "user": {"token": token.status.expect("status").token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }))
    .expect("kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
    let mut config = config.expect("config");
    // Else kube itself sends a refused eviction 15 times more, over six minutes.
    config.default_retry = false;
    Client::try_from(config).expect("client")
}

struct Live {
    admin: Client,
    ours: Client,
    handle: ProxyHandle,
    _proxy: Proxy,
    log: AuditLog,
    tag: String,
}

impl Live {
    async fn start(name: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let admin = Client::try_default().await.expect("KUBECONFIG");
        let server = Config::infer().await.expect("config").cluster_url.to_string();
        let options = Options::tls(server, env("API_CA"), env("API_CERT"), env("API_KEY"));
        let proxy = Proxy::start(options).await.expect("proxy");
        let ours = firedrill(&admin, &proxy).await;
        let log = AuditLog::from_now(env("AUDIT_LOG")).expect("log");
        let tag = format!("live-{}-{name}", std::process::id());
        Self { admin, ours, handle: proxy.handle(), _proxy: proxy, log, tag }
    }

    fn node(&self) -> String {
        format!("/api/v1/nodes/{}", self.tag)
    }

    /// A node, a namespace with a budget of one, and two ready pods on that node.
    async fn shop(&self) {
        let (admin, tag) = (&self.admin, &self.tag);
        // A node that is created without any field has no managedFields ever after.
        let labels = json!({"kubernetes.io/hostname": tag});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": tag, "labels": labels}});
        call(admin, Method::POST, "/api/v1/nodes", node).await.expect("node");
        let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tag}});
        call(admin, Method::POST, "/api/v1/namespaces", space).await.expect("namespace");
        // The service account, without which no pod is admitted, is made by a controller.
        let account = format!("/api/v1/namespaces/{tag}/serviceaccounts/default");
        while call(admin, Method::GET, &account, Value::Null).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let pods = format!("/api/v1/namespaces/{tag}/pods");
        for name in ["a", "b"] {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": "web"}},
                "spec": {"nodeName": tag, "containers": [{"name": "c", "image": "i"}]},
            });
            call(admin, Method::POST, &pods, pod).await.expect("pod");
            let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
            let status = format!("{pods}/{name}/status");
            call(admin, Method::PATCH, &status, ready).await.expect("status");
        }
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
            // Bare pods: only an absolute minAvailable is possible.
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        });
        let path = format!("/apis/policy/v1/namespaces/{tag}/poddisruptionbudgets");
        call(admin, Method::POST, &path, budget).await.expect("budget");
        let path = format!("{path}/web");
        loop {
            let now = call(admin, Method::GET, &path, Value::Null).await.expect("budget");
            let now: PodDisruptionBudget = serde_json::from_value(now).expect("budget");
            if now.status.is_some_and(|s| s.disruptions_allowed == 1) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn evict(&self, pod: &str, uid: &str) -> Result<Value, kube::Error> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", self.tag);
        let body = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod},
            "deleteOptions": {"preconditions": {"uid": uid}},
        });
        call(&self.ours, Method::POST, &path, body).await
    }

    async fn judge(&mut self, before: &Snapshot, seats: &BTreeMap<String, Seat>) -> Picture {
        // The log trails the answers.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.log.refresh().expect("log");
        let after = Snapshot::take(&self.admin).await.expect("snapshot");
        let evidence =
            Evidence { entries: self.log.entries(), before, after: &after, seats, kept: &[] };
        judge(&evidence)
    }
}

fn cordon(tag: &str) -> Value {
    json!({
        "spec": {"unschedulable": true},
        "metadata": {"labels": {INSTANCE: tag}, "annotations": {"firedrill.dev/effect": "1"}},
    })
}

fn uncordon() -> Value {
    json!({
        "spec": {"unschedulable": null},
        "metadata": {"labels": {INSTANCE: null}, "annotations": {"firedrill.dev/effect": null}},
    })
}

#[tokio::test]
#[ignore = "needs an API server of one's own, see the head of this file"]
async fn a_run_is_seen_as_it_was() {
    let mut live = Live::start("run").await;
    live.shop().await;
    let before = Snapshot::take(&live.admin).await.expect("snapshot");
    let budgets = watch_budgets(live.admin.clone()).await.expect("observer");
    let (tag, node) = (live.tag.clone(), live.node());

    // The run: a sandbox, a cordon, two evictions of which the budget refuses one.
    let sandbox = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("fd-{tag}"), "labels": {INSTANCE: tag}}});
    let sandbox =
        call(&live.ours, Method::POST, "/api/v1/namespaces", sandbox).await.expect("sandbox");
    let patch = format!("{node}?fieldManager={FIELD_MANAGER}");
    call(&live.ours, Method::PATCH, &patch, cordon(&tag)).await.expect("cordon");
    let uid = |name: &str| {
        let mut pods = before.pods.iter();
        pods.find(|(_, p)| p.name == name && p.namespace == tag).map(|(u, _)| u.clone())
    };
    live.evict("a", &uid("a").expect("a")).await.expect("eviction");
    let refused = live.evict("b", &uid("b").expect("b")).await.expect_err("budget");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 429));

    let picture = live.judge(&before, &BTreeMap::new()).await;
    let text = picture.to_string();
    assert!(text.contains("still cordoned") || text.contains("it bears"), "{text}");
    assert!(text.contains(&format!("namespaces fd-{tag} still exists")), "{text}");
    assert!(picture.touched_others.is_empty(), "{text}");

    // Undone.
    call(&live.ours, Method::PATCH, &patch, uncordon()).await.expect("uncordon");
    let path = format!("/api/v1/namespaces/fd-{tag}");
    let pins = json!({"preconditions": {
        "uid": sandbox["metadata"]["uid"], "resourceVersion": sandbox["metadata"]["resourceVersion"],
    }});
    let moved = call(&live.ours, Method::DELETE, &path, pins).await;
    // The controllers touched it meanwhile (its root certificate's ConfigMap does not; its status
    // may): then it is read again, as firedrill does.
    if moved.is_err() {
        let now = call(&live.ours, Method::GET, &path, Value::Null).await.expect("sandbox");
        let pins = json!({"preconditions": {
            "uid": now["metadata"]["uid"], "resourceVersion": now["metadata"]["resourceVersion"],
        }});
        call(&live.ours, Method::DELETE, &path, pins).await.expect("delete");
    }
    while call(&live.admin, Method::GET, &path, Value::Null).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let report = budgets.stop().await.expect("report");
    assert!(report.is_clean() && report.evicted == 1, "{report}");
    let picture = live.judge(&before, &report.seats).await;
    assert!(picture.is_clean(), "{picture:#}");
    println!("{picture:#}\n{report}");
    println!("{}", Counts::of(live.log.select(&Filter::firedrill())));
}

#[tokio::test]
#[ignore = "needs an API server of one's own, see the head of this file"]
async fn a_held_cordon_arrives_after_its_sender_died() {
    let mut live = Live::start("held").await;
    live.shop().await;
    let before = Snapshot::take(&live.admin).await.expect("snapshot");
    live.handle.add(Match::method("PATCH").path("/api/v1/nodes/").nth(1), Action::Hold);
    let (client, tag, node) = (live.ours.clone(), live.tag.clone(), live.node());
    let patch = format!("{node}?fieldManager={FIELD_MANAGER}");
    {
        let sent = call(&client, Method::PATCH, &patch, cordon(&tag));
        tokio::select! {
            _ = sent => panic!("it is held"),
            held = live.handle.wait_held(SOON) => { held.expect("held"); }
        }
        // The request's future is dropped here: its sender is dead.
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let held = live.handle.held().remove(0);
    assert!(held.client_left);
    // Recovery looks through the same proxy: nothing there yet.
    let now = call(&live.ours, Method::GET, &node, Value::Null).await.expect("node");
    let now: Node = serde_json::from_value(now).expect("node");
    assert!(!NodeState::of(&now).unschedulable);
    assert!(live.judge(&before, &BTreeMap::new()).await.is_clean());
    // Then it arrives.
    assert_eq!(live.handle.release(held.id).await.expect("released"), 200);
    let late = live.judge(&before, &BTreeMap::new()).await;
    assert!(late.to_string().contains("cordoned by us"), "{late}");
    call(&live.ours, Method::PATCH, &patch, uncordon()).await.expect("uncordon");
    let clean = live.judge(&before, &BTreeMap::new()).await;
    assert!(clean.is_clean(), "{clean}");
}
