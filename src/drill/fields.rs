//! The fields of a drill. PURE.

use crate::kind::{check, drain_nodes, velero_restore, workloads_ready};

use super::table::{Field, Need, Shape, Table};

/// The version of the language.
pub const API_VERSION: &str = "firedrill.dev/v1alpha1";

/// A document with a drill.
pub const DRILL: Table = Table {
    what: "a drill",
    groups: &[&[
        Field {
            name: "apiVersion",
            shape: Shape::Choice(&[API_VERSION]),
            need: Need::Required,
            doc: "The version of the language: `firedrill.dev/v1alpha1`.",
        },
        Field {
            name: "kind",
            shape: Shape::Choice(&["Drill"]),
            need: Need::Required,
            doc: "What the document is: `Drill`.",
        },
        Field {
            name: "metadata",
            shape: Shape::Object(&METADATA),
            need: Need::Required,
            doc: "The drill's name and labels.",
        },
        Field {
            name: "spec",
            shape: Shape::Object(&SPEC),
            need: Need::Required,
            doc: "What the drill does.",
        },
    ]],
};

/// `metadata`
pub const METADATA: Table = Table {
    what: "`metadata`",
    groups: &[&[
        Field {
            name: "name",
            shape: Shape::Name,
            need: Need::Required,
            doc: "The drill's name: a DNS-1123 label of at most 40 characters.",
        },
        Field {
            name: "labels",
            shape: Shape::Labels,
            need: Need::Optional,
            doc: "Labels for people and for metrics.",
        },
    ]],
};

/// `spec`
pub const SPEC: Table = Table {
    what: "a drill's `spec`",
    groups: &[&[
        Field {
            name: "description",
            shape: Shape::Text,
            need: Need::Optional,
            doc: "One sentence for people.",
        },
        Field {
            name: "cluster",
            shape: Shape::Name,
            need: Need::Required,
            doc: "The cluster to drill, by its name in the configuration.",
        },
        Field {
            name: "suspend",
            shape: Shape::Flag,
            need: Need::Default("false"),
            doc: "Not to be started by its schedule.",
        },
        Field {
            name: "schedule",
            shape: Shape::Object(&SCHEDULE),
            need: Need::Optional,
            doc: "When it is due. Without it: only by hand.",
        },
        Field {
            name: "deadline",
            shape: Shape::Duration,
            need: Need::Default("1h"),
            doc: "How long the steps may take together. Undo is not counted.",
        },
        Field {
            name: "undoPatience",
            shape: Shape::Duration,
            need: Need::Default("15m"),
            doc: "How long undo waits for one thing before it names it as a leftover and goes on.",
        },
        Field {
            name: "guards",
            shape: Shape::Later(
                "leave it out: a drill that relied on a guard would start without it",
            ),
            need: Need::Optional,
            doc: "Conditions without which nothing starts.",
        },
        Field {
            name: "checks",
            shape: Shape::Objects(&CHECK),
            need: Need::Optional,
            doc: "Questions that are asked all through the run.",
        },
        Field {
            name: "steps",
            shape: Shape::Objects(&STEP),
            need: Need::Required,
            doc: "What the run does, in order; at least one.",
        },
        Field {
            name: "objectives",
            shape: Shape::Objects(&OBJECTIVE),
            need: Need::Optional,
            doc: "What the run must achieve.",
        },
    ]],
};

/// `schedule`
pub const SCHEDULE: Table = Table {
    what: "a `schedule`",
    groups: &[&[
        Field {
            name: "cron",
            shape: Shape::Cron,
            need: Need::Required,
            doc: "Five fields (minute, hour, day of month, month, day of week) or a macro such as `@daily`.",
        },
        Field {
            name: "timeZone",
            shape: Shape::TimeZone,
            need: Need::Default("UTC"),
            doc: "IANA time zone that the fields are read in.",
        },
        Field {
            name: "jitter",
            shape: Shape::DurationOrZero,
            need: Need::Default("0s"),
            doc: "Spread of the start after the slot.",
        },
        Field {
            name: "startingDeadline",
            shape: Shape::Duration,
            need: Need::Optional,
            doc: "How late a slot may still start.",
        },
        Field {
            name: "onMissed",
            shape: Shape::Choice(&["skip", "runOnce"]),
            need: Need::Default("skip"),
            doc: "What happens to slots that were missed: only recorded, or the newest of them runs once.",
        },
    ]],
};

/// One of `checks`
pub const CHECK: Table = Table {
    what: "a background check",
    groups: &[
        &[Field {
            name: "name",
            shape: Shape::Name,
            need: Need::Required,
            doc: "Its name, unique among the checks.",
        }],
        check::fields::QUESTIONS,
        &[
            check::fields::EVERY,
            check::fields::TIMEOUT,
            Field {
                name: "abortAfter",
                shape: Shape::Duration,
                need: Need::Optional,
                doc: "Red for this long without a break closes the run.",
            },
        ],
    ],
};

