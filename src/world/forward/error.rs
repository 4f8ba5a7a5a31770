//! Why a pod cannot be reached by port-forward, in one sentence each.

use super::http::HttpError;
use crate::{
    check::service::{Backend, NoBackend},
    world::WorldError,
};

/// What stands between us and a port of a pod.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ForwardError {
    /// There is no such Service.
    #[error("namespace {namespace} has no Service {service}")]
    NoService {
        /// Where it was looked for.
        namespace: String,
        /// Its name.
        service: String,
    },
    /// The Service leads to no pod.
    #[error(transparent)]
    NoBackend(#[from] NoBackend),
    /// A right is missing.
    #[error(
        "cluster {cluster}: our account may not {verb} {resource} in namespace {namespace}; apply \
         config/rbac/clusterrole.yaml"
    )]
    Forbidden {
        /// The configured name.
        cluster: String,
        /// `get`
        verb: String,
        /// `pods/portforward`
        resource: String,
        /// Where.
        namespace: String,
    },
    /// An admission policy does not allow it.
    #[error("no port-forward to pod {pod}: {why}")]
    Denied {
        /// The pod.
        pod: String,
        /// The server's words.
        why: String,
    },
    /// The pod was there a moment ago.
    #[error("pod {pod} is gone")]
    Gone {
        /// The pod.
        pod: String,
    },
    /// The kubelet, or the API server on the way to it, says no.
    #[error("port {port} of pod {pod} cannot be reached: {why}")]
    Refused {
        /// The pod.
        pod: String,
        /// Its port.
        port: u16,
        /// Its words.
        why: String,
    },
    /// The forward stood, and no whole answer came.
    #[error("{whom} {error}")]
    Answer {
        /// `port 8080 of pod web-1`
        whom: String,
        /// What came instead.
        error: HttpError,
    },
    /// The time is over.
    #[error("{what} within {millis} ms")]
    Timeout {
        /// What did not happen.
        what: String,
        /// How long was waited, in milliseconds.
        millis: u128,
    },
    /// The cluster itself.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl ForwardError {
    /// A read that failed, for the want of `right` or otherwise.
    pub(super) fn of_read(
        cluster: &str,
        namespace: &str,
        (verb, resource): (&str, &str),
        error: WorldError,
    ) -> Self {
        match error.code() {
            Some(403) => Self::Forbidden {
                cluster: cluster.to_owned(),
                verb: verb.to_owned(),
                resource: resource.to_owned(),
                namespace: namespace.to_owned(),
            },
            _ => Self::World(error),
        }
    }

    /// A forward that did not come up.
    pub(super) fn of_forward(
        cluster: &str,
        namespace: &str,
        backend: &Backend,
        error: WorldError,
    ) -> Self {
        let WorldError::Status { code, message, .. } = &error else { return Self::World(error) };
        let pod = backend.pod.clone();
        match code {
            401 => Self::World(error),
            403 | 422 => match verb(message) {
                Some(verb) => Self::Forbidden {
                    cluster: cluster.to_owned(),
                    verb: verb.to_owned(),
                    resource: "pods/portforward".to_owned(),
                    namespace: namespace.to_owned(),
                },
                None => Self::Denied { pod, why: one_line(message) },
            },
            404 => Self::Gone { pod },
            _ => Self::refused(backend, message),
        }
    }

    pub(super) fn refused(backend: &Backend, why: &str) -> Self {
        Self::Refused { pod: backend.pod.clone(), port: backend.port, why: one_line(why) }
    }
}

/// The verb that RBAC's refusal names: `User "x" cannot get resource "pods/portforward" ...`. Where
/// `create` is missing Kubernetes 1.36 gives no reason at all: `pods "web-1" is forbidden: `. An
/// admission policy's refusal has a reason and names no verb.
fn verb(message: &str) -> Option<&str> {
    match message.split_once("\" cannot ") {
        Some((_, rest)) => rest.split_once(" resource ").map(|(verb, _)| verb),
        None => message.trim_end().ends_with(" is forbidden:").then_some("create"),
    }
}

/// Container runtimes answer over several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn status(code: u16, message: &str) -> WorldError {
        WorldError::Status {
            code,
            reason: String::new(),
            message: message.to_owned(),
            retry_after: None,
            status: Box::new(Value::Null),
        }
    }

    fn said(code: u16, message: &str) -> String {
        let backend = Backend { pod: "web-1".into(), port: 8080, ready: 1, all: 1 };
        ForwardError::of_forward("lab", "fd-x", &backend, status(code, message)).to_string()
    }

    #[test]
    fn each_refusal_is_told_apart() {
        let rbac = |verb: &str| {
            format!(
                "pods \"web-1\" is forbidden: User \"system:serviceaccount:firedrill:firedrill\" \
                 cannot {verb} resource \"pods/portforward\" in API group \"\" in the namespace \
                 \"fd-x\""
            )
        };
        for verb in ["get", "create"] {
            assert_eq!(
                said(403, &rbac(verb)),
                format!(
                    "cluster lab: our account may not {verb} pods/portforward in namespace fd-x; \
                     apply config/rbac/clusterrole.yaml"
                )
            );
        }
        assert!(said(403, "pods \"web-1\" is forbidden: ").contains("may not create pods/portf"));
        assert_eq!(
            said(422, "ValidatingAdmissionPolicy 'firedrill-forwards' denied request: no"),
            "no port-forward to pod web-1: ValidatingAdmissionPolicy 'firedrill-forwards' denied \
             request: no"
        );
        assert_eq!(said(404, "pods \"web-1\" not found"), "pod web-1 is gone");
        assert_eq!(
            said(500, "error dialing backend:\n dial tcp 10.0.0.1:10250: connection refused"),
            "port 8080 of pod web-1 cannot be reached: error dialing backend: dial tcp \
             10.0.0.1:10250: connection refused"
        );
        assert_eq!(said(401, "the token expired"), "the token expired");
    }

    #[test]
    fn a_read_without_its_right_names_the_right() {
        let read = |code| {
            let error = status(code, "no");
            ForwardError::of_read("lab", "fd-x", ("get", "services"), error).to_string()
        };
        assert_eq!(
            read(403),
            "cluster lab: our account may not get services in namespace fd-x; apply \
             config/rbac/clusterrole.yaml"
        );
        assert_eq!(read(500), "no");
    }
}
