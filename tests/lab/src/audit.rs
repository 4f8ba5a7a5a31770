//! The API server's audit log: the truth about which requests were sent, by whom, and what came
//! of them.
//!
//! The log is a file of JSON lines, each an `Event` of `audit.k8s.io/v1`
//! (<https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>). The server appends
//! while we read, so the last line may be half written: it is left for the next reading.

mod counts;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

pub use self::counts::{Counts, Line};

/// The user name of firedrill's service account.
pub const FIREDRILL: &str = "system:serviceaccount:firedrill:firedrill";

/// An audit policy that serves this module and [`crate::picture`]: bodies and answers of writes by
/// firedrill's account and of what people do to nodes, names and codes of everything else.
///
/// Answers (`RequestResponse`) rather than requests alone, because only the answer to a create
/// names the UID of what was made.
pub const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    users: ["system:serviceaccount:firedrill:firedrill"]
    verbs: [create, update, patch, delete, deletecollection]
  - level: Request
    verbs: [update, patch]
    resources:
      - group: ""
        resources: [nodes]
  - level: Metadata
"#;

/// One request, as the server logged it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// Unique for the request.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// `ResponseStarted` (watches), `ResponseComplete` or `Panic`.
    pub stage: String,
    /// `Metadata`, `Request` or `RequestResponse`.
    pub level: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the
    /// lower-case HTTP method where no object is addressed.
    pub verb: String,
    /// Who logged in.
    pub user: User,
    /// Whom they acted for.
    pub impersonated_user: Option<User>,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// What was addressed; none for `/version`, `/readyz` and discovery.
    pub object_ref: Option<ObjectRef>,
    /// How it ended.
    pub response_status: Option<ResponseStatus>,
    /// The body, at level `Request` and above. A patch is the patch itself.
    pub request_object: Option<Value>,
    /// The answer's body, at level `RequestResponse`.
    pub response_object: Option<Value>,
    /// When the request reached the server.
    pub request_received_timestamp: Option<Timestamp>,
    /// When this stage was reached.
    pub stage_timestamp: Option<Timestamp>,
}

/// A user of the log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    /// The name; `system:serviceaccount:NAMESPACE:NAME` for service accounts.
    pub username: String,
}

/// What a request addressed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// Plural, `nodes`.
    pub resource: String,
    /// `eviction`, `status`; empty for the object itself.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped objects. A namespace names itself here.
    pub namespace: String,
    /// Name; empty for lists.
    pub name: String,
    /// UID, where the server knew it.
    pub uid: String,
    /// API group; empty for core.
    pub api_group: String,
    /// API version.
    pub api_version: String,
}

/// How a request ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResponseStatus {
    /// HTTP status code.
    pub code: u16,
    /// `Conflict`, `Forbidden`, ...
    pub reason: String,
    /// The server's words.
    pub message: String,
}

impl Entry {
    /// Whom the request acted for: the impersonated user, else the one who logged in.
    #[must_use]
    pub fn actor(&self) -> &str {
        self.impersonated_user.as_ref().unwrap_or(&self.user).username.as_str()
    }

    /// The HTTP status code; 0 where the server never answered.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |s| s.code)
    }

    /// Whether it asks for a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether it only asks what a change would do (`?dryRun=All`).
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.request_uri.split_once('?').is_some_and(|(_, query)| {
            query.split('&').any(|pair| pair.starts_with("dryRun=") && pair.len() > 7)
        })
    }

    /// Resource and subresource, `pods/eviction`; the path where no object is addressed.
    #[must_use]
    pub fn resource(&self) -> String {
        match &self.object_ref {
            None => self.request_uri.split('?').next().unwrap_or_default().to_owned(),
            Some(o) if o.subresource.is_empty() => o.resource.clone(),
            Some(o) => format!("{}/{}", o.resource, o.subresource),
        }
    }
}

/// Which entries: every field that is set must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exact actor, see [`Entry::actor`].
    pub user: Option<String>,
    /// Part of the user agent.
    pub user_agent: Option<String>,
    /// Any of these verbs; empty = all.
    pub verbs: Vec<String>,
    /// Exact resource, `pods`.
    pub resource: Option<String>,
    /// Exact subresource, `eviction`; `""` = the object itself.
    pub subresource: Option<String>,
    /// Exact namespace; `""` = cluster-scoped.
    pub namespace: Option<String>,
    /// Exact name.
    pub name: Option<String>,
    /// Status codes.
    pub code: Option<RangeInclusive<u16>>,
}

impl Filter {
    /// The entries of firedrill's account.
    #[must_use]
    pub fn firedrill() -> Self {
        Self { user: Some(FIREDRILL.to_owned()), ..Self::default() }
    }

