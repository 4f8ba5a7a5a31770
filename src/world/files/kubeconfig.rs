//! Kubeconfigs: which context, which user, and whether that user can log in from a daemon.

use std::{ffi::OsStr, path::Path};

use base64::{Engine as _, engine::general_purpose};
use kube::config::{AuthInfo, Cluster, ExecConfig, Kubeconfig};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;

use super::Look;
use crate::drill::{
    problem::{Code, quote},
    suggest,
};

/// Commands that log in to a cloud, and what a unit without a shell lacks for them.
const CLOUDS: [(&str, &str); 4] = [
    ("aws", "HOME, ~/.aws and AWS_PROFILE"),
    ("aws-iam-authenticator", "HOME, ~/.aws and AWS_PROFILE"),
    ("gke-gcloud-auth-plugin", "HOME and the login of gcloud in ~/.config"),
    ("kubelogin", "HOME and the login of az in ~/.azure"),
];

impl Look<'_> {
    /// A kubeconfig and its context. `key` is the cluster's.
    pub(super) fn kubeconfig(&mut self, key: &str, file: &Path, context: Option<&str>) {
        let file_key = format!("{key}.kubeconfig");
        let Some((_, mode)) = self.content(&file_key, file) else { return };
        let shown = quote(&file.display().to_string());
        // Read once more by kube, which also makes the paths in it absolute.
        let Ok(config) = Kubeconfig::read_from(file) else {
            let message = format!("{shown} is not a kubeconfig");
            return self.warn(Code::BadFile, &file_key, message, "`kubectl config view` reads it");
        };
        let context_key =
            if context.is_some() { format!("{key}.context") } else { file_key.clone() };
        let Some(name) = context.or(config.current_context.as_deref()).filter(|n| !n.is_empty())
        else {
            let message = format!("{shown} has no current context");
            return self.warn(Code::BadFile, &file_key, message, "name one as `context`");
        };
        let known: Vec<&str> = config.contexts.iter().map(|named| named.name.as_str()).collect();
        let found = config.contexts.iter().find(|named| named.name == name);
        let Some(found) = found.and_then(|named| named.context.as_ref()) else {
            let message = format!("{shown} has no context {}", quote(name));
            let help = suggest::help(name, known, "contexts");
            return self.warn(Code::BadFile, &context_key, message, help);
        };
        let cluster = config.clusters.iter().find(|named| named.name == found.cluster);
        match cluster.and_then(|named| named.cluster.as_ref()) {
            Some(cluster) => self.cluster(&file_key, name, cluster),
            None => {
                let message = format!(
                    "the context {} of {shown} names the cluster {}, which is not in it",
                    quote(name),
                    quote(&found.cluster)
                );
                self.warn(Code::BadFile, &file_key, message, "mend it with `kubectl config`");
            }
        }
        let wanted = found.user.as_deref().unwrap_or_default();
        let user = config.auth_infos.iter().find(|named| named.name == wanted);
        match user.and_then(|named| named.auth_info.as_ref()) {
            Some(user) => self.user(&file_key, file, mode, name, user),
            None => {
                let message = format!(
                    "the context {} of {shown} names the user {}, which is not in it",
                    quote(name),
                    quote(wanted)
                );
                self.warn(Code::BadFile, &file_key, message, "mend it with `kubectl config`");
            }
        }
    }

    fn cluster(&mut self, key: &str, context: &str, cluster: &Cluster) {
        if cluster.insecure_skip_tls_verify == Some(true) {
            self.warn(
                Code::DoubtfulLogin,
                key,
                format!(
                    "the context {} does not check the server's certificate \
                     (insecure-skip-tls-verify)",
                    quote(context)
                ),
                "whoever stands between can take the login over: name the server's CA instead",
            );
        }
        match cluster.server.as_deref() {
            Some(server) if server.starts_with("http://") => self.warn(
                Code::DoubtfulLogin,
                key,
                format!("the context {} logs in without encryption", quote(context)),
                "use the https URL of the server",
            ),
            Some(_) => {}
            None => self.warn(
                Code::BadFile,
                key,
                format!("the cluster of the context {} has no server", quote(context)),
                "mend it with `kubectl config set-cluster`",
            ),
        }
        if let Some(ca) = &cluster.certificate_authority {
            self.ca(key, Path::new(ca));
        }
    }

    fn user(&mut self, key: &str, file: &Path, mode: u32, context: &str, user: &AuthInfo) {
        if let Some(exec) = &user.exec {
            self.exec(key, file, context, exec);
        }
        if let Some(provider) = &user.auth_provider {
            self.warn(
                Code::DoubtfulLogin,
                key,
                format!(
                    "the context {} logs in by the auth-provider {}, which Kubernetes has removed",
                    quote(context),
                    quote(&provider.name)
                ),
                "use `server` with a token file or a client certificate",
            );
        }
        let inline =
            user.token.is_some() || user.password.is_some() || user.client_key_data.is_some();
        if inline && mode & 0o044 != 0 {
            let message = format!(
                "others can read {}, and the context {} has its secret in it",
                quote(&file.display().to_string()),
                quote(context)
            );
            self.warn(
                Code::DoubtfulLogin,
                key,
                message,
                "`chmod 600 FILE`, with the user that firedrill runs as for its owner",
            );
        }
        if let Some(token) = &user.token {
            let what = format!("the token of the context {}", quote(context));
            self.token_ends(key, token.expose_secret().trim(), &what);
        }
        if let Some(token) = &user.token_file {
            self.token(key, Path::new(token));
        }
        match (&user.client_certificate, &user.client_key) {
            (Some(certificate), Some(private)) => {
                self.pair(key, Path::new(certificate), key, Path::new(private));
            }
            _ => {
                let pem = user.client_certificate_data.as_ref();
                let pem = pem.and_then(|data| general_purpose::STANDARD.decode(data).ok());
                let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
                let what = format!("the client certificate of the context {}", quote(context));
                self.certificate_ends(key, der.as_ref(), &what);
            }
        }
    }

    /// A login by a command: what it needs is rarely there in a daemon.
    fn exec(&mut self, key: &str, file: &Path, context: &str, exec: &ExecConfig) {
        let command = exec.command.as_deref().unwrap_or_default();
        let found =
            if is_found(command, file) { "is there for you" } else { "is not on this PATH" };
        let name = Path::new(command).file_name().and_then(OsStr::to_str).unwrap_or_default();
        let lacks = CLOUDS.iter().find(|(cloud, _)| *cloud == name);
        let lacks = lacks.map_or("your HOME and your environment", |(_, lacks)| lacks);
        let message = format!(
            "the context {} logs in by the command {}, which {found}",
            quote(context),
            quote(command)
        );
        let help = format!(
            "a hardened unit (ProtectHome, PrivateTmp, no shell) has not {lacks}, and mostly cannot \
             run it: use `server` with a token file or a client certificate, see \
             docs/configuration.md"
        );
        self.warn(Code::DoubtfulLogin, key, message, help);
    }
}

/// Whether a command can be found: by its path, from the kubeconfig's folder, or on PATH.
fn is_found(command: &str, kubeconfig: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &Path| {
        std::fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if command.contains('/') {
        let folder = kubeconfig.parent().unwrap_or_else(|| Path::new(""));
        return runs(&folder.join(command));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !command.is_empty() && std::env::split_paths(&path).any(|folder| runs(&folder.join(command)))
}
