//! The fields of a drill. PURE.

use crate::kind::{
    backup_freshness, check, drain_nodes, etcd_snapshot, velero_backup, velero_restore,
    workloads_ready,
};

use super::table::{Field, Rule, Shape, Sort, Table, names};

/// The version of the language.
pub const API_VERSION: &str = "firedrill.dev/v1alpha1";

/// A document with a drill.
pub const DRILL: Table = Table {
    what: "a drill",
    groups: &[&[
        Field::required(
            "apiVersion",
            Shape::Choice(&[API_VERSION]),
            "The version of the language: `firedrill.dev/v1alpha1`.",
        ),
        Field::required("kind", Shape::Choice(&["Drill"]), "What the document is: `Drill`."),
        Field::required("metadata", Shape::Object(&METADATA), "The drill's name and labels."),
        Field::required("spec", Shape::Object(&SPEC), "What the drill does."),
    ]],
    rules: &[],
};

/// `metadata`
pub const METADATA: Table = Table {
    what: "`metadata`",
    groups: &[&[
        Field::required(
            "name",
            Shape::Name,
            "The drill's name: a DNS-1123 label of at most 40 characters.",
        )
        .example("shop-comes-back"),
        Field::optional("labels", Shape::Labels, "Labels for people and for metrics.")
            .example("{service: shop}"),
    ]],
    rules: &[],
};

/// `spec`
pub const SPEC: Table = Table {
    what: "a drill's `spec`",
    groups: &[&[
        Field::optional("description", Shape::Text, "One sentence for people.")
            .example("The shop is lost; the newest backup brings it back."),
        Field::required(
            "cluster",
            Shape::Configured(Sort::Cluster),
            "The cluster to drill, by its name in the configuration.",
        )
        .example("production"),
        Field::default("suspend", Shape::Flag, "false", "Not to be started by its schedule."),
        Field::optional(
            "schedule",
            Shape::Object(&SCHEDULE),
            "When it is due. Without it: only by hand.",
        ),
        Field::default(
            "deadline",
            Shape::Duration,
            "1h",
            "How long the steps may take together. Undo is not counted.",
        ),
        Field::default(
            "undoPatience",
            Shape::Duration,
            "15m",
            "How long undo waits for one thing before it names it as a leftover and goes \
             on.",
        ),
        Field::optional(
            "guards",
            Shape::Objects(&GUARD),
            "Conditions without which nothing starts. All are asked before anything is changed; \
             one that is not green refuses the run.",
        ),
        Field::optional(
            "checks",
            Shape::Objects(&CHECK),
            "Questions that are asked all through the run.",
        ),
        Field::required(
            "steps",
            Shape::Objects(&STEP),
            "What the run does, in order; at least one.",
        ),
        Field::optional("objectives", Shape::Objects(&OBJECTIVE), "What the run must achieve."),
    ]],
    rules: &[],
};

/// `schedule`
pub const SCHEDULE: Table = Table {
    what: "a `schedule`",
    groups: &[&[
        Field::required(
            "cron",
            Shape::Cron,
            "Five fields (minute, hour, day of month, month, day of week) or a macro such \
             as `@daily`.",
        )
        .example("0 3 * * mon"),
        Field::optional(
            "dayMatch",
            Shape::Choice(&["or", "and"]),
            "How day of month and day of week join. It must be there if both are restricted, \
             that is, if neither begins with `*`: `or` (either is enough, as crond does it) or \
             `and` (both). Elsewhere it changes nothing.",
        )
        .example("and"),
        Field::default(
            "timeZone",
            Shape::TimeZone,
            "UTC",
            "IANA time zone that the fields are read in.",
        ),
        Field::default(
            "jitter",
            Shape::DurationOrZero,
            "0s",
            "Spread of the start after the slot.",
        ),
        Field::optional("startingDeadline", Shape::Duration, "How late a slot may still start.")
            .example("2h"),
        Field::default(
            "onMissed",
            Shape::Choice(&["skip", "runOnce"]),
            "skip",
            "What happens to slots that were missed: only recorded, or the newest of them \
             runs once.",
        ),
        Field::default(
            "onInterrupted",
            Shape::Choice(&["skip", "runOnce"]),
            "skip",
            "What happens after a run whose process died: nothing more, or the drill runs once \
             again.",
        ),
    ]],
    rules: &[],
};

/// One of `guards`
pub const GUARD: Table = Table {
    what: "a guard",
    groups: &[
        &[Field::required("name", Shape::Name, "Its name, unique among the guards.")
            .example("no-incident")],
        check::fields::QUESTIONS,
        &[
            check::fields::EVERY,
            check::fields::TIMEOUT,
            Field::default(
                "successes",
                Shape::Count(1, 1000),
                "1",
                "Good answers in a row that make it green. The first other answer makes it red.",
            ),
        ],
    ],
    rules: &[check::fields::ONE_QUESTION],
};

/// One of `checks`
pub const CHECK: Table = Table {
    what: "a background check",
    groups: &[
        &[Field::required("name", Shape::Name, "Its name, unique among the checks.")
            .example("shop-answers")],
        check::fields::QUESTIONS,
        &[
            check::fields::EVERY,
            check::fields::TIMEOUT,
            Field::default(
                "successes",
                Shape::Count(1, 1000),
                "1",
                "Good answers in a row that make it green again after it was red.",
            ),
            Field::optional(
                "abortAfter",
                Shape::Duration,
                "Red for this long without a break closes the run: aborted.",
            )
            .example("30s"),
            Field::optional(
                "failAfter",
                Shape::Duration,
                "Red for longer than this in sum fails the run, which goes on to its end.",
            )
            .example("10s"),
        ],
    ],
    rules: &[check::fields::ONE_QUESTION],
};

