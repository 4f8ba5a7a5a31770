//! Bad input, told by the real binary: exit 2, with path, line, column and what to do.

mod common;

use common::place::{DRILL, Place, Said, config, run};
use serde_json::Value;

/// Nobody listens there; none of these commands may get as far.
const NOWHERE: &str = "https://127.0.0.1:1";

fn place() -> Place {
    Place::new(NOWHERE)
}

fn after(old: &str, new: &str) -> String {
    assert!(DRILL.contains(old), "{old}");
    DRILL.replacen(old, new, 1)
}

/// What a file says is the same for `run` and `validate`, as text and as JSON.
fn bad_drill(name: &str, text: &str, places: &[(usize, usize, &str)]) {
    let place = place();
    place.write("drill.yaml", text);
    let validated = place.run(&["validate", "drill.yaml"]);
    let ran = place.run(&["run", "drill.yaml"]);
    insta::assert_snapshot!(name, validated.out);
    assert_eq!((validated.code, validated.err.as_str()), (2, ""), "{validated}");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
    let (problems, summary) = validated.out.trim_end().rsplit_once("\n\n").expect("a summary");
    assert_eq!(ran.err.trim_end(), problems, "run says what validate says");
    assert!(summary.starts_with("1 file: "), "{summary}");

    let json = place.run(&["--output", "json", "validate", "drill.yaml"]);
    let ran = place.run(&["--output", "json", "run", "drill.yaml"]);
    assert_eq!((json.code, json.err.as_str()), (2, ""), "{json}");
    assert_eq!(ran.code, 2, "{ran}");
    assert_eq!(ran.err.trim_end(), problems, "people read stderr");
    let answer = json.json();
    let list = answer["problems"].clone();
    let count = |severity: &str| {
        list.as_array().map(|all| all.iter().filter(|it| it["severity"] == severity).count())
    };
    assert_eq!(answer["valid"], false, "{json}");
    assert_eq!((&answer["files"], &answer["drills"]), (&1.into(), &0.into()), "{json}");
    assert_eq!(answer["errors"], serde_json::json!(count("error")), "{json}");
    assert_eq!(answer["warnings"], serde_json::json!(count("warning")), "{json}");
    assert_eq!(ran.json()["problems"], list);
    assert_eq!(ran.json()["exitCode"], 2);
    assert_eq!(found(&list), places, "{json}");
    for (line, column, _) in places {
        assert!(problems.contains(&format!("drill.yaml:{line}:{column}\n")), "{problems}");
    }
    every_problem_helps(&list);
    nothing_was_begun(&place);
}

fn found(problems: &Value) -> Vec<(usize, usize, &str)> {
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let one = |problem: &'static str, it: &Value| number(&it[problem]);
    let problems = problems.as_array().expect("a list");
    problems
        .iter()
        .map(|it| (one("line", it), one("column", it), it["code"].as_str().expect("a code")))
        .collect()
}

fn every_problem_helps(problems: &Value) {
    for problem in problems.as_array().expect("a list") {
        assert!(problem["help"].as_str().is_some_and(|help| !help.is_empty()), "{problem}");
        assert!(problem["path"].is_string(), "{problem}");
    }
}

/// No journal, so no run either.
fn nothing_was_begun(place: &Place) {
    assert!(!place.path().join("journal").exists());
}

#[test]
fn an_unknown_key() {
    let text = after("stableFor: 10s", "stabelFor: 10s");
    bad_drill("unknown_key", &text, &[(15, 37, "unknown-key")]);
}

#[test]
fn a_wrong_type() {
    bad_drill(
        "wrong_type",
        &after("namespaces: [shop]", "namespaces: shop"),
        &[(13, 21, "wrong-type")],
    );
    bad_drill(
        "wrong_type_of_a_name",
        &after("cluster: lab", "cluster: [lab]"),
        &[(5, 12, "wrong-type")],
    );
    bad_drill("wrong_duration", &after("15m", "15"), &[(17, 38, "invalid-value")]);
}

#[test]
fn a_reference_to_a_later_step() {
    let steps = "    - name: early\n      workloadsReady: {in: restore}\n    - name: restore\n";
    let text = after("    - name: restore\n", steps);
    bad_drill("later_step", &text, &[(11, 28, "later-step")]);
}

#[test]
fn a_text_that_is_no_yaml() {
    let text = after("namespaces: [shop]", "namespaces: [shop");
    bad_drill("no_yaml", &text, &[(14, 11, "syntax")]);
}

#[test]
fn names_that_the_configuration_does_not_have() {
    let text = after("cluster: lab", "cluster: lba").replace("target: shop", "target: shoop");
    let place = place();
    place.write("drills/shop.yaml", &text);
    // `validate` knows the configuration because it is named; `run` always does.
    let validated = place.run(&["validate", "drills/shop.yaml"]);
    let ran = place.run(&["run", "drills/shop.yaml"]);
    insta::assert_snapshot!("unknown_names", validated.out);
    assert_eq!((validated.code, ran.code), (2, 2), "{ran}");
    assert!(validated.out.starts_with(ran.err.trim_end()), "{ran}");
    let json = place.run(&["--output", "json", "run", "drills/shop.yaml"]).json();
    assert_eq!(found(&json["problems"]), [(5, 12, "unknown-cluster"), (8, 22, "unknown-target")]);
    every_problem_helps(&json["problems"]);
    // By its name the drill is found, and told the same.
    let by_name = place.run(&["run", "shop-comes-back"]);
    assert_eq!((by_name.code, by_name.err), (2, ran.err));
    nothing_was_begun(&place);
}

