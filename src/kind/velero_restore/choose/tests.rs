use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("timestamp")
}

fn backup(name: &str, phase: &str, started: Option<&str>, spec: Value) -> Backup {
    Backup::parse(&json!({
        "metadata": {
            "name": name,
            // The sync time of a copy: later than any start. Nothing may look at it.
            "creationTimestamp": "2026-12-31T00:00:00Z",
            "labels": {"velero.io/schedule-name": "shop-nightly"},
        },
        "spec": spec,
        "status": {"phase": phase, "startTimestamp": started, "errors": 0},
    }))
    .expect("readable")
}

fn want(namespaces: &[&str]) -> Spec {
    Spec {
        backup: Source::One { which: Which::Newest, of: Of::Schedule("shop-nightly".into()) },
        namespaces: namespaces.iter().map(|&n| n.to_owned()).collect(),
        also_restore: Vec::new(),
        into: None,
    }
}

const END: &str = "2026-08-10T04:00:00Z";

#[test]
fn the_newest_completed_one_by_its_own_start() {
    let mut synced = backup("z-synced", "Completed", Some("2026-08-01T03:00:00Z"), json!({}));
    synced.metadata.resource_version = Some("99999".into());
    let all = [
        synced,
        backup("a-newest", "Completed", Some("2026-08-09T03:00:00Z"), json!({})),
        backup("c-broken", "PartiallyFailed", Some("2026-08-10T03:00:00Z"), json!({})),
        backup("d-going", "InProgress", Some("2026-08-10T03:10:00Z"), json!({})),
        backup("e-waiting", "Queued", None, json!({})),
    ];
    let chosen = choose(&all, &want(&["shop"]), at(END), "run").expect("chosen");
    assert_eq!(chosen.backup.metadata.name, "a-newest");
    assert_eq!(chosen.started, at("2026-08-09T03:00:00Z"));
    assert_eq!(
        chosen.findings,
        [
            "passed over: the newer backup e-waiting is Queued",
            "passed over: the newer backup d-going is InProgress",
            "passed over: the newer backup c-broken is PartiallyFailed",
        ]
    );
}

#[test]
fn each_rejection_is_one_sentence() {
    let failed = |name: &str, day: u32, phase: &str| {
        backup(name, phase, Some(&format!("2026-08-{day:02}T03:00:00Z")), json!({}))
    };
    let mut expiring = failed("s-9", 9, "Completed");
    expiring.status.as_mut().expect("status").expiration = Some(at("2026-08-10T03:30:00Z"));
    let mut deleting = failed("s-9", 9, "Completed");
    deleting.metadata.deletion_timestamp = Some(at("2026-08-10T03:30:00Z"));
    let mut reasoned = failed("s-9", 9, "Failed");
    reasoned.status.as_mut().expect("status").failure_reason = Some("bucket is gone".into());
    let excluded = backup(
        "s-9",
        "Completed",
        Some("2026-08-09T03:00:00Z"),
        json!({"excludedNamespaces": ["sh*"]}),
    );
    for (all, sentence) in [
        (vec![], "no backup of schedule shop-nightly"),
        (
            vec![failed("s-8", 8, "Failed"), failed("s-9", 9, "PartiallyFailed")],
            "no Completed backup of schedule shop-nightly: 2 backups, newest s-9 is \
             PartiallyFailed",
        ),
        (
            vec![failed("s-9", 9, "Finalizing")],
            "no Completed backup of schedule shop-nightly: its only backup s-9 is Finalizing",
        ),
        (
            vec![reasoned],
            "no Completed backup of schedule shop-nightly: its only backup s-9 is Failed: \
             bucket is gone",
        ),
        (
            vec![expiring, failed("s-10", 10, "InProgress")],
            "no usable backup of schedule shop-nightly: 2 backups, newest Completed s-9 \
             expires at 2026-08-10T03:30:00Z, before this drill must end",
        ),
        (
            vec![deleting],
            "no Completed backup of schedule shop-nightly: its only backup s-9 is Deleting",
        ),
        (
            vec![excluded],
            "no usable backup of schedule shop-nightly: its only backup s-9 does not include \
             namespace shop",
        ),
        (
            vec![backup("s-9", "Completed", None, json!({}))],
            "no usable backup of schedule shop-nightly: its only backup s-9 has no \
             startTimestamp",
        ),
    ] {
        assert_eq!(choose(&all, &want(&["shop"]), at(END), "run").expect_err(sentence), sentence);
    }
}

