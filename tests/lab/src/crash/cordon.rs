//! What people do to nodes around a crash.

use anyhow::ensure;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use serde_json::{Value, json};

use super::{
    case::Told,
    held::die_holding,
    plan::{Meddling, Recovery},
    rig::{Program, Rig},
    scenario::EVICTION,
};
use crate::picture::NodeState;

/// The first drillable node by name, which the drill picks.
const OURS: &str = "node-a-1";
/// A drillable node that somebody cordons before the run.
const EARLIER: &str = "node-b-1";
/// A node that somebody cordons when firedrill is dead.
const MEANWHILE: &str = "node-c-2";

impl Rig<'_> {
    /// Kills firedrill when it has cordoned its node, lets people do something, and recovers.
    pub async fn cordon(
        &self,
        program: &Program,
        meddling: Meddling,
        by: Recovery,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        if meddling == Meddling::Others {
            self.schedulable(EARLIER, false).await?;
        }
        let (proxy, config) = self.proxy(program).await?;
        let id = die_holding(program, &config, &proxy.handle(), EVICTION).await?;
        proxy.handle().discard(id);
        proxy.stop().await;
        told.died = format!("killed with {OURS} cordoned");
        let node = self.node(OURS).await?;
        ensure!(node.unschedulable && !node.ours.is_empty(), "{OURS} is not cordoned: {node:?}");

        let stays = match meddling {
            Meddling::Others => {
                self.schedulable(MEANWHILE, false).await?;
                vec![EARLIER, MEANWHILE]
            }
            Meddling::Renewed => {
                self.schedulable(OURS, true).await?;
                self.schedulable(OURS, false).await?;
                // Without the mark the case would show nothing.
                let node = self.node(OURS).await?;
                ensure!(!node.ours.is_empty(), "{OURS} lost its mark: {node:?}");
                vec![OURS]
            }
            Meddling::Lifted => {
                self.schedulable(OURS, true).await?;
                Vec::new()
            }
        };
        self.recover(program, by, told).await?;
        for name in [OURS, EARLIER, MEANWHILE] {
            let node = self.node(name).await?;
            let wanted = stays.contains(&name);
            let is = if node.unschedulable { "cordoned" } else { "schedulable" };
            told.must(node.unschedulable == wanted, format!("node {name} is {is}: {node:?}"));
            told.must(node.ours.is_empty(), format!("node {name} bears marks: {node:?}"));
        }
        Ok(())
    }

    async fn node(&self, name: &str) -> anyhow::Result<NodeState> {
        let nodes: Api<Node> = Api::all(self.admin.clone());
        Ok(NodeState::of(&nodes.get(name).await?))
    }

    /// Cordons or uncordons, as a person does.
    async fn schedulable(&self, name: &str, schedulable: bool) -> anyhow::Result<()> {
        let value = if schedulable { Value::Null } else { true.into() };
        self.patch_node(name, json!({"spec": {"unschedulable": value}})).await
    }
}
