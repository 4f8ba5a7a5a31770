//! The daemon's configuration: where to drill, when not to, whom to tell, and how much a run may
//! touch.

pub mod fields;

pub mod freeze;
pub mod load;
pub mod tell;

pub use freeze::Freeze;
pub use load::{load, parse, parse_read};
pub use tell::{Hook, Occasion, Rule};

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The name of this installation; it survives the loss of the journal.
    pub instance: String,
    /// The journal's database file.
    pub journal: PathBuf,
    /// Files or folders of drills, to find one by its name.
    pub drills: Vec<PathBuf>,
    /// For what a step needs while it runs; wiped at the start. Default `scratch` beside the
    /// journal.
    pub scratch: PathBuf,
    /// For reports and what they rest on. Default `evidence` beside the journal.
    pub evidence: PathBuf,
    /// While it exists, the halt lever is pulled. Default `halt` beside the journal.
    pub halt_file: PathBuf,
    /// Where the page, the API and the metrics are; none = nowhere.
    pub listen: Option<SocketAddr>,
    /// The control socket.
    pub socket: PathBuf,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// What checks ask, by name.
    pub targets: BTreeMap<String, Target>,
    /// S3 stores by name.
    pub stores: BTreeMap<String, Store>,
    /// Times in which nothing may start, by name.
    pub freezes: BTreeMap<String, Freeze>,
    /// ConfigMaps that are kept fresh; none = nowhere.
    pub sentinels: Option<Sentinels>,
    /// Where messages go, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Who is told what.
    pub notify: Vec<Rule>,
    /// How many runs there may be at once; default 4.
    pub max_concurrent: u32,
    /// How long undo waits for something.
    pub patience: Patience,
    /// How long the journal keeps runs.
    pub retain: Retain,
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
    /// The most that one run may touch here; what the cluster does not say is taken from the
    /// configuration's own `caps`.
    pub caps: Caps,
    /// Resources that drills may restore although they own something outside their namespace.
    pub may_own_outside: Vec<String>,
}

/// The most that one run may touch in a cluster. All that are there hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Nodes that are cordoned at once; default 1.
    pub nodes: u32,
    /// Of the nodes without a control plane, in percent from 1 to 100, rounded down.
    pub share: Option<u8>,
    /// Namespaces that are brought back.
    pub namespaces: Option<u32>,
    /// Pods that are evicted.
    pub pods: Option<u32>,
}

impl Default for Caps {
    fn default() -> Self {
        Self { nodes: 1, share: None, namespaces: None, pods: None }
    }
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
    /// A server, and files with what it is known by and what we are known by.
    Server {
        /// `https://host:port`
        server: String,
        /// PEM file of the server's CAs.
        ca_file: PathBuf,
        /// What we are known by.
        proof: Proof,
    },
}

/// What we are known by at a server. All files are read again as they change.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// A bearer token.
    Token {
        /// The file that holds the token.
        token_file: PathBuf,
    },
    /// A client certificate.
    Certificate {
        /// PEM file of the certificate, and those between it and its CA.
        certificate_file: PathBuf,
        /// PEM file of its key.
        key_file: PathBuf,
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
    /// How requests are signed.
    pub credentials: Credentials,
    /// PEM file of the CAs that alone are trusted for it; none = the usual public ones.
    pub ca_file: Option<PathBuf>,
}

/// How requests to a store are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The usual chain of AWS: environment, profile, web identity, instance.
    Chain,
    /// A profile of a file in the format of AWS.
    File {
        /// The file.
        path: PathBuf,
        /// The profile; default `default`.
        profile: String,
    },
    /// Not at all: the bucket is public.
    Anonymous,
}

/// ConfigMaps with nonce and time that are kept fresh, to measure recovery points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentinels {
    /// How often they are made fresh; default 5 min.
    pub every: Duration,
    /// Cluster and namespaces that hold one.
    pub places: Vec<(String, Vec<String>)>,
}

/// How long undo waits for something before it goes on without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Of a sweep, for one thing that is left of an earlier run. Default 10 s.
    pub sweep: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { sweep: Duration::from_secs(10) }
    }
}

/// How long the journal keeps runs that have ended; what both allow may go. Nothing = for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retain {
    /// At least so many runs of each drill.
    pub runs: Option<u32>,
    /// At least for so many days.
    pub days: Option<u32>,
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
