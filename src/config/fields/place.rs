//! Clusters, targets and stores. PURE.

use super::CAPS;
use crate::drill::table::{Field, Rule, Shape, Table};

/// One of `clusters`
pub const CLUSTER: Table = Table {
    what: "a cluster",
    groups: &[&[
        Field::optional(
            "server",
            Shape::HttpsUrl,
            "The API server, with `caFile` and a token or a client certificate; or else \
             `kubeconfig`.",
        )
        .example("https://10.0.0.1:6443"),
        Field::optional("caFile", Shape::File, "PEM file with the CAs of the server.")
            .example("/etc/firedrill/production-ca.pem"),
        Field::optional(
            "tokenFile",
            Shape::File,
            "File with the bearer token. It is read again as it changes.",
        )
        .example("/etc/firedrill/production.token"),
        Field::optional(
            "clientCertificateFile",
            Shape::File,
            "PEM file with the client certificate, and those between it and its CA. It is read \
             again as it changes.",
        )
        .example("/etc/firedrill/production.crt"),
        Field::optional(
            "clientKeyFile",
            Shape::File,
            "PEM file with the key of the client certificate.",
        )
        .example("/etc/firedrill/production.key"),
        Field::optional("kubeconfig", Shape::File, "A kubeconfig file; or else `server`.")
            .example("/etc/firedrill/production.kubeconfig"),
        Field::optional(
            "context",
            Shape::Text,
            "A context of the kubeconfig. Without it: its current one.",
        )
        .example("drills"),
        Field::default("veleroNamespace", Shape::Namespace, "velero", "Velero's namespace."),
        Field::optional(
            "caps",
            Shape::Object(&CAPS),
            "The most that one run may touch here. What is not said: as in `caps` above.",
        ),
        Field::optional(
            "mayOwnOutside",
            Shape::Texts(&Shape::ObjectName),
            "Resources that drills may restore (`alsoRestore`) although their controllers make \
             things outside the namespace, such as a DNS record or a load balancer.",
        )
        .example("[certificates.cert-manager.io]"),
    ]],
    rules: &[
        Rule::One(&["server", "kubeconfig"]),
        Rule::Needs("server", &["caFile"]),
        Rule::NeedsOne("server", &["tokenFile", "clientCertificateFile"]),
        Rule::Refuses("server", &["context"]),
        Rule::Refuses(
            "kubeconfig",
            &["caFile", "tokenFile", "clientCertificateFile", "clientKeyFile"],
        ),
        Rule::AtMostOne(&["tokenFile", "clientCertificateFile"]),
        Rule::Needs("clientCertificateFile", &["clientKeyFile"]),
        Rule::Needs("clientKeyFile", &["clientCertificateFile"]),
    ],
};

/// One of `targets`
pub const TARGET: Table = Table {
    what: "a target",
    groups: &[&[
        Field::required("url", Shape::Url, "The base URL.").example("https://shop.example.com"),
        Field::optional(
            "bearerTokenFile",
            Shape::File,
            "File with a bearer token, sent with each question. It is read again as it changes.",
        )
        .example("/etc/firedrill/prometheus.token"),
        Field::optional(
            "caFile",
            Shape::File,
            "PEM file with the CAs to trust. Without it: the usual public ones.",
        )
        .example("/etc/firedrill/shop-ca.pem"),
    ]],
    rules: &[],
};

/// One of `stores`
pub const STORE: Table = Table {
    what: "a store",
    groups: &[&[
        Field::optional("endpoint", Shape::Url, "The endpoint. Without it: AWS.")
            .example("https://s3.example.com"),
        Field::default("region", Shape::Text, "us-east-1", "The region."),
        Field::required("bucket", Shape::Text, "The bucket.").example("backups"),
        Field::default("prefix", Shape::TextOrEmpty, "", "The key prefix."),
        Field::default(
            "pathStyle",
            Shape::Flag,
            "false",
            "The bucket stands in the path, as most servers other than AWS want it.",
        ),
        Field::optional(
            "credentialsFile",
            Shape::File,
            "File with profiles of AWS credentials. Without it: the usual chain of AWS.",
        )
        .example("/etc/firedrill/s3.credentials"),
        Field::optional("profile", Shape::Text, "The profile of the file. Without it: `default`.")
            .example("backups"),
        Field::default(
            "anonymous",
            Shape::Flag,
            "false",
            "The bucket is public: requests are not signed.",
        ),
        Field::optional(
            "caFile",
            Shape::File,
            "PEM file with the CAs to trust. Without it: the usual public ones.",
        )
        .example("/etc/firedrill/s3-ca.pem"),
    ]],
    rules: &[Rule::Needs("profile", &["credentialsFile"])],
};
