//! The daemon's configuration: where to drill, and how much a run may touch.

pub mod fields;
pub mod load;

pub use load::{load, parse};

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The name of this installation; it survives the loss of the journal.
    pub instance: String,
    /// The journal's database file.
    pub journal: PathBuf,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// What checks ask, by name.
    pub targets: BTreeMap<String, Target>,
    /// S3 stores by name.
    pub stores: BTreeMap<String, Store>,
    /// Files or folders of drills, to find one by its name.
    pub drills: Vec<PathBuf>,
    /// How long things may take.
    pub timings: Timings,
}

/// A cluster, and how to log in.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// How to reach it.
    pub login: Login,
    /// Velero's namespace; default `velero`.
    pub velero_namespace: String,
    /// The most nodes that a run may cordon at once; default 1.
    pub max_nodes: u32,
}

/// How to log in to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// A kubeconfig file and one of its contexts (none = its current one).
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The context.
        context: Option<String>,
    },
    /// A server with a bearer token that is read anew for each request batch.
    Token {
        /// `https://host:port`
        server: String,
        /// The file that holds the token.
        token_file: PathBuf,
        /// PEM file of the server's CA.
        ca_file: PathBuf,
    },
}

/// What checks ask: a service with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Base URL: scheme, host, perhaps port and path; no user, query or fragment.
    pub url: String,
    /// File with a bearer token; read when it is needed, sent as `Authorization: Bearer`.
    pub bearer_token_file: Option<PathBuf>,
    /// PEM file of the CAs that alone are trusted for it; none = the usual public ones.
    pub ca_file: Option<PathBuf>,
}

/// An S3 bucket and prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Endpoint URL; none = AWS.
    pub endpoint: Option<String>,
    /// Region; default `us-east-1`.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Key prefix, may be empty.
    pub prefix: String,
    /// Bucket in the path, as most servers other than AWS want it.
    pub path_style: bool,
    /// File with an AWS `[default]` profile.
    pub credentials_file: Option<PathBuf>,
}

/// How long things may take. All are configuration so that tests can run with short ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Of one write: a request is never sent later than this after its intent. Default 15 s.
    pub send_timeout: Duration,
    /// From `sendBy` to the instant at which an absence proves something; longer than
    /// `send_timeout`. Default 30 s.
    pub settle: Duration,
    /// How long a Lease lasts. Default 60 s.
    pub lease_duration: Duration,
    /// How often it is renewed. Default 10 s.
    pub lease_renew: Duration,
    /// Unrenewed for this long closes the run. Default 40 s.
    pub lease_lost: Duration,
    /// How long Velero may take to pick a request up. Default 60 s.
    pub velero_accept: Duration,
    /// How long undo may go on after a first signal. Default 60 s.
    pub stop_budget: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            send_timeout: Duration::from_secs(15),
            settle: Duration::from_secs(30),
            lease_duration: Duration::from_secs(60),
            lease_renew: Duration::from_secs(10),
            lease_lost: Duration::from_secs(40),
            velero_accept: Duration::from_secs(60),
            stop_budget: Duration::from_secs(60),
        }
    }
}
