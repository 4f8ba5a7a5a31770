//! Steps that are tried again and steps that always run, with the real binary and no cluster:
//! drills of checks alone.

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::place::{Place, Said};
use serde_json::{Value, json};

/// Answers every request on loopback: 200 once it is open, 503 before. It ends with the test.
struct Shop {
    url: String,
    open: Arc<AtomicBool>,
}

impl Shop {
    fn new(open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let open = Arc::new(AtomicBool::new(open));
        let is_open = Arc::clone(&open);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let status = if is_open.load(Ordering::SeqCst) { "200 OK" } else { "503 Not now" };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, open }
    }
}

/// A step that asks `url`, with further keys.
fn asks(name: &str, url: &str, keys: Value) -> Value {
    let mut step = json!({
        "name": name,
        "timeout": "2s",
        "check": {"http": {"url": url}, "every": "200ms"},
    });
    for (key, value) in keys.as_object().into_iter().flatten() {
        step[key] = value.clone();
    }
    step
}

/// A place with this drill. JSON is YAML.
fn place(deadline: &str, steps: Value) -> Place {
    let place = Place::new("https://127.0.0.1:1");
    let drill = json!({
        "apiVersion": "firedrill.dev/v1alpha1",
        "kind": "Drill",
        "metadata": {"name": "again"},
        "spec": {"cluster": "lab", "deadline": deadline, "steps": steps},
    });
    place.write("drills/again.yaml", &drill.to_string());
    place
}

fn report(place: &Place) -> Value {
    let verified = place.run(&["journal", "verify"]);
    assert_eq!(verified.code, 0, "{verified}");
    place.run(&["report", "--format", "json"]).json()
}

fn outcomes(report: &Value) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let steps = report["steps"].as_array().expect("steps").iter();
    let attempts = |step: &Value| step["attempts"].as_u64().expect("a number");
    steps.map(|it| (text(&it["name"]), text(&it["outcome"]), attempts(it))).collect()
}

fn expect(report: &Value, expected: &[(&str, &str, u64)]) {
    let all: Vec<_> = expected
        .iter()
        .map(|(name, outcome, attempts)| ((*name).to_owned(), (*outcome).to_owned(), *attempts))
        .collect();
    assert_eq!(outcomes(report), all, "{report:#}");
}

