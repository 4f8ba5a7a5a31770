//! The lab's own tools against a real API server and a real object store: the judge must see what
//! happened, the proxy must not be noticed, and `config/rbac` must grant what is written.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    core::v1::{Namespace, Node},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use lab::{
    Lab, account,
    audit::{AuditLog, Counts, Filter},
    nodes::NodeSpec,
    picture::{
        Evidence, FIELD_MANAGER, Fate, INSTANCE, NodeState, Picture, Seat, Snapshot, judge,
        watch_budgets,
    },
    proxy::{Action, Match, Options, Proxy},
    rbac,
    wait::until,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

const LIMIT: Duration = Duration::from_secs(60);

/// Held by each test that writes as firedrill's account: the judge hears all of the account's
/// requests.
static ACCOUNT: Mutex<()> = Mutex::const_new(());

/// A node with a small application of its own, and firedrill's account behind a proxy.
struct Stage {
    /// Name of the node, of the namespace and of the instance.
    tag: String,
    admin: Client,
    ours: Client,
    proxy: Proxy,
    log: AuditLog,
    judged: u32,
    _account: MutexGuard<'static, ()>,
}

impl Stage {
    async fn set(lab: &Lab) -> anyhow::Result<Self> {
        let account = ACCOUNT.lock().await;
        let (admin, plane) = (lab.client().await?, lab.control_plane());
        let tag = lab.namespace("tools").await?;
        lab.make_nodes(&[NodeSpec::worker(&tag, "a")]).await?;
        application(lab, &admin, &tag).await?;

        let serving = lab.site().pki.server(&tag)?;
        let options = Options::tls(&plane.server, lab.ca_file(), serving.cert, serving.key);
        let proxy = Proxy::start(options).await?;
        let token = account::token(admin.clone()).await?;
        let ours = plane.client_of(&token, proxy.url()).await?;
        let log = AuditLog::from_now(&plane.audit_log)?;
        Ok(Self { tag, admin, ours, proxy, log, judged: 0, _account: account })
    }

    fn node(&self) -> Api<Node> {
        Api::all(self.ours.clone())
    }

    async fn cordon(&self) -> Result<Node, kube::Error> {
        let cordon = json!({
            "spec": {"unschedulable": true},
            "metadata": {
                "labels": {INSTANCE: self.tag}, "annotations": {"firedrill.dev/effect": "1"},
            },
        });
        self.patch(cordon).await
    }

    async fn uncordon(&self) -> Result<Node, kube::Error> {
        let uncordon = json!({
            "spec": {"unschedulable": null},
            "metadata": {
                "labels": {INSTANCE: null}, "annotations": {"firedrill.dev/effect": null},
            },
        });
        self.patch(uncordon).await
    }

    async fn patch(&self, body: Value) -> Result<Node, kube::Error> {
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        self.node().patch(&self.tag, &params, &Patch::Merge(body)).await
    }

    /// Evicts a pod as it was in `before`.
    async fn evict(&self, before: &Snapshot, pod: &str) -> anyhow::Result<Result<(), kube::Error>> {
        let mut pods = before.pods.iter();
        let (uid, _) = pods
            .find(|(_, seat)| seat.name == pod && seat.namespace == self.tag)
            .with_context(|| format!("no pod {pod}"))?;
        let body = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod},
            "deleteOptions": {"preconditions": {"uid": uid}},
        });
        // Not `Api::evict`: kube 5 says `delete_options`, and the server drops the unknown field.
        let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", self.tag);
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(serde_json::to_vec(&body)?)?;
        Ok(self.ours.request::<Value>(request).await.map(drop))
    }

    async fn judge(
        &mut self,
        before: &Snapshot,
        seats: &BTreeMap<String, Seat>,
    ) -> anyhow::Result<Picture> {
        // The log trails the answers: when it has this request, it has those before it.
        self.judged += 1;
        let last = format!("{}-judged-{}", self.tag, self.judged);
        let found = Api::<Namespace>::all(self.ours.clone()).get_opt(&last).await?;
        ensure!(found.is_none(), "{last} exists");
        let last = Filter { name: Some(last), ..Filter::firedrill() };
        self.log.wait_for(&last, 1, LIMIT).await?;
        let after = Snapshot::take(&self.admin).await?;
        let entries = self.log.entries();
        Ok(judge(&Evidence { entries, before, after: &after, seats, kept: &[] }))
    }
}

/// Two ready pods on the node `tag`, and a budget that lets one of them go.
async fn application(lab: &Lab, admin: &Client, tag: &str) -> anyhow::Result<()> {
    let pod = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": tag, "labels": {"app": "web"}},
            "spec": {"nodeName": tag, "containers": [{"name": "c", "image": "i"}]},
        })
    };
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": tag},
        // Bare pods: only an absolute minAvailable is possible.
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    // The service account, without which no pod is admitted, is made by a controller.
    until("pods are admitted", LIMIT, || async {
        lab.apply_objects(vec![pod("a"), pod("b")]).await?;
        Ok(true)
    })
    .await?;
    lab.apply_objects(vec![budget]).await?;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(admin.clone(), tag);
    until("the budget lets one go", LIMIT, || async {
        let status = budgets.get("web").await?.status;
        Ok(status.is_some_and(|status| status.disruptions_allowed == 1))
    })
    .await
}

