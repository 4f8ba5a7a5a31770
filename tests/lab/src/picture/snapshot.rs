//! What a cluster looks like at one instant, as far as the judge asks.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use super::{DRILLABLE, INSTANCE, OUR_KEYS};

/// Kinds that firedrill may write: group, version, kind, plural, and the one namespace to look at
/// (none = all of them).
const KINDS: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("", "v1", "Namespace", "namespaces", None),
    ("", "v1", "ConfigMap", "configmaps", None),
    ("", "v1", "ResourceQuota", "resourcequotas", None),
    ("", "v1", "PersistentVolume", "persistentvolumes", None),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", None),
    // Every node and every control plane component renews one of its own elsewhere.
    ("coordination.k8s.io", "v1", "Lease", "leases", Some("firedrill")),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", None),
    ("velero.io", "v1", "Restore", "restores", None),
    ("velero.io", "v1", "Backup", "backups", None),
    ("velero.io", "v1", "DownloadRequest", "downloadrequests", None),
    ("velero.io", "v1", "ServerStatusRequest", "serverstatusrequests", None),
    ("snapshot.storage.k8s.io", "v1", "VolumeSnapshotContent", "volumesnapshotcontents", None),
];

/// Whether snapshots list a resource, `restores.velero.io`.
pub(super) fn is_listed(resource: &str) -> bool {
    KINDS.iter().any(|(group, _, _, plural, _)| resource == full_name(plural, group))
}

/// Plural and group, `restores.velero.io`, `nodes`.
pub(super) fn full_name(plural: &str, group: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

/// Names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Plural and group, `restores.velero.io`.
    pub resource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.resource, self.namespace, self.name)
    }
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// metadata.uid
    pub uid: String,
    /// spec.unschedulable
    pub unschedulable: bool,
    /// The field manager that owns spec.unschedulable.
    pub cordon_manager: Option<String>,
    /// Labels and annotations of firedrill, without the operator's word.
    pub ours: BTreeMap<String, String>,
}

/// An object of a kind that firedrill may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectState {
    /// metadata.uid
    pub uid: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl ObjectState {
    /// Whether it bears the label of an installation.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.labels.contains_key(INSTANCE)
    }
}

/// A pod and where it sits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The node; none = not scheduled.
    pub node: Option<String>,
}

/// A cluster at one instant (list by list: not one transaction).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Nodes by name.
    pub nodes: BTreeMap<String, NodeState>,
    /// Objects of the kinds that firedrill may write.
    pub objects: BTreeMap<Key, ObjectState>,
    /// Pods by UID.
    pub pods: BTreeMap<String, Seat>,
}

impl Snapshot {
    /// Lists everything, as an admin. Kinds that the server does not have are empty.
    ///
    /// # Errors
    /// If a list fails.
    pub async fn take(admin: &Client) -> anyhow::Result<Self> {
        let all = ListParams::default();
        let mut snapshot = Self::default();
        for node in Api::<Node>::all(admin.clone()).list(&all).await.context("nodes")? {
            snapshot.nodes.insert(node.name_any(), NodeState::of(&node));
        }
        for pod in Api::<Pod>::all(admin.clone()).list(&all).await.context("pods")? {
            snapshot.pods.insert(pod.uid().unwrap_or_default(), Seat::of(&pod));
        }
        for (group, version, kind, plural, namespace) in KINDS {
            let gvk = GroupVersionKind::gvk(group, version, kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
            let api: Api<DynamicObject> = match namespace {
                None => Api::all_with(admin.clone(), &resource),
                Some(one) => Api::namespaced_with(admin.clone(), one, &resource),
            };
            let list = match api.list(&all).await {
                Ok(list) => list,
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                Err(error) => return Err(error).context(full_name(plural, group)),
            };
            for object in list {
                let key = Key {
                    resource: full_name(plural, group),
                    namespace: object.namespace().unwrap_or_default(),
                    name: object.name_any(),
                };
                let state = ObjectState {
                    uid: object.uid().unwrap_or_default(),
                    labels: object.labels().clone(),
                    annotations: object.annotations().clone(),
                    terminating: object.metadata.deletion_timestamp.is_some(),
                };
                snapshot.objects.insert(key, state);
            }
        }
        Ok(snapshot)
    }
}

impl NodeState {
    /// Of a node as the server gave it.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let ours = node
            .labels()
            .iter()
            .chain(node.annotations())
            .filter(|(key, _)| key.starts_with(OUR_KEYS) && *key != DRILLABLE)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let cordon_manager = node
            .managed_fields()
            .iter()
            .find(|fields| {
                let spec = fields.fields_v1.as_ref().and_then(|f| f.0.get("f:spec"));
                spec.is_some_and(|spec| spec.get("f:unschedulable").is_some())
            })
            .and_then(|fields| fields.manager.clone());
        Self {
            uid: node.uid().unwrap_or_default(),
            unschedulable: node.spec.as_ref().and_then(|s| s.unschedulable).unwrap_or(false),
            cordon_manager,
            ours,
        }
    }
}

impl Seat {
    /// Of a pod as the server gave it.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        }
    }
}
