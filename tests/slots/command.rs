//! `firedrill schedule` with the real binary.

use std::process::{Command, Output};

use serde_json::{Value, json};

fn schedule(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("schedule").args(args).env_remove("FIREDRILL_CONFIG").env_remove("FIREDRILL_LOG");
    // Whatever this machine's zone is, it has no say.
    command.env("TZ", "Pacific/Apia");
    command.output().expect("the binary")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The answer of `--output json`, with its exit code.
fn answer(args: &[&str]) -> (i32, Value) {
    let output = schedule(&[args, &["--output", "json"]].concat());
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"));
    (output.status.code().expect("a code"), value)
}

fn instants(args: &[&str]) -> Vec<String> {
    let (code, value) = answer(args);
    assert_eq!(code, 0, "{args:?}: {value}");
    let next = value["next"].as_array().expect("a list");
    next.iter().map(|slot| slot["instant"].as_str().expect("an instant").to_owned()).collect()
}

#[test]
fn the_example_of_the_documentation() {
    let args = ["30 2 * * *", "--time-zone", "Europe/Berlin", "--after", "2027-03-27T00:00:00Z"];
    let (code, value) = answer(&[&args[..], &["--count", "3"]].concat());
    assert_eq!(code, 0);
    assert_eq!(
        value,
        json!({"next": [
            {"instant": "2027-03-27T01:30:00Z", "civil": "2027-03-27T02:30:00", "note": null},
            {
                "instant": "2027-03-28T01:30:00Z",
                "civil": "2027-03-28T02:30:00",
                "note": "2027-03-28 02:30 does not exist; it fires at 03:30",
            },
            {"instant": "2027-03-29T00:30:00Z", "civil": "2027-03-29T02:30:00", "note": null},
        ]})
    );
    let output = schedule(&args);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn defaults_are_utc_now_and_five() {
    let instants = instants(&["*/5 * * * *"]);
    assert_eq!(instants.len(), 5);
    assert!(
        instants.iter().all(|instant| instant.ends_with("0:00Z") || instant.ends_with("5:00Z"))
    );
    assert!(instants[0].as_str() > "2026-11", "{instants:?}");
}

#[test]
fn the_instant_is_strictly_after_and_the_zone_of_after_is_its_own() {
    for (after, first) in [
        ("2027-01-01T02:59:59.999999999Z", "2027-01-01T03:00:00Z"),
        ("2027-01-01T03:00:00Z", "2027-01-02T03:00:00Z"),
        ("2027-01-01T03:00:00.000000001Z", "2027-01-02T03:00:00Z"),
        ("2027-01-01T04:59:59+02:00", "2027-01-01T03:00:00Z"),
        ("2026-12-31T22:00:00-05:00", "2027-01-02T03:00:00Z"),
        ("2027-01-01 02:59:59+00:00", "2027-01-01T03:00:00Z"),
        ("2027-01-01t02:59:00z", "2027-01-01T03:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T03:00:00Z"),
    ] {
        assert_eq!(instants(&["0 3 * * *", "--count", "1", "--after", after]), [first], "{after}");
    }
}

#[test]
fn a_search_goes_to_the_end_of_the_calendar_and_says_so() {
    let rare = ["0 0 29 2 1", "--day-match", "and", "--after", "2027-01-01T00:00:00Z"];
    assert_eq!(
        instants(&[&rare[..], &["--count", "3"]].concat()),
        ["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"]
    );
    let output = schedule(&["@hourly", "--after", "9999-12-30T20:30:00Z"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout).lines().last(),
        Some("no more slots: the calendar ends with the year 9999")
    );
    assert_eq!(instants(&["@hourly", "--after", "9999-12-30T22:00:00Z"]), Vec::<String>::new());
}

#[test]
fn refused_arguments_are_told_all_at_once() {
    let args = ["0 3 13 * 5", "--time-zone", "Europe/Berln", "--after", "tomorrow"];
    let output = schedule(&args);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "{output:?}");
    insta::assert_snapshot!(text(&output.stderr));
    let (code, value) = answer(&args);
    assert_eq!((code, &value["exitCode"]), (2, &json!(2)));
    let problems = value["problems"].as_array().expect("a list");
    let places: Vec<_> = problems.iter().map(|it| (&it["path"], &it["column"])).collect();
    assert_eq!(
        places,
        [
            (&json!("EXPR"), &json!(5)),
            (&json!("--time-zone"), &json!(1)),
            (&json!("--after"), &json!(1))
        ]
    );
}

#[test]
fn what_a_shell_makes_of_an_expression_is_answered() {
    let after = ["--after", "2027-01-01T00:00:00Z"];
    for (args, said) in [
        (vec![""], "the schedule is empty"),
        (vec![" \t"], "the schedule is empty"),
        (vec!["-5 * * * *"], "no sign"),
        (vec!["--", "-5 * * * *"], "no sign"),
        (vec!["--count", "2", "-5 * * * *"], "no sign"),
        (vec!["0", "3", "README.md", "src", "1"], "in quotes"),
        (vec!["0", "3"], "in quotes"),
        (vec!["0 3 * * *\n"], "one line"),
        (vec!["\u{1b}[2J 3 * * *"], "control character"),
        (vec!["@daily", "--time-zone", ""], "the time zone is empty"),
        (vec!["@daily", "--time-zone", "Local"], "depend on the machine"),
        (vec!["@daily", "--after", ""], "the instant is empty"),
        (vec!["@daily", "--after", "2027-01-01"], "not an instant"),
        (vec!["@daily", "--after", "2027-01-01T00:00:00"], "neither `Z` nor an offset"),
        (vec!["@daily", "--after", "2027-02-29T00:00:00Z"], "no such time"),
        (vec!["@daily", "--after", "2027-01-01T00:00:00.0123456789Z"], "nine digits"),
        (vec!["@daily", "--after", "2027-01-01T00:00:00.Z"], "nine digits"),
        (vec!["@daily", "--after", "9999-12-31T00:00:00Z"], "out of range"),
        (vec!["@daily", "--count", "0"], "1..=10000"),
        (vec!["@daily", "--count", "10001"], "1..=10000"),
        (vec!["@daily", "--day-match", "xor"], "or, and"),
        (vec![], "<EXPR>"),
    ] {
        let has_after = args.contains(&"--after") || args.contains(&"--");
        let output = schedule(&if has_after { args.clone() } else { [&after[..], &args].concat() });
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
        assert!(!err.contains('\u{1b}'), "{args:?}: {err:?}");
    }
}

#[test]
fn a_long_count_is_quick_and_whole() {
    let instants = instants(&["* * * * *", "--count", "10000", "--time-zone", "Europe/Berlin"]);
    assert_eq!(instants.len(), 10_000);
    assert!(instants.is_sorted());
}
