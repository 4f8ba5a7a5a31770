use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;

/// A folder with a PKI and a configuration; answers what is told of its files.
struct Ground {
    folder: tempfile::TempDir,
    pki: lab::pki::Pki,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pki = lab::pki::Pki::new(&folder.path().join("pki")).expect("a PKI");
        Self { folder, pki }
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// Messages with the key that each stands at.
    fn told(&self, rest: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: firedrill.dev/v1alpha1\nkind: Configuration\ninstance: lab\n{rest}"
        );
        let path = self.folder.path().join("firedrill.yaml");
        let (config, problems) = crate::config::parse(&path, &text);
        let config = config.unwrap_or_else(|| panic!("{problems:?}"));
        let now = "2026-06-01T00:00:00Z".parse().expect("an instant");
        let folder = format!("{}/", self.folder.path().display());
        check(&config, &text, now)
            .iter()
            .map(|problem| {
                assert!(!problem.is_error() && problem.place.line > 3, "{problem:?}");
                format!("{}: {}", problem.key, problem.message).replace(&folder, "")
            })
            .collect()
    }
}

fn token(claims: &str) -> String {
    format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

const SERVER: &str =
    "clusters:\n  lab:\n    server: https://a\n    caFile: pki/ca.crt\n    tokenFile: token\n";

#[test]
fn a_token_is_there_alone_private_and_has_an_end_to_come() {
    let ground = Ground::new();
    assert_eq!(ground.told(SERVER), ["clusters.lab.tokenFile: there is no file `token`"]);
    for (text, mode, expected) in [
        (token(r#"{"exp":1800000000}"#), 0o600, vec![]),
        (
            token(r#"{"exp":1800000000}"#),
            0o644,
            vec!["everybody on this machine can read the secret in `token`"],
        ),
        (
            token(r#"{"exp":1600000000}"#),
            0o600,
            vec!["the token in `token` expired on 2020-09-13 12:26:40Z"],
        ),
        (
            token("{}"),
            0o600,
            vec!["the token in `token` has no end: whoever copies it has it for ever"],
        ),
        ("\n".to_owned(), 0o600, vec!["`token` is empty"]),
        (
            "a b".to_owned(),
            0o600,
            vec!["`token` does not hold one token: there is space within it"],
        ),
        ("opaque".to_owned(), 0o600, vec![]),
    ] {
        ground.write("token", &text, mode);
        let expected: Vec<String> =
            expected.iter().map(|why| format!("clusters.lab.tokenFile: {why}")).collect();
        assert_eq!(ground.told(SERVER), expected, "{text} {mode:o}");
    }
    ground.write("pki/ca.crt", "no PEM", 0o644);
    assert_eq!(
        ground.told(SERVER),
        ["clusters.lab.caFile: no certificate can be read from `pki/ca.crt`"]
    );
}

#[test]
fn a_certificate_fits_its_key_and_has_an_end_to_come() {
    let ground = Ground::new();
    let login = |cert: &str, key: &str| {
        format!(
            "clusters:\n  lab:\n    server: https://a\n    caFile: pki/ca.crt\n    \
             clientCertificateFile: pki/{cert}\n    clientKeyFile: pki/{key}\n"
        )
    };
    ground.pki.client("good", "somebody", None).expect("a certificate");
    ground.pki.expired_client("old", "somebody").expect("a certificate");
    assert_eq!(ground.told(&login("good.crt", "good.key")), [""; 0]);
    assert_eq!(
        ground.told(&login("old.crt", "old.key")),
        ["clusters.lab.clientCertificateFile: the client certificate in `pki/old.crt` expired on \
          2021-01-01 00:00:00Z"]
    );
    assert_eq!(
        ground.told(&login("good.crt", "old.key")),
        ["clusters.lab.clientKeyFile: this is not the key of the client certificate in \
          `pki/good.crt`"]
    );
    assert_eq!(
        ground.told(&login("good.key", "good.crt")),
        [
            "clusters.lab.clientCertificateFile: no certificate can be read from `pki/good.key`",
            "clusters.lab.clientKeyFile: everybody on this machine can read the secret in \
             `pki/good.crt`",
            "clusters.lab.clientKeyFile: no private key can be read from `pki/good.crt`",
        ]
    );
}

#[test]
fn a_kubeconfig_says_how_it_logs_in() {
    let ground = Ground::new();
    let told = |user: &str, cluster: &str, mode, context: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
             clusters:\n- name: lab\n  cluster: {{server: 'https://a'{cluster}}}\n\
             users:\n- name: lab\n  user: {user}\n\
             contexts:\n- name: lab\n  context: {{cluster: lab, user: lab}}\n\
             - name: broken\n  context: {{cluster: no, user: no}}\n"
        );
        ground.write("kubeconfig", &text, mode);
        ground.told(&format!("clusters:\n  lab:\n    kubeconfig: kubeconfig\n{context}"))
    };
    assert_eq!(told("{}", "", 0o644, ""), [""; 0]);
    assert_eq!(
        told("{}", "", 0o644, "    context: lub\n"),
        ["clusters.lab.context: `kubeconfig` has no context `lub`"]
    );
    assert_eq!(told("{}", "", 0o644, "    context: broken\n").len(), 2);
    let exec = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, \
                interactiveMode: Never}}";
    assert_eq!(
        told(exec, "", 0o644, ""),
        [
            "clusters.lab.kubeconfig: the context `lab` logs in by the command `no-such-login`, which \
          is not on this PATH"
        ]
    );
    assert_eq!(
        told("{token: hunter2}", ", insecure-skip-tls-verify: true", 0o640, ""),
        [
            "clusters.lab.kubeconfig: the context `lab` does not check the server's certificate \
             (insecure-skip-tls-verify)",
            "clusters.lab.kubeconfig: others can read `kubeconfig`, and the context `lab` has its \
             secret in it",
        ]
    );
    assert_eq!(told("{token: hunter2}", "", 0o600, ""), [""; 0]);
    ground.write("kubeconfig", "a: [", 0o600);
    assert_eq!(
        ground.told("clusters: {lab: {kubeconfig: kubeconfig}}\n"),
        ["clusters.lab.kubeconfig: `kubeconfig` is not a kubeconfig"]
    );
}

#[test]
fn stores_hooks_and_the_halt_file() {
    let ground = Ground::new();
    ground.write("s3", "[default]\naws_access_key_id = a\n", 0o600);
    ground.write("url", "https://hooks.slack.com/services/hunter2\n", 0o600);
    ground.write("other", "https://chat.example.com/hunter2\n", 0o600);
    ground.write("kubeconfig", "current-context: a\n", 0o600);
    let told = ground.told(
        "haltFile: no/folder/halt\nclusters: {lab: {kubeconfig: kubeconfig, context: b}}\n\
         stores:\n  a: {bucket: a, credentialsFile: s3}\n  b: {bucket: b, credentialsFile: s3, \
         profile: backups}\nhooks:\n  a: {slack: {urlFile: url}}\n  b: {slack: {urlFile: other}}\n  \
         c: {heartbeat: {urlFile: s3}}\n",
    );
    assert_eq!(
        told,
        [
            "haltFile: the halt file cannot be made: there is no folder `no/folder`",
            "clusters.lab.context: `kubeconfig` has no context `b`",
            "stores.b.credentialsFile: `s3` has no profile `backups`",
            "hooks.b.slack.urlFile: the URL in `other` has another host than hooks.slack.com",
            "hooks.c.heartbeat.urlFile: `s3` does not hold an https URL",
        ]
    );
    assert!(!told.concat().contains("hunter2"));
}
