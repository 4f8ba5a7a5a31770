//! What a drill becomes, and how its problems are found. The texts of mistakes are golden files in
//! `tests/bad`.

use std::{path::Path, time::Duration};

use crate::drill::{
    Goal, Retry, StepKind, When, load,
    problem::{Code, Severity},
    render::{self, Sources},
    scalar::Amount,
    schema,
};

const GOOD: &str = r#"apiVersion: firedrill.dev/v1alpha1
kind: Drill
metadata:
  name: all-kinds
  labels: {service: shop}
spec:
  description: One step of each kind.
  cluster: lab
  schedule: {cron: "0 3 * * mon", timeZone: Europe/Berlin}
  deadline: 1h
  checks:
    - name: shop-answers
      http: {target: shop, path: /healthz, status: 200}
      abortAfter: 30s
  steps:
    - name: restore
      timeout: 20m
      veleroRestore:
        backup: {newestOf: {schedule: shop-nightly}}
        namespaces: [shop]
    - name: ready
      workloadsReady: {in: restore, stableFor: 10s}
    - name: drain
      drainNodes: {selector: "zone in (a,b)", count: 2, pick: oldest, hold: untilEnd}
    - name: serving
      when: always
      check: {http: {url: "http://127.0.0.1:8080"}, successes: 3}
    - name: backup
      veleroBackup: {namespaces: [shop], keep: onFailure}
    - name: fresh
      backupFreshness: {schedule: shop-nightly, maxAge: 26h, maxShrink: "30%"}
    - name: snapshot
      etcdSnapshot: {store: lab, maxAge: 26h, level: intact, pattern: "etcd-%s.db"}
  objectives:
    - {name: rto, recoveryTime: 15m, from: restore, until: ready}
    - {name: rpo, recoveryPoint: 24h, of: restore}
"#;

#[test]
fn a_good_drill_is_read_whole() {
    let loaded = load(Path::new("a.yaml"), GOOD);
    let told: Vec<_> = loaded.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(told, [Code::NotActedOn; 3]);
    let [drill] = loaded.drills.as_slice() else { panic!("one drill") };
    assert_eq!(drill.pending.len(), 3);
    assert_eq!(
        drill.pending[0],
        "`spec.steps[4].veleroBackup` is not acted on by this version: this version makes no \
         backups; let a Velero Schedule make them"
    );
    assert_eq!(drill.text, GOOD);
    assert_eq!(drill.labels.get("service").map(String::as_str), Some("shop"));
    assert_eq!(drill.undo_patience.as_secs(), 900);
    assert_eq!(drill.checks[0].every.as_secs(), 1);
    assert_eq!(drill.checks[0].abort_after.map(|after| after.as_secs()), Some(30));
    assert_eq!(drill.steps[0].timeout.map(|timeout| timeout.as_secs()), Some(1200));
    assert_eq!(drill.steps[3].when, When::Always);
    let kinds: Vec<_> = drill.steps.iter().map(|step| step.kind.name()).collect();
    let known: Vec<_> = crate::drill::fields::KINDS.iter().map(|field| field.name).collect();
    assert_eq!(kinds, known, "one step of each kind");
    let StepKind::DrainNodes(drain) = &drill.steps[2].kind else { panic!("a drain") };
    assert!(drain.hold_until_end && drain.count == Amount::Count(2));
    assert_eq!(
        drill.objectives[1].goal,
        Goal::RecoveryPoint { limit_millis: 86_400_000, of: "restore".to_owned() }
    );
}

#[test]
fn a_step_is_tried_once_unless_it_says_otherwise() {
    for (keys, attempts, backoff) in [
        ("timeout: 20m", 1, 10),
        ("retry: {attempts: 1}", 1, 10),
        ("retry: {attempts: 3}", 3, 10),
        ("timeout: 10m\n      retry: {attempts: 3, backoff: 15s}", 3, 15),
        ("retry: {attempts: 10, backoff: 0s}", 10, 0),
    ] {
        let loaded = load(Path::new("a.yaml"), &GOOD.replace("timeout: 20m", keys));
        let others = loaded.problems.iter().filter(|problem| problem.code != Code::NotActedOn);
        assert_eq!(others.count(), 0, "{keys}");
        let [drill] = loaded.drills.as_slice() else { panic!("one drill") };
        let backoff = Duration::from_secs(backoff);
        assert_eq!(drill.steps[0].retry, Retry { attempts, backoff }, "{keys}");
        assert_eq!(drill.outline(backoff).steps[0].attempts, attempts);
        assert_eq!(drill.steps[1].retry, Retry::default());
    }
}