#[tokio::test]
async fn a_run_is_seen_as_it_was() -> anyhow::Result<()> {
    let mut stage = Stage::set(Lab::shared().await?).await?;
    let before = Snapshot::take(&stage.admin).await?;
    let budgets = watch_budgets(stage.admin.clone()).await?;

    // The run: a sandbox, a cordon, two evictions of which the budget refuses one.
    let sandbox = format!("fd-{}", stage.tag);
    let namespaces: Api<Namespace> = Api::all(stage.ours.clone());
    let made = json!({"metadata": {"name": sandbox, "labels": {INSTANCE: stage.tag}}});
    namespaces.create(&PostParams::default(), &serde_json::from_value(made)?).await?;
    stage.cordon().await?;
    stage.evict(&before, "a").await?.context("the budget lets one go")?;
    let refused = stage.evict(&before, "b").await?;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 429), "{refused:?}");

    let open = stage.judge(&before, &BTreeMap::new()).await?;
    let text = open.to_string();
    assert!(text.contains("is still cordoned by us"), "{text}");
    assert!(text.contains(&format!("namespaces {sandbox} still exists")), "{text}");
    assert!(open.touched_others.is_empty(), "{text}");

    // Undone. Controllers may touch the sandbox between our look and our delete: then we look
    // again, as firedrill does.
    stage.uncordon().await?;
    until("the sandbox is deleted", LIMIT, || async {
        let now = namespaces.get(&sandbox).await?.metadata;
        let pins = Preconditions { uid: now.uid, resource_version: now.resource_version };
        namespaces.delete(&sandbox, &DeleteParams::default().preconditions(pins)).await?;
        Ok(true)
    })
    .await?;
    let gone = || async {
        Ok(Api::<Namespace>::all(stage.admin.clone()).get_opt(&sandbox).await?.is_none())
    };
    until("the sandbox is gone", LIMIT, gone).await?;
    let report = budgets.stop().await?;
    assert!(report.is_clean() && report.evicted == 1, "{report}");
    let picture = stage.judge(&before, &report.seats).await?;
    assert!(picture.is_clean(), "{picture:#}");
    let evictions = picture.writes.iter().filter(|write| write.target.starts_with("pods/eviction"));
    let fates: Vec<_> = evictions.map(|write| write.fate.clone()).collect();
    assert_eq!(fates, [Fate::Exempt("eviction".into()), Fate::Refused], "{picture:#}");
    println!("{picture:#}\n{report}");
    println!("{}", Counts::of(stage.log.select(&Filter::firedrill())));
    Ok(())
}

#[tokio::test]
async fn a_held_cordon_arrives_after_its_sender_died() -> anyhow::Result<()> {
    let mut stage = Stage::set(Lab::shared().await?).await?;
    let before = Snapshot::take(&stage.admin).await?;
    let handle = stage.proxy.handle();
    handle.add(Match::method("PATCH").path("/api/v1/nodes/").nth(1), Action::Hold);
    tokio::select! {
        sent = stage.cordon() => panic!("it is held, and was answered: {sent:?}"),
        held = handle.wait_held(LIMIT) => { held?; }
    }
    // The request's future is dropped: its sender is dead.
    until("the proxy sees that the sender left", LIMIT, || async {
        Ok(handle.held().first().context("it is held")?.client_left)
    })
    .await?;
    let held = handle.held().remove(0);
    // Recovery looks through the same proxy: nothing there yet.
    let now = stage.node().get(&stage.tag).await?;
    assert!(!NodeState::of(&now).unschedulable);
    let early = stage.judge(&before, &BTreeMap::new()).await?;
    assert!(early.is_clean() && early.writes.is_empty(), "{early:#}");
    // Then it arrives.
    assert_eq!(handle.release(held.id).await?, 200);
    let late = stage.judge(&before, &BTreeMap::new()).await?;
    assert!(late.to_string().contains("cordoned by us"), "{late}");
    stage.uncordon().await?;
    let clean = stage.judge(&before, &BTreeMap::new()).await?;
    assert!(clean.is_clean() && clean.writes.len() == 2, "{clean:#}");
    Ok(())
}

#[tokio::test]
async fn the_account_may_do_what_is_written_and_no_more() -> anyhow::Result<()> {
    let lab = Lab::shared().await?;
    let _account = ACCOUNT.lock().await;
    rbac::check(&lab.client().await?, &lab.unique("rbac")).await
}

#[tokio::test]
async fn s3_signatures_hold_and_a_throttled_request_is_tried_again() -> anyhow::Result<()> {
    let lab = Lab::shared().await?;
    let proxy = Proxy::start(Options::plain(&lab.s3().endpoint)).await?;
    let through = lab::s3::S3 { endpoint: proxy.url().to_owned(), ..lab.s3().clone() };
    let client = through.client();
    let bucket = lab.unique("proxy");
    client.create_bucket().bucket(&bucket).send().await?;
    let body = vec![7u8; 3_000_000];
    let put = client.put_object().bucket(&bucket).key("a/b c").body(body.clone().into());
    put.send().await?;
    proxy.handle().add(Match::method("GET").path("/a/b").nth(1), Action::status(503, "slow down"));
    let got = client.get_object().bucket(&bucket).key("a/b c").send().await?;
    assert!(got.body.collect().await?.to_vec() == body, "what was put is what is got");
    let seen = proxy.handle().seen();
    let gets: Vec<_> = seen.iter().filter(|s| s.method == "GET").map(|s| s.code).collect();
    assert_eq!(gets, [Some(503), Some(200)]);
    Ok(())
}
