//! What can go wrong between us and a cluster, told apart by what it means for an effect.

use std::{error::Error, io, time::Duration};

use jiff::Timestamp;
use kube::core::Status;
use rustls::{AlertDescription, CertificateError, pki_types::UnixTime};

use super::login::date;

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
    #[error("cluster {cluster}: {why}")]
    Certificate {
        /// The configured name.
        cluster: String,
        /// Whose certificate it is, and what is wrong with it.
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

    /// Maps a client error of the cluster `cluster` behind `server`, its URL.
    #[must_use]
    pub fn from_kube(cluster: &str, server: &str, error: &kube::Error) -> Self {
        let cluster = cluster.to_owned();
        match error {
            kube::Error::Api(status) => Self::from_status(status),
            kube::Error::SerdeError(why) => Self::Nonsense { cluster, why: why.to_string() },
            kube::Error::Auth(why) => Self::Login { cluster, why: chain(why) },
            other => match tls(other) {
                Some(error) => Self::Certificate { cluster, why: told(error, server) },
                None => Self::Unreachable { cluster, why: format!("{server}: {}", root(other)) },
            },
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

/// The TLS error among the causes, if it is one. An `io::Error` hides it: its `source` is what
/// lies below the error that it wraps.
fn tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped = wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(found) = wrapped.or_else(|| error.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A TLS error as what it means for whoever runs the drills.
fn told(error: &rustls::Error, server: &str) -> String {
    let at = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).map_or_else(|_| "a date out of range".to_owned(), date)
    };
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let why = match why {
                CertificateError::ExpiredContext { not_after, time } => {
                    format!("expired on {}; this machine's clock says {}", at(not_after), at(time))
                }
                CertificateError::Expired => "has expired".to_owned(),
                CertificateError::NotValidYetContext { not_before, time } => format!(
                    "is valid only from {}; this machine's clock says {}",
                    at(not_before),
                    at(time)
                ),
                CertificateError::NotValidYet => "is not valid yet".to_owned(),
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "is not signed by the configured CA; is it the right cluster, and is caFile \
                     up to date?"
                        .to_owned()
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    format!("does not name this host ({why})")
                }
                other => format!("is not accepted ({other})"),
            };
            format!("the certificate of {server} {why}")
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => {
                format!("{server} says that our client certificate has expired")
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied => {
                format!("{server} does not accept our client certificate ({alert:?})")
            }
            other => format!("{server} refuses TLS with us ({other:?})"),
        },
        other => format!("TLS with {server} fails: {other}"),
    }
}

/// The deepest cause: what lies above it only says that a connection was wanted.
fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}