#[test]
fn a_configuration_with_problems() {
    let place = place();
    place.write("drill.yaml", DRILL);
    let text =
        config(NOWHERE).replace("tokenFile", "tokenfile").replace("settle: 5s", "settle: 1s");
    place.write("firedrill.yaml", &text);
    for args in [&["run", "drill.yaml"][..], &["history"], &["undo"], &["journal", "verify"]] {
        let said = place.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said}");
        insta::assert_snapshot!("bad_configuration", said.err);
        let json = place.run(&[&["--output", "json"], args].concat()).json();
        every_problem_helps(&json["problems"]);
    }
    nothing_was_begun(&place);
}

/// Everything that has no place in a file: one line of cause, one of help.
#[test]
fn what_is_not_there() {
    let place = place();
    place.write("drill.yaml", DRILL);
    let two = format!("{DRILL}---\n{}", DRILL.replace("shop-comes-back", "shop-again"));
    place.write("drills/two.yaml", &two);
    place.write("empty.yaml", "# nothing\n");
    std::fs::write(place.path().join("latin.yaml"), b"apiVersion: \xff\n").expect("written");
    let cases: &[(&str, &[&str])] = &[
        ("a missing drill file", &["run", "drills/none.yaml"]),
        ("a drill file in a missing folder", &["run", "nowhere/none.yaml"]),
        ("a folder", &["run", "drills/"]),
        ("an empty file", &["run", "empty.yaml"]),
        ("a file that is not UTF-8", &["run", "latin.yaml"]),
        ("an unknown drill", &["run", "shop-come-back"]),
        ("several drills in one file", &["run", "drills/two.yaml"]),
        ("an unknown drill of a file", &["run", "drills/two.yaml", "--name", "shop"]),
        ("no journal yet", &["history"]),
        ("a run of no journal", &["show", "latest"]),
        ("a missing configuration", &["--config", "none.yaml", "history"]),
        ("validate a missing file", &["validate", "none.yaml"]),
        ("validate an empty folder", &["validate", "pki"]),
    ];
    let mut golden = String::new();
    for (what, args) in cases {
        let given = args.contains(&"--config");
        let args =
            if given { args.to_vec() } else { [&["--config", "firedrill.yaml"], *args].concat() };
        let text = run(place.path(), &args);
        let json = run(place.path(), &[&["--output", "json"], &args[..]].concat());
        assert_eq!((text.code, json.code), (2, 2), "{what}: {text}");
        let said = format!("{}{}", text.out, text.err);
        assert!(said.contains("help: "), "{what}: {said}");
        golden += &format!("=== {what}\n$ firedrill {}\n{}\n", args.join(" "), said.trim_end());
        one_answer(&json);
    }
    insta::assert_snapshot!("not_there", golden);
    nothing_was_begun(&place);
}

/// An object with the problems (`validate`), or one with the error.
fn one_answer(said: &Said) {
    let answer = said.json();
    match answer.get("valid") {
        Some(valid) => {
            assert_eq!(valid, false);
            every_problem_helps(&answer["problems"]);
        }
        None => {
            assert_eq!(answer["exitCode"], 2);
            assert!(answer["error"].as_str().is_some_and(|error| !error.contains('\n')), "{said}");
            match &answer["problems"] {
                Value::Null => assert!(answer["help"].is_string(), "{said}"),
                problems => every_problem_helps(problems),
            }
        }
    }
}

#[test]
fn a_drill_with_errors_may_be_the_one_that_is_missed() {
    let place = place();
    place.write("drills/shop.yaml", &after("stableFor", "stabelFor"));
    let said = place.run(&["run", "shop-comes-back"]);
    assert_eq!(said.code, 2);
    assert_eq!(
        said.err,
        "error: there is no drill `shop-comes-back` in drills\n  \
         help: known drills: none; `firedrill validate` shows 1 error that may hide it\n"
    );
}

#[test]
fn a_command_line_that_means_nothing() {
    let place = place();
    for args in [&["run"][..], &["runn", "x"], &["history", "--limit", "many"], &["show", "a", "b"]]
    {
        let said = place.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said}");
        assert!(said.err.starts_with("error: ") && said.err.contains("--help"), "{said}");
    }
}

#[test]
fn several_drills_in_one_file_run_by_name() {
    let place = place();
    let two = format!("{DRILL}---\n{}", DRILL.replace("shop-comes-back", "shop-again"));
    place.write("two.yaml", &two);
    // It is chosen, and refused by the cluster that is not there: that is exit 3.
    let said = place.run(&["run", "two.yaml", "--name", "shop-again"]);
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.contains("shop-again"), "{said}");
}