    /// Narrowed to verbs.
    #[must_use]
    pub fn verbs<'a>(mut self, verbs: impl IntoIterator<Item = &'a str>) -> Self {
        self.verbs = verbs.into_iter().map(str::to_owned).collect();
        self
    }

    /// Narrowed to a resource, `pods` or `pods/eviction`; without a subresource the object itself.
    #[must_use]
    pub fn resource(mut self, resource: &str) -> Self {
        let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
        self.resource = Some(resource.to_owned());
        self.subresource = Some(sub.to_owned());
        self
    }

    /// Narrowed to status codes.
    #[must_use]
    pub fn code(mut self, code: RangeInclusive<u16>) -> Self {
        self.code = Some(code);
        self
    }

    /// Whether an entry passes.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        fn is(want: Option<&String>, have: Option<&str>) -> bool {
            want.is_none_or(|want| have == Some(want.as_str()))
        }
        let object = entry.object_ref.as_ref();
        is(self.user.as_ref(), Some(entry.actor()))
            && self.user_agent.as_ref().is_none_or(|part| entry.user_agent.contains(part))
            && (self.verbs.is_empty() || self.verbs.contains(&entry.verb))
            && is(self.resource.as_ref(), object.map(|o| o.resource.as_str()))
            && is(self.subresource.as_ref(), object.map(|o| o.subresource.as_str()))
            && is(self.namespace.as_ref(), object.map(|o| o.namespace.as_str()))
            && is(self.name.as_ref(), object.map(|o| o.name.as_str()))
            && self.code.as_ref().is_none_or(|codes| codes.contains(&entry.code()))
    }
}

/// The log, read so far. Only completed requests are kept (a watch is logged twice: when it starts
/// and when it ends; it counts once, when it starts).
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    offset: u64,
    entries: Vec<Entry>,
}

impl AuditLog {
    /// Reads from the file's beginning.
    ///
    /// # Errors
    /// If the file cannot be read, or a whole line of it is not an audit event.
    pub fn from_start(path: impl AsRef<Path>) -> anyhow::Result<Self> {
        let mut log = Self { path: path.as_ref().to_owned(), offset: 0, entries: Vec::new() };
        log.refresh()?;
        Ok(log)
    }

    /// Reads only what is written from now on.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn from_now(path: impl AsRef<Path>) -> anyhow::Result<Self> {
        let mut log = Self::from_start(path)?;
        log.entries.clear();
        Ok(log)
    }

    /// Reads what was added; returns how many entries that were. A half-written last line waits
    /// for the next call.
    ///
    /// # Errors
    /// If the file cannot be read, became shorter (rotated: requests would be missed), or a whole
    /// line of it is not an audit event.
    pub fn refresh(&mut self) -> anyhow::Result<usize> {
        let added =
            self.read_new().with_context(|| format!("audit log {}", self.path.display()))?;
        let before = self.entries.len();
        for line in added.lines().filter(|line| !line.trim().is_empty()) {
            let entry: Entry = serde_json::from_str(line)
                .with_context(|| format!("audit log {}: {line}", self.path.display()))?;
            let watch = entry.verb == "watch";
            if entry.stage == if watch { "ResponseStarted" } else { "ResponseComplete" }
                || entry.stage == "Panic"
                // A watch that was refused never starts.
                || (watch && entry.code() >= 400)
            {
                self.entries.push(entry);
            }
        }
        self.offset += added.len() as u64;
        Ok(self.entries.len() - before)
    }

    /// The whole lines that were added.
    fn read_new(&self) -> anyhow::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length < self.offset {
            bail!("became shorter ({length} after {} bytes): it was rotated", self.offset);
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(length - self.offset).read_to_end(&mut bytes)?;
        // The server writes while we read: the last line may be half there.
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(whole);
        String::from_utf8(bytes).map_err(|e| io::Error::other(e).into())
    }

    /// Forgets everything read so far; the next reading goes on where the last ended.
    pub fn forget(&mut self) {
        self.entries.clear();
    }

    /// Everything read so far, in the order of the log (requests that ended first come first).
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that pass a filter.
    #[must_use]
    pub fn select(&self, filter: &Filter) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| filter.matches(entry)).collect()
    }

    /// Reads on until at least `count` entries pass the filter: the server logs a request shortly
    /// after it has answered it.
    ///
    /// # Errors
    /// As [`Self::refresh`], or if they did not come within `patience`.
    pub async fn wait_for(
        &mut self,
        filter: &Filter,
        count: usize,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let end = tokio::time::sleep(patience);
        tokio::pin!(end);
        loop {
            self.refresh()?;
            let seen = self.select(filter).len();
            if seen >= count {
                return Ok(());
            }
            tokio::select! {
                () = &mut end => bail!("{seen} of {count} requests in the audit log after {patience:?}: {filter:?}"),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }
}
