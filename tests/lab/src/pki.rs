//! The lab's certificates: a CA, the API server's certificate, client certificates, and the key
//! that signs service account tokens.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// Files of one lab's PKI, all PEM, in one folder.
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
    ca: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PEM certificate.
    pub cert: PathBuf,
    /// PEM key (PKCS #8).
    pub key: PathBuf,
}

impl Pki {
    /// Makes a CA in `dir` and writes `ca.crt` and the service account key pair.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("firedrill-lab", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pki = Self { dir: dir.to_owned(), ca };
        fs::write(pki.ca_file(), pki.ca.pem())?;
        let key = KeyPair::generate()?;
        write_key(&pki.service_account_key(), &key)?;
        fs::write(pki.service_account_public_key(), key.public_key_pem())?;
        Ok(pki)
    }

    /// The CA's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The key that signs service account tokens.
    #[must_use]
    pub fn service_account_key(&self) -> PathBuf {
        self.dir.join("service-account.key")
    }

    /// The key that verifies them.
    #[must_use]
    pub fn service_account_public_key(&self) -> PathBuf {
        self.dir.join("service-account.pub")
    }

    /// A server certificate for 127.0.0.1 and the names that an API server goes by.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn server(&self, file: &str) -> anyhow::Result<Identity> {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "10.96.0.1"];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())?;
        params.distinguished_name = name(file, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(file, params)
    }

    /// A client certificate: `user` is the name that the API server sees, `group` its group.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(file, params)
    }

    /// A server certificate as [`Self::server`] makes it, but valid only in the year 2020.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn expired_server(&self, file: &str) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        params.distinguished_name = name(file, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(file, in_2020(params))
    }

    /// A client certificate as [`Self::client`] makes it, but valid only in the year 2020.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn expired_client(&self, file: &str, user: &str) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(file, in_2020(params))
    }

    fn issue(&self, file: &str, mut params: CertificateParams) -> anyhow::Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.ca)?;
        let identity = Identity {
            cert: self.dir.join(format!("{file}.crt")),
            key: self.dir.join(format!("{file}.key")),
        };
        fs::write(&identity.cert, cert.pem())?;
        write_key(&identity.key, &key)?;
        Ok(identity)
    }

    /// Writes a kubeconfig for `identity` at `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn kubeconfig(&self, path: &Path, server: &str, identity: &Identity) -> anyhow::Result<()> {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
             clusters:\n- name: lab\n  cluster:\n    server: {server}\n    certificate-authority: {}\n\
             users:\n- name: lab\n  user:\n    client-certificate: {}\n    client-key: {}\n\
             contexts:\n- name: lab\n  context: {{cluster: lab, user: lab}}\n",
            quoted(&self.ca_file()),
            quoted(&identity.cert),
            quoted(&identity.key),
        );
        fs::write(path, text).with_context(|| path.display().to_string())
    }
}

fn in_2020(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    params
}

/// A path as a YAML scalar: JSON strings are YAML.
pub(crate) fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

fn name(common: &str, organisation: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organisation) = organisation {
        name.push(DnType::OrganizationName, organisation);
    }
    name
}

fn write_key(path: &Path, key: &KeyPair) -> anyhow::Result<()> {
    fs::write(path, key.serialize_pem()).with_context(|| path.display().to_string())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_private_and_kubeconfig_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new(dir.path()).unwrap();
        let admin = pki.client("admin", "lab-admin", Some("system:masters")).unwrap();
        assert_eq!(fs::metadata(&admin.key).unwrap().permissions().mode() & 0o777, 0o600);
        let path = dir.path().join("kubeconfig");
        pki.kubeconfig(&path, "https://127.0.0.1:1", &admin).unwrap();
        let read = kube::config::Kubeconfig::read_from(&path).unwrap();
        assert_eq!(
            read.clusters[0].cluster.as_ref().unwrap().server.as_deref(),
            Some("https://127.0.0.1:1")
        );
    }

    #[test]
    fn a_server_certificate_is_trusted_through_the_ca_alone() {
        use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
        use rustls::{
            RootCertStore, client::WebPkiServerVerifier, client::danger::ServerCertVerifier,
        };
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new(dir.path()).unwrap();
        let other = Pki::new(&dir.path().join("other")).unwrap();
        let server = pki.server("apiserver").unwrap();
        let cert = CertificateDer::from_pem_file(&server.cert).unwrap();
        let verify = |ca: &Pki, name: &str| {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(ca.ca_file()).unwrap()).unwrap();
            WebPkiServerVerifier::builder(roots.into()).build().unwrap().verify_server_cert(
                &cert,
                &[],
                &ServerName::try_from(name.to_owned()).unwrap(),
                &[],
                UnixTime::now(),
            )
        };
        verify(&pki, "127.0.0.1").unwrap();
        verify(&pki, "localhost").unwrap();
        verify(&pki, "elsewhere.example").unwrap_err();
        verify(&other, "127.0.0.1").unwrap_err();
    }
}
