//! A lab of its own, from start to end.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use lab::{
    Lab, Options,
    firedrill::{ConfigOptions, write_config},
    processes::group_members,
    shop::{Shop, ShopOptions, unready},
    velero,
    wait::until,
};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lab_comes_up_works_and_leaves_nothing() -> anyhow::Result<()> {
    let lab = Lab::start(Options::default()).await?;
    let client = lab.client().await?;
    let version = client.apiserver_version().await?;
    assert_eq!(version.git_version, format!("v{}", lab::parts::KUBERNETES));

    let shop = Shop::open(&lab, &ShopOptions::default()).await?;
    every_drillable_node_carries_web(&client).await?;
    a_finished_pod_is_not_ready(&client).await?;
    the_outside_follows_the_pods(&client, &shop).await?;
    backups_and_snapshots_are_in_the_bucket(&lab, &shop).await?;
    bodies_of_firedrill_alone_are_in_the_audit_log(&lab, &client).await?;
    velero_can_be_gone_and_back(&lab, &shop).await?;
    a_backup_comes_back_beside_the_original(&client, "after-the-break").await?;
    assert!(evict_web(&client, "shop").await?.is_success(), "the budget lets one go");

    let groups = lab.site().processes.groups();
    assert_eq!(groups.len(), 7, "{groups:?}");
    assert!(lab.memory().0 > 100_000_000);
    let dir = lab.dir().to_owned();
    lab.stop().await?;
    for (name, group) in groups {
        assert_eq!(group_members(group), Vec::<u32>::new(), "{name} left processes");
    }
    assert!(!dir.exists());
    Ok(())
}

async fn every_drillable_node_carries_web(client: &Client) -> anyhow::Result<()> {
    let drillable = ListParams::default().labels("firedrill.dev/drillable=true");
    let nodes = Api::<Node>::all(client.clone()).list(&drillable).await?;
    let web = ListParams::default().labels("app=web");
    let pods = Api::<Pod>::namespaced(client.clone(), "shop").list(&web).await?;
    let carrying: BTreeSet<_> =
        pods.items.into_iter().filter_map(|pod| pod.spec?.node_name).collect();
    let drillable: BTreeSet<_> =
        nodes.items.into_iter().filter_map(|node| node.metadata.name).collect();
    assert_eq!(drillable.len(), 3);
    assert!(carrying.is_superset(&drillable), "{carrying:?}");
    Ok(())
}

async fn a_finished_pod_is_not_ready(client: &Client) -> anyhow::Result<()> {
    let migrate = ListParams::default().labels("app=migrate");
    let pods = Api::<Pod>::namespaced(client.clone(), "shop").list(&migrate).await?;
    let status = pods.items.first().and_then(|pod| pod.status.clone()).context("no pod")?;
    assert_eq!(status.phase.as_deref(), Some("Succeeded"));
    let ready = status.conditions.unwrap_or_default().into_iter().find(|c| c.type_ == "Ready");
    let ready = ready.context("no condition")?;
    assert_eq!((ready.status.as_str(), ready.reason.as_deref()), ("False", Some("PodCompleted")));
    Ok(())
}

async fn the_outside_follows_the_pods(client: &Client, shop: &Shop) -> anyhow::Result<()> {
    let ask =
        || async { anyhow::Ok(reqwest::get(format!("{}/healthz", shop.url())).await?.status()) };
    let scale = async |replicas: u32| {
        let deployments: Api<k8s_openapi::api::apps::v1::Deployment> =
            Api::namespaced(client.clone(), "shop");
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        deployments.patch("web", &PatchParams::default(), &patch).await
    };
    let answers = async |status: u16| {
        until(&format!("the outside answers {status}"), LIMIT, || async {
            Ok(ask().await? == status)
        })
        .await
    };
    answers(200).await?;
    scale(0).await?;
    answers(503).await?;
    scale(6).await?;
    answers(200).await?;
    shop.wait_ready(&[], LIMIT).await
}

async fn backups_and_snapshots_are_in_the_bucket(lab: &Lab, shop: &Shop) -> anyhow::Result<()> {
    let backup = shop.backup().await?;
    let labels = backup.metadata.labels.unwrap_or_default();
    assert_eq!(labels["velero.io/schedule-name"], "shop-nightly");
    let name = backup.metadata.name.context("no name")?;
    let keys = lab.s3().keys(&format!("velero/backups/{name}/")).await?;
    assert!(keys.iter().any(|key| key.ends_with(&format!("{name}.tar.gz"))), "{keys:?}");

    let saved = lab.etcd_snapshot("etcd/snapshot-1.db").await?;
    let stored = std::fs::read(lab.s3().file("etcd/snapshot-1.db"))?;
    assert!(stored == std::fs::read(saved)?, "the object is the file");
    // bbolt's magic number, in the machine's order, behind the page header of 16 bytes.
    assert_eq!(stored[16..20], 0xED0C_DAED_u32.to_ne_bytes());
    Ok(())
}