#[test]
fn a_named_backup_is_that_one_or_none() {
    let all = [backup("one", "Completed", Some("2026-08-01T03:00:00Z"), json!({}))];
    let named = |name: &str| Spec { backup: Source::Name(name.into()), ..want(&["shop"]) };
    assert_eq!(
        choose(&all, &named("one"), at(END), "run").expect("one").backup.metadata.name,
        "one"
    );
    assert_eq!(choose(&all, &named("two"), at(END), "run"), Err("there is no backup two".into()));
}

#[test]
fn another_schedules_backups_do_not_count() {
    let mut other = backup("x", "Completed", Some("2026-08-01T03:00:00Z"), json!({}));
    other.metadata.labels = None;
    assert!(choose(&[other], &want(&["shop"]), at(END), "run").is_err());
}

#[test]
fn the_namespace_filter_is_read_as_velero_reads_it() {
    for (spec, name, inside) in [
        (json!({}), "shop", true),
        (json!({"includedNamespaces": []}), "shop", true),
        (json!({"includedNamespaces": ["*"]}), "shop", true),
        (json!({"includedNamespaces": ["shop"]}), "shop", true),
        (json!({"includedNamespaces": ["shop"]}), "shop-db", false),
        (json!({"includedNamespaces": ["shop-*"]}), "shop-db", true),
        (json!({"includedNamespaces": ["s?op"]}), "shop", true),
        (json!({"includedNamespaces": ["*a*b"]}), "xaybzb", true),
        (json!({"includedNamespaces": ["*a*b"]}), "xaybzc", false),
        (json!({"includedNamespaces": ["s[h]op"]}), "shop", false),
        (json!({"excludedNamespaces": ["shop"]}), "shop", false),
        (json!({"includedNamespaces": ["*"], "excludedNamespaces": ["db"]}), "shop", true),
    ] {
        let one = backup("b", "Completed", None, spec.clone());
        assert_eq!(includes(&one, name), inside, "{spec} {name}");
    }
}

#[test]
fn a_filtered_backup_is_told() {
    let one = backup(
        "b",
        "Completed",
        Some("2026-08-01T03:00:00Z"),
        json!({"labelSelector": {"matchLabels": {"a": "b"}}, "excludedResources": ["secrets"],
               "includedResources": ["*"]}),
    );
    let all = [one];
    assert_eq!(
        choose(&all, &want(&["shop"]), at(END), "run").expect("chosen").findings,
        ["backup b saves only part of its namespaces (labelSelector and excludedResources)"]
    );
    // As Velero's server fills in every backup.
    let whole = [backup(
        "b",
        "Completed",
        Some("2026-08-01T03:00:00Z"),
        json!({"excludedNamespaceScopedResources": ["volumesnapshots.snapshot.storage.k8s.io"]}),
    )];
    assert!(choose(&whole, &want(&["shop"]), at(END), "run").expect("chosen").findings.is_empty());
}

#[test]
fn a_location_is_judged_by_its_last_look() {
    let now = at("2026-08-10T03:00:00Z");
    let location = |spec: Value, status: Value| {
        Location::parse(&json!({
            "metadata": {"name": "default"}, "spec": spec, "status": status,
        }))
        .expect("readable")
    };
    let ok = |t: &str| json!({"phase": "Available", "lastValidationTime": t});
    for (spec, status, want) in [
        (json!({}), ok("2026-08-10T02:59:10Z"), Ok(None)),
        (json!({}), ok("2026-08-10T02:57:00Z"), Ok(None)),
        (
            json!({}),
            ok("2026-08-10T02:56:00Z"),
            Err("Velero has not validated location default for 4 min; is it running?"),
        ),
        (json!({"validationFrequency": "1s"}), ok("2026-08-10T02:59:30Z"), Ok(None)),
        (
            json!({"validationFrequency": "1s"}),
            ok("2026-08-10T02:59:29Z"),
            Err("Velero has not validated location default for 31 s; is it running?"),
        ),
        (json!({"validationFrequency": "10m"}), ok("2026-08-10T02:31:00Z"), Ok(None)),
        (
            json!({}),
            json!({"phase": "Unavailable", "message": "no such bucket"}),
            Err("location default is Unavailable: no such bucket"),
        ),
        (json!({}), json!({}), Err("location default is not validated yet")),
        (
            json!({}),
            json!({"phase": "Available"}),
            Err("Velero has never validated location default; is it running?"),
        ),
        (
            json!({}),
            ok("2026-08-10T03:10:00Z"),
            Err("Velero validated location default 10 min in the future; the clocks differ"),
        ),
        (
            json!({"validationFrequency": "0s"}),
            ok("2020-01-01T00:00:00Z"),
            Ok(Some(
                "location default is never validated (validationFrequency 0), so nothing \
                 shows that Velero runs",
            )),
        ),
    ] {
        assert_eq!(
            judge_location(&location(spec, status), now),
            want.map(|o| o.map(str::to_owned)).map_err(str::to_owned)
        );
    }
}

