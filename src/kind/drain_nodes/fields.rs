//! The fields of `drainNodes`, and how they become its spec. PURE.

use crate::drill::{
    decode::{Decoder, Object},
    table::{Field, Shape, Table},
};

use super::spec::{Pick, Spec};

/// `drainNodes`
pub const TABLE: Table = Table {
    what: "a `drainNodes`",
    groups: &[&[
        Field::required(
            "selector",
            Shape::Selector,
            "Label selector of the candidates. Only nodes with \
             `firedrill.dev/drillable=true` are ever drained.",
        )
        .example("pool=drill"),
        Field::default(
            "count",
            Shape::Count(1, 1000),
            "1",
            "How many nodes. The configuration's `caps` limit it.",
        ),
        Field::default(
            "pick",
            Shape::Choice(&["random", "first", "oldest"]),
            "random",
            "Which of the candidates: any, the first by name, or the first by creation \
             time.",
        ),
        Field::default(
            "stableFor",
            Shape::DurationOrZero,
            "10s",
            "How long the workloads must stay recovered without a break.",
        ),
        Field::default(
            "hold",
            Shape::Choice(&["stepEnd", "untilEnd"]),
            "stepEnd",
            "When the nodes are given back: at the end of the step, or of the run.",
        ),
    ]],
    rules: &[],
};

/// Decodes a `drainNodes`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let selector = object.text(out, "selector");
    let count = object.count(out, "count");
    let pick = object.text(out, "pick");
    let stable_for = object.duration(out, "stableFor");
    let hold = object.text(out, "hold");
    Some(Spec {
        selector: selector?.value,
        count: u32::try_from(count?.value).ok()?,
        pick: match pick?.value.as_str() {
            "first" => Pick::First,
            "oldest" => Pick::Oldest,
            _ => Pick::Random,
        },
        stable_for: stable_for?.value,
        hold_until_end: hold?.value == "untilEnd",
    })
}
