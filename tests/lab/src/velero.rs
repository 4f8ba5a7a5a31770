//! Velero: its server as a process, and backups.

use std::{fs, os::unix::fs::symlink, time::Duration};

use anyhow::bail;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
    core::GroupVersionKind,
};
use serde_json::json;

use crate::{
    apply::{Applier, documents},
    control_plane::{ControlPlane, LIMIT},
    processes::Recipe,
    s3::S3,
    site::Site,
    wait::until,
};

/// Velero's namespace.
pub const NAMESPACE: &str = "velero";

/// Applies Velero's CRDs, namespace and storage location.
///
/// # Errors
/// When the server refuses one.
pub async fn install(site: &Site, client: Client, s3: &S3) -> anyhow::Result<()> {
    let mut applier = Applier::new(client);
    applier.apply(documents(&fs::read_to_string(site.binaries.path("crds.yaml"))?)?).await?;
    let manifests = include_str!("velero.yaml").replace("S3_ENDPOINT", &s3.endpoint);
    applier.apply(documents(&manifests)?).await?;
    Ok(())
}

/// Starts the server, without waiting for it. It may have run before.
///
/// # Errors
/// When it runs already or cannot be started.
pub fn start(site: &Site, plane: &ControlPlane, s3: &S3) -> anyhow::Result<()> {
    let plugins = site.path("velero-plugins");
    if !plugins.exists() {
        fs::create_dir(&plugins)?;
        let name = "velero-plugin-for-aws";
        symlink(site.binaries.path(name), plugins.join(name))?;
    }
    let args = [
        "server".to_owned(),
        "--kubeconfig".into(),
        plane.kubeconfig.display().to_string(),
        "--namespace".into(),
        NAMESPACE.into(),
        "--plugin-dir".into(),
        plugins.display().to_string(),
        "--metrics-address".into(),
        format!("127.0.0.1:{}", site.ports.next()?),
        "--profiler-address".into(),
        format!("127.0.0.1:{}", site.ports.next()?),
        "--item-operation-sync-frequency".into(),
        "1s".into(),
        "--store-validation-frequency".into(),
        "10s".into(),
        "--log-format".into(),
        "json".into(),
    ];
    let mut recipe = Recipe::new(site.binaries.path("velero"), args);
    let credentials = s3.credentials_file.display().to_string();
    recipe.env.push(("AWS_SHARED_CREDENTIALS_FILE".into(), credentials));
    site.processes.start("velero", &recipe)
}

/// Waits until the storage location is Available.
///
/// # Errors
/// When the server ends, or takes longer than `LIMIT`.
pub async fn wait_available(site: &Site, client: &Client) -> anyhow::Result<()> {
    let api = api(client, "BackupStorageLocation");
    let available = || async {
        let location = api.get("default").await;
        location.is_ok_and(|location| phase(&location).as_deref() == Some("Available"))
    };
    site.processes.wait_ready("velero", LIMIT, available).await
}

/// Objects of `kind` in Velero's namespace.
#[must_use]
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("velero.io", "v1", kind);
    Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk(&gvk))
}

/// `status.phase`
#[must_use]
pub fn phase(object: &DynamicObject) -> Option<String> {
    object.data["status"]["phase"].as_str().map(str::to_owned)
}

/// Makes a Backup of `namespaces` and waits until it is Completed. With a `schedule` it carries
/// that Schedule's label, as if the Schedule had made it.
///
/// # Errors
/// When it ends in any other phase, or is not done within two minutes.
pub async fn backup(
    client: &Client,
    name: &str,
    namespaces: &[&str],
    schedule: Option<&str>,
) -> anyhow::Result<DynamicObject> {
    let mut labels = json!({"velero.io/storage-location": "default"});
    if let Some(schedule) = schedule {
        labels["velero.io/schedule-name"] = schedule.into();
    }
    let backup: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "includedNamespaces": namespaces,
            "storageLocation": "default",
            "snapshotVolumes": false,
            "ttl": "720h0m0s",
        },
    }))?;
    let api = api(client, "Backup");
    api.create(&PostParams::default(), &backup).await?;
    until(&format!("backup {name} is done"), Duration::from_secs(120), || async {
        let phase = phase(&api.get(name).await?);
        Ok(phase.is_some_and(|phase| phase == "Completed" || phase.contains("Failed")))
    })
    .await?;
    let backup = api.get(name).await?;
    if phase(&backup).as_deref() != Some("Completed") {
        bail!("backup {name}: {}", backup.data["status"]);
    }
    Ok(backup)
}
