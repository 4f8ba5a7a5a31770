//! Manifests into the cluster, by server-side apply.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::Value;

/// How long an object may be refused for reasons that pass: a kind that is not served yet, a
/// service account that its controller has not made yet.
const PATIENCE: Duration = Duration::from_secs(30);

/// The field manager of the lab's own writes.
pub const MANAGER: &str = "firedrill-lab";

/// The documents of a YAML stream; empty ones are left out.
///
/// # Errors
/// When it is no YAML.
pub fn documents(yaml: &str) -> anyhow::Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).context("not YAML")?;
    Ok(all.into_iter().filter(|value| !value.is_null()).collect())
}

/// Applies manifests in order.
pub struct Applier {
    client: Client,
    kinds: HashMap<(String, String), (ApiResource, Scope)>,
}

impl Applier {
    /// An applier through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, kinds: HashMap::new() }
    }

    /// Applies every object, the items of lists too, and returns them as the server has them.
    ///
    /// # Errors
    /// The first object that the server refuses, by kind and name.
    pub async fn apply(&mut self, objects: Vec<Value>) -> anyhow::Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for object in objects.into_iter().flat_map(items) {
            let name = format!(
                "{} {}",
                object["kind"].as_str().unwrap_or("object without kind"),
                object["metadata"]["name"].as_str().unwrap_or("without name")
            );
            let end = Instant::now() + PATIENCE;
            loop {
                match self.one(&object).await {
                    Ok(object) => break applied.push(object),
                    Err(error) if passes(&error) && Instant::now() < end => {
                        tokio::time::sleep(crate::processes::POLL).await;
                    }
                    Err(error) => return Err(error.context(name)),
                }
            }
        }
        Ok(applied)
    }

    async fn one(&mut self, object: &Value) -> anyhow::Result<DynamicObject> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let name = object.metadata.name.clone().ok_or_else(|| anyhow!("no metadata.name"))?;
        let (resource, scope) = self.kind(&object).await?;
        let api: Api<DynamicObject> = match (scope, &object.metadata.namespace) {
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), &resource),
            (Scope::Namespaced, Some(namespace)) => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            (Scope::Namespaced, None) => bail!("no metadata.namespace"),
        };
        let params = PatchParams::apply(MANAGER).force();
        Ok(api.patch(&name, &params, &Patch::Apply(&object)).await?)
    }

    async fn kind(&mut self, object: &DynamicObject) -> anyhow::Result<(ApiResource, Scope)> {
        let types = object.types.clone().ok_or_else(|| anyhow!("no apiVersion and kind"))?;
        let key = (types.api_version.clone(), types.kind.clone());
        if let Some(known) = self.kinds.get(&key) {
            return Ok(known.clone());
        }
        let gvk = GroupVersionKind::try_from(&types)?;
        let (resource, capabilities) = discovery::pinned_kind(&self.client, &gvk).await?;
        let known = (resource, capabilities.scope);
        self.kinds.insert(key, known.clone());
        Ok(known)
    }
}

/// The items of a `List`, else the object itself.
fn items(object: Value) -> Vec<Value> {
    match object {
        Value::Object(mut map) if map.get("kind").is_some_and(|kind| kind == "List") => {
            match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

/// Whether a refusal may pass by itself soon.
fn passes(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Discovery(_)) => true,
        Some(kube::Error::Api(status)) => match status.code {
            // A kind of a CRD that is not served yet.
            404 | 429 | 500 | 503 => true,
            403 => status.message.contains("service account"),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_with_its_lists_and_without_its_gaps() {
        let yaml = "---\nkind: A\n---\n# nothing\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n";
        let kinds: Vec<Value> = documents(yaml)
            .unwrap()
            .into_iter()
            .flat_map(items)
            .map(|object| object["kind"].clone())
            .collect();
        assert_eq!(kinds, ["A", "B", "C"]);
    }
}
