//! The shop: what the lab's drills restore, drain and watch.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::Pod,
};
use kube::{Api, Client, api::DynamicObject, api::ListParams};
use serde_json::{Value, json};

use crate::{
    Lab,
    apply::documents,
    kwok::{self, BROKEN_IMAGE},
    outside::Outside,
    velero,
    wait::until,
};

/// How the shop is set up.
#[derive(Clone, Debug)]
pub struct ShopOptions {
    /// Its namespace, also the stem of its backups' names.
    pub namespace: String,
    /// Replicas of the deployment `web`.
    pub replicas: u32,
    /// How long a pod takes to become ready after its containers were created.
    pub ready_after: Duration,
    /// Workloads whose image can never be pulled, by name.
    pub broken: Vec<String>,
    /// Whether the budget of `web` lets one pod go at a time, or none ever.
    pub budget_allows: bool,
    /// How many ready pods of `web` the outside needs to answer 200.
    pub outside_needs: usize,
}

impl Default for ShopOptions {
    fn default() -> Self {
        Self {
            namespace: "shop".into(),
            replicas: 6,
            ready_after: Duration::from_secs(1),
            broken: Vec::new(),
            budget_allows: true,
            outside_needs: 1,
        }
    }
}

/// A shop in a lab.
pub struct Shop {
    client: Client,
    namespace: String,
    outside: Outside,
}

impl Shop {
    /// Sets a shop up in `lab`, with its Velero Schedule `NAMESPACE-nightly` and its outside, and
    /// waits until it is ready, but for the workloads that are broken on purpose.
    ///
    /// # Errors
    /// When an object is refused, or the shop is not ready within two minutes.
    pub async fn open(lab: &Lab, options: &ShopOptions) -> anyhow::Result<Self> {
        lab.apply_objects(manifests(options)?).await.context("the shop")?;
        let outside = Outside::start(lab, &options.namespace, "app=web", options.outside_needs)?;
        let client = lab.client().await?;
        let shop = Self { client, namespace: options.namespace.clone(), outside };
        shop.wait_ready(&options.broken, options.ready_after + Duration::from_secs(120)).await?;
        lab.say(&format!("namespace {} ready", shop.namespace));
        Ok(shop)
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its base URL as customers see it; `/healthz` answers 200 or 503.
    #[must_use]
    pub fn url(&self) -> &str {
        self.outside.url()
    }

    /// The name of its Velero Schedule.
    #[must_use]
    pub fn schedule(&self) -> String {
        schedule(&self.namespace)
    }

    /// Makes a backup as the Schedule would have, and waits until it is Completed.
    ///
    /// # Errors
    /// When it does not complete.
    pub async fn backup(&self) -> anyhow::Result<DynamicObject> {
        let schedule = self.schedule();
        // Velero's own names: schedule and second. Two in one second do not happen by a Schedule.
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S");
        let name = format!("{schedule}-{stamp}");
        velero::backup(&self.client, &name, &[&self.namespace], Some(&schedule)).await
    }

    /// Waits until every workload but `broken` ones is ready, in full number.
    ///
    /// # Errors
    /// When that takes longer than `limit`.
    pub async fn wait_ready(&self, broken: &[String], limit: Duration) -> anyhow::Result<()> {
        let what = format!("the shop in {} is ready", self.namespace);
        until(&what, limit, || async {
            Ok(unready(&self.client, &self.namespace)
                .await?
                .iter()
                .all(|name| broken.contains(name)))
        })
        .await
    }
}

/// Names of the workloads of a namespace that are not as their spec wants them.
///
/// # Errors
/// When they cannot be listed.
pub async fn unready(client: &Client, namespace: &str) -> anyhow::Result<Vec<String>> {
    let all = ListParams::default();
    let mut names: Vec<Option<String>> = Vec::new();
    for item in Api::<Deployment>::namespaced(client.clone(), namespace).list(&all).await? {
        let wanted = item.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = item.status.unwrap_or_default();
        let seen = status.observed_generation >= item.metadata.generation;
        if !seen || status.ready_replicas.unwrap_or(0) != wanted || status.replicas != Some(wanted)
        {
            names.push(item.metadata.name);
        }
    }
    for item in Api::<StatefulSet>::namespaced(client.clone(), namespace).list(&all).await? {
        let wanted = item.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        if item.status.and_then(|status| status.ready_replicas) != Some(wanted) {
            names.push(item.metadata.name);
        }
    }
    for item in Api::<DaemonSet>::namespaced(client.clone(), namespace).list(&all).await? {
        let status = item.status.unwrap_or_default();
        if status.desired_number_scheduled == 0
            || status.number_ready != status.desired_number_scheduled
        {
            names.push(item.metadata.name);
        }
    }
    for item in Api::<Job>::namespaced(client.clone(), namespace).list(&all).await? {
        if item.status.and_then(|status| status.succeeded) != Some(1) {
            names.push(item.metadata.name);
        }
    }
    for item in Api::<Pod>::namespaced(client.clone(), namespace).list(&all).await? {
        if item.metadata.owner_references.is_none() && !pod_ready(&item) {
            names.push(item.metadata.name);
        }
    }
    Ok(names.into_iter().flatten().collect())
}

/// Whether a pod says of itself that it is ready, and is not going.
#[must_use]
pub fn pod_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn schedule(namespace: &str) -> String {
    format!("{namespace}-nightly")
}

/// The shop's objects, namespace and Schedule first.
fn manifests(options: &ShopOptions) -> anyhow::Result<Vec<Value>> {
    let namespace = options.namespace.as_str();
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        // Paused: backups are made when a test wants one, not when the clock does.
        json!({
            "apiVersion": "velero.io/v1",
            "kind": "Schedule",
            "metadata": {"name": schedule(namespace), "namespace": velero::NAMESPACE},
            "spec": {
                "paused": true,
                "schedule": "0 1 * * *",
                "template": {"includedNamespaces": [namespace], "storageLocation": "default"},
            },
        }),
    ];
    for text in [include_str!("shop/settings.yaml"), include_str!("shop/workloads.yaml")] {
        for mut object in documents(text)? {
            object["metadata"]["namespace"] = namespace.into();
            shape(&mut object, options);
            objects.push(object);
        }
    }
    Ok(objects)
}

