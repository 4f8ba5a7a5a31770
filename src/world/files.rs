//! The files that a configuration names, looked at before they are needed: are they there, can they
//! be used, who else can read them, and when does what is in them end?
//!
//! Only for the machine that runs drills; elsewhere they are not there. Whatever is wrong with them
//! is a warning: files come and go while the configuration stays right. Nothing that they hold is
//! ever part of a message.

mod kubeconfig;
mod pem;

use std::{
    io::{ErrorKind, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use jiff::Timestamp;

use crate::{
    config::{
        Config, Credentials, Hook, Login, Proof,
        tell::{Slack, Url},
    },
    drill::{
        decode::Decoder,
        problem::{Code, Problem, quote},
        read,
        tree::{Node, Span},
    },
};

/// The most of a file that is read: no token, certificate or kubeconfig comes near it.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Looks at every file that `config` names; `text` is the text that it was read from. Answers
/// warnings, with their places in that text.
#[must_use]
pub fn check(config: &Config, text: &str, now: Timestamp) -> Vec<Problem> {
    let (documents, _) = read::read(text);
    let root = documents.first().map(|document| &document.root);
    let mut look = Look { out: Decoder::new(&config.path, text), root, now };
    for (name, cluster) in &config.clusters {
        look.login(&format!("clusters.{name}"), &cluster.login);
    }
    for (name, target) in &config.targets {
        let key = |key: &str| format!("targets.{name}.{key}");
        if let Some(file) = &target.bearer_token_file {
            look.token(&key("bearerTokenFile"), file);
        }
        if let Some(file) = &target.ca_file {
            look.ca(&key("caFile"), file);
        }
    }
    for (name, store) in &config.stores {
        let key = |key: &str| format!("stores.{name}.{key}");
        if let Credentials::File { path, profile } = &store.credentials {
            look.credentials(&key("credentialsFile"), path, profile);
        }
        if let Some(file) = &store.ca_file {
            look.ca(&key("caFile"), file);
        }
    }
    for (name, hook) in &config.hooks {
        look.hook(&format!("hooks.{name}"), hook);
    }
    look.halt(config);
    look.out.finish()
}

/// Looks at files, and notes what is wrong with them.
struct Look<'t> {
    out: Decoder<'t>,
    root: Option<&'t Node>,
    now: Timestamp,
}

impl Look<'_> {
    /// The place of a key's value; the beginning of the file if it is not written.
    fn span(&self, key: &str) -> Span {
        self.root.and_then(|root| root.find(key)).map_or(0..0, |node| node.span.clone())
    }

    fn warn(&mut self, code: Code, key: &str, message: String, help: impl Into<String>) {
        let span = self.span(key);
        self.out.warning(code, &span, key, message).help(help);
    }

    /// The content of a file, and its mode; a note if it cannot be had.
    fn content(&mut self, key: &str, file: &Path) -> Option<(Vec<u8>, u32)> {
        let shown = quote(&file.display().to_string());
        match read_file(file) {
            Ok(content) => Some(content),
            Err(error) => {
                let (message, help) = match error.kind() {
                    ErrorKind::NotFound => (
                        format!("there is no file {shown}"),
                        "the machine that runs drills needs it; to check a configuration elsewhere, \
                         use `--files never`",
                    ),
                    ErrorKind::PermissionDenied => (
                        format!("{shown} cannot be read: permission denied"),
                        "the user that firedrill runs as needs to read it: check as that user",
                    ),
                    _ => (
                        format!("{shown} cannot be read: {error}"),
                        "name a regular file that firedrill can read",
                    ),
                };
                self.warn(Code::BadFile, key, message, help);
                None
            }
        }
    }

    /// The content of a file that only we may read.
    fn secret(&mut self, key: &str, file: &Path) -> Option<Vec<u8>> {
        let (content, mode) = self.content(key, file)?;
        if mode & 0o004 != 0 {
            let shown = quote(&file.display().to_string());
            self.warn(
                Code::DoubtfulLogin,
                key,
                format!("everybody on this machine can read the secret in {shown}"),
                "`chmod o= FILE`, and let its owner or group be the one that firedrill runs as",
            );
        }
        if content.trim_ascii().is_empty() {
            let shown = quote(&file.display().to_string());
            self.warn(Code::BadFile, key, format!("{shown} is empty"), "write the secret into it");
            return None;
        }
        Some(content)
    }

    fn login(&mut self, key: &str, login: &Login) {
        match login {
            Login::Server { ca_file, proof, .. } => {
                self.ca(&format!("{key}.caFile"), ca_file);
                match proof {
                    Proof::Token { token_file } => {
                        self.token(&format!("{key}.tokenFile"), token_file);
                    }
                    Proof::Certificate { certificate_file, key_file } => self.pair(
                        &format!("{key}.clientCertificateFile"),
                        certificate_file,
                        &format!("{key}.clientKeyFile"),
                        key_file,
                    ),
                }
            }
            Login::Kubeconfig { path, context } => {
                self.kubeconfig(key, path, context.as_deref());
            }
        }
    }

    fn credentials(&mut self, key: &str, file: &Path, profile: &str) {
        let Some(content) = self.secret(key, file) else { return };
        let text = String::from_utf8_lossy(&content);
        let sections = [format!("[{profile}]"), format!("[profile {profile}]")];
        if !text.lines().any(|line| sections.iter().any(|section| line.trim() == section)) {
            let shown = quote(&file.display().to_string());
            let message = format!("{shown} has no profile {}", quote(profile));
            let help = format!("begin the profile with the line `[{profile}]`, or set `profile`");
            self.warn(Code::BadFile, key, message, help);
        }
    }

    fn hook(&mut self, key: &str, hook: &Hook) {
        match hook {
            Hook::Slack(Slack::Url { file, allow_hosts }) => {
                self.url(&format!("{key}.slack.urlFile"), file, Some(allow_hosts));
            }
            Hook::Slack(Slack::Token { file, .. }) => {
                self.secret(&format!("{key}.slack.tokenFile"), file);
            }
            Hook::Webhook { url, secret_file, ca_file, .. } => {
                if let Url::File(file) = url {
                    self.url(&format!("{key}.webhook.urlFile"), file, None);
                }
                if let Some(file) = secret_file {
                    self.secret(&format!("{key}.webhook.secretFile"), file);
                }
                if let Some(file) = ca_file {
                    self.ca(&format!("{key}.webhook.caFile"), file);
                }
            }
            Hook::Heartbeat { url_file, .. } => {
                self.url(&format!("{key}.heartbeat.urlFile"), url_file, None);
            }
        }
    }

    /// A file that holds a URL, of which nothing but its scheme and host is looked at.
    fn url(&mut self, key: &str, file: &Path, hosts: Option<&[String]>) {
        let Some(content) = self.secret(key, file) else { return };
        let text = String::from_utf8_lossy(&content);
        let uri = text.trim().parse::<http::Uri>().ok();
        let uri = uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
        let shown = quote(&file.display().to_string());
        match (uri, hosts) {
            (None, _) => self.warn(
                Code::BadFile,
                key,
                format!("{shown} does not hold an https URL"),
                "write the URL into it, and nothing else",
            ),
            (Some(uri), Some(hosts))
                if !hosts.iter().any(|host| Some(host.as_str()) == uri.host()) =>
            {
                self.warn(
                    Code::BadFile,
                    key,
                    format!("the URL in {shown} has another host than {}", hosts.join(", ")),
                    "`allowHosts` names the hosts that messages may go to",
                );
            }
            _ => {}
        }
    }

    fn halt(&mut self, config: &Config) {
        let Some(folder) = config.halt_file.parent() else { return };
        // Without the key it lies beside the journal, whose folder the first run makes.
        let written = self.root.is_some_and(|root| root.get("haltFile").is_some());
        if written && !folder.as_os_str().is_empty() && !folder.is_dir() {
            let shown = quote(&folder.display().to_string());
            self.warn(
                Code::BadFile,
                "haltFile",
                format!("the halt file cannot be made: there is no folder {shown}"),
                "make it now: on the day that counts, `touch` must be enough",
            );
        }
    }
}

/// A regular file's content and mode.
fn read_file(file: &Path) -> std::io::Result<(Vec<u8>, u32)> {
    let other = |why: &str| std::io::Error::new(ErrorKind::InvalidInput, why);
    // Before it is opened: a pipe might never end.
    let metadata = std::fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(other("it is not a file"));
    }
    let mut content = Vec::new();
    std::fs::File::open(file)?.take(LIMIT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LIMIT {
        return Err(other("it is too large"));
    }
    Ok((content, metadata.mode()))
}

#[cfg(test)]
mod tests;
