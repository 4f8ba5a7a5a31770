//! Which pod and which port a Service stands for. PURE.
//!
//! A port-forward goes to one pod, not to a Service: what kube-proxy would choose is chosen here,
//! from the Service and its EndpointSlices. Sources: the API types of `core/v1` Service and
//! `discovery.k8s.io/v1` EndpointSlice, and the conventions in their field documentation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{
    api::{
        core::v1::{Service, ServicePort},
        discovery::v1::{Endpoint, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde::{Deserialize, Serialize};

/// A port of a Service, as a drill writes it: its name, or its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PortRef {
    /// `http`
    Name(String),
    /// `80`: the Service's own number, not the pod's.
    Number(u16),
}

impl PortRef {
    /// Digits are a number, everything else is a name: a Service's port name has a letter in it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number)
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A ready pod behind a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name, in the Service's namespace.
    pub pod: String,
    /// The port of the pod that the Service's port leads to.
    pub port: u16,
    /// How many pods behind the Service are ready.
    pub ready: usize,
    /// How many there are.
    pub all: usize,
}

/// Why a Service leads to no pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBackend {
    /// It is a name for something outside the cluster.
    #[error("Service {service} is an ExternalName for {host}: there is no pod behind it")]
    ExternalName {
        /// The Service.
        service: String,
        /// What it names.
        host: String,
    },
    /// It says nothing about pods.
    #[error("Service {service} has no selector: nothing says which pods are behind it")]
    NoSelector {
        /// The Service.
        service: String,
    },
    /// It has no such port.
    #[error("Service {service} has no port {port}; it has {}", list(.has))]
    NoPort {
        /// The Service.
        service: String,
        /// What was asked for.
        port: PortRef,
        /// The ports that there are, `http (80)`.
        has: Vec<String>,
    },
    /// A port-forward carries TCP alone.
    #[error("port {port} of Service {service} is {protocol}: only TCP can be forwarded")]
    NotTcp {
        /// The Service.
        service: String,
        /// What was asked for.
        port: PortRef,
        /// `UDP`, `SCTP`
        protocol: String,
    },
    /// Nothing is behind it, ready or not.
    #[error("no pod is behind Service {service}")]
    NoPods {
        /// The Service.
        service: String,
    },
    /// Nothing behind it is ready.
    #[error("no pod behind Service {service} is ready (0 of {all})")]
    NoneReady {
        /// The Service.
        service: String,
        /// How many there are.
        all: usize,
    },
    /// The ready pods have no port of the name that the Service's port leads to.
    #[error(
        "port {port} of Service {service} leads to the port {target} of its pods, and none of the \
         {ready} ready ones has it"
    )]
    NoTarget {
        /// The Service.
        service: String,
        /// What was asked for.
        port: PortRef,
        /// The `targetPort`.
        target: String,
        /// How many pods are ready.
        ready: usize,
    },
}

impl NoBackend {
    /// Whether it may pass by itself: pods come up, a Service's ports do not change.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NoPods { .. } | Self::NoneReady { .. } | Self::NoTarget { .. })
    }
}

/// Chooses a ready pod for `port` of `service`. `turn` counts the questions: each next one takes
/// the next pod in the order of their names, so that in a few turns every pod was asked.
///
/// # Errors
/// Why there is none.
pub fn choose(
    service: &Service,
    slices: &[EndpointSlice],
    port: &PortRef,
    turn: u64,
) -> Result<Backend, NoBackend> {
    let name = || service.metadata.name.clone().unwrap_or_default();
    let wanted = service_port(service, port)?;
    let namespace = service.metadata.namespace.as_deref();
    let mut all = BTreeSet::new();
    let mut ready = BTreeSet::new();
    let mut targets: BTreeMap<String, u16> = BTreeMap::new();
    // A Service of two address families has slices of both, each with the same pods; one whose
    // port has a name in its pods has a slice for each number that the name stands for.
    for slice in slices {
        let target = target(slice, wanted);
        for endpoint in &slice.endpoints {
            let Some(pod) = pod(endpoint, namespace) else { continue };
            all.insert(pod.to_owned());
            if !is_ready(endpoint) {
                continue;
            }
            ready.insert(pod.to_owned());
            if let Some(number) = target {
                targets.insert(pod.to_owned(), number);
            }
        }
    }
    let (all, ready) = (all.len(), ready.len());
    if all == 0 {
        return Err(NoBackend::NoPods { service: name() });
    }
    if ready == 0 {
        return Err(NoBackend::NoneReady { service: name(), all });
    }
    let count = u64::try_from(targets.len()).unwrap_or(u64::MAX).max(1);
    let at = usize::try_from(turn % count).unwrap_or_default();
    match targets.into_iter().nth(at) {
        Some((pod, port)) => Ok(Backend { pod, port, ready, all }),
        None => Err(NoBackend::NoTarget {
            service: name(),
            port: port.clone(),
            target: target_name(wanted),
            ready,
        }),
    }
}

