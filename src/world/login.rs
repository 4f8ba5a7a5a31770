//! What we log in to a cluster with, and what is wrong with it when the cluster does not take it.
//!
//! An API server answers 401 "Unauthorized" to an expired token, an expired client certificate
//! and a token of another cluster alike. What lies before us says more: a certificate and most
//! tokens carry the date on which they end.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose};
use jiff::Timestamp;
use kube::config::AuthInfo;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// What we log in with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A bearer token in a file.
    Token {
        /// The file.
        file: PathBuf,
    },
    /// A client certificate in a file.
    Certificate {
        /// The file.
        file: PathBuf,
    },
    /// A user of a kubeconfig.
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// Its client certificate, DER, if it has a readable one.
        certificate: Option<Vec<u8>>,
    },
}

impl Credential {
    /// The credential of a kubeconfig's user.
    #[must_use]
    pub fn of_kubeconfig(file: &Path, user: &AuthInfo) -> Self {
        Self::Kubeconfig { file: file.to_owned(), certificate: certificate(user) }
    }

    /// What is most likely wrong with it, in half a sentence.
    #[must_use]
    pub fn doubt(&self, now: Timestamp) -> String {
        match self {
            Self::Token { file } => {
                let shown = file.display();
                match std::fs::read_to_string(file) {
                    Err(error) => format!("the token file {shown} cannot be read: {error}"),
                    Ok(token) => match token_end(token.trim()) {
                        Some(end) if end <= now => {
                            format!("the token in {shown} expired on {}", date(end))
                        }
                        Some(_) => format!(
                            "the token in {shown} has not expired; was it issued by this cluster, \
                             and does its ServiceAccount still exist?"
                        ),
                        None => format!("is the token in {shown} expired, or of another cluster?"),
                    },
                }
            }
            Self::Certificate { file } => match std::fs::read(file) {
                Err(error) => {
                    format!("the client certificate {} cannot be read: {error}", file.display())
                }
                Ok(pem) => of_certificate(file, first_certificate(&pem).as_deref(), now),
            },
            Self::Kubeconfig { file, certificate } => {
                of_certificate(file, certificate.as_deref(), now)
            }
        }
    }
}

fn of_certificate(file: &Path, certificate: Option<&[u8]>, now: Timestamp) -> String {
    let shown = file.display();
    match certificate.and_then(certificate_end) {
        Some(end) if end <= now => {
            format!("the client certificate of {shown} expired on {}", date(end))
        }
        Some(_) => format!(
            "the client certificate of {shown} has not expired; is it signed by this cluster's CA?"
        ),
        None => format!("are the credentials in {shown} expired?"),
    }
}

/// An instant as people read it in a message.
#[must_use]
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A kubeconfig user's client certificate, DER. Data goes before the file, as in kubectl.
fn certificate(user: &AuthInfo) -> Option<Vec<u8>> {
    let pem = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) => general_purpose::STANDARD.decode(data).ok()?,
        (None, Some(file)) => std::fs::read(file).ok()?,
        (None, None) => return None,
    };
    first_certificate(&pem)
}

/// The first certificate of a PEM text, DER: the one that the others lead to its CA from.
#[must_use]
pub fn first_certificate(pem: &[u8]) -> Option<Vec<u8>> {
    Some(CertificateDer::from_pem_slice(pem).ok()?.to_vec())
}

/// The end of a certificate's validity (RFC 5280, `notAfter`).
#[must_use]
pub fn certificate_end(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// The end of a JSON Web Token (RFC 7519, `exp`), unverified: it is only ever shown.
#[must_use]
pub fn token_end(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?;
    let bytes = general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", general_purpose::URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_when_it_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let doubt = |text: &str| {
            std::fs::write(&file, text).expect("written");
            let doubt = Credential::Token { file: file.clone() }.doubt(Timestamp::UNIX_EPOCH);
            doubt.replace(&file.display().to_string(), "FILE")
        };
        assert_eq!(
            doubt(&format!("{}\n", token(r#"{"exp":-1}"#))),
            "the token in FILE expired on 1969-12-31 23:59:59Z"
        );
        assert!(doubt(&token(r#"{"exp":1}"#)).contains("has not expired"));
        for odd in ["opaque", "a.b.c", "", &token("{}"), &token(r#"{"exp":"soon"}"#), &token("[")] {
            assert_eq!(doubt(odd), "is the token in FILE expired, or of another cluster?", "{odd}");
        }
        let gone = Credential::Token { file: folder.path().join("gone") };
        assert!(gone.doubt(Timestamp::UNIX_EPOCH).contains("cannot be read"));
    }

    #[test]
    fn a_kubeconfig_says_when_its_certificate_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let pki = lab::pki::Pki::new(folder.path()).expect("a CA");
        let mut user = AuthInfo::default();
        let doubt =
            |user: &AuthInfo, now| Credential::of_kubeconfig(Path::new("FILE"), user).doubt(now);
        assert_eq!(doubt(&user, Timestamp::MAX), "are the credentials in FILE expired?");
        let file = pki.ca_file();
        user.client_certificate = Some(file.display().to_string());
        assert!(
            doubt(&user, Timestamp::MAX).starts_with("the client certificate of FILE expired on")
        );
        assert!(doubt(&user, Timestamp::UNIX_EPOCH).contains("has not expired"));
        let data = std::fs::read(file).expect("the CA");
        user.client_certificate_data = Some(general_purpose::STANDARD.encode(data));
        user.client_certificate = None;
        assert!(
            doubt(&user, Timestamp::MAX).starts_with("the client certificate of FILE expired on")
        );
        user.client_certificate_data = Some("not base64".to_owned());
        assert_eq!(doubt(&user, Timestamp::MAX), "are the credentials in FILE expired?");
    }
}
