//! The fields of the configuration. PURE.

use crate::drill::{
    fields::API_VERSION,
    table::{Field, Rule, Shape, Table},
};

/// The configuration.
pub const CONFIGURATION: Table = Table {
    what: "a configuration",
    groups: &[&[
        Field::required(
            "apiVersion",
            Shape::Choice(&[API_VERSION]),
            "The version of the language: `firedrill.dev/v1alpha1`.",
        ),
        Field::required(
            "kind",
            Shape::Choice(&["Configuration"]),
            "What the document is: `Configuration`.",
        ),
        Field::required(
            "instance",
            Shape::Name,
            "The name of this installation. It is written on every object that we make: \
             never change it while a run is open.",
        )
        .example("production"),
        Field::default(
            "journal",
            Shape::File,
            "/var/lib/firedrill/journal.db",
            "The journal's database file.",
        ),
        Field::optional(
            "drills",
            Shape::Texts(&Shape::File),
            "Files and folders of drills, to find one by its name.",
        )
        .example("[drills]"),
        Field::required("clusters", Shape::Named(&CLUSTER), "Where to drill, by name."),
        Field::optional(
            "targets",
            Shape::Named(&TARGET),
            "What checks ask, by name. A `promql` check asks `prometheus`.",
        ),
        Field::optional("stores", Shape::Named(&STORE), "S3 buckets, by name."),
        Field::optional("timings", Shape::Object(&TIMINGS), "How long things may take."),
    ]],
    rules: &[],
};

/// One of `clusters`
pub const CLUSTER: Table = Table {
    what: "a cluster",
    groups: &[&[
        Field::optional(
            "server",
            Shape::HttpsUrl,
            "The API server, with `tokenFile` and `caFile`; or else `kubeconfig`.",
        )
        .example("https://10.0.0.1:6443"),
        Field::optional(
            "tokenFile",
            Shape::File,
            "File with the bearer token. It is read again as it changes.",
        )
        .example("/etc/firedrill/production.token"),
        Field::optional("caFile", Shape::File, "PEM file with the server's CA.")
            .example("/etc/firedrill/production-ca.pem"),
        Field::optional("kubeconfig", Shape::File, "A kubeconfig file; or else `server`.")
            .example("/etc/firedrill/production.kubeconfig"),
        Field::optional(
            "context",
            Shape::Text,
            "A context of the kubeconfig. Without it: its current one.",
        )
        .example("drills"),
        Field::default("veleroNamespace", Shape::Namespace, "velero", "Velero's namespace."),
        Field::default(
            "maxNodes",
            Shape::Count(1, 1000),
            "1",
            "The most nodes that a run may cordon at once.",
        ),
    ]],
    rules: &[
        Rule::One(&["server", "kubeconfig"]),
        Rule::Needs("server", &["tokenFile", "caFile"]),
        Rule::Refuses("server", &["context"]),
        Rule::Refuses("kubeconfig", &["tokenFile", "caFile"]),
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
            "File with an AWS `[default]` profile. Without it: the usual chain of AWS.",
        )
        .example("/etc/firedrill/s3.credentials"),
    ]],
    rules: &[],
};

/// `timings`
pub const TIMINGS: Table = Table {
    what: "`timings`",
    groups: &[&[
        Field::default(
            "sendTimeout",
            Shape::Duration,
            "15s",
            "A write is never sent later than this after it was noted in the journal.",
        ),
        Field::default(
            "settle",
            Shape::Duration,
            "30s",
            "How long after that an absence proves something. Longer than `sendTimeout`.",
        ),
        Field::default(
            "leaseDuration",
            Shape::Duration,
            "60s",
            "How long the Lease of a cluster lasts.",
        ),
        Field::default("leaseRenew", Shape::Duration, "10s", "How often it is renewed."),
        Field::default(
            "leaseLost",
            Shape::Duration,
            "40s",
            "Unrenewed for this long closes the run. Shorter than `leaseDuration`.",
        ),
        Field::default(
            "veleroAccept",
            Shape::Duration,
            "60s",
            "How long Velero may take to pick a request up.",
        ),
        Field::default(
            "stopBudget",
            Shape::Duration,
            "60s",
            "How long undo may go on after a first signal.",
        ),
    ]],
    rules: &[],
};
