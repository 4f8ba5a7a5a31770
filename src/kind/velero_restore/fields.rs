//! The fields of `veleroRestore`, and how they become its spec. PURE.

use crate::drill::{
    decode::{At, Decoder, Object},
    problem::Code,
    table::{Field, Need, Shape, Table},
};

use super::spec::{Source, Spec};

/// `veleroRestore`
pub const TABLE: Table = Table {
    what: "a `veleroRestore`",
    groups: &[&[
        Field {
            name: "backup",
            shape: Shape::Object(&BACKUP),
            need: Need::Required,
            doc: "Which backup comes back.",
        },
        Field {
            name: "namespaces",
            shape: Shape::Texts(&Shape::Namespace),
            need: Need::Required,
            doc: "The namespaces of the backup that come back, each into a sandbox namespace of its own.",
        },
        Field {
            name: "alsoRestore",
            shape: Shape::Texts(&Shape::ObjectName),
            need: Need::Optional,
            doc: "Resources beyond the allow-list, as `resource.group`.",
        },
        Field {
            name: "into",
            shape: Shape::Later("leave it out: the backup comes back into the drill's cluster"),
            need: Need::Optional,
            doc: "Another cluster of the configuration to restore into.",
        },
    ]],
};

/// `backup:`
pub const BACKUP: Table = Table {
    what: "a `backup`",
    groups: &[&[
        Field {
            name: "newestOf",
            shape: Shape::Object(&NEWEST_OF),
            need: Need::Optional,
            doc: "The newest completed backup of a Velero Schedule.",
        },
        Field {
            name: "name",
            shape: Shape::ObjectName,
            need: Need::Optional,
            doc: "A backup by its name.",
        },
        Field {
            name: "oldestOf",
            shape: Shape::Later(OTHER_SOURCES),
            need: Need::Optional,
            doc: "The oldest completed backup of a Velero Schedule.",
        },
        Field {
            name: "randomOf",
            shape: Shape::Later(OTHER_SOURCES),
            need: Need::Optional,
            doc: "Any completed backup of a Velero Schedule.",
        },
        Field {
            name: "step",
            shape: Shape::Later(OTHER_SOURCES),
            need: Need::Optional,
            doc: "The backup that an earlier step made.",
        },
    ]],
};

const OTHER_SOURCES: &str = "use `newestOf: {schedule: ...}` or `name: ...`";

/// `newestOf:`
pub const NEWEST_OF: Table = Table {
    what: "a `newestOf`",
    groups: &[&[Field {
        name: "schedule",
        shape: Shape::ObjectName,
        need: Need::Required,
        doc: "The name of the Velero Schedule.",
    }]],
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
    match backup.exactly_one(out, &["newestOf", "name"])? {
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
