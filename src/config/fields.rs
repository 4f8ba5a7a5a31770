//! The fields of the configuration. PURE.

use crate::drill::{
    fields::API_VERSION,
    table::{Field, Need, Shape, Table},
};

/// The configuration.
pub const CONFIGURATION: Table = Table {
    what: "a configuration",
    groups: &[&[
        Field {
            name: "apiVersion",
            shape: Shape::Choice(&[API_VERSION]),
            need: Need::Required,
            doc: "The version of the language: `firedrill.dev/v1alpha1`.",
        },
        Field {
            name: "kind",
            shape: Shape::Choice(&["Configuration"]),
            need: Need::Required,
            doc: "What the document is: `Configuration`.",
        },
        Field {
            name: "instance",
            shape: Shape::Name,
            need: Need::Required,
            doc: "The name of this installation. It is written on every object that we make: never change it while a run is open.",
        },
        Field {
            name: "journal",
            shape: Shape::File,
            need: Need::Default("/var/lib/firedrill/journal.db"),
            doc: "The journal's database file.",
        },
        Field {
            name: "drills",
            shape: Shape::Texts(&Shape::File),
            need: Need::Optional,
            doc: "Files and folders of drills, to find one by its name.",
        },
        Field {
            name: "clusters",
            shape: Shape::Named(&CLUSTER),
            need: Need::Required,
            doc: "Where to drill, by name.",
        },
        Field {
            name: "targets",
            shape: Shape::Named(&TARGET),
            need: Need::Optional,
            doc: "Base URLs for checks, by name.",
        },
        Field {
            name: "stores",
            shape: Shape::Named(&STORE),
            need: Need::Optional,
            doc: "S3 buckets, by name.",
        },
        Field {
            name: "timings",
            shape: Shape::Object(&TIMINGS),
            need: Need::Optional,
            doc: "How long things may take.",
        },
    ]],
};

/// One of `clusters`
pub const CLUSTER: Table = Table {
    what: "a cluster",
    groups: &[&[
        Field {
            name: "server",
            shape: Shape::HttpsUrl,
            need: Need::Optional,
            doc: "The API server, with `tokenFile` and `caFile`; or else `kubeconfig`.",
        },
        Field {
            name: "tokenFile",
            shape: Shape::File,
            need: Need::Optional,
            doc: "File with the bearer token. It is read again as it changes.",
        },
        Field {
            name: "caFile",
            shape: Shape::File,
            need: Need::Optional,
            doc: "PEM file with the server's CA.",
        },
        Field {
            name: "kubeconfig",
            shape: Shape::File,
            need: Need::Optional,
            doc: "A kubeconfig file; or else `server`.",
        },
        Field {
            name: "context",
            shape: Shape::Text,
            need: Need::Optional,
            doc: "A context of the kubeconfig. Without it: its current one.",
        },
        Field {
            name: "veleroNamespace",
            shape: Shape::Namespace,
            need: Need::Default("velero"),
            doc: "Velero's namespace.",
        },
        Field {
            name: "maxNodes",
            shape: Shape::Count(1, 1000),
            need: Need::Default("1"),
            doc: "The most nodes that a run may cordon at once.",
        },
    ]],
};

/// One of `targets`
pub const TARGET: Table = Table {
    what: "a target",
    groups: &[&[Field {
        name: "url",
        shape: Shape::Url,
        need: Need::Required,
        doc: "The base URL.",
    }]],
};

/// One of `stores`
pub const STORE: Table = Table {
    what: "a store",
    groups: &[&[
        Field {
            name: "endpoint",
            shape: Shape::Url,
            need: Need::Optional,
            doc: "The endpoint. Without it: AWS.",
        },
        Field {
            name: "region",
            shape: Shape::Text,
            need: Need::Default("us-east-1"),
            doc: "The region.",
        },
        Field { name: "bucket", shape: Shape::Text, need: Need::Required, doc: "The bucket." },
        Field {
            name: "prefix",
            shape: Shape::TextOrEmpty,
            need: Need::Default(""),
            doc: "The key prefix.",
        },
        Field {
            name: "pathStyle",
            shape: Shape::Flag,
            need: Need::Default("false"),
            doc: "The bucket stands in the path, as most servers other than AWS want it.",
        },
        Field {
            name: "credentialsFile",
            shape: Shape::File,
            need: Need::Optional,
            doc: "File with an AWS `[default]` profile. Without it: the usual chain of AWS.",
        },
    ]],
};

/// `timings`
pub const TIMINGS: Table = Table {
    what: "`timings`",
    groups: &[&[
        Field {
            name: "sendTimeout",
            shape: Shape::Duration,
            need: Need::Default("15s"),
            doc: "A write is never sent later than this after it was noted in the journal.",
        },
        Field {
            name: "settle",
            shape: Shape::Duration,
            need: Need::Default("30s"),
            doc: "How long after that an absence proves something. Longer than `sendTimeout`.",
        },
        Field {
            name: "leaseDuration",
            shape: Shape::Duration,
            need: Need::Default("60s"),
            doc: "How long the Lease of a cluster lasts.",
        },
        Field {
            name: "leaseRenew",
            shape: Shape::Duration,
            need: Need::Default("10s"),
            doc: "How often it is renewed.",
        },
        Field {
            name: "leaseLost",
            shape: Shape::Duration,
            need: Need::Default("40s"),
            doc: "Unrenewed for this long closes the run. Shorter than `leaseDuration`.",
        },
        Field {
            name: "veleroAccept",
            shape: Shape::Duration,
            need: Need::Default("60s"),
            doc: "How long Velero may take to pick a request up.",
        },
        Field {
            name: "stopBudget",
            shape: Shape::Duration,
            need: Need::Default("60s"),
            doc: "How long undo may go on after a first signal.",
        },
    ]],
};