#[test]
fn all_problems_are_told_in_one_pass() {
    let text = GOOD
        .replace("stableFor", "stabelFor")
        .replace("deadline: 1h", "deadline: 1d")
        .replace("count: 2", "count: 0")
        .replace("of: restore", "of: nothing")
        .replace("cluster: lab", "cluster: [lab]");
    let loaded = load(Path::new("a.yaml"), &text);
    let errors: Vec<_> = loaded.problems.iter().filter(|problem| problem.is_error()).collect();
    let codes: Vec<_> = errors.iter().map(|problem| problem.code).collect();
    assert_eq!(
        codes,
        [
            Code::WrongType,
            Code::InvalidValue,
            Code::UnknownKey,
            Code::InvalidValue,
            Code::UnknownStep
        ]
    );
    assert_eq!(errors[2].key, "spec.steps[1].workloadsReady.stabelFor");
    let place = &errors[2].place;
    assert_eq!((place.line, place.column), (22, 37));
}

#[test]
fn a_bad_document_does_not_hide_the_others() {
    let second = GOOD.replace("all-kinds", "second").replace("deadline: 1h", "deadline: 1d");
    let third = GOOD.replace("all-kinds", "third");
    let text = format!("# file\n---\n{GOOD}---\n[\n---\n{second}---\n{third}...\n---\n{GOOD}");
    let loaded = load(Path::new("a.yaml"), &text);
    let names: Vec<_> = loaded.drills.iter().map(|drill| drill.name.as_str()).collect();
    assert_eq!(names, ["all-kinds", "third"]);
    let codes: Vec<_> = loaded
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes, [Code::Syntax, Code::InvalidValue, Code::DuplicateName]);
    for drill in &loaded.drills {
        let again = load(&drill.path, &drill.text);
        assert_eq!(
            again.drills,
            std::slice::from_ref(drill),
            "a drill's text gives the drill again"
        );
    }
}

#[test]
fn names_are_compared_with_the_configuration() {
    let config = concat!(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Configuration\ninstance: i\n",
        "clusters: {labs: {kubeconfig: k}}\ntargets: {shop: {url: \"http://a\"}}\nstores: {lab: {bucket: b}}\n"
    );
    let (config, problems) = crate::config::parse(Path::new("c.yaml"), config);
    assert!(problems.iter().all(|problem| problem.code == Code::NotActedOn), "{problems:?}");
    let config = config.expect("a configuration");
    // The second document: places must be those of the file.
    let second = GOOD.replace("all-kinds", "second").replace("target: shop", "target: shoop");
    let text = format!(
        "{}---\n{second}",
        GOOD.replace("cluster: lab", "cluster: labs").replace("count: 2", "count: 1")
    );
    let path = Path::new("a.yaml");
    let loaded = load(path, &text);
    assert!(!loaded.has_errors());
    let problems = loaded.against(&config);
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error));
    insta::assert_snapshot!(
        "against_configuration",
        render::text(&problems, &Sources::of(path, &text), false)
    );
    let same = GOOD.replace("cluster: lab", "cluster: labs");
    let problems = load(path, &same).against(&config);
    insta::assert_snapshot!(
        "too_many_nodes",
        render::text(&problems, &Sources::of(path, &same), false)
    );
}

#[test]
fn the_schema_says_the_same_of_every_wrong_drill() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut compared = 0;
    for entry in std::fs::read_dir(&folder).expect("tests/bad") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.ends_with(".yaml") && !name.starts_with("config-") {
            schema::tests::agrees(&text, &load(&path, &text).problems);
            compared += 1;
        }
    }
    assert!(compared > 60);
}
