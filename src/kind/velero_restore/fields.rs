//! The fields of `veleroRestore`, and how they become its spec. PURE.

use crate::{
    drill::{
        decode::{At, Decoder, Object},
        problem::Code,
        table::{Field, Rule, Shape, Sort, Table},
    },
    sandbox::{self, Refused},
};

use super::spec::{Of, Source, Spec, Which};

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
        .example("[jobs.batch]"),
        Field::optional(
            "into",
            Shape::Configured(Sort::Cluster),
            "Another cluster of the configuration to restore into. Without it: the drill's own.",
        )
        .example("standby")
        .pending("this version restores into the drill's own cluster only"),
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
            "The newest completed backup of a Velero Schedule, or of those with some labels.",
        ),
        Field::optional(
            "oldestOf",
            Shape::Object(&OLDEST_OF),
            "The oldest completed backup that is still kept.",
        ),
        Field::optional(
            "randomOf",
            Shape::Object(&RANDOM_OF),
            "Any completed backup, another one in most runs.",
        ),
        Field::optional("name", Shape::ObjectName, "A backup by its name.")
            .example("shop-nightly-20261122030000"),
        Field::optional(
            "step",
            Shape::Step(&["veleroBackup"]),
            "The backup that an earlier `veleroBackup` step made.",
        )
        .example("save")
        .pending("this version makes no backups, so that no step can give one"),
    ]],
    rules: &[Rule::One(SOURCES)],
};

const SOURCES: &[&str] = &["newestOf", "oldestOf", "randomOf", "name", "step"];

/// `newestOf:`
pub const NEWEST_OF: Table = Table { what: "a `newestOf`", groups: &[GROUP], rules: GROUP_RULES };

/// `oldestOf:`
pub const OLDEST_OF: Table = Table { what: "an `oldestOf`", groups: &[GROUP], rules: GROUP_RULES };

/// `randomOf:`
pub const RANDOM_OF: Table = Table { what: "a `randomOf`", groups: &[GROUP], rules: GROUP_RULES };

/// A group of backups.
const GROUP: &[Field] = &[
    Field::optional(
        "schedule",
        Shape::ObjectName,
        "The name of the Velero Schedule that makes them; or else `selector`.",
    )
    .example("shop-nightly"),
    Field::optional(
        "selector",
        Shape::Selector,
        "Label selector of the backups; or else `schedule`.",
    )
    .example("team=shop"),
];

const GROUP_RULES: &[Rule] = &[Rule::One(&["schedule", "selector"])];

/// Decodes a `veleroRestore`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let backup = object.object(out, "backup").and_then(|backup| source(out, &backup));
    let namespaces = object.texts(out, "namespaces");
    unique(out, namespaces.as_deref().unwrap_or_default());
    let also_restore = object.texts(out, "alsoRestore").unwrap_or_default();
    for resource in &also_restore {
        let refused = sandbox::resources(std::slice::from_ref(&resource.value), &[]);
        // What only needs the configuration's consent is asked of it before the run.
        let never = |why: &Refused| !matches!(why, Refused::OwnsOutside(_));
        for why in refused.err().into_iter().flatten().filter(never) {
            out.error(Code::InvalidValue, &resource.span, &resource.key, why.to_string())
                .help("leave it out: the restored objects live without it");
        }
    }
    unique(out, &also_restore);
    let into = object.text(out, "into").map(|at| at.value);
    let values = |all: Vec<At<String>>| all.into_iter().map(|at| at.value).collect();
    Some(Spec {
        backup: backup?,
        namespaces: values(namespaces?),
        also_restore: values(also_restore),
        into,
    })
}

fn source(out: &mut Decoder<'_>, backup: &Object<'_>) -> Option<Source> {
    let which = match backup.which(SOURCES)? {
        "name" => return Some(Source::Name(backup.text(out, "name")?.value)),
        "step" => return Some(Source::Step(backup.text(out, "step")?.value)),
        "newestOf" => Which::Newest,
        "oldestOf" => Which::Oldest,
        _ => Which::Random,
    };
    let group = backup.object(out, backup.which(SOURCES)?)?;
    Some(Source::One { which, of: of(out, &group)? })
}

/// Decodes the keys `schedule` and `selector`, of which one names a group of backups.
pub(crate) fn of(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Of> {
    let schedule = object.text(out, "schedule");
    let selector = object.text(out, "selector");
    match object.which(&["schedule", "selector"])? {
        "schedule" => Some(Of::Schedule(schedule?.value)),
        _ => Some(Of::Selector(selector?.value)),
    }
}

/// Notes what is listed twice.
pub(crate) fn unique(out: &mut Decoder<'_>, all: &[At<String>]) {
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