#[test]
fn what_passes_at_a_later_attempt_says_so() {
    let shop = Shop::new(false);
    let steps =
        json!([asks("asked", &shop.url, json!({"retry": {"attempts": 9, "backoff": "1s"}})),]);
    let place = place("10m", steps);
    let mut command = place.command(&["run", "again"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
    let mut err = String::new();
    for line in BufReader::new(child.stderr.take().expect("piped")).lines() {
        let line = line.expect("UTF-8");
        if line.contains("asked failed, attempt 1 of 9") {
            shop.open.store(true, Ordering::SeqCst);
        }
        err = err + &line + "\n";
    }
    let mut out = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("UTF-8");
    let code = child.wait().expect("its end").code().unwrap_or(-1);
    let said = Said { code, out, err };
    assert_eq!(said.code, 0, "{said}");
    assert!(said.err.contains("asked begins, attempt 2 of 9"), "{said}");
    assert!(said.out.contains("Not at the first attempt: asked was tried "), "{said}");
    assert!(said.out.contains("Attempt 1 failed after "), "{said}");

    let report = report(&place);
    let step = &report["steps"][0];
    assert_eq!((&step["outcome"], &step["why"]), (&json!("passed"), &Value::Null));
    assert!(step["attempts"].as_u64() >= Some(2), "{step:#}");
    let first = &step["earlierAttempts"][0];
    assert_eq!((&first["attempt"], &first["outcome"]), (&json!(1), &json!("failed")));
    assert!(first["why"].as_str().is_some_and(|why| why.contains("timeout")), "{first:#}");
    // Its timeout is for each attempt.
    assert!(first["tookMillis"].as_u64() >= Some(2_000), "{first:#}");
}

#[test]
fn after_the_last_attempt_only_what_always_runs_does() {
    let shop = Shop::new(true);
    let twice = json!({"attempts": 2, "backoff": "0s"});
    let nowhere = "http://127.0.0.1:1/";
    let steps = json!([
        asks("asked", nowhere, json!({"retry": twice})),
        asks("skipped", &shop.url, json!({})),
        asks("told", &shop.url, json!({"when": "always"})),
        asks("untold", nowhere, json!({"when": "always", "retry": twice})),
        asks("after", &shop.url, json!({"when": "always"})),
    ]);
    let place = place("10m", steps);
    let ran = place.run(&["run", "again"]);
    assert_eq!(ran.code, 1, "{ran}");
    let report = report(&place);
    let all = [
        ("asked", "failed", 2),
        ("skipped", "skipped", 0),
        ("told", "passed", 1),
        ("untold", "failed", 2),
        ("after", "passed", 1),
    ];
    expect(&report, &all);
    assert_eq!((&report["verdict"], &report["reason"]), (&json!("failed"), &json!("stepFailed")));
    let why = report["why"].as_str().expect("a cause");
    assert!(why.starts_with("asked: ") && why.ends_with("(attempt 2 of 2)"), "{why}");
}

#[test]
fn a_pause_that_the_deadline_would_end_is_not_begun() {
    let shop = Shop::new(true);
    let steps = json!([
        asks("asked", "http://127.0.0.1:1/", json!({"retry": {"attempts": 2, "backoff": "9m"}})),
        asks("told", &shop.url, json!({"when": "always"})),
    ]);
    let place = place("9m", steps);
    let ran = place.run(&["run", "again"]);
    assert_eq!(ran.code, 1, "{ran}");
    let report = report(&place);
    expect(&report, &[("asked", "failed", 1), ("told", "passed", 1)]);
    let why = report["why"].as_str().expect("a cause");
    for words in ["timeout", "(attempt 1 of 2); no further attempt: ", "the deadline of 9m 00s"] {
        assert!(why.contains(words), "{words:?} is not in {why}");
    }
}

#[test]
fn on_another_reason_to_close_nothing_else_runs() {
    let shop = Shop::new(true);
    let steps = json!([
        asks(
            "asked",
            "http://127.0.0.1:1/",
            json!({
                "timeout": "9m", "retry": {"attempts": 2, "backoff": "0s"},
            })
        ),
        asks("told", &shop.url, json!({"when": "always"})),
    ]);
    let place = place("3s", steps);
    let ran = place.run(&["run", "again"]);
    assert_eq!(ran.code, 3, "{ran}");
    let report = report(&place);
    assert_eq!(report["reason"], "deadline");
    expect(&report, &[("asked", "aborted", 1), ("told", "none", 0)]);
}

#[test]
fn a_run_that_died_between_two_attempts_or_in_the_second_is_only_ended() {
    // Events: opened, planned, started (1), ended (2), started again.
    for (after, outcome, attempts) in [("after:4", "failed", 1), ("after:5", "aborted", 2)] {
        let steps = json!([asks(
            "asked",
            "http://127.0.0.1:1/",
            json!({
                "timeout": "1s", "retry": {"attempts": 3, "backoff": "100ms"},
            })
        ),]);
        let place = place("10m", steps);
        let mut command = place.command(&["run", "again"]);
        command.env("FIREDRILL_CRASH", after);
        let died = common::place::said(command);
        assert_eq!(died.code, -1, "{after}: {died}");
        place.run(&["undo"]);
        let report = report(&place);
        assert_eq!(report["verdict"], "interrupted", "{after}: {report:#}");
        expect(&report, &[("asked", outcome, attempts)]);
        let shown = place.run(&["show", report["run"].as_str().expect("an id")]);
        let started = shown.out.matches("StepStarted").count();
        assert_eq!(started as u64, attempts, "nothing is tried again: {shown}");
    }
}
