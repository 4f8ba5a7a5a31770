//! Golden texts of mistakes in checks and guards.

use std::{fmt::Write as _, path::Path};

use crate::{
    check::Question,
    drill::{
        StepKind, load,
        render::{self, Sources},
    },
};

/// A drill with these guards, background checks and check steps, each in flow style.
fn drill(guards: &str, checks: &str, steps: &[&str]) -> String {
    let mut text = String::from(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Drill\nmetadata: {name: d}\nspec:\n  cluster: lab\n",
    );
    for (key, value) in [("guards", guards), ("checks", checks)] {
        if !value.is_empty() {
            let _ = writeln!(text, "  {key}:\n    - {value}");
        }
    }
    text.push_str(
        "  steps:\n    - name: one\n      veleroRestore: {backup: {name: b}, namespaces: [shop]}\n    \
         - name: two\n      veleroRestore: {backup: {name: b}, namespaces: [shop, bank]}\n",
    );
    for (at, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "    - name: check-{at}\n      check: {step}");
    }
    text
}

fn told(text: &str) -> String {
    let path = Path::new("drills/d.yaml");
    let loaded = load(path, text);
    assert_eq!(loaded.has_errors(), loaded.drills.is_empty(), "an error means no drill");
    // What a reviewer would say of such a short drill is told elsewhere.
    let errors: Vec<_> = loaded.problems.into_iter().filter(|it| it.is_error()).collect();
    render::text(&errors, &Sources::of(path, text), false)
}

