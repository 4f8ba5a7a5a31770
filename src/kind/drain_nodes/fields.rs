//! The fields of `drainNodes`, and how they become its spec. PURE.

use crate::{
    drill::{
        decode::{At, Decoder, Object},
        table::{Field, Rule, Shape, Table},
    },
    kind::velero_restore::fields::unique,
};

use super::spec::{Amount, Candidates, Pick, Spec};

/// `drainNodes`
pub const TABLE: Table = Table {
    what: "a `drainNodes`",
    groups: &[&[
        Field::optional(
            "selector",
            Shape::Selector,
            "Label selector of the candidates; or else `zone` or `names`. Only nodes with \
             `firedrill.dev/drillable=true` are ever drained.",
        )
        .example("pool=drill"),
        Field::optional(
            "zone",
            Shape::LabelValue,
            "The zone whose nodes are the candidates, as in their label \
             `topology.kubernetes.io/zone`; or else `selector` or `names`.",
        )
        .example("eu-central-1a"),
        Field::optional(
            "names",
            Shape::Texts(&Shape::ObjectName),
            "The nodes themselves, all of them; or else `selector` or `zone`.",
        )
        .example("[worker-3]"),
        Field::optional(
            "count",
            Shape::CountOrShare(1, 1000),
            "How many of the candidates, or which share of them: a share is rounded down, but is \
             at least one node. Control-plane nodes are no candidates. Without it: 1 of a \
             `selector`, all of a `zone`. The configuration's `caps` limit it.",
        )
        .example("25%"),
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
    rules: &[Rule::One(CANDIDATES), Rule::Refuses("names", &["count", "pick"])],
};

const CANDIDATES: &[&str] = &["selector", "zone", "names"];

/// Decodes a `drainNodes`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let selector = object.text(out, "selector");
    let zone = object.text(out, "zone");
    let names = object.texts(out, "names");
    unique(out, names.as_deref().unwrap_or_default());
    let count = object.count_or_share(out, "count");
    let pick = object.text(out, "pick");
    let stable_for = object.duration(out, "stableFor");
    let hold = object.text(out, "hold");
    let written = object.entry("count").is_some();
    let which = object.which(CANDIDATES);
    let default = match which {
        Some("selector") => Some(Amount::Count(1)),
        Some("zone") => Some(Amount::Percent(100)),
        Some(_) => names.as_ref().map(|names| Amount::Count(names.len() as u64)),
        None => None,
    };
    let at = match (&count, &names, object.entry("names")) {
        (Some(At { value: Amount::Count(number), span, key }), ..) => {
            Some(At { value: *number, span: span.clone(), key: key.clone() })
        }
        (None, Some(names), Some(entry)) => {
            let span = entry.value.span.clone();
            Some(At { value: names.len() as u64, span, key: object.path("names") })
        }
        _ => None,
    };
    if let Some(at) = at {
        out.cordons(at);
    }
    let of = match which? {
        "selector" => Candidates::Selector(selector?.value),
        "zone" => Candidates::Zone(zone?.value),
        _ => Candidates::Names(names?.into_iter().map(|at| at.value).collect()),
    };
    Some(Spec {
        of,
        count: if written { count?.value } else { default? },
        pick: match pick?.value.as_str() {
            "first" => Pick::First,
            "oldest" => Pick::Oldest,
            _ => Pick::Random,
        },
        stable_for: stable_for?.value,
        hold_until_end: hold?.value == "untilEnd",
    })
}
