//! A check: a question to the world and its answer. One type of question serves steps, guards and
//! background checks, and one act answers it ([`ask`]).
//!
//! PURE, and so are [`colour`], [`compare`], [`object`], [`path`], [`service`] and [`vector`]: they
//! judge. Only
//! [`ask`] and [`guards`] touch the world.

pub mod ask;
pub mod colour;
pub mod compare;
pub mod guards;
pub mod object;
pub mod path;
pub mod service;
pub mod vector;

use std::fmt;

use self::{compare::Test, path::FieldPath, service::PortRef, vector::Expect};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// GET of a URL: is the answer the good one?
    Http(HttpCheck),
    /// Does a connection come up?
    Tcp(TcpCheck),
    /// Is an object of a cluster as it should be?
    Kubernetes(Box<KubernetesCheck>),
    /// Does Prometheus answer as it should?
    Promql(PromqlCheck),
}

/// GET of a path, the status that is a good answer, and what the body has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Where to ask.
    pub at: HttpAt,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// The good status; default 200.
    pub status: u16,
    /// Text that the first [`BODY_LIMIT`] bytes of the body must hold.
    pub contains: Option<String>,
}

/// The most of a body that is read: enough to see that it comes, too little to hurt.
pub const BODY_LIMIT: usize = 64 * 1024;

/// Where an HTTP check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAt {
    /// A target of the configuration, by name.
    Target(String),
    /// A base URL.
    Url(String),
    /// A Service of a sandbox.
    Within(Within),
}

/// A port of a Service in the sandbox of a restore step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    /// The restore step.
    pub step: String,
    /// The namespace as it was called in the backup; none = the step restores only one.
    pub namespace: Option<String>,
    /// The Service.
    pub service: String,
    /// The Service's port.
    pub port: PortRef,
}

/// A connection that has to come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpCheck {
    /// To a host.
    Host {
        /// An IP address or a name.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// To a Service of a sandbox.
    Within(Within),
}

/// An object of a cluster, and what has to be true of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KubernetesCheck {
    /// Where to look.
    pub at: KubernetesAt,
    /// API group; empty for core.
    pub group: String,
    /// API version, `v1`.
    pub version: String,
    /// `Deployment`
    pub kind: String,
    /// Its namespace; of a sandbox as it was called in the backup. None for what has none, and in
    /// a sandbox of only one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What has to be true.
    pub wanted: Wanted,
}

/// Where a Kubernetes check looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesAt {
    /// In a cluster of the configuration; none = the drill's.
    Cluster(Option<String>),
    /// In the sandbox of this restore step.
    Step(String),
}

/// What has to be true of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// A condition has this status.
    Condition {
        /// `Available`
        name: String,
        /// `True`, `False` or `Unknown`.
        status: String,
    },
    /// A field compares.
    Field {
        /// Where it is.
        path: FieldPath,
        /// What it has to be.
        test: Test,
    },
}

/// A query to Prometheus and what its answer has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct PromqlCheck {
    /// Where to ask.
    pub at: PromqlAt,
    /// The query, evaluated at the server's now.
    pub query: String,
    /// What its answer has to be.
    pub expect: Expect,
}

/// Where a query is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromqlAt {
    /// A target of the configuration, by name.
    Target(String),
    /// A base URL; `/api/v1/query` is added to it.
    Url(String),
}

impl Question {
    /// The restore step whose sandbox it asks within.
    #[must_use]
    pub fn within(&self) -> Option<&str> {
        match self {
            Self::Http(HttpCheck { at: HttpAt::Within(within), .. })
            | Self::Tcp(TcpCheck::Within(within)) => Some(&within.step),
            Self::Kubernetes(check) => match &check.at {
                KubernetesAt::Step(step) => Some(step),
                KubernetesAt::Cluster(_) => None,
            },
            _ => None,
        }
    }

    /// The namespace that it names within a sandbox, as it was called in the backup.
    #[must_use]
    pub fn namespace_within(&self) -> Option<&str> {
        match self {
            Self::Http(HttpCheck { at: HttpAt::Within(within), .. })
            | Self::Tcp(TcpCheck::Within(within)) => within.namespace.as_deref(),
            Self::Kubernetes(check) => check.namespace.as_deref(),
            _ => None,
        }
    }

    /// The target of the configuration that it asks.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Http(HttpCheck { at: HttpAt::Target(name), .. })
            | Self::Promql(PromqlCheck { at: PromqlAt::Target(name), .. }) => Some(name),
            _ => None,
        }
    }

    /// The cluster that it looks into, if it looks into one; `own` is the drill's.
    #[must_use]
    pub fn cluster<'a>(&'a self, own: &'a str) -> Option<&'a str> {
        match self {
            Self::Kubernetes(check) => match &check.at {
                KubernetesAt::Cluster(Some(name)) => Some(name),
                KubernetesAt::Cluster(None) | KubernetesAt::Step(_) => Some(own),
            },
            _ => self.within().map(|_| own),
        }
    }

    /// The key that it is written under.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Kubernetes(_) => "kubernetes",
            Self::Promql(_) => "promql",
        }
    }
}

/// The question, for people: `GET /healthz of target shop = 200`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(HttpCheck { at, path, status, contains }) => {
                write!(f, "GET {path} of ")?;
                match at {
                    HttpAt::Target(name) => write!(f, "target {name}")?,
                    HttpAt::Url(url) => f.write_str(url)?,
                    HttpAt::Within(within) => write!(f, "{within}")?,
                }
                write!(f, " = {status}")?;
                match contains {
                    Some(text) => write!(f, " with {text:?}"),
                    None => Ok(()),
                }
            }
            Self::Tcp(TcpCheck::Host { host, port }) if host.contains(':') => {
                write!(f, "tcp [{host}]:{port} opens")
            }
            Self::Tcp(TcpCheck::Host { host, port }) => write!(f, "tcp {host}:{port} opens"),
            Self::Tcp(TcpCheck::Within(within)) => write!(f, "tcp {within} opens"),
            Self::Kubernetes(check) => write!(f, "{check}"),
            Self::Promql(PromqlCheck { at, query, expect }) => {
                write!(f, "{query} of ")?;
                match at {
                    PromqlAt::Target(name) => write!(f, "target {name}")?,
                    PromqlAt::Url(url) => f.write_str(url)?,
                }
                write!(f, " is {expect}")
            }
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, namespace, service, port } = self;
        f.write_str("service ")?;
        if let Some(namespace) = namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{service}:{port} in {step}")
    }
}

impl fmt::Display for KubernetesCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, kind, namespace, name, wanted, .. } = self;
        write!(f, "{kind} ")?;
        if let Some(namespace) = namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(name)?;
        match at {
            KubernetesAt::Cluster(None) => {}
            KubernetesAt::Cluster(Some(cluster)) => write!(f, " of cluster {cluster}")?,
            KubernetesAt::Step(step) => write!(f, " in {step}")?,
        }
        match wanted {
            Wanted::Condition { name, status } => write!(f, " has condition {name}={status}"),
            Wanted::Field { path, test } => write!(f, " has {path} {test}"),
        }
    }
}

#[cfg(test)]
mod tests;
