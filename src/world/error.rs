//! What can go wrong between us and a cluster, told apart by what it means for an effect.

use std::{error::Error, time::Duration};

use kube::core::Status;

/// An answer that is not the one asked for, or no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorldError {
    /// No connection: the request did not reach the server, or nothing came back.
    #[error("cluster {cluster} cannot be reached: {why}")]
    Unreachable {
        /// The configured name.
        cluster: String,
        /// The cause.
        why: String,
    },
    /// The server's certificate, or ours, is not accepted.
    #[error("cluster {cluster}: TLS fails: {why}")]
    Certificate {
        /// The configured name.
        cluster: String,
        /// The cause, with `expired` where it is that.
        why: String,
    },
    /// The configuration of the cluster cannot be used.
    #[error("cluster {cluster} cannot be logged in to: {why}")]
    Login {
        /// The configured name.
        cluster: String,
        /// The cause.
        why: String,
    },
    /// Nothing came in time; whether it was applied is unknown.
    #[error("cluster {cluster} did not answer within {seconds} s")]
    Timeout {
        /// The configured name.
        cluster: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// A Kubernetes Status other than success.
    #[error("{message}")]
    Status {
        /// HTTP code.
        code: u16,
        /// Machine-readable reason, `AlreadyExists`.
        reason: String,
        /// The server's words.
        message: String,
        /// How long the server wants us to wait.
        retry_after: Option<Duration>,
        /// The Status as it came.
        status: Box<serde_json::Value>,
    },
    /// An answer that is not what Kubernetes answers.
    #[error("cluster {cluster} answered nonsense: {why}")]
    Nonsense {
        /// The configured name.
        cluster: String,
        /// What was wrong with it.
        why: String,
    },
}

impl WorldError {
    /// The HTTP code, where the server answered.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the server said 404.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the server refused the request, so that it certainly was not applied. 5xx and
    /// silence prove nothing: the server may have applied it before it failed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.code() {
            Some(code) => (400..500).contains(&code),
            None => matches!(self, Self::Certificate { .. } | Self::Login { .. }),
        }
    }

    /// Maps a client error.
    #[must_use]
    pub fn from_kube(cluster: &str, error: &kube::Error) -> Self {
        let cluster = cluster.to_owned();
        match error {
            kube::Error::Api(status) => Self::from_status(status),
            kube::Error::SerdeError(why) => Self::Nonsense { cluster, why: why.to_string() },
            kube::Error::Auth(why) => Self::Login { cluster, why: chain(why) },
            kube::Error::RustlsTls(why) => Self::Certificate { cluster, why: chain(why) },
            other => {
                let why = chain(other);
                let tls = ["certificate", "Certificate", "TLS", "tls", "HandshakeFailure"];
                if tls.iter().any(|word| why.contains(word)) {
                    let why = if why.contains("Expired") || why.contains("expired") {
                        format!("a certificate has expired ({why})")
                    } else {
                        why
                    };
                    return Self::Certificate { cluster, why };
                }
                Self::Unreachable { cluster, why }
            }
        }
    }

    /// Maps a Status.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        Self::Status {
            code: status.code,
            reason: status.reason.clone(),
            message: if status.message.is_empty() {
                format!("HTTP {} {}", status.code, status.reason)
            } else {
                status.message.clone()
            },
            retry_after: (after > 0).then(|| Duration::from_secs(after.into())),
            status: Box::new(serde_json::to_value(status).unwrap_or_default()),
        }
    }
}

/// An error and its causes in one line, without repeating itself.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
