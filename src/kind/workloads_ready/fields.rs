//! The fields of `workloadsReady`, and how they become its spec. PURE.

use crate::drill::{
    decode::{Decoder, Object},
    table::{Field, Need, Shape, Table},
};

use super::Spec;

/// `workloadsReady`
pub const TABLE: Table = Table {
    what: "a `workloadsReady`",
    groups: &[&[
        Field {
            name: "in",
            shape: Shape::Step(&["veleroRestore"]),
            need: Need::Required,
            doc: "The earlier `veleroRestore` step whose sandbox is watched.",
        },
        Field {
            name: "stableFor",
            shape: Shape::DurationOrZero,
            need: Need::Default("10s"),
            doc: "How long everything must stay ready without a break.",
        },
    ]],
};

/// Decodes a `workloadsReady`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let within = object.text(out, "in");
    let stable_for = object.duration(out, "stableFor");
    Some(Spec { within: within?.value, stable_for: stable_for?.value })
}