fn shape(object: &mut Value, options: &ShopOptions) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    match object["kind"].as_str() {
        Some("PodDisruptionBudget") if name == "web" && !options.budget_allows => {
            object["spec"]["maxUnavailable"] = 0.into();
        }
        Some("Deployment") if name == "web" => {
            object["spec"]["replicas"] = options.replicas.into();
        }
        Some("RoleBinding") => {
            object["subjects"][0]["namespace"] = options.namespace.as_str().into();
        }
        _ => {}
    }
    let pod = match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet" | "DaemonSet" | "Job") => &mut object["spec"]["template"],
        Some("Pod") => object,
        _ => return,
    };
    for (key, value) in kwok::ready_after(options.ready_after) {
        pod["metadata"]["annotations"][key] = value.into();
    }
    if options.broken.contains(&name) {
        pod["spec"]["containers"][0]["image"] = BROKEN_IMAGE.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
        objects.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name).unwrap()
    }

    #[test]
    fn the_shop_has_one_of_everything_and_takes_its_options() {
        let options = ShopOptions {
            namespace: "t1".into(),
            replicas: 3,
            ready_after: Duration::from_secs(30),
            broken: vec!["api".into()],
            budget_allows: false,
            ..ShopOptions::default()
        };
        let objects = manifests(&options).unwrap();
        for kind in [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "Job",
            "Pod",
            "Service",
            "ConfigMap",
            "Secret",
            "PodDisruptionBudget",
        ] {
            assert!(objects.iter().any(|object| object["kind"] == kind), "no {kind}");
        }
        let web = find(&objects, "Deployment", "web");
        assert_eq!(web["spec"]["replicas"], 3);
        let delay = "pod-ready.stage.kwok.x-k8s.io/delay";
        assert_eq!(web["spec"]["template"]["metadata"]["annotations"][delay], "30000ms");
        assert_ne!(web["spec"]["template"]["spec"]["containers"][0]["image"], BROKEN_IMAGE);
        let api = find(&objects, "Deployment", "api");
        assert_eq!(api["spec"]["template"]["spec"]["containers"][0]["image"], BROKEN_IMAGE);
        assert_eq!(find(&objects, "PodDisruptionBudget", "web")["spec"]["maxUnavailable"], 0);
        assert_eq!(find(&objects, "Pod", "toolbox")["metadata"]["namespace"], "t1");
        assert_eq!(find(&objects, "Schedule", "t1-nightly")["spec"]["paused"], true);
    }
}