/// One of `steps`
pub const STEP: Table = Table {
    what: "a step",
    groups: &[
        &[
            Field {
                name: "name",
                shape: Shape::Name,
                need: Need::Required,
                doc: "Its name, unique among the steps.",
            },
            Field {
                name: "timeout",
                shape: Shape::Duration,
                need: Need::Optional,
                doc: "How long it may take. Without it: the rest of the drill's deadline.",
            },
            Field {
                name: "when",
                shape: Shape::Choice(&["passed", "always"]),
                need: Need::Default("passed"),
                doc: "`always`: it runs also after a failed step.",
            },
        ],
        KINDS,
        LATER_KINDS,
    ],
};

/// What a step can do; exactly one of them stands in each step.
pub const KINDS: &[Field] = &[
    Field {
        name: "veleroRestore",
        shape: Shape::Object(&velero_restore::fields::TABLE),
        need: Need::Optional,
        doc: "Brings a Velero backup back into a closed sandbox.",
    },
    Field {
        name: "workloadsReady",
        shape: Shape::Object(&workloads_ready::fields::TABLE),
        need: Need::Optional,
        doc: "Waits until the workloads of a sandbox are ready.",
    },
    Field {
        name: "drainNodes",
        shape: Shape::Object(&drain_nodes::fields::TABLE),
        need: Need::Optional,
        doc: "Drains nodes under their budgets and measures recovery.",
    },
    Field {
        name: "check",
        shape: Shape::Object(&check::fields::TABLE),
        need: Need::Optional,
        doc: "Asks a question until it is answered well.",
    },
];

const LATER_KINDS: &[Field] = &[
    Field {
        name: "veleroBackup",
        shape: Shape::Later(OTHER_KINDS),
        need: Need::Optional,
        doc: "Makes a backup.",
    },
    Field {
        name: "backupFreshness",
        shape: Shape::Later(OTHER_KINDS),
        need: Need::Optional,
        doc: "Judges how old the newest backup is.",
    },
    Field {
        name: "etcdSnapshot",
        shape: Shape::Later(OTHER_KINDS),
        need: Need::Optional,
        doc: "Verifies an etcd snapshot.",
    },
];

const OTHER_KINDS: &str = "kinds so far: `veleroRestore`, `workloadsReady`, `drainNodes`, `check`";

/// One of `objectives`
pub const OBJECTIVE: Table = Table {
    what: "an objective",
    groups: &[&[
        Field {
            name: "name",
            shape: Shape::Name,
            need: Need::Required,
            doc: "Its name, unique among the objectives.",
        },
        Field {
            name: "recoveryTime",
            shape: Shape::Duration,
            need: Need::Optional,
            doc: "The most time that may pass from the start of the damage in `from` until `until` holds.",
        },
        Field {
            name: "from",
            shape: Shape::Step(&["veleroRestore", "drainNodes"]),
            need: Need::Optional,
            doc: "The step that starts the recovery time.",
        },
        Field {
            name: "until",
            shape: Shape::Step(&[]),
            need: Need::Optional,
            doc: "The step that ends the recovery time.",
        },
        Field {
            name: "recoveryPoint",
            shape: Shape::Duration,
            need: Need::Optional,
            doc: "The oldest that what step `of` brought back may be.",
        },
        Field {
            name: "of",
            shape: Shape::Step(&["veleroRestore"]),
            need: Need::Optional,
            doc: "The `veleroRestore` step whose recovery point it is.",
        },
    ]],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{decode::check_text, scalar};

    /// Every table that can be reached from the two documents.
    fn tables(table: &'static Table, out: &mut Vec<&'static Table>) {
        out.push(table);
        for field in table.fields() {
            match field.shape {
                Shape::Object(inner) | Shape::Objects(inner) | Shape::Named(inner) => {
                    tables(inner, out)
                }
                _ => {}
            }
        }
    }

    #[test]
    fn every_default_is_a_legal_value_and_every_field_is_documented() {
        let mut all = Vec::new();
        tables(&DRILL, &mut all);
        tables(&crate::config::fields::CONFIGURATION, &mut all);
        assert!(all.len() > 12);
        for (table, field) in
            all.iter().flat_map(|table| table.fields().map(move |field| (table, field)))
        {
            let at = format!("{}.{}", table.what, field.name);
            assert!(field.doc.ends_with('.'), "{at}");
            let Need::Default(text) = field.need else { continue };
            let legal = match field.shape {
                Shape::Duration | Shape::DurationOrZero => scalar::duration(text).is_ok(),
                Shape::Count(least, most) => {
                    text.parse().is_ok_and(|n: u64| (least..=most).contains(&n))
                }
                Shape::Flag => text == "true" || text == "false",
                shape => check_text(&shape, text).is_ok(),
            };
            assert!(legal, "{at} = {text}");
        }
    }

    #[test]
    fn no_key_is_there_twice() {
        let mut all = Vec::new();
        tables(&DRILL, &mut all);
        for table in all {
            let mut names: Vec<_> = table.fields().map(|field| field.name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.what);
        }
    }
}
