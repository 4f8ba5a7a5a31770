//! firedrill's own account in the lab: the service account, roles and admission policy of
//! `config/rbac`, as they are shipped.

use std::{fs, path::PathBuf};

use anyhow::Context;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use crate::{
    apply::{Applier, documents},
    velero,
};

/// Namespace and name of firedrill's service account.
pub const ACCOUNT: &str = "firedrill";

/// The repository that this lab belongs to. What cargo says now counts before what it said when the
/// lab was compiled: checkouts that share a target folder share the compiled lab.
#[must_use]
pub fn repository() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = here.ancestors().find(|folder| folder.join("config/rbac").is_dir());
    root.map_or_else(|| here.clone(), PathBuf::from)
}

/// Applies `config/rbac/*.yaml` in the order of their names.
///
/// # Errors
/// When a file cannot be read or an object is refused.
pub async fn apply(client: Client) -> anyhow::Result<()> {
    let folder = repository().join("config/rbac");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut applier = Applier::new(client);
    // Roles in Velero's namespace, which may not be there yet, or not at all in this lab.
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": velero::NAMESPACE},
    });
    applier.apply(vec![namespace]).await?;
    anyhow::ensure!(!files.is_empty(), "{} holds no files", folder.display());
    for path in files {
        let file = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(file)?;
        applier.apply(documents(&text).with_context(file)?).await.with_context(file)?;
    }
    Ok(())
}

/// A token for firedrill's service account, good for a day.
///
/// # Errors
/// When the account does not exist.
pub async fn token(client: Client) -> anyhow::Result<String> {
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(86_400), ..Default::default() },
        ..Default::default()
    };
    let api: Api<ServiceAccount> = Api::namespaced(client, ACCOUNT);
    let answer = api.create_token_request(ACCOUNT, &PostParams::default(), &request).await?;
    Ok(answer.status.context("a token request without an answer")?.token)
}
