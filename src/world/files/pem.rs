//! Tokens, certificates and keys in files.

use std::path::Path;

use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::Look;
use crate::{
    drill::problem::{Code, quote},
    world::login::{certificate_end, date, token_end},
};

impl Look<'_> {
    /// A bearer token.
    pub(super) fn token(&mut self, key: &str, file: &Path) {
        let Some(content) = self.secret(key, file) else { return };
        let shown = quote(&file.display().to_string());
        let Ok(text) = std::str::from_utf8(content.trim_ascii()) else {
            let message = format!("{shown} does not hold a token: it is not text");
            return self.warn(Code::BadFile, key, message, "write the token into it");
        };
        if text.contains(char::is_whitespace) {
            let message = format!("{shown} does not hold one token: there is space within it");
            return self.warn(Code::BadFile, key, message, "write the token into it, alone");
        }
        self.token_ends(key, text, &format!("the token in {shown}"));
    }

    /// A token that has ended, or that never ends.
    pub(super) fn token_ends(&mut self, key: &str, token: &str, what: &str) {
        match token_end(token) {
            Some(end) if end <= self.now => self.warn(
                Code::DoubtfulLogin,
                key,
                format!("{what} expired on {}", date(end)),
                "write a new one in its place; docs/configuration.md says how to renew it",
            ),
            // The tokens of Secrets, which Kubernetes made before 1.24.
            None if token.starts_with("eyJ") && token.matches('.').count() == 2 => self.warn(
                Code::DoubtfulLogin,
                key,
                format!("{what} has no end: whoever copies it has it for ever"),
                "use one with an end (`kubectl create token --duration`), and renew it",
            ),
            _ => {}
        }
    }

    /// CA certificates.
    pub(super) fn ca(&mut self, key: &str, file: &Path) {
        let Some((content, _)) = self.content(key, file) else { return };
        let shown = quote(&file.display().to_string());
        let certificates = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
        let certificates = match certificates {
            Ok(certificates) if !certificates.is_empty() => certificates,
            _ => {
                let message = format!("no certificate can be read from {shown}");
                let help = "it must hold PEM: `-----BEGIN CERTIFICATE-----` and so on";
                return self.warn(Code::BadFile, key, message, help);
            }
        };
        let ends: Option<Vec<_>> = certificates.iter().map(|der| certificate_end(der)).collect();
        // One that has not ended is enough.
        if let Some(last) = ends.and_then(|ends| ends.into_iter().max())
            && last <= self.now
        {
            let message = format!("the CA certificate in {shown} expired on {}", date(last));
            self.warn(Code::BadFile, key, message, "write the CA that is used now into it");
        }
    }

    /// A client certificate and its key.
    pub(super) fn pair(&mut self, key: &str, file: &Path, private_key: &str, private: &Path) {
        let certificate = self.content(key, file).map(|(content, _)| content);
        let private_content = self.secret(private_key, private);
        let shown = quote(&file.display().to_string());
        let chain = certificate.and_then(|content| {
            let chain = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
            let chain = chain.ok().filter(|chain| !chain.is_empty());
            if chain.is_none() {
                let message = format!("no certificate can be read from {shown}");
                let help = "it must hold PEM: `-----BEGIN CERTIFICATE-----` and so on";
                self.warn(Code::BadFile, key, message, help);
            }
            chain
        });
        if let Some(chain) = &chain {
            self.certificate_ends(
                key,
                chain.first(),
                &format!("the client certificate in {shown}"),
            );
        }
        let signer = private_content.and_then(|content| {
            let der = PrivateKeyDer::from_pem_slice(&content).ok();
            let signer = der.and_then(|der| any_supported_type(&der).ok());
            if signer.is_none() {
                let shown = quote(&private.display().to_string());
                let message = format!("no private key can be read from {shown}");
                let help = "it must hold a PEM key without a passphrase";
                self.warn(Code::BadFile, private_key, message, help);
            }
            signer
        });
        if let (Some(chain), Some(signer)) = (chain, signer)
            && CertifiedKey::new(chain, signer).keys_match().is_err()
        {
            self.warn(
                Code::DoubtfulLogin,
                private_key,
                format!("this is not the key of the client certificate in {shown}"),
                "both must be of one pair",
            );
        }
    }

    /// A certificate that has ended.
    pub(super) fn certificate_ends(
        &mut self,
        key: &str,
        certificate: Option<&CertificateDer<'_>>,
        what: &str,
    ) {
        let Some(end) = certificate.and_then(|der| certificate_end(der)) else { return };
        if end <= self.now {
            let message = format!("{what} expired on {}", date(end));
            self.warn(Code::DoubtfulLogin, key, message, "write a new one in its place");
        }
    }
}
