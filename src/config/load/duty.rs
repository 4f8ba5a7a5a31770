//! Caps, freezes, sentinels, patience, and what is kept. PURE.

use super::References;
use crate::{
    config::{Caps, Freeze, Patience, Retain, Sentinels},
    drill::{
        decode::{At, Decoder, Object},
        problem::Code,
    },
    schedule::{self, Cron, DayMatch, zone},
};

pub(super) fn caps(out: &mut Decoder<'_>, object: &Object<'_>) -> Caps {
    caps_or(out, object, Caps::default())
}

/// The caps of an object; what it does not say is taken from `other`.
pub(super) fn caps_or(out: &mut Decoder<'_>, object: &Object<'_>, other: Caps) -> Caps {
    let nodes = number(out, object, "nodes");
    let share = object.share(out, "share").map(|at| at.value);
    let namespaces = number(out, object, "namespaces");
    let pods = number(out, object, "pods");
    Caps {
        nodes: nodes.unwrap_or(other.nodes),
        share: share.or(other.share),
        namespaces: namespaces.or(other.namespaces),
        pods: pods.or(other.pods),
    }
}

fn number(out: &mut Decoder<'_>, object: &Object<'_>, name: &str) -> Option<u32> {
    object.count(out, name).and_then(|at| u32::try_from(at.value).ok())
}

pub(super) fn freeze(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    references: &mut References,
) -> Option<Freeze> {
    let cron = object.text(out, "cron");
    let day_match = object.text(out, "dayMatch").map(|at| match at.value.as_str() {
        "and" => DayMatch::And,
        _ => DayMatch::Or,
    });
    // A word that is none was told; what the expression lacks because of it is not.
    let unsure = day_match.is_none() && object.entry("dayMatch").is_some();
    let cron = cron.filter(|_| !unsure).and_then(|at| {
        let parsed = Cron::parse(&at.value, day_match);
        told(out, &at, parsed.map_err(|wrong| (wrong.message, wrong.help)))
    });
    let zone = object.text(out, "timeZone").and_then(|at| {
        let found = zone::find(&at.value);
        told(out, &at, found.map_err(|wrong| (wrong.message, wrong.help)))
    });
    let duration = object.duration(out, "duration").map(|at| at.value);
    let clusters = object.texts(out, "clusters");
    references.clusters.extend(clusters.iter().flatten().cloned());
    if let (Some(clusters), Some(entry)) = (&clusters, object.entry("clusters"))
        && clusters.is_empty()
    {
        let message = "this freeze holds for no cluster";
        out.warning(Code::Unused, &entry.key.span, &object.path("clusters"), message)
            .help("name clusters, or leave `clusters` out to freeze all of them");
    }
    let clusters = clusters.map(|all| all.into_iter().map(|at| at.value).collect());
    let reason = object.text(out, "reason").map(|at| at.value);
    let window = schedule::Freeze { cron: cron?, zone: zone?, duration: duration? };
    Some(Freeze { window, clusters, reason })
}

/// The value, or a note why there is none.
fn told<T>(
    out: &mut Decoder<'_>,
    at: &At<String>,
    result: Result<T, (String, String)>,
) -> Option<T> {
    result
        .map_err(|(message, help)| {
            out.error(Code::InvalidValue, &at.span, &at.key, message).help(help);
        })
        .ok()
}

pub(super) fn sentinels(
    out: &mut Decoder<'_>,
    object: &Object<'_>,
    references: &mut References,
) -> Option<Sentinels> {
    let every = object.duration(out, "every");
    let mut places = Vec::new();
    for place in object.objects(out, "in")? {
        let cluster = place.text(out, "cluster");
        references.clusters.extend(cluster.clone());
        let namespaces = place.texts(out, "namespaces");
        if let (Some(cluster), Some(namespaces)) = (cluster, namespaces) {
            places.push((cluster.value, namespaces.into_iter().map(|at| at.value).collect()));
        }
    }
    Some(Sentinels { every: every?.value, places })
}

pub(super) fn patience(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Patience> {
    Some(Patience { sweep: object.duration(out, "sweep")?.value })
}

pub(super) fn retain(out: &mut Decoder<'_>, object: &Object<'_>) -> Retain {
    Retain { runs: number(out, object, "runs"), days: number(out, object, "days") }
}
