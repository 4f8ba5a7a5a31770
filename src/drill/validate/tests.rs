//! Golden texts of mistakes: each is one edit of a good drill. Look at the snapshots beside this
//! file as a reader of the message would.

use std::{path::Path, time::Duration};

use crate::drill::{
    Goal, Retry, StepKind, When, load,
    problem::{Code, Severity},
    render::{self, Sources},
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
  objectives:
    - {name: rto, recoveryTime: 15m, from: restore, until: serving}
    - {name: rpo, recoveryPoint: 24h, of: restore}
"#;

/// Renders the problems of `GOOD` after one edit.
fn after(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must be there once");
    let text = GOOD.replace(from, to);
    let path = Path::new("drills/all-kinds.yaml");
    let loaded = load(path, &text);
    assert_eq!(loaded.has_errors(), loaded.drills.is_empty(), "an error means no drill");
    schema::tests::agrees(&text, &loaded.problems);
    render::text(&loaded.problems, &Sources::of(path, &text), false)
}

#[test]
fn a_good_drill_is_read_whole() {
    let loaded = load(Path::new("a.yaml"), GOOD);
    assert_eq!(loaded.problems, []);
    let [drill] = loaded.drills.as_slice() else { panic!("one drill") };
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
    assert!(drain.hold_until_end && drain.count == 2);
    assert_eq!(
        drill.objectives[1].goal,
        Goal::RecoveryPoint { limit_millis: 86_400_000, of: "restore".to_owned() }
    );
}

/// One test for each mistake, so that a failure names it.
macro_rules! mistakes {
    ($($name:ident: $from:expr => $to:expr;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), after($from, $to));
            }
        )+
    };
}

mistakes! {
    unknown_key: "stableFor" => "stabelFor";
    unknown_key_far_from_any: "cluster: lab" => "cluster: lab\n  banana: 1";
    look_alike_letter: "  steps:" => "  st\u{435}ps:";
    duplicate_key: "  deadline: 1h" => "  deadline: 1h\n  suspend: true\n  deadline: 2h";
    duplicate_key_far_away: "  objectives:" => "  description: Again.\n  objectives:";
    missing_key: "        namespaces: [shop]\n" => "";
    empty_value: "description: One step of each kind." => "description:";
    wrong_type_list_for_text: "cluster: lab" => "cluster: [lab]";
    wrong_type_number_for_name: "name: all-kinds" => "name: 12";
    wrong_type_text_for_map: "veleroRestore:\n        backup: {newestOf: {schedule: shop-nightly}}\n        namespaces: [shop]" => "veleroRestore: newest";
    duration_without_unit: "timeout: 20m" => "timeout: 20";
    duration_in_days: "deadline: 1h" => "deadline: 1d";
    duration_negative: "stableFor: 10s" => "stableFor: -10s";
    duration_zero: "deadline: 1h" => "deadline: 0s";
    name_not_a_label: "name: all-kinds" => "name: All_Kinds";
    bad_selector: "\"zone in (a,b)\"" => "\"zone inside (a,b)\"";
    bad_label: "{service: shop}" => "{service: shop, -x: y z}";
    count_out_of_range: "count: 2" => "count: 0";
    count_percentage: "count: 2" => "count: \"25%\"";
    bad_choice: "pick: oldest" => "pick: oldset";
    unknown_step: "in: restore" => "in: restroe";
    later_step: "    - name: restore\n      timeout: 20m\n" => "    - name: early\n      workloadsReady: {in: restore}\n    - name: restore\n      timeout: 20m\n";
    own_step: "in: restore" => "in: ready";
    wrong_step_kind: "of: restore" => "of: drain";
    until_before_from: "from: restore, until: serving" => "from: drain, until: restore";
    no_steps_at_all: "  steps:\n" => "  labels:\n";
    duplicate_step_name: "name: ready" => "name: restore";
    duplicate_objective_name: "name: rpo" => "name: rto";
    step_without_kind: "      workloadsReady: {in: restore, stableFor: 10s}\n" => "";
    step_of_two_kinds: "      workloadsReady:" => "      check: {http: {target: shop}}\n      workloadsReady:";
    no_steps: "  steps:\n" => "  steps: []\n  stepz:\n";
    check_without_question: "      http: {target: shop, path: /healthz, status: 200}\n" => "";
    check_target_and_url: "http: {target: shop," => "http: {target: shop, url: \"http://a\",";
    url_with_password: "http://127.0.0.1:8080" => "http://me:hunter2@127.0.0.1:8080";
    url_of_another_scheme: "http://127.0.0.1:8080" => "ftp://127.0.0.1:8080";
    objective_without_goal: "recoveryTime: 15m, from: restore, until: serving" => "";
    objective_half: ", from: restore, until: serving" => ", from: restore, of: restore";
    promql_without_expectation: "  checks:" => "  guards:
    - {name: quiet, promql: {query: up}}
  checks:";
    kind_not_yet: "workloadsReady: {in: restore, stableFor: 10s}" => "etcdSnapshot: {store: lab}";
    tcp_without_host: "http: {target: shop, path: /healthz, status: 200}" => "tcp: {port: 1}";
    bad_cron: "0 3 * * mon" => "0 0 3 * * mon";
    bad_time_zone: "Europe/Berlin" => "Europe/Berln";
    timeout_beyond_deadline: "timeout: 20m" => "timeout: 2h";
    retry_without_attempts: "timeout: 20m" => "retry: {backoff: 5s}";
    retry_too_often: "timeout: 20m" => "retry: {attempts: 11, backoff: -1s}";
    retry_misspelt: "timeout: 20m" => "retry: {attemps: 3}";
    retry_not_a_map: "timeout: 20m" => "retry: 3";
    retry_beyond_deadline: "timeout: 20m" => "timeout: 20m\n      retry: {attempts: 3, backoff: 1m}";
    pauses_beyond_deadline: "timeout: 20m" => "retry: {attempts: 3, backoff: 45m}";
    merge_key: "  cluster: lab" => "  <<: {cluster: lab}";
    another_kind: "kind: Drill" => "kind: Deployment";
    a_configuration: "kind: Drill" => "kind: Configuration";
    another_version: "v1alpha1" => "v2";
    syntax: "namespaces: [shop]" => "namespaces: [shop";
    unknown_tag: "cluster: lab" => "cluster: !env LAB";
    control_characters: "cluster: lab" => "cluster: \"\\e[2Jlab\"";
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
        assert_eq!(loaded.problems, [], "{keys}");
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
    let codes: Vec<_> = loaded.problems.iter().map(|problem| problem.code).collect();
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
    assert_eq!(loaded.problems[2].key, "spec.steps[1].workloadsReady.stabelFor");
    let place = &loaded.problems[2].place;
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
    let codes: Vec<_> = loaded.problems.iter().map(|problem| problem.code).collect();
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
        "clusters: {labs: {kubeconfig: k}}\ntargets: {shop: {url: \"http://a\"}}\n"
    );
    let (config, problems) = crate::config::parse(Path::new("c.yaml"), config);
    assert_eq!(problems, []);
    let config = config.expect("a configuration");
    // The second document: places must be those of the file.
    let second = GOOD.replace("all-kinds", "second").replace("target: shop", "target: shoop");
    let text = format!(
        "{}---\n{second}",
        GOOD.replace("cluster: lab", "cluster: labs").replace("count: 2", "count: 1")
    );
    let path = Path::new("a.yaml");
    let loaded = load(path, &text);
    assert_eq!(loaded.problems, []);
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