async fn bodies_of_firedrill_alone_are_in_the_audit_log(
    lab: &Lab,
    client: &Client,
) -> anyhow::Result<()> {
    let config = write_config(lab, &ConfigOptions::default()).await?;
    assert!(std::fs::read_to_string(&config)?.contains(&lab.control_plane().server));
    let token = std::fs::read_to_string(config.with_file_name("token"))?;
    let plane = lab.control_plane();
    let account = plane.client_of(&token, &plane.server).await?;
    for (client, name) in [(account, "by-firedrill"), (client.clone(), "by-admin")] {
        let dry = PatchParams { dry_run: true, ..PatchParams::apply("whole") };
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        // Whether it is allowed is no matter here: a refused request is in the log as well.
        let api: Api<ConfigMap> = Api::namespaced(client, "firedrill");
        let _ = api.patch(name, &dry, &Patch::Apply(&object)).await;
    }
    let log = std::fs::read_to_string(&lab.control_plane().audit_log)?;
    let level = |name: &str| {
        let line = log.lines().find(|line| line.contains(&format!("/configmaps/{name}?")))?;
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        Some((event["level"].as_str()?.to_owned(), event["stage"].as_str()?.to_owned()))
    };
    let complete = |level: &str| Some((level.to_owned(), "ResponseComplete".to_owned()));
    // With the answers: they alone name the UID of what was made.
    assert_eq!(level("by-firedrill"), complete("RequestResponse"));
    assert_eq!(level("by-admin"), complete("Metadata"));
    Ok(())
}

async fn velero_can_be_gone_and_back(lab: &Lab, shop: &Shop) -> anyhow::Result<()> {
    lab.stop_velero();
    ensure!(!lab.site().processes.alive("velero"));
    lab.start_velero().await?;
    let backup = lab.backup("after-the-break", &[shop.namespace()]).await?;
    assert_eq!(velero::phase(&backup).as_deref(), Some("Completed"));
    Ok(())
}

/// The Deployment without replicas in Velero's namespace is what lets a restore complete.
async fn a_backup_comes_back_beside_the_original(
    client: &Client,
    backup: &str,
) -> anyhow::Result<()> {
    let restore = json!({
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": "beside", "namespace": velero::NAMESPACE},
        "spec": {"backupName": backup, "namespaceMapping": {"shop": "beside"}},
    });
    let api = velero::api(client, "Restore");
    api.create(&PostParams::default(), &serde_json::from_value(restore)?).await?;
    until("the restore is Completed", LIMIT, || async {
        let restore = api.get("beside").await?;
        ensure!(velero::phase(&restore).as_deref() == Some("Completed"), "{}", restore.data);
        Ok(true)
    })
    .await?;
    until("the restored shop is ready", LIMIT, || async {
        Ok(unready(client, "beside").await?.is_empty())
    })
    .await
}

/// Asks for the eviction of one pod of `web`.
async fn evict_web(client: &Client, namespace: &str) -> anyhow::Result<reqwest::StatusCode> {
    let web = ListParams::default().labels("app=web");
    let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&web).await?;
    let name = pods.items.into_iter().find_map(|pod| pod.metadata.name).context("no pod")?;
    let body = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    });
    let request =
        http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"))
            .header("content-type", "application/json")
            .body(kube::client::Body::from(serde_json::to_vec(&body)?))?;
    Ok(reqwest::StatusCode::from_u16(client.send(request).await?.status().as_u16())?)
}

#[tokio::test]
async fn a_shared_lab_outlives_the_test_that_started_it() -> anyhow::Result<()> {
    // Each round is what a test is: a runtime of its own that ends.
    for round in 0..2 {
        let test = std::thread::spawn(move || {
            tokio::runtime::Runtime::new()?.block_on(async move {
                let lab = Lab::shared().await?;
                let options = ShopOptions {
                    namespace: lab.unique("shop"),
                    replicas: 2,
                    broken: if round == 0 { Vec::new() } else { vec!["api".into()] },
                    budget_allows: round == 0,
                    ..ShopOptions::default()
                };
                let shop = Shop::open(lab, &options).await?;
                let client = lab.client().await?;
                assert_eq!(unready(&client, shop.namespace()).await?, options.broken);
                let status = reqwest::get(format!("{}/healthz", shop.url())).await?.status();
                assert!(status.is_success(), "the outside asks for web alone");
                if round == 1 {
                    // Of pods that run: those that never did are evicted past any budget.
                    assert_eq!(evict_web(&client, shop.namespace()).await?, 429);
                    a_broken_image_is_told(&client, shop.namespace()).await?;
                }
                anyhow::Ok(lab.dir().to_owned())
            })
        });
        test.join().expect("the round")?;
    }
    Ok(())
}

async fn a_broken_image_is_told(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let pods = ListParams::default().labels("app=api");
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    until("api waits for its image", LIMIT, || async {
        let pods = serde_json::to_value(api.list(&pods).await?.items)?;
        let pods = pods.as_array().cloned().unwrap_or_default();
        Ok(!pods.is_empty()
            && pods.iter().all(|pod| {
                let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
                waiting["reason"] == "ImagePullBackOff" && pod["status"]["phase"] == "Pending"
            }))
    })
    .await
}
