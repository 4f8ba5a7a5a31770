//! The fields of `etcdSnapshot`, and how they become its spec. PURE.

use jiff::fmt::strtime;

use crate::drill::{
    decode::{At, Decoder, Object},
    problem::{Code, quote},
    table::{Field, Shape, Sort, Table},
};

use super::spec::{Level, Spec};

/// `etcdSnapshot`
pub const TABLE: Table = Table {
    what: "an `etcdSnapshot`",
    groups: &[&[
        Field::required(
            "store",
            Shape::Configured(Sort::Store),
            "The store that holds the snapshots, by its name in the configuration.",
        )
        .example("etcd-backups"),
        Field::required("maxAge", Shape::Duration, "How old the newest snapshot may be.")
            .example("26h"),
        Field::default(
            "level",
            Shape::Choice(&["listed", "readable", "intact"]),
            "readable",
            "How far the newest snapshot is verified: it is there and young enough, its first and \
             last pages are read, or all of it is. Each level includes those before it.",
        ),
        Field::default("window", Shape::Duration, "336h", "How far back is looked."),
        Field::optional(
            "maxGap",
            Shape::Duration,
            "The longest time that may lie between two snapshots within `window`.",
        )
        .example("26h"),
        Field::optional(
            "prefix",
            Shape::Text,
            "What the keys begin with, after the store's own prefix.",
        )
        .example("control-plane/"),
        Field::optional(
            "pattern",
            Shape::Text,
            "How the keys end and where their time stands, in the notation of strftime, in UTC. \
             Without it: the schemes of k3s, RKE2, kops, Gardener, Talos, OpenShift and Kubermatic.",
        )
        .example("etcd-%Y%m%d-%H%M%S.db"),
    ]],
    rules: &[],
};

/// Decodes an `etcdSnapshot`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let store = object.text(out, "store");
    let max_age = object.duration(out, "maxAge");
    let level = object.text(out, "level");
    let window = object.duration(out, "window");
    let max_gap = object.duration(out, "maxGap");
    for limit in [&max_age, &max_gap].into_iter().flatten() {
        if let Some(window) = &window
            && limit.value >= window.value
        {
            out.error(
                Code::Conflict,
                &limit.span,
                &limit.key,
                "this is not shorter than `window`, so that it could never be seen",
            )
            .help("shorten it, or lengthen `window` (336h if it is left out)");
        }
    }
    let prefix = object.text(out, "prefix").map(|at| at.value);
    let pattern = object.text(out, "pattern");
    if let Some(pattern) = &pattern {
        has_a_time(out, pattern);
    }
    Some(Spec {
        store: store?.value,
        max_age: max_age?.value,
        level: match level?.value.as_str() {
            "listed" => Level::Listed,
            "intact" => Level::Intact,
            _ => Level::Readable,
        },
        window: window?.value,
        max_gap: max_gap.map(|at| at.value),
        prefix,
        pattern: pattern.map(|at| at.value),
    })
}

/// Notes a pattern from which no instant can be read.
fn has_a_time(out: &mut Decoder<'_>, pattern: &At<String>) {
    // A pattern is good if an instant that is written with it can be read again.
    let instant = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let read = strtime::format(&pattern.value, &instant)
        .and_then(|text| strtime::parse(&pattern.value, text))
        .map(|time| time.to_timestamp().is_ok() || time.to_datetime().is_ok());
    if !read.unwrap_or(false) {
        out.error(
            Code::InvalidValue,
            &pattern.span,
            &pattern.key,
            format!("no date and time can be read by {}", quote(&pattern.value)),
        )
        .help("write it like `etcd-%Y%m%d-%H%M%S.db`, or `%s` for seconds since 1970");
    }
}
