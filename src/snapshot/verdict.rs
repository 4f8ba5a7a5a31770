//! What is said about a snapshot. PURE.
//!
//! The JSON is an interface: `{"verdict", "level", "facts", "findings"}`. A fact that was not
//! looked for, or could not be had, is left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// How deep a snapshot is looked into; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is there and not empty
    Listed,
    /// Its first pages, length, members and newest revision
    Readable,
    /// Every byte: digest, structure, every row
    Intact,
}

impl Level {
    /// The word that is written for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Readable => "readable",
            Self::Intact => "intact",
        }
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Everything that the level asks for was seen and is right.
    Passed,
    /// Something is wrong.
    Failed,
    /// Nothing wrong was seen, and not everything could be looked at.
    Unproven,
}

impl Outcome {
    /// The word that is written for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unproven => "unproven",
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The verdict is `failed`.
    Error,
    /// The verdict cannot be `passed`.
    Unproven,
    /// Look at it.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word that is written for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Unproven => "unproven",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable word for programs.
    pub code: &'static str,
    /// One sentence for people.
    pub text: String,
    /// What was seen, where the sentence does not hold it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

impl Finding {
    /// A finding without evidence.
    pub fn new(severity: Severity, code: &'static str, text: impl Into<String>) -> Self {
        Self { severity, code, text: text.into(), evidence: vec![] }
    }

    /// An error.
    pub fn error(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, text)
    }

    /// Something that could not be proven.
    pub fn unproven(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Unproven, code, text)
    }

    /// A warning.
    pub fn warning(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text)
    }

    /// Good to know.
    pub fn info(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, text)
    }

    /// With what was seen.
    #[must_use]
    pub fn with(mut self, evidence: Vec<String>) -> Self {
        self.evidence = evidence;
        self
    }
}

/// A snapshot's verdict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What came out.
    pub verdict: Outcome,
    /// How deep was looked.
    pub level: Level,
    /// What was seen.
    pub facts: Facts,
    /// What is worth telling, the gravest first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The verdict that follows from findings.
    #[must_use]
    pub fn of(level: Level, facts: Facts, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.severity);
        let verdict = match findings.first().map(|finding| finding.severity) {
            Some(Severity::Error) => Outcome::Failed,
            Some(Severity::Unproven) => Outcome::Unproven,
            _ => Outcome::Passed,
        };
        Self { verdict, level, facts, findings }
    }
}

/// What was seen of a snapshot. Sizes are in bytes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Where it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Bytes of the file as it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the file was changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// What it is wrapped in: `gzip`, `zip`, `zstd`, `age`; left out if it is bare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'static str>,
    /// The name of the file inside of a zip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Bytes of what is inside of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_size: Option<u64>,
    /// `snapshot`: with the SHA-256 that `etcdctl snapshot save` brings; `copy`: a database file without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'static str>,
    /// Bytes of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// Bytes of the database, which the target's quota has to allow. etcd's `totalSize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_size: Option<u64>,
    /// The database's transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<u64>,
    /// The SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The buckets of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<String>>,
    /// The newest revision: the main revision of the last row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// What a member that starts from it calls its revision: the newest, or the point of compaction if that is later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<i64>,
    /// How far the member had compacted; left out if it never had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact_revision: Option<i64>,
    /// The Raft index up to which it is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent_index: Option<u64>,
    /// The Raft term of that index; since etcd 3.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// The version of the storage schema; since etcd 3.6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_version: Option<String>,
    /// The version that the cluster's members had agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_version: Option<String>,
    /// The members of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Alarms that a restore brings back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Vec<Alarm>>,
    /// Whether authentication is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<bool>,
    /// How many leases etcd holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<u64>,
    /// The hash of `etcdutl snapshot status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_hash: Option<u32>,
    /// Keys that live: `totalKey` of etcdutl 3.6 and later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_keys: Option<u64>,
    /// Rows of all buckets: `totalKey` of etcdctl and etcdutl up to 3.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<u64>,
    /// Rows of the key space: puts and deletions that were not compacted away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<u64>,
    /// Rows that say that a key was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tombstones: Option<u64>,
    /// What a member with this content answers to `HashKV`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_kv: Option<HashKv>,
    /// Pages without content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_pages: Option<u64>,
    /// Their share of all pages, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_share: Option<f64>,
    /// Levels of the key space's tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_depth: Option<u64>,
    /// What Kubernetes puts before all its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd_prefix: Option<String>,
    /// Kubernetes objects that live, by resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<BTreeMap<String, u64>>,
    /// Keys that live and are no Kubernetes object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_keys: Option<u64>,
    /// What Kubernetes encrypted them with: without these keys they are of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Vec<Encryption>>,
    /// The newest renewal of a Kubernetes Lease: about when the content was current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_lease: Option<Timestamp>,
    /// Seconds from that renewal to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_age_seconds: Option<u64>,
    /// The UID of the namespace kube-system, which tells clusters apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_system_uid: Option<String>,
}

/// A SHA-256, as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// What the bytes give.
    pub computed: String,
    /// What the file ends with.
    pub stored: String,
}

/// etcd's hash of the key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HashKv {
    /// The hash.
    pub hash: u32,
    /// Up to this revision.
    pub revision: i64,
    /// For a member that compacted so far; -1 if it never did.
    pub compact_revision: i64,
}

/// A member of the cluster that the snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its id, as hexadecimal digits.
    pub id: String,
    /// Its name; empty if it never started.
    pub name: String,
    /// Where its peers reach it.
    #[serde(rename = "peerURLs")]
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    #[serde(rename = "clientURLs")]
    pub client_urls: Vec<String>,
}

/// An alarm of etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The member's id, as hexadecimal digits.
    pub member: String,
    /// `NOSPACE`, `CORRUPT`, or a number.
    pub alarm: String,
}

/// Objects of one resource that one key encrypts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// The resource.
    pub resource: String,
    /// The provider with its version: `aescbc:v1`, `kms:v2`.
    pub provider: String,
    /// The key's name, or the KMS provider's.
    pub key: String,
    /// How many objects.
    pub objects: u64,
}
