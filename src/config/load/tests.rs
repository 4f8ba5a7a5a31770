use std::path::Path;

use super::*;
use crate::{
    config::{Caps, Cluster, Credentials, Login, Proof},
    drill::{
        render::{self, Sources},
        schema,
    },
};

const GOOD: &str = r#"apiVersion: firedrill.dev/v1alpha1
kind: Configuration
instance: lab
clusters:
  lab: {server: "https://127.0.0.1:6443", tokenFile: token, caFile: /ca.pem, caps: {nodes: 2}}
  other: {kubeconfig: kubeconfig, context: name}
targets:
  shop: {url: "http://127.0.0.1:8080"}
stores:
  lab: {endpoint: "http://127.0.0.1:7070", bucket: b, prefix: "", pathStyle: true, credentialsFile: creds}
timings: {sendTimeout: 1s, settle: 2s}
"#;

fn after(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must be there once");
    let text = GOOD.replace(from, to);
    let path = Path::new("config/firedrill.yaml");
    let (config, problems) = parse(path, &text);
    assert!(config.is_none());
    schema::tests::agrees_on_configuration(&text, &problems);
    render::text(&problems, &Sources::of(path, &text), false)
}

#[test]
fn paths_start_from_the_files_folder() {
    let (config, problems) = parse(Path::new("/etc/firedrill/firedrill.yaml"), GOOD);
    assert_eq!(problems, []);
    let config = config.expect("a configuration");
    assert_eq!(config.halt_file, Path::new("/var/lib/firedrill/halt"));
    assert_eq!(config.journal, Path::new("/var/lib/firedrill/journal.db"));
    assert_eq!(
        config.clusters["lab"],
        Cluster {
            login: Login::Server {
                server: "https://127.0.0.1:6443".to_owned(),
                ca_file: "/ca.pem".into(),
                proof: Proof::Token { token_file: "/etc/firedrill/token".into() },
            },
            velero_namespace: "velero".to_owned(),
            caps: Caps { nodes: 2, ..Caps::default() },
            may_own_outside: Vec::new(),
        }
    );
    assert_eq!(
        config.clusters["other"].login,
        Login::Kubeconfig {
            path: "/etc/firedrill/kubeconfig".into(),
            context: Some("name".to_owned())
        }
    );
    assert_eq!(
        config.stores["lab"].credentials,
        Credentials::File { path: "/etc/firedrill/creds".into(), profile: "default".to_owned() }
    );
    assert_eq!(config.timings.settle.as_secs(), 2);
    assert_eq!(config.timings.lease_lost, Timings::default().lease_lost);
}

#[test]
fn defaults_are_those_of_the_type() {
    let text = GOOD.replace("timings: {sendTimeout: 1s, settle: 2s}", "timings: {}");
    let (config, problems) = parse(Path::new("a"), &text);
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    assert_eq!(config.expect("a configuration").timings, Timings::default());
}

macro_rules! mistakes {
    ($($name:ident: $from:expr => $to:expr;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), after($from, $to));
            }
        )+
    };
}

mistakes! {
    inline_token: "tokenFile: token" => "token: eyJhbGciOi";
    inline_secret_in_a_map: "credentialsFile: creds" => "credentials: {id: a, secretKey: b}, oops: 1";
    url_with_password: "http://127.0.0.1:8080" => "http://me:hunter2@127.0.0.1:8080";
    server_without_tls: "https://" => "http://";
    two_logins: "context: name" => "context: name, server: \"https://a\"";
    no_login: "kubeconfig: kubeconfig, context: name" => "maxNodes: 1";
    half_a_login: "tokenFile: token, " => "context: x, ";
    settle_too_short: "settle: 2s" => "settle: 1s";
    settle_shorter_than_the_default: "sendTimeout: 1s, settle: 2s" => "settle: 15s";
    lease_too_short: "sendTimeout: 1s" => "leaseLost: 60s, sendTimeout: 1s";
    no_clusters: "clusters:\n  lab: {server: \"https://127.0.0.1:6443\", tokenFile: token, caFile: /ca.pem, caps: {nodes: 2}}\n  other: {kubeconfig: kubeconfig, context: name}\n" => "clusters: {}\n";
    cluster_twice: "  other:" => "  lab:";
    bad_cluster_name: "  other:" => "  Other_Cluster:";
    a_drill: "kind: Configuration" => "kind: Drill";
    second_document: "targets:" => "---\ntargets:";
}

#[test]
fn a_secret_is_never_shown() {
    for (from, to) in [
        ("tokenFile: token", "token: hunter2, tokenn: x"),
        ("tokenFile: token", "bearerToken: {a: [hunter2, hunter2]}, maxNode: 3"),
        ("http://127.0.0.1:8080", "http://hunter2@a"),
        ("instance: lab", "instance: lab\npassword: |\n  hunter2\n  hunter2"),
    ] {
        let shown = after(from, to);
        assert!(!shown.contains("hunter2"), "{shown}");
        let text = GOOD.replace(from, to);
        assert!(!render::values(&parse(Path::new("a"), &text).1).to_string().contains("hunter2"));
    }
}

/// The sample with its commented-out keys: `#listen: ...`, and what stands below such a key.
fn whole_sample() -> String {
    let sample = include_str!("../../../config/firedrill.yaml");
    let keys = |line: &str| {
        let inner = line.strip_prefix('#')?;
        let indent = inner.len() - inner.trim_start_matches(' ').len();
        let begins = inner.trim_start().starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
        (indent % 2 == 0 && begins).then(|| inner.to_owned())
    };
    sample.lines().map(|line| keys(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn the_sample_has_every_key_and_every_key_is_right() {
    let text = whole_sample();
    let (config, problems) = parse(Path::new("/etc/firedrill/firedrill.yaml"), &text);
    let other: Vec<_> =
        problems.iter().filter(|problem| problem.code != Code::NotActedOn).collect();
    assert!(other.is_empty(), "{other:?}");
    let config = config.expect("a configuration");
    assert_eq!(config.hooks.len(), 4);
    assert_eq!(config.notify.len(), 2);
    assert_eq!(config.retain, Retain { runs: Some(1000), days: Some(400) });
    assert_eq!(config.sentinels.expect("sentinels").places[0].0, "production");
    assert_eq!(config.clusters["lab"].caps.share, Some(50));
    assert_eq!(config.clusters["production"].caps.share, Some(34));
    for field in fields::CONFIGURATION.fields() {
        let there = text.lines().any(|line| line.starts_with(&format!("{}:", field.name)));
        assert!(there, "the sample has no `{}`", field.name);
    }
}
