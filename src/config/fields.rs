//! The fields of the configuration. PURE.

mod duty;
mod place;
mod tell;

pub use duty::{CAPS, FOLDERS, FREEZE, PATIENCE, RETAIN, SENTINEL_PLACE, SENTINELS, TIMINGS};
pub use place::{CLUSTER, STORE, TARGET};
pub use tell::{HEARTBEAT, HOOK, OCCASIONS, RULE, SLACK, WEBHOOK};

use crate::drill::{
    fields::API_VERSION,
    table::{Field, Shape, Table},
};

/// Why the keys of the daemon have no effect yet.
const NO_DAEMON: &str = "it is for the daemon, which this version does not have: `firedrill run` \
                         works without it";

/// The configuration.
pub const CONFIGURATION: Table =
    Table { what: "a configuration", groups: &[HEAD, WORLD, WHEN, TELLING, LIMITS], rules: &[] };

const HEAD: &[Field] = &[
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
        "The name of this installation. It is written on every object that we make: never change \
         it while a run is open.",
    )
    .example("production"),
    Field::default(
        "journal",
        Shape::File,
        "/var/lib/firedrill/journal.db",
        "The journal's database file, on a local disk.",
    ),
    Field::optional(
        "drills",
        Shape::Texts(&Shape::File),
        "Files and folders of drills, to find one by its name.",
    )
    .example("[/etc/firedrill/drills]"),
    Field::optional("folders", Shape::Object(&FOLDERS), "Where files are kept beside the journal.")
        .pending("no step of this version writes files"),
    Field::optional(
        "haltFile",
        Shape::File,
        "The halt lever as a file: while it exists, running drills close and undo, and new ones \
         are refused. Without it: `halt` beside the journal.",
    )
    .example("/run/firedrill/halt"),
    Field::optional(
        "listen",
        Shape::Address,
        "The address of the page, the API and the metrics. Without it: none.",
    )
    .example("127.0.0.1:9090")
    .pending(NO_DAEMON),
    Field::default(
        "socket",
        Shape::File,
        "/run/firedrill/firedrill.sock",
        "The socket that the command line reaches the daemon through.",
    )
    .pending(NO_DAEMON),
];

const WORLD: &[Field] = &[
    Field::required("clusters", Shape::Named(&CLUSTER), "Where to drill, by name."),
    Field::optional(
        "targets",
        Shape::Named(&TARGET),
        "What checks ask, by name. A `promql` check asks the one named `prometheus`.",
    ),
    Field::optional("stores", Shape::Named(&STORE), "S3 buckets, by name."),
];

const WHEN: &[Field] = &[
    Field::optional("freezes", Shape::Named(&FREEZE), "Times in which nothing may start, by name."),
    Field::optional(
        "sentinels",
        Shape::Object(&SENTINELS),
        "ConfigMaps that are kept fresh, so that a restore shows how much was lost.",
    )
    .pending("recovery points are measured by the backup's start"),
];

const TELLING: &[Field] = &[
    Field::optional("hooks", Shape::Named(&HOOK), "Where messages go, by name.")
        .pending("no message is sent: read the exit code and `firedrill report`"),
    Field::optional(
        "notify",
        Shape::Objects(&RULE),
        "Who is told what. Each rule that matches sends one message to each of its hooks.",
    )
    .pending("no message is sent: read the exit code and `firedrill report`"),
];

const LIMITS: &[Field] = &[
    Field::optional(
        "caps",
        Shape::Object(&CAPS),
        "The most that one run may touch in a cluster, where the cluster says nothing else.",
    ),
    Field::default(
        "maxConcurrent",
        Shape::Count(1, 100),
        "4",
        "How many runs there may be at once, all clusters together.",
    )
    .pending(NO_DAEMON),
    Field::optional("patience", Shape::Object(&PATIENCE), "How long undo waits for something."),
    Field::optional(
        "retain",
        Shape::Object(&RETAIN),
        "How long the journal keeps runs that have ended. Without it: for ever.",
    )
    .pending("the journal keeps every run"),
    Field::optional("timings", Shape::Object(&TIMINGS), "How long things may take."),
];