/// One of `steps`
pub const STEP: Table = Table {
    what: "a step",
    groups: &[
        &[
            Field::required("name", Shape::Name, "Its name, unique among the steps.")
                .example("shop-comes-back"),
            Field::optional(
                "timeout",
                Shape::Duration,
                "How long each attempt may take. Without it: the rest of the drill's deadline.",
            )
            .example("5m"),
            Field::optional(
                "retry",
                Shape::Object(&RETRY),
                "What happens when it fails; without it, it is tried once.",
            ),
            Field::default(
                "when",
                Shape::Choice(&["passed", "always"]),
                "passed",
                "`always`: it runs also after a step has failed for good, before everything is \
                 undone. Where the run closes for another reason, it does not.",
            ),
        ],
        KINDS,
    ],
    rules: &[Rule::One(&names(KINDS))],
};

/// `retry` of a step
pub const RETRY: Table = Table {
    what: "`retry`",
    groups: &[&[
        Field::required(
            "attempts",
            Shape::Count(1, 10),
            "How often the step is tried at most, the first attempt included. Before another one \
             everything that the step did is given back; what cannot be given back ends it.",
        )
        .example("3"),
        Field::default(
            "backoff",
            Shape::DurationOrZero,
            "10s",
            "The pause before another attempt, once everything is given back.",
        )
        .example("30s"),
    ]],
    rules: &[],
};

/// What a step can do; exactly one of them stands in each step.
pub const KINDS: &[Field; 7] = &[
    Field::optional(
        "veleroRestore",
        Shape::Object(&velero_restore::fields::TABLE),
        "Brings a Velero backup back into a closed sandbox.",
    ),
    Field::optional(
        "workloadsReady",
        Shape::Object(&workloads_ready::fields::TABLE),
        "Waits until the workloads of a sandbox are ready.",
    ),
    Field::optional(
        "drainNodes",
        Shape::Object(&drain_nodes::fields::TABLE),
        "Drains nodes under their budgets and measures recovery.",
    ),
    Field::optional(
        "check",
        Shape::Object(&check::fields::TABLE),
        "Asks a question until it is answered well.",
    ),
    Field::optional(
        "veleroBackup",
        Shape::Object(&velero_backup::fields::TABLE),
        "Makes a Velero backup.",
    )
    .pending("this version makes no backups; let a Velero Schedule make them"),
    Field::optional(
        "backupFreshness",
        Shape::Object(&backup_freshness::fields::TABLE),
        "Judges the age, the gaps and the size of Velero's backups.",
    )
    .pending("this version judges no backups without restoring one; `veleroRestore` does both"),
    Field::optional(
        "etcdSnapshot",
        Shape::Object(&etcd_snapshot::fields::TABLE),
        "Verifies the newest etcd snapshot of a store.",
    )
    .pending("this version reads no store; download the snapshot: `firedrill snapshot verify FILE` does it"),
];

/// One of `objectives`
pub const OBJECTIVE: Table = Table {
    what: "an objective",
    groups: &[&[
        Field::required("name", Shape::Name, "Its name, unique among the objectives.")
            .example("shop-comes-back"),
        Field::optional(
            "recoveryTime",
            Shape::Duration,
            "The most time that may pass from the start of the damage in `from` until \
             `until` holds.",
        )
        .example("15m"),
        Field::optional(
            "from",
            Shape::Step(&["veleroRestore", "drainNodes"]),
            "The step that starts the recovery time.",
        )
        .example("restore"),
        Field::optional("until", Shape::Step(&[]), "The step that ends the recovery time.")
            .example("ready"),
        Field::optional(
            "recoveryPoint",
            Shape::Duration,
            "The oldest that what step `of` brought back may be.",
        )
        .example("24h"),
        Field::optional(
            "of",
            Shape::Step(&["veleroRestore"]),
            "The `veleroRestore` step whose recovery point it is.",
        )
        .example("restore"),
    ]],
    rules: &[
        Rule::One(&["recoveryTime", "recoveryPoint"]),
        Rule::Needs("recoveryTime", &["from", "until"]),
        Rule::Refuses("recoveryTime", &["of"]),
        Rule::Needs("recoveryPoint", &["of"]),
        Rule::Refuses("recoveryPoint", &["from", "until"]),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{decode::check_text, scalar, table::Need};

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

    fn is_legal(shape: &Shape, text: &str) -> bool {
        match *shape {
            Shape::Duration | Shape::DurationOrZero => scalar::duration(text).is_ok(),
            Shape::Count(least, most) => {
                text.parse().is_ok_and(|n: u64| (least..=most).contains(&n))
            }
            Shape::CountOrShare(..) => scalar::amount(text).is_ok(),
            Shape::Share => scalar::share(text).is_ok(),
            Shape::Number => text.parse::<f64>().is_ok(),
            Shape::Flag => text == "true" || text == "false",
            // Written in flow style; the schema's test reads it as YAML.
            Shape::Texts(_) | Shape::Labels => text.starts_with(['[', '{']),
            shape => check_text(&shape, text).is_ok(),
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
            if let Need::Default(text) = field.need {
                assert!(is_legal(&field.shape, text), "{at} = {text}");
            }
            let leaf = !matches!(
                field.shape,
                Shape::Object(_) | Shape::Objects(_) | Shape::Named(_) | Shape::Choice(_)
            ) && !matches!(field.shape, Shape::Later(_));
            match field.example {
                Some(text) => assert!(is_legal(&field.shape, text), "{at}, example {text}"),
                None => {
                    let shown = !leaf || matches!(field.need, Need::Default(_));
                    assert!(shown, "{at} has neither a default nor an example");
                }
            }
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
