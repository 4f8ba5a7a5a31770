//! What holds for every run: caps, freezes, sentinels, what is kept, and how long things take.
//! PURE.

use crate::drill::table::{Field, Shape, Table};

/// `caps`
pub const CAPS: Table = Table {
    what: "`caps`",
    groups: &[&[
        Field::optional(
            "nodes",
            Shape::Count(1, 1000),
            "The most nodes that a run may cordon at once. Where no `caps` says it: 1.",
        )
        .example("1"),
        Field::optional(
            "share",
            Shape::Share,
            "The largest share of the nodes without a control plane that a run may cordon at once, \
             rounded down. It holds beside `nodes`.",
        )
        .example("25%"),
        Field::optional(
            "namespaces",
            Shape::Count(1, 1000),
            "The most namespaces that a run may bring back.",
        )
        .example("3"),
        Field::optional("pods", Shape::Count(1, 100_000), "The most pods that a run may evict.")
            .example("50"),
    ]],
    rules: &[],
};

/// `folders`
pub const FOLDERS: Table = Table {
    what: "`folders`",
    groups: &[&[
        Field::optional(
            "scratch",
            Shape::File,
            "For what a step needs while it runs, such as an etcd snapshot. It is wiped at the \
             start. Without it: `scratch` beside the journal.",
        )
        .example("/var/lib/firedrill/scratch"),
        Field::optional(
            "evidence",
            Shape::File,
            "For reports and what they rest on. Without it: `evidence` beside the journal.",
        )
        .example("/var/lib/firedrill/evidence"),
    ]],
    rules: &[],
};

/// One of `freezes`
pub const FREEZE: Table = Table {
    what: "a freeze",
    groups: &[&[
        Field::required(
            "cron",
            Shape::Cron,
            "When it begins: five fields (minute, hour, day of month, month, day of week) or a \
             macro such as `@daily`.",
        )
        .example("0 0 20 12 *"),
        Field::optional(
            "dayMatch",
            Shape::Choice(&["or", "and"]),
            "Needed where both day fields are restricted: whether one of them is enough.",
        ),
        Field::default(
            "timeZone",
            Shape::TimeZone,
            "UTC",
            "IANA time zone that the fields are read in.",
        ),
        Field::required("duration", Shape::Duration, "How long it lasts, in absolute time.")
            .example("312h"),
        Field::optional(
            "clusters",
            Shape::Texts(&Shape::Name),
            "The clusters that are frozen. Without it: all.",
        )
        .example("[production]"),
        Field::optional("reason", Shape::Text, "One sentence for whoever is refused.")
            .example("No changes at the end of the year."),
    ]],
    rules: &[],
};

/// `sentinels`
pub const SENTINELS: Table = Table {
    what: "`sentinels`",
    groups: &[&[
        Field::default("every", Shape::Duration, "5m", "How often they are made fresh."),
        Field::required(
            "in",
            Shape::Objects(&SENTINEL_PLACE),
            "The namespaces that have agreed to hold one.",
        ),
    ]],
    rules: &[],
};

/// One of `sentinels.in`
pub const SENTINEL_PLACE: Table = Table {
    what: "a place of sentinels",
    groups: &[&[
        Field::required("cluster", Shape::Name, "A cluster of `clusters`.").example("production"),
        Field::required("namespaces", Shape::Texts(&Shape::Namespace), "Namespaces of it.")
            .example("[shop]"),
    ]],
    rules: &[],
};

/// `patience`
pub const PATIENCE: Table = Table {
    what: "`patience`",
    groups: &[&[Field::default(
        "sweep",
        Shape::Duration,
        "10s",
        "How long a sweep waits for one thing that is left of an earlier run before it goes on. \
         The patience of a run's own undo is `undoPatience` of its drill.",
    )]],
    rules: &[],
};

/// `retain`
pub const RETAIN: Table = Table {
    what: "`retain`",
    groups: &[&[
        Field::optional(
            "runs",
            Shape::Count(1, 1_000_000),
            "How many runs of each drill are kept at least.",
        )
        .example("1000"),
        Field::optional("days", Shape::Count(1, 3650), "For how many days runs are kept at least.")
            .example("400"),
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