/// The Service's port, if it is one that can be forwarded.
fn service_port<'a>(service: &'a Service, port: &PortRef) -> Result<&'a ServicePort, NoBackend> {
    let name = || service.metadata.name.clone().unwrap_or_default();
    let spec = service.spec.as_ref();
    if let Some(spec) = spec
        && spec.type_.as_deref() == Some("ExternalName")
    {
        let host = spec.external_name.clone().unwrap_or_default();
        return Err(NoBackend::ExternalName { service: name(), host });
    }
    if spec.and_then(|spec| spec.selector.as_ref()).is_none_or(BTreeMap::is_empty) {
        return Err(NoBackend::NoSelector { service: name() });
    }
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let matching = ports.iter().filter(|candidate| match port {
        PortRef::Name(name) => candidate.name.as_ref() == Some(name),
        PortRef::Number(number) => candidate.port == i32::from(*number),
    });
    // One number may stand for TCP and UDP both (DNS): the one that can be forwarded is meant.
    let matching: Vec<&ServicePort> = matching.collect();
    match matching.iter().find(|port| protocol(port.protocol.as_deref()) == "TCP") {
        Some(port) => Ok(port),
        None => match matching.first() {
            Some(other) => Err(NoBackend::NotTcp {
                service: name(),
                port: port.clone(),
                protocol: protocol(other.protocol.as_deref()).to_owned(),
            }),
            None => Err(NoBackend::NoPort {
                service: name(),
                port: port.clone(),
                has: ports.iter().map(described).collect(),
            }),
        },
    }
}

/// The port of the pods of this slice that the Service's port leads to. A slice's port bears the
/// name of the Service's port; one without a number stands for all ports.
fn target(slice: &EndpointSlice, wanted: &ServicePort) -> Option<u16> {
    let same = |port: &&EndpointPort| {
        port.name.as_deref().unwrap_or_default() == wanted.name.as_deref().unwrap_or_default()
            && protocol(port.protocol.as_deref()) == "TCP"
    };
    let port = slice.ports.iter().flatten().find(same)?;
    let own = match &wanted.target_port {
        Some(IntOrString::Int(number)) => *number,
        _ => wanted.port,
    };
    let number = port.port.unwrap_or(own);
    u16::try_from(number).ok().filter(|number| *number > 0)
}

/// The pod of an endpoint. Endpoints that somebody wrote by hand may name none, or one elsewhere.
fn pod<'a>(endpoint: &'a Endpoint, namespace: Option<&str>) -> Option<&'a str> {
    let reference = endpoint.target_ref.as_ref().filter(|it| it.kind.as_deref() == Some("Pod"))?;
    let here = reference.namespace.as_deref().is_none_or(|it| Some(it) == namespace);
    reference.name.as_deref().filter(|_| here)
}

/// Ready and not going. `serving` is the pod's own readiness; `ready` says yes for every pod where
/// the Service has `publishNotReadyAddresses`. What is not said counts as ready, as the API asks.
fn is_ready(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|it| it.ready).unwrap_or(true);
    let serving = conditions.and_then(|it| it.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|it| it.terminating).unwrap_or(false);
    ready && serving && !terminating
}

fn protocol(protocol: Option<&str>) -> &str {
    protocol.unwrap_or("TCP")
}

/// `http (80)`, `53/UDP`
fn described(port: &ServicePort) -> String {
    let number = match protocol(port.protocol.as_deref()) {
        "TCP" => port.port.to_string(),
        other => format!("{}/{other}", port.port),
    };
    match &port.name {
        Some(name) => format!("{name} ({number})"),
        None => number,
    }
}

fn target_name(port: &ServicePort) -> String {
    match &port.target_port {
        Some(IntOrString::String(name)) => name.clone(),
        Some(IntOrString::Int(number)) => number.to_string(),
        None => port.port.to_string(),
    }
}

fn list(ports: &[String]) -> String {
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}

#[cfg(test)]
mod tests;
