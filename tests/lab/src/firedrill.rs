//! firedrill as the lab runs it: its binary, and a configuration that points at the lab.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{Lab, account, parts::require_c_compiler, pki::quoted, s3::BUCKET, s3::REGION};

/// What of the configuration a test may set; the rest points at the lab.
#[derive(Clone, Debug, Default)]
pub struct ConfigOptions {
    /// Name of the folder below the lab's that holds configuration, token and journal; a lab has
    /// as many as tests want. Default `firedrill`.
    pub folder: Option<String>,
    /// The instance's name; default `lab`.
    pub instance: Option<String>,
    /// URL of the API server, when something stands before it.
    pub server: Option<String>,
    /// PEM file of the CA of `server`.
    pub ca_file: Option<PathBuf>,
    /// URL of the object store, when something stands before it.
    pub s3_endpoint: Option<String>,
    /// URL of the target `shop`.
    pub shop_url: Option<String>,
    /// Folder of the drills; default the repository's.
    pub drills: Option<PathBuf>,
    /// Lines for `timings:`, key and value; they replace the lab's own of the same key.
    pub timings: Vec<(String, String)>,
}

/// Writes a configuration with a fresh token of firedrill's service account; answers its path.
///
/// # Errors
/// When a file cannot be written or the account does not exist.
pub async fn write_config(lab: &Lab, options: &ConfigOptions) -> anyhow::Result<PathBuf> {
    let folder = lab.dir().join(options.folder.as_deref().unwrap_or("firedrill"));
    fs::create_dir_all(&folder)?;
    let token = folder.join("token");
    fs::write(&token, account::token(lab.client().await?).await?)?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let path = folder.join("firedrill.yaml");
    fs::write(&path, config(lab, options, &folder, &token))?;
    Ok(path)
}

fn config(lab: &Lab, options: &ConfigOptions, folder: &Path, token: &Path) -> String {
    let plane = lab.control_plane();
    let server = options.server.as_ref().unwrap_or(&plane.server);
    let ca = options.ca_file.clone().unwrap_or_else(|| lab.ca_file());
    let drills = options.drills.clone().unwrap_or_else(|| account::repository().join("drills"));
    let endpoint = options.s3_endpoint.as_ref().unwrap_or(&lab.s3().endpoint);
    let targets = match &options.shop_url {
        Some(url) => format!("targets:\n  shop: {{url: \"{url}\"}}\n"),
        None => String::new(),
    };
    format!(
        "apiVersion: firedrill.dev/v1alpha1\n\
         kind: Configuration\n\
         instance: {}\n\
         journal: {}\n\
         drills: [{}]\n\
         clusters:\n\
         \x20 lab:\n\
         \x20   server: \"{server}\"\n\
         \x20   tokenFile: {}\n\
         \x20   caFile: {}\n\
         \x20   veleroNamespace: {}\n\
         {targets}\
         stores:\n\
         \x20 lab:\n\
         \x20   endpoint: \"{endpoint}\"\n\
         \x20   region: {REGION}\n\
         \x20   bucket: {BUCKET}\n\
         \x20   pathStyle: true\n\
         \x20   credentialsFile: {}\n\
         {}",
        options.instance.as_deref().unwrap_or("lab"),
        quoted(&folder.join("journal.db")),
        quoted(&drills),
        quoted(token),
        quoted(&ca),
        crate::velero::NAMESPACE,
        quoted(&lab.s3().credentials_file),
        timings(&options.timings),
    )
}

/// Short ones, so that a test of a crash does not wait half a minute for each effect in doubt.
const TIMINGS: [(&str, &str); 3] =
    [("sendTimeout", "3s"), ("settle", "5s"), ("veleroAccept", "20s")];

fn timings(set: &[(String, String)]) -> String {
    let own = TIMINGS.iter().filter(|(key, _)| !set.iter().any(|(other, _)| other == key));
    let own = own.map(|(key, value)| format!("  {key}: {value}\n"));
    let set = set.iter().map(|(key, value)| format!("  {key}: {value}\n"));
    format!("timings:\n{}", own.chain(set).collect::<String>())
}

/// Builds the `firedrill` binary into the target folder and profile that this program itself came
/// from, and answers its path.
///
/// # Errors
/// When there is no C compiler, or cargo fails; cargo speaks for itself on stderr.
pub fn build() -> anyhow::Result<PathBuf> {
    require_c_compiler()?;
    let exe = env::current_exe()?;
    // target/debug/lab, or target/debug/deps/test-123
    let profile = exe
        .ancestors()
        .skip(1)
        .find(|dir| !dir.ends_with("deps"))
        .context("this program lies in no target folder")?;
    let target = profile.parent().context("this program lies in no target folder")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--bin", "firedrill", "--manifest-path"])
        .arg(account::repository().join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target);
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => {}
        Some(name) => drop(command.args(["--profile", name])),
        None => bail!("this program lies in no target folder"),
    }
    if !command.status().context("cargo")?.success() {
        bail!("cargo could not build firedrill");
    }
    Ok(profile.join("firedrill"))
}

/// Builds a binary of a package of this workspace in release, whatever this program came from, and
/// answers its path. The first time takes minutes.
///
/// # Errors
/// When there is no C compiler, or cargo fails; cargo speaks for itself on stderr.
pub fn build_release(package: &str, binary: &str) -> anyhow::Result<PathBuf> {
    require_c_compiler()?;
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => account::repository().join("target"),
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--release", "--package", package, "--bin", binary])
        .arg("--manifest-path")
        .arg(account::repository().join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target);
    if !command.status().context("cargo")?.success() {
        bail!("cargo could not build {binary}");
    }
    Ok(target.join("release").join(binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_may_replace_a_timing() {
        let set = [("settle".to_owned(), "9s".to_owned())];
        assert_eq!(
            timings(&set),
            "timings:\n  sendTimeout: 3s\n  veleroAccept: 20s\n  settle: 9s\n"
        );
    }
}
