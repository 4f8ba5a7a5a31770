//! Clusters, targets and stores. PURE.

use std::path::Path;

use super::{duty, file};
use crate::{
    config::{Caps, Cluster, Credentials, Login, Proof, Store, Target},
    drill::{
        decode::{Decoder, Object},
        problem::Code,
    },
};

/// The keys of which one says what we are known by.
const PROOFS: [&str; 2] = ["tokenFile", "clientCertificateFile"];

pub(super) fn cluster(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    base: &Path,
    caps: Caps,
) -> Option<Cluster> {
    let login = match object.which(&["server", "kubeconfig"]) {
        Some("server") => server(out, object, base),
        Some(_) => {
            let context = object.text(out, "context").map(|at| at.value);
            file(out, object, "kubeconfig", base).map(|path| Login::Kubeconfig { path, context })
        }
        None => None,
    };
    let velero_namespace = object.text(out, "veleroNamespace");
    let own = object.object(out, "caps");
    let caps = own.map_or(caps, |own| duty::caps_or(out, &own, caps));
    let outside = object.texts(out, "mayOwnOutside").unwrap_or_default();
    Some(Cluster {
        login: login?,
        velero_namespace: velero_namespace?.value,
        caps,
        may_own_outside: outside.into_iter().map(|at| at.value).collect(),
    })
}

fn server(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Login> {
    let server = object.text(out, "server");
    let ca_file = file(out, object, "caFile", base);
    let token_file = file(out, object, "tokenFile", base);
    let certificate_file = file(out, object, "clientCertificateFile", base);
    let key_file = file(out, object, "clientKeyFile", base);
    let proof = match object.which(&PROOFS)? {
        "tokenFile" => Proof::Token { token_file: token_file? },
        _ => Proof::Certificate { certificate_file: certificate_file?, key_file: key_file? },
    };
    Some(Login::Server { server: server?.value, ca_file: ca_file?, proof })
}

pub(super) fn target(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Target> {
    let url = object.text(out, "url");
    let bearer_token_file = file(out, object, "bearerTokenFile", base);
    let ca_file = file(out, object, "caFile", base);
    if let (Some(url), Some(entry)) = (&url, object.entry("bearerTokenFile"))
        && url.value.starts_with("http://")
        && !is_loopback(&url.value)
    {
        let message = "the token is sent to this target without encryption";
        out.warning(Code::DoubtfulLogin, &entry.key.span, &object.path("bearerTokenFile"), message)
            .also(url.span.clone(), "this is plain http")
            .help("use https, with `caFile` if its CA is one of your own");
    }
    Some(Target { url: url?.value, bearer_token_file, ca_file })
}

pub(super) fn store(out: &mut Decoder<'_>, object: &Object<'_>, base: &Path) -> Option<Store> {
    let endpoint = object.text(out, "endpoint").map(|at| at.value);
    let region = object.text(out, "region");
    let bucket = object.text(out, "bucket");
    let prefix = object.text(out, "prefix");
    let path_style = object.flag(out, "pathStyle");
    let credentials_file = file(out, object, "credentialsFile", base);
    let profile = object.text(out, "profile").map(|at| at.value);
    let anonymous = object.flag(out, "anonymous");
    let ca_file = file(out, object, "caFile", base);
    if let (Some(anonymous), Some(entry)) = (&anonymous, object.entry("credentialsFile"))
        && anonymous.value
    {
        let message = "`credentialsFile` has no meaning for an anonymous store";
        out.error(Code::Conflict, &entry.key.span, &object.path("credentialsFile"), message)
            .also(anonymous.span.clone(), "requests are not signed")
            .help("leave one of the two out");
    }
    let credentials = match credentials_file {
        _ if anonymous.as_ref().is_some_and(|at| at.value) => Credentials::Anonymous,
        Some(path) => {
            Credentials::File { path, profile: profile.unwrap_or_else(|| "default".to_owned()) }
        }
        None => Credentials::Chain,
    };
    anonymous?;
    Some(Store {
        endpoint,
        region: region?.value,
        bucket: bucket?.value,
        prefix: prefix?.value,
        path_style: path_style?.value,
        credentials,
        ca_file,
    })
}

/// Whether a URL stays on this machine.
fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