#[test]
fn every_sort_of_question_is_read() {
    let guard =
        "{name: calm, promql: {query: up, below: 0.5}, successes: 2, every: 3s, timeout: 1s}";
    let check = "{name: up, tcp: {host: db.example.com, port: 5432}, successes: 3, abortAfter: 30s, failAfter: 10s}";
    let steps = [
        "{http: {in: one, service: web, port: http, path: /healthz, contains: ok}, successes: 3}",
        "{http: {in: two, namespace: bank, service: web, port: 80}}",
        "{tcp: {in: one, service: database, port: sql}}",
        "{tcp: {host: \"[::1]\", port: 1}}",
        "{kubernetes: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web, condition: {type: Available}}}",
        "{kubernetes: {in: two, namespace: bank, apiVersion: v1, kind: ConfigMap, name: c, field: {path: \"data['a.b']\", equals: x}}}",
        "{kubernetes: {cluster: other, apiVersion: v1, kind: Node, name: n, field: {path: status.capacity.cpu, atLeast: 500m}}}",
        "{promql: {url: \"http://p\", query: up, expect: notEmpty}}",
    ];
    let loaded = load(Path::new("d.yaml"), &drill(guard, check, &steps));
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let [drill] = loaded.drills.as_slice() else { panic!("one drill") };
    let guard = &drill.guards[0];
    assert_eq!((guard.successes, guard.every.as_secs(), guard.timeout.as_secs()), (2, 3, 1));
    let check = &drill.checks[0];
    assert_eq!(check.successes, 3);
    assert_eq!(check.fail_after.map(|after| after.as_secs()), Some(10));
    let said: Vec<String> = drill.questions().map(Question::to_string).collect();
    assert_eq!(
        said,
        [
            "up of target prometheus is below 0.5",
            "tcp db.example.com:5432 opens",
            "GET /healthz of service web:http in one = 200 with \"ok\"",
            "GET / of service bank/web:80 in two = 200",
            "tcp service database:sql in one opens",
            "tcp [::1]:1 opens",
            "Deployment shop/web has condition Available=True",
            "ConfigMap bank/c in two has data['a.b'] `x`",
            "Node n of cluster other has status.capacity.cpu at least 500m",
            "up of http://p is not empty",
        ]
    );
    let StepKind::Check(spec) = &drill.steps[2].kind else { panic!("a check") };
    assert_eq!(spec.successes, 3);
    let outline = drill.outline(std::time::Duration::ZERO);
    assert_eq!(outline.guards, ["calm"]);
    assert_eq!(outline.fail_after_millis["up"], 10_000);
    assert_eq!(outline.steps[2].reads, ["one"], "the sandbox lives until the check has ended");
    assert_eq!(outline.steps[6].reads, [""; 0]);
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let mut all = String::new();
    let mut tell = |what: &str, text: String| {
        let _ = write!(all, "# {what}\n\n{}\n\n", told(&text).trim_end());
    };
    tell(
        "a guard in a sandbox",
        drill("{name: g, http: {in: one, service: web, port: http}}", "", &[]),
    );
    tell(
        "a background check in a sandbox",
        drill("", "{name: c, tcp: {in: one, service: db, port: sql}}", &[]),
    );
    let guard = "{name: g, promql: {query: up, expect: empty}}\n    - ";
    tell(
        "two guards of one name",
        drill(&format!("{guard}{}", guard.trim_end_matches("\n    - ")), "", &[]),
    );
    for (what, step) in [
        ("two questions", "{http: {target: a}, tcp: {host: a, port: 1}}"),
        ("no namespace where there are several", "{http: {in: two, service: web, port: http}}"),
        (
            "a namespace that is not restored",
            "{http: {in: one, namespace: bank, service: web, port: 80}}",
        ),
        ("no sandbox at all", "{http: {in: nothing, service: web, port: 80}}"),
        ("a Service without its sandbox", "{http: {target: shop, service: web, port: 80}}"),
        ("a sandbox without a Service", "{http: {in: one}}"),
        ("a port's name of a host", "{tcp: {host: a, port: sql}}"),
        ("a URL for a host", "{tcp: {host: \"tcp://a:1\", port: 1}}"),
        ("a host with its port", "{tcp: {host: \"a:5432\", port: 5432}}"),
        (
            "plural and lower case",
            "{kubernetes: {apiVersion: apps/v1/x, kind: deployments, name: web, condition: {type: A}}}",
        ),
        (
            "cluster and sandbox",
            "{kubernetes: {cluster: a, in: one, apiVersion: v1, kind: Pod, name: p, condition: {type: A}}}",
        ),
        (
            "condition and field",
            "{kubernetes: {apiVersion: v1, kind: Pod, name: p, condition: {type: A}, field: {path: a, exists: true}}}",
        ),
        (
            "a condition by path",
            "{kubernetes: {apiVersion: v1, kind: Pod, name: p, field: {path: \"status.conditions[?(@.type=='Ready')].status\", equals: \"True\"}}}",
        ),
        (
            "two comparisons",
            "{kubernetes: {apiVersion: v1, kind: Pod, name: p, field: {path: a, atLeast: 1, atMost: 2}}}",
        ),
        (
            "a bound that is no quantity",
            "{kubernetes: {apiVersion: v1, kind: Pod, name: p, field: {path: a, atLeast: many}}}",
        ),
        (
            "an unquoted True",
            "{kubernetes: {apiVersion: v1, kind: Pod, name: p, condition: {type: Ready, status: true}}}",
        ),
        ("no expectation", "{promql: {query: up}}"),
        ("two expectations", "{promql: {query: up, expect: empty, above: 1}}"),
        ("a number as text", "{promql: {query: up, above: \"1\"}}"),
        ("two servers", "{promql: {target: a, url: \"http://a\", query: up, expect: empty}}"),
        ("a misspelt expectation", "{promql: {query: up, expect: emtpy}}"),
    ] {
        tell(what, drill("", "", &[step]));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn names_of_questions_are_compared_with_the_configuration() {
    let config = concat!(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Configuration\ninstance: i\n",
        "clusters: {lab: {kubeconfig: k}}\ntargets: {shop: {url: \"http://a\"}}\n"
    );
    let (config, problems) = crate::config::parse(Path::new("c.yaml"), config);
    assert_eq!(problems, []);
    let text = drill(
        "{name: calm, promql: {query: up, expect: empty}}",
        "{name: up, http: {target: shoop}}",
        &[
            "{kubernetes: {cluster: labb, apiVersion: v1, kind: Node, name: n, condition: {type: Ready}}}",
        ],
    );
    let path = Path::new("drills/d.yaml");
    let loaded = load(path, &text);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let problems = loaded.against(&config.expect("a configuration"));
    insta::assert_snapshot!(render::text(&problems, &Sources::of(path, &text), false));
}
