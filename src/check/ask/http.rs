//! Asks by HTTP. ACT.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use reqwest::{Certificate, Client, RequestBuilder, redirect};
use tokio::io::AsyncReadExt;

use super::{Asker, Red, lock};
use crate::{
    check::{BODY_LIMIT, HttpAt, HttpCheck},
    config::Target,
    world::forward,
};

/// The most of a token or CA file that is read: a bundle of all public CAs is a quarter of it.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Clients for questions: one for each CA, and one for what has none of its own.
pub(super) struct Clients {
    plain: Client,
    own: Mutex<BTreeMap<PathBuf, Client>>,
}

impl Clients {
    pub(super) fn new() -> Result<Self, String> {
        let plain = build(None).map_err(|error| root(&error))?;
        Ok(Self { plain, own: Mutex::default() })
    }

    /// The client that trusts the CAs of this file alone.
    async fn with_ca(&self, file: &Path) -> Result<Client, Red> {
        let known = |clients: &Mutex<BTreeMap<PathBuf, Client>>| lock(clients).get(file).cloned();
        if let Some(client) = known(&self.own) {
            return Ok(client);
        }
        let red = |why: String| Red::because(format!("the CA file {}: {why}", file.display()));
        let text = read(file).await.map_err(red)?;
        let ca = Certificate::from_pem_bundle(&text).map_err(|error| red(root(&error)))?;
        if ca.is_empty() {
            return Err(red("there is no certificate in it".to_owned()));
        }
        let client = build(Some(ca)).map_err(|error| red(root(&error)))?;
        lock(&self.own).insert(file.to_owned(), client.clone());
        Ok(client)
    }
}

/// A file of the configuration, at most [`FILE_LIMIT`] bytes of it.
async fn read(file: &Path) -> Result<Vec<u8>, String> {
    let open = tokio::fs::File::open(file).await.map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let read = open.take(FILE_LIMIT).read_to_end(&mut text).await;
    read.map(|_| text).map_err(|error| error.to_string())
}

async fn token(file: &Path) -> Result<String, Red> {
    let red = |why: &str| Red::because(format!("the token file {}: {why}", file.display()));
    let text = read(file).await.map_err(|why| red(&why))?;
    let text = String::from_utf8(text).map_err(|_| red("it is no text"))?;
    let token = text.trim();
    // A line break within would end the header.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(red("there is no token in it"));
    }
    Ok(token.to_owned())
}

/// It follows no redirect, because a login page answers 200 too, and it keeps no connection: a
/// check that lives on an old one does not see what a new user sees.
fn build(ca: Option<Vec<Certificate>>) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("firedrill/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy();
    if let Some(ca) = ca {
        builder = builder.tls_certs_only(ca);
    }
    builder.build()
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// There was more than was read.
    pub(super) cut: bool,
}

impl Asker {
    pub(super) async fn http(&self, check: &HttpCheck, timeout: Duration) -> Result<u16, Red> {
        let (whom, reply) = match &check.at {
            HttpAt::Within(within) => {
                let place = self.place(within)?;
                let cluster = self.cluster(&self.own)?;
                let asked = forward::Question { path: &check.path, host: None, headers: &[] };
                let reply = forward::get(cluster, &place, self.next_turn(), &asked, timeout)
                    .await
                    .map_err(|error| Red::because(error.to_string()))?;
                let whom = format!("{} of pod {}", check.path, reply.backend.pod);
                let (status, body) = (reply.answer.status, reply.answer.body);
                (whom, Reply { status, location: None, body, cut: false })
            }
            HttpAt::Url(base) => {
                let url = join(base, &check.path);
                let reply = fetch(&url, self.clients.plain.get(&url), BODY_LIMIT).await?;
                (url, reply)
            }
            HttpAt::Target(name) => {
                let url = join(self.target(name)?, &check.path);
                let request = self.to_target(name, |client| client.get(&url)).await?;
                let reply = fetch(&url, request, BODY_LIMIT).await?;
                (url, reply)
            }
        };
        judge(check, &whom, &reply)
    }

    /// The base URL of a target.
    pub(super) fn target(&self, name: &str) -> Result<&str, Red> {
        self.settings(name).map(|target| target.url.as_str())
    }

    fn settings(&self, name: &str) -> Result<&Target, Red> {
        let target = self.config.targets.get(name);
        target.ok_or_else(|| Red::because(format!("target {name} is not in the configuration")))
    }

    /// A request with a target's CA and token. The token is read anew for each: whoever issues it
    /// replaces the file. The CA is read once for each run.
    pub(super) async fn to_target(
        &self,
        name: &str,
        make: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<RequestBuilder, Red> {
        let target = self.settings(name)?;
        let request = match &target.ca_file {
            Some(file) => make(&self.clients.with_ca(file).await?),
            None => make(&self.clients.plain),
        };
        Ok(match &target.bearer_token_file {
            Some(file) => request.bearer_auth(token(file).await?),
            None => request,
        })
    }

    /// A request without either.
    pub(super) fn plain(&self) -> &Client {
        &self.clients.plain
    }
}

/// A base URL and a path.
pub(super) fn join(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

/// Sends, and reads the body up to `limit`: a service that sends its head and then hangs does not
/// serve.
pub(super) async fn fetch(url: &str, request: RequestBuilder, limit: usize) -> Result<Reply, Red> {
    let mut status = None;
    let read = async {
        let mut response = request.send().await?;
        status = Some(response.status().as_u16());
        let location = response.headers().get(reqwest::header::LOCATION);
        let location = location.and_then(|it| it.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        let mut cut = false;
        while !cut && let Some(chunk) = response.chunk().await? {
            let room = limit - body.len();
            cut = chunk.len() >= room;
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok::<_, reqwest::Error>((location, body, cut))
    };
    match read.await {
        Ok((location, body, cut)) => {
            Ok(Reply { status: status.unwrap_or_default(), location, body, cut })
        }
        Err(error) => {
            let why = match status {
                Some(_) => format!("{url} broke its answer off: {}", root(&error)),
                None => format!("{url} cannot be asked: {}", root(&error)),
            };
            Err(Red { status, why })
        }
    }
}

fn judge(check: &HttpCheck, whom: &str, reply: &Reply) -> Result<u16, Red> {
    let red = |why: String| Err(Red { status: Some(reply.status), why });
    if reply.status != check.status {
        let redirect = match &reply.location {
            Some(to) if (300..400).contains(&reply.status) => {
                format!("; it redirects to {}", crate::drill::problem::quote(to))
            }
            _ => String::new(),
        };
        return red(format!("{whom} answered {}, not {}{redirect}", reply.status, check.status));
    }
    match &check.contains {
        Some(text) if !holds(&reply.body, text.as_bytes()) => {
            red(format!("{whom} answered {} without {text:?} in its body", reply.status))
        }
        _ => Ok(reply.status),
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len().max(1)).any(|window| window == text)
}

/// The innermost cause, which names what went wrong; the outer ones repeat the URL.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
