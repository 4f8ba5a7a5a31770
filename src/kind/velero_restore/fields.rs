//! The fields of `veleroRestore`, and how they become its spec. PURE.

use crate::drill::{
    decode::{At, Decoder, Object},
    problem::Code,
    table::{Field, Rule, Shape, Table},
};

use super::spec::{Source, Spec};

/// `veleroRestore`
pub const TABLE: Table = Table {
    what: "a `veleroRestore`",
    groups: &[&[
        Field::required("backup", Shape::Object(&BACKUP), "Which backup comes back."),
        Field::required(
            "namespaces",
            Shape::Texts(&Shape::Namespace),
            "The namespaces of the backup that come back, each into a sandbox namespace \
             of its own.",
        )
        .example("[shop]"),
        Field::optional(
            "alsoRestore",
            Shape::Texts(&Shape::ObjectName),
            "Resources beyond the allow-list, as `resource.group`.",
        )
        .example("[ingresses.networking.k8s.io]"),
        Field::optional(
            "into",
            Shape::Later("leave it out: the backup comes back into the drill's cluster"),
            "Another cluster of the configuration to restore into.",
        ),
    ]],
    rules: &[],
};

/// `backup:`
pub const BACKUP: Table = Table {
    what: "a `backup`",
    groups: &[&[
        Field::optional(
            "newestOf",
            Shape::Object(&NEWEST_OF),
            "The newest completed backup of a Velero Schedule.",
        ),
        Field::optional("name", Shape::ObjectName, "A backup by its name.")
            .example("shop-comes-back"),
        Field::optional(
            "oldestOf",
            Shape::Later(OTHER_SOURCES),
            "The oldest completed backup of a Velero Schedule.",
        ),
        Field::optional(
            "randomOf",
            Shape::Later(OTHER_SOURCES),
            "Any completed backup of a Velero Schedule.",
        ),
        Field::optional(
            "step",
            Shape::Later(OTHER_SOURCES),
            "The backup that an earlier step made.",
        ),
    ]],
    rules: &[Rule::One(&["newestOf", "name"])],
};

const OTHER_SOURCES: &str = "use `newestOf: {schedule: ...}` or `name: ...`";

/// `newestOf:`
pub const NEWEST_OF: Table = Table {
    what: "a `newestOf`",
    groups: &[&[Field::required(
        "schedule",
        Shape::ObjectName,
        "The name of the Velero Schedule.",
    )
    .example("shop-nightly")]],
    rules: &[],
};

/// Decodes a `veleroRestore`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let backup = object.object(out, "backup").and_then(|backup| source(out, &backup));
    let namespaces = object.texts(out, "namespaces");
    if let Some(namespaces) = &namespaces {
        unique(out, namespaces);
    }
    let also_restore = object.texts(out, "alsoRestore").unwrap_or_default();
    unique(out, &also_restore);
    let values = |all: Vec<At<String>>| all.into_iter().map(|at| at.value).collect();
    Some(Spec {
        backup: backup?,
        namespaces: values(namespaces?),
        also_restore: values(also_restore),
    })
}

fn source(out: &mut Decoder<'_>, backup: &Object<'_>) -> Option<Source> {
    match backup.which(&["newestOf", "name"])? {
        "name" => Some(Source::Name(backup.text(out, "name")?.value)),
        _ => {
            let newest = backup.object(out, "newestOf")?;
            Some(Source::NewestOf { schedule: newest.text(out, "schedule")?.value })
        }
    }
}

/// Notes what is listed twice.
fn unique(out: &mut Decoder<'_>, all: &[At<String>]) {
    for (index, at) in all.iter().enumerate() {
        if let Some(first) = all[..index].iter().find(|earlier| earlier.value == at.value) {
            out.error(
                Code::DuplicateName,
                &at.span,
                &at.key,
                format!("`{}` is listed twice", at.value),
            )
            .also(first.span.clone(), "first here")
            .help("keep one of them");
        }
    }
}
