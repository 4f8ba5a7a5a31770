//! The fields of `backupFreshness`, and how they become its spec. PURE.

use crate::{
    drill::{
        decode::{Decoder, Object},
        problem::Code,
        table::{Field, Rule, Shape, Table},
    },
    kind::velero_restore::fields::of,
};

use super::Spec;

/// `backupFreshness`
pub const TABLE: Table = Table {
    what: "a `backupFreshness`",
    groups: &[&[
        Field::optional(
            "schedule",
            Shape::ObjectName,
            "The Velero Schedule whose backups are looked at; or else `selector`.",
        )
        .example("shop-nightly"),
        Field::optional(
            "selector",
            Shape::Selector,
            "Label selector of the backups that are looked at; or else `schedule`.",
        )
        .example("team=shop"),
        Field::required(
            "maxAge",
            Shape::Duration,
            "How old the newest completed backup may be, by its own timestamps.",
        )
        .example("26h"),
        Field::optional(
            "maxGap",
            Shape::Duration,
            "The longest time that may lie between two completed backups within `window`.",
        )
        .example("26h"),
        Field::default("window", Shape::Duration, "336h", "How far back is looked."),
        Field::optional(
            "keptFor",
            Shape::Duration,
            "How much longer the newest backup must be kept before it expires.",
        )
        .example("168h"),
        Field::optional(
            "maxShrink",
            Shape::Share,
            "How much smaller than the median of `window` the newest backup may be.",
        )
        .example("30%"),
    ]],
    rules: &[Rule::One(&["schedule", "selector"])],
};

/// Decodes a `backupFreshness`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let of = of(out, object);
    let max_age = object.duration(out, "maxAge");
    let max_gap = object.duration(out, "maxGap");
    let window = object.duration(out, "window");
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
    let kept_for = object.duration(out, "keptFor").map(|at| at.value);
    let max_shrink = object.share(out, "maxShrink").map(|at| at.value);
    Some(Spec {
        of: of?,
        max_age: max_age?.value,
        max_gap: max_gap.map(|at| at.value),
        window: window?.value,
        kept_for,
        max_shrink,
    })
}
