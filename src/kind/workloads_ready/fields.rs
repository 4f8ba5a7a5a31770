//! The fields of `workloadsReady`, and how they become its spec. PURE.

use crate::drill::{
    decode::{Decoder, Object},
    table::{Field, Shape, Table},
};

use super::Spec;

/// `workloadsReady`
pub const TABLE: Table = Table {
    what: "a `workloadsReady`",
    groups: &[&[
        Field::required(
            "in",
            Shape::Step(&["veleroRestore"]),
            "The earlier `veleroRestore` step whose sandbox is watched.",
        )
        .example("restore"),
        Field::default(
            "stableFor",
            Shape::DurationOrZero,
            "10s",
            "How long everything must stay ready without a break.",
        ),
    ]],
    rules: &[],
};

/// Decodes a `workloadsReady`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let within = object.text(out, "in");
    let stable_for = object.duration(out, "stableFor");
    Some(Spec { within: within?.value, stable_for: stable_for?.value })
}