#[test]
fn a_backup_without_a_location_lies_in_the_default_one() {
    let of = |name: &str, default: bool| {
        Location::parse(&json!({"metadata": {"name": name}, "spec": {"default": default}}))
            .expect("readable")
    };
    let all = [of("cold", false), of("warm", true)];
    let named = |spec: Value| backup("b", "Completed", None, spec);
    let find = |spec: Value| location_of(&named(spec), &all).map(|l| l.metadata.name.clone());
    assert_eq!(find(json!({})).as_deref(), Some("warm"));
    assert_eq!(find(json!({"storageLocation": "cold"})).as_deref(), Some("cold"));
    assert_eq!(find(json!({"storageLocation": "gone"})), None);
}

#[test]
fn the_oldest_that_is_kept() {
    let expires = |mut backup: Backup, at: &str| {
        let status = backup.status.as_mut().expect("a status");
        status.expiration = Some(at.parse().expect("timestamp"));
        backup
    };
    let all = [
        backup("d-new", "Completed", Some("2026-08-09T03:00:00Z"), json!({})),
        backup("a-broken", "Failed", Some("2026-07-01T03:00:00Z"), json!({})),
        expires(backup("b-going", "Completed", Some("2026-07-02T03:00:00Z"), json!({})), END),
        backup("c-old", "Completed", Some("2026-07-03T03:00:00Z"), json!({})),
    ];
    let oldest = Spec {
        backup: Source::One { which: Which::Oldest, of: Of::Schedule("shop-nightly".into()) },
        ..want(&["shop"])
    };
    let chosen = choose(&all, &oldest, at(END), "run").expect("chosen");
    assert_eq!(chosen.backup.metadata.name, "c-old");
    assert_eq!(
        chosen.findings,
        [
            "passed over: the older backup a-broken is Failed",
            "passed over: the older backup b-going expires at 2026-08-10T04:00:00Z, before this \
             drill must end",
        ]
    );
    assert_eq!(
        choose(&all[1..3], &oldest, at(END), "run").expect_err("none"),
        "no usable backup of schedule shop-nightly: 2 backups, oldest Completed b-going expires \
         at 2026-08-10T04:00:00Z, before this drill must end"
    );
}

#[test]
fn a_random_one_is_the_runs_own_and_none_is_preferred() {
    let all: Vec<Backup> = (1..=5)
        .map(|day| {
            let start = format!("2026-08-0{day}T03:00:00Z");
            backup(&format!("b-{day}"), "Completed", Some(&start), json!({}))
        })
        .collect();
    let random = Spec {
        backup: Source::One { which: Which::Random, of: Of::Schedule("shop-nightly".into()) },
        ..want(&["shop"])
    };
    let name = |seed: &str| {
        let chosen = choose(&all, &random, at(END), seed).expect("chosen");
        assert_eq!(chosen.findings, Vec::<String>::new());
        chosen.backup.metadata.name.clone()
    };
    assert_eq!(name("run-1"), name("run-1"));
    let chosen: std::collections::BTreeSet<_> =
        (0..60).map(|n| name(&format!("run-{n}"))).collect();
    assert_eq!(chosen.len(), 5, "every backup is chosen by some run");
}

#[test]
fn a_group_by_labels() {
    let mut other = backup("other", "Completed", Some("2026-08-09T03:00:00Z"), json!({}));
    other.metadata.labels = Some([("team".to_owned(), "shop".to_owned())].into());
    let all = [backup("b", "Completed", Some("2026-08-09T04:00:00Z"), json!({})), other];
    let labelled = |text: &str| Spec {
        backup: Source::One { which: Which::Newest, of: Of::Selector(text.to_owned()) },
        ..want(&["shop"])
    };
    let chosen = choose(&all, &labelled("team=shop"), at(END), "run").expect("chosen");
    assert_eq!(chosen.backup.metadata.name, "other");
    assert_eq!(
        choose(&all, &labelled("team=till"), at(END), "run").expect_err("none"),
        "no backup with the labels team=till"
    );
}
