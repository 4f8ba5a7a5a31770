//! The lab put in order after a case.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Namespace, Node, Pod},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{rig::Rig, scenario::Scenario};
use crate::{
    picture::{DRILLABLE, NAME_PREFIX, NodeState, OUR_KEYS},
    shop::unready,
    velero,
    wait::until,
};

/// How long the shop may take to be as it was.
const SOON: Duration = Duration::from_secs(120);

impl Rig<'_> {
    /// Makes the lab as it was before a case. After a failed one everything of firedrill's is
    /// taken away by force, so that the next case is judged by itself.
    pub async fn tidy(&self, by_force: bool) -> anyhow::Result<()> {
        let nodes: Api<Node> = Api::all(self.admin.clone());
        for node in nodes.list(&ListParams::default()).await? {
            let state = NodeState::of(&node);
            if state.unschedulable || !state.ours.is_empty() {
                let none = |keys: Vec<&String>| -> Value {
                    keys.into_iter().map(|key| (key.clone(), Value::Null)).collect()
                };
                let our = |key: &&String| key.starts_with(OUR_KEYS) && *key != DRILLABLE;
                let labels = none(node.labels().keys().filter(our).collect());
                let annotations = none(node.annotations().keys().filter(our).collect());
                let metadata = json!({"labels": labels, "annotations": annotations});
                let patch = json!({"spec": {"unschedulable": null}, "metadata": metadata});
                self.patch_node(&node.name_any(), patch).await?;
            }
        }
        if by_force {
            self.remove_all().await?;
        }
        self.shop.wait_ready(&[], SOON).await?;
        if self.scenario == Scenario::Node {
            self.spread().await?;
        }
        Ok(())
    }

    /// Puts `web` on every drillable node again: a node that was drained stays empty, and the next
    /// drill would have nothing to evict.
    pub async fn spread(&self) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.admin.clone(), self.shop.namespace());
        let web = ListParams::default().labels("app=web");
        let nodes: Api<Node> = Api::all(self.admin.clone());
        let drillable = ListParams::default().labels("firedrill.dev/drillable=true");
        let names = nodes.list(&drillable).await?.items.into_iter();
        let drillable: BTreeSet<String> = names.filter_map(|node| node.metadata.name).collect();
        for _ in 0..5 {
            let seats = pods.list(&web).await?.items.into_iter();
            let seats: BTreeSet<String> = seats.filter_map(|pod| pod.spec?.node_name).collect();
            if seats.is_superset(&drillable) {
                return Ok(());
            }
            pods.delete_collection(&DeleteParams::default(), &web).await?;
            let gone =
                || async { Ok(!unready(&self.admin, self.shop.namespace()).await?.is_empty()) };
            until("web is gone", SOON, gone).await?;
            self.shop.wait_ready(&[], SOON).await?;
        }
        bail!("web does not come back to every drillable node")
    }

    async fn remove_all(&self) -> anyhow::Result<()> {
        let (all, now) = (ListParams::default(), DeleteParams::default());
        let restores = velero::api(&self.admin, "Restore");
        for restore in restores.list(&all).await? {
            let name = restore.name_any();
            if name.starts_with(NAME_PREFIX) {
                // Without its finalizer: a Velero that is stuck must not keep the next case.
                let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                restores.patch(&name, &PatchParams::default(), &patch).await?;
                let _ = restores.delete(&name, &now).await;
            }
        }
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), "firedrill");
        let _ = leases.delete("firedrill", &now).await;
        let namespaces: Api<Namespace> = Api::all(self.admin.clone());
        let ours = || async {
            let list = namespaces.list(&all).await?;
            let names = list.items.iter().map(kube::ResourceExt::name_any);
            anyhow::Ok(names.filter(|name| name.starts_with(NAME_PREFIX)).collect::<Vec<_>>())
        };
        for name in ours().await? {
            let _ = namespaces.delete(&name, &now).await;
        }
        until("the sandboxes are gone", Duration::from_secs(60), || async {
            Ok(ours().await?.is_empty())
        })
        .await
    }

    /// Patches a node, as a person does.
    pub async fn patch_node(&self, name: &str, patch: Value) -> anyhow::Result<()> {
        let nodes: Api<Node> = Api::all(self.admin.clone());
        let by = PatchParams { field_manager: Some("kubectl".into()), ..PatchParams::default() };
        nodes.patch(name, &by, &Patch::Merge(patch)).await.context(name.to_owned())?;
        Ok(())
    }
}
