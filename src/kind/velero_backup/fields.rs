//! The fields of `veleroBackup`, and how they become its spec. PURE.

use crate::{
    drill::{
        decode::{At, Decoder, Object},
        table::{Field, Rule, Shape, Table},
    },
    kind::velero_restore::fields::unique,
};

use super::spec::{Keep, Own, Spec, What};

/// `veleroBackup`
pub const TABLE: Table = Table {
    what: "a `veleroBackup`",
    groups: &[OWN, REST],
    rules: &[
        Rule::One(&["from", "namespaces"]),
        Rule::Refuses(
            "from",
            &[
                "resources",
                "excludeResources",
                "selector",
                "storageLocation",
                "snapshotVolumes",
                "fsBackup",
            ],
        ),
    ],
};

const OWN: &[Field] = &[
    Field::optional(
        "from",
        Shape::Object(&FROM),
        "The Velero Schedule whose template says what is saved; or else `namespaces`.",
    ),
    Field::optional(
        "namespaces",
        Shape::Texts(&Shape::Namespace),
        "The namespaces that are saved; or else `from`.",
    )
    .example("[shop]"),
    Field::optional(
        "resources",
        Shape::Texts(&Shape::ObjectName),
        "Only these resources, as `resource.group`. Without it: all.",
    )
    .example("[deployments.apps, configmaps]"),
    Field::optional(
        "excludeResources",
        Shape::Texts(&Shape::ObjectName),
        "Not these resources, as `resource.group`.",
    )
    .example("[events]"),
    Field::optional("selector", Shape::Selector, "Only objects with these labels.")
        .example("app=shop"),
    Field::optional(
        "storageLocation",
        Shape::ObjectName,
        "The BackupStorageLocation that it goes to. Without it: Velero's default one.",
    )
    .example("primary"),
    Field::optional(
        "snapshotVolumes",
        Shape::Flag,
        "Whether volumes are snapshotted. Without it: where Velero can.",
    )
    .example("true"),
    Field::optional(
        "fsBackup",
        Shape::Flag,
        "Whether the files of all volumes are copied. Without it: as Velero's server is set.",
    )
    .example("true"),
];

const REST: &[Field] = &[
    Field::default(
        "ttl",
        Shape::Duration,
        "72h",
        "How long Velero keeps the backup, if nobody deletes it before.",
    ),
    Field::default(
        "keep",
        Shape::Choice(&["never", "always", "onFailure"]),
        "never",
        "Whether the backup outlives the run: never, always until it expires, or only if the run \
         does not pass.",
    ),
    Field::optional(
        "acceptWithin",
        Shape::Duration,
        "How long Velero may take to begin. Without it: `veleroAccept` of the configuration.",
    )
    .example("2m"),
];

/// `from:`
pub const FROM: Table = Table {
    what: "a `from`",
    groups: &[&[Field::required(
        "schedule",
        Shape::ObjectName,
        "The name of the Velero Schedule.",
    )
    .example("shop-nightly")]],
    rules: &[],
};

/// Decodes a `veleroBackup`.
pub fn decode(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Spec> {
    let from = object.object(out, "from").and_then(|from| from.text(out, "schedule"));
    let own = own(out, object);
    let ttl = object.duration(out, "ttl");
    let keep = object.text(out, "keep");
    let accept_within = object.duration(out, "acceptWithin").map(|at| at.value);
    let what = match object.which(&["from", "namespaces"])? {
        "from" => What::Template { schedule: from?.value },
        _ => What::Own(own?),
    };
    Some(Spec {
        what,
        ttl: ttl?.value,
        keep: match keep?.value.as_str() {
            "always" => Keep::Always,
            "onFailure" => Keep::OnFailure,
            _ => Keep::Never,
        },
        accept_within,
    })
}

fn own(out: &mut Decoder<'_>, object: &Object<'_>) -> Option<Own> {
    let mut list = |name| {
        let texts: Option<Vec<At<String>>> = object.texts(out, name);
        unique(out, texts.as_deref().unwrap_or_default());
        texts.map(|all| all.into_iter().map(|at| at.value).collect::<Vec<_>>())
    };
    let namespaces = list("namespaces");
    let resources = list("resources").unwrap_or_default();
    let exclude_resources = list("excludeResources").unwrap_or_default();
    let selector = object.text(out, "selector").map(|at| at.value);
    let storage_location = object.text(out, "storageLocation").map(|at| at.value);
    let snapshot_volumes = object.flag(out, "snapshotVolumes").map(|at| at.value);
    let fs_backup = object.flag(out, "fsBackup").map(|at| at.value);
    Some(Own {
        namespaces: namespaces?,
        resources,
        exclude_resources,
        selector,
        storage_location,
        snapshot_volumes,
        fs_backup,
    })
}
