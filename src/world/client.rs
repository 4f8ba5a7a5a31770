//! The client of a cluster: built from the files of its login, and built anew when they change.
//!
//! Tokens and certificates are renewed while we run, some of them every hour. kube reads a token's
//! file again, but a client certificate only once, and its connections live for as long as they
//! are used. So kube's client stands behind a service that looks at the files before each request.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use kube::{
    Client, Config as KubeConfig,
    client::Body,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};

use super::{
    error::{WorldError, chain},
    login::Credential,
};
use crate::config::{Login, Proof};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest silence of a watch: the server ends each within 290 s, so more is a dead peer.
const SILENCE: Duration = Duration::from_secs(295);

/// A client, and what it logs in with.
pub struct Connected {
    /// The client. It follows the files of the login for as long as it lives.
    pub client: Client,
    /// The server, without a slash at its end.
    pub server: String,
    /// For messages about a login that is refused.
    pub credential: Credential,
}

/// A client of kube as the files gave it.
struct Built {
    client: Client,
    server: String,
    credential: Credential,
    files: Vec<PathBuf>,
}

/// What tells one state of a file from another without reading it; none: it cannot be looked at.
type Stamp = Vec<Option<(SystemTime, u64, u64)>>;

/// The client that is used now, and which files it was built from.
struct Held {
    client: Client,
    files: Vec<PathBuf>,
    stamp: Stamp,
    /// Files that no client could be built from; they are not tried again.
    refused: Option<Stamp>,
}

/// Builds the client of the cluster `name`; sends nothing.
///
/// # Errors
/// If a file of the login cannot be used.
pub async fn connect(name: &str, login: &Login) -> Result<Connected, WorldError> {
    // Before the files are read: what changes in between is seen at the next request.
    let (built, stamp) = build_stamped(name, login).await?;
    let held = Held { client: built.client, files: built.files, stamp, refused: None };
    let held = Arc::new(Mutex::new(held));
    let cluster: Arc<str> = name.into();
    let login = Arc::new(login.clone());
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (held, cluster, login) = (Arc::clone(&held), Arc::clone(&cluster), Arc::clone(&login));
        async move { current(&held, &cluster, &login).await.send(request).await }
    });
    let client = Client::new(service, "default");
    Ok(Connected { client, server: built.server, credential: built.credential })
}

/// The client for the files as they are now. Files that are no login (half written, or a key that
/// does not fit its certificate yet) leave the client as it was.
async fn current(held: &Mutex<Held>, name: &str, login: &Login) -> Client {
    let client = {
        let held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&held.files);
        if now == held.stamp || held.refused.as_ref() == Some(&now) {
            return held.client.clone();
        }
        held.client.clone()
    };
    match build_stamped(name, login).await {
        Ok((built, stamp)) => {
            tracing::info!(cluster = name, "the files of the login have changed");
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            *held = Held { client: built.client.clone(), files: built.files, stamp, refused: None };
            built.client
        }
        Err(error) => {
            tracing::warn!(cluster = name, %error, "the login has changed and cannot be used");
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.refused = Some(stamp(&held.files));
            client
        }
    }
}

/// A client with the stamp of its files from before they were read.
async fn build_stamped(name: &str, login: &Login) -> Result<(Built, Stamp), WorldError> {
    let mut before = stamp(&files(login));
    let built = build(name, login).await?;
    // A kubeconfig says itself which other files there are.
    before.extend(stamp(built.files.get(before.len()..).unwrap_or_default()));
    Ok((built, before))
}

/// The files that the configuration names for a login.
fn files(login: &Login) -> Vec<PathBuf> {
    match login {
        Login::Kubeconfig { path, .. } => vec![path.clone()],
        Login::Server { ca_file, proof, .. } => match proof {
            Proof::Token { token_file } => vec![ca_file.clone(), token_file.clone()],
            Proof::Certificate { certificate_file, key_file } => {
                vec![ca_file.clone(), certificate_file.clone(), key_file.clone()]
            }
        },
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    files
        .iter()
        .map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            // The inode: a file that is moved into place may have any time.
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        })
        .collect()
}

async fn build(name: &str, login: &Login) -> Result<Built, WorldError> {
    let wrong = |why: String| WorldError::Login { cluster: name.to_owned(), why };
    let mut files = files(login);
    let (mut config, credential) = match login {
        Login::Kubeconfig { path, context } => {
            let unusable = |error: kube::config::KubeconfigError| {
                wrong(format!("{}: {}", path.display(), chain(&error)))
            };
            let file = Kubeconfig::read_from(path).map_err(unusable)?;
            files.extend(named_files(&file));
            let options = KubeConfigOptions { context: context.clone(), ..Default::default() };
            let config =
                KubeConfig::from_custom_kubeconfig(file, &options).await.map_err(unusable)?;
            let credential = Credential::of_kubeconfig(path, &config.auth_info);
            (config, credential)
        }
        Login::Server { server, ca_file, proof } => {
            let url = server.parse().map_err(|error| wrong(format!("{server}: {error}")))?;
            let there = |what: &str, file: &Path| {
                std::fs::metadata(file)
                    .map_err(|error| wrong(format!("the {what} file {}: {error}", file.display())))
            };
            let mut config = KubeConfig::new(url);
            let credential = match proof {
                Proof::Token { token_file } => {
                    there("token", token_file)?;
                    config.auth_info.token_file = Some(token_file.display().to_string());
                    Credential::Token { file: token_file.clone() }
                }
                Proof::Certificate { certificate_file, key_file } => {
                    there("client certificate", certificate_file)?;
                    there("client key", key_file)?;
                    config.auth_info = AuthInfo {
                        client_certificate: Some(certificate_file.display().to_string()),
                        client_key: Some(key_file.display().to_string()),
                        ..Default::default()
                    };
                    Credential::Certificate { file: certificate_file.clone() }
                }
            };
            there("CA", ca_file)?;
            config.root_cert_file = Some(ca_file.clone());
            (config, credential)
        }
    };
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(SILENCE);
    // kube's hidden retry answers a budget's 429 with up to 15 further requests and minutes of
    // silence; every retry of ours is a decision that the journal knows.
    config.default_retry = false;
    let agent = concat!("firedrill/", env!("CARGO_PKG_VERSION"));
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    // Nothing is sent yet: what fails here is a file.
    let client = Client::try_from(config).map_err(|error| {
        let why = chain(&error);
        match login {
            Login::Server { ca_file, .. } if why.contains("root") => {
                wrong(format!("no CA certificate can be read from {}: {why}", ca_file.display()))
            }
            Login::Server { proof: Proof::Certificate { certificate_file, key_file }, .. } => {
                wrong(format!(
                    "the client certificate {} and the key {} are no pair that can be used: {why}",
                    certificate_file.display(),
                    key_file.display()
                ))
            }
            _ => wrong(why),
        }
    })?;
    Ok(Built { client, server, credential, files })
}

/// The files that a kubeconfig names, of all its users and clusters: few, and cheap to look at.
fn named_files(file: &Kubeconfig) -> Vec<PathBuf> {
    let users = file.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
    let users = users.flat_map(|user| {
        [&user.client_certificate, &user.client_key, &user.token_file].into_iter().flatten()
    });
    let clusters = file.clusters.iter().filter_map(|named| named.cluster.as_ref());
    let clusters = clusters.filter_map(|cluster| cluster.certificate_authority.as_ref());
    users.chain(clusters).map(PathBuf::from).collect()
}
