//! The command line with the real binary and no cluster: drills of checks alone have runs, a
//! journal and reports like all others.

mod common;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use common::place::{Place, Said, run, said};
use serde_json::Value;

/// Answers every request on loopback with 200, as long as it lives.
struct Shop {
    address: String,
    stop: Arc<AtomicBool>,
}

impl Shop {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                );
            }
        });
        Self { address, stop }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(&self.address);
    }
}

/// A place with one run that passed and one that failed.
fn two_runs(shop: &Shop) -> Place {
    let place = Place::new("https://127.0.0.1:1");
    for (name, url, timeout) in
        [("shop-answers", shop.address.as_str(), "20s"), ("gone", "127.0.0.1:1", "2s")]
    {
        let drill = format!(
            "apiVersion: firedrill.dev/v1alpha1\nkind: Drill\nmetadata: {{name: {name}}}\nspec:\n\
             \x20 cluster: lab\n\x20 checks:\n    - name: outside\n      http: {{url: \"http://{}/\"}}\n\
             \x20 steps:\n    - name: asked\n      timeout: {timeout}\n\
             \x20     check: {{http: {{url: \"http://{url}/\"}}, successes: 2}}\n",
            shop.address
        );
        place.write(&format!("drills/{name}.yaml"), &drill);
    }
    let passed = place.run(&["run", "shop-answers"]);
    assert_eq!(passed.code, 0, "{passed}");
    let failed = place.run(&["run", "gone"]);
    assert_eq!(failed.code, 1, "{failed}");
    place
}

fn fits(text: &str) {
    // JSON is for programs.
    for line in text.lines().take_while(|line| !line.starts_with('{')) {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

/// Exit 0, nothing on stderr, and a text of 80 columns.
fn fine(said: &Said) -> &str {
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
    fits(&said.out);
    &said.out
}

#[test]
fn what_is_shown_is_the_same_as_text_and_as_json() {
    let shop = Shop::open();
    let place = two_runs(&shop);
    let json = |args: &[&str]| {
        let said = place.run(&[&["--output", "json"], args].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
        said.json()
    };
    let text = |args: &[&str]| fine(&place.run(args)).to_owned();
    let is = |value: &Value| value.as_str().expect("text").to_owned();

    let (table, runs) = (text(&["history"]), json(&["history"]));
    let runs = runs.as_array().expect("a list").clone();
    assert_eq!(runs.len(), 2);
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{table}");
    for (row, run) in rows.iter().zip(&runs) {
        let (id, opened) = (is(&run["run"]), is(&run["opened"]));
        for figure in [&id[..13], &is(&run["drill"]), &is(&run["verdict"]), &opened[..10]] {
            assert!(row.contains(figure), "{figure} is not in {row}");
        }
    }
    assert_eq!(is(&runs[0]["drill"]), "gone", "the newest first");
    assert_eq!(json(&["history", "shop-answers"]).as_array().map(Vec::len), Some(1));
    assert_eq!(json(&["history", "--limit", "1"])[0]["run"], runs[0]["run"]);
    assert_eq!(text(&["history", "nobody"]), "no runs\n");

    for run in &runs {
        let id = is(&run["run"]);
        let report = text(&["report", &id]);
        let summary = json(&["report", &id]);
        assert_eq!(summary, *run, "history and report are one fold");
        assert_eq!(text(&["report", &id, "--format", "json"]), text_of(&place, &id));
        let verdict = is(&summary["verdict"]);
        assert!(report.starts_with(&format!(
            "{}  {}",
            verdict.to_uppercase(),
            is(&summary["drill"])
        )));
        for figure in [&id, &summary["exitCode"].to_string(), &is(&summary["instance"])] {
            assert!(report.contains(figure.as_str()), "{figure} is not in {report}");
        }
        for step in summary["steps"].as_array().expect("steps") {
            let took = step["tookMillis"].as_u64().expect("it was seen");
            let row = report.lines().find(|line| line.starts_with("  asked ")).expect("the step");
            assert!(row.contains(&is(&step["outcome"])), "{row}");
            assert!(row.contains(&firedrill::report::words::duration(took)), "{took} in {row}");
        }
        let shown = text(&["show", &id[..13]]);
        let events = json(&["show", &id]);
        assert_eq!(events["summary"], summary);
        let entries = events["entries"].as_array().expect("entries").clone();
        let lines: Vec<&str> =
            shown.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
        // The head begins with the run's id and its time.
        assert_eq!(lines.len(), entries.len() + 2, "{shown}");
        let exported = place.run(&["journal", "export", &id]);
        assert_eq!((exported.code, exported.out.lines().count()), (0, entries.len()), "{exported}");
        for (line, entry) in exported.out.lines().zip(&entries) {
            let line: Value = serde_json::from_str(line).expect("a JSON line");
            assert_eq!((&line["seq"], &line["prev"]), (&entry["seq"], &entry["prev"]));
        }
    }
    assert_eq!(json(&["show"])["summary"], runs[0], "the latest");

    let verified = json(&["journal", "verify"]);
    assert_eq!((&verified["sound"], &verified["streams"]), (&true.into(), &2.into()), "{verified}");
    let sound = text(&["journal", "verify"]);
    assert_eq!(sound, format!("sound: 2 streams, {} entries\n", verified["entries"]));
}

fn text_of(place: &Place, run: &str) -> String {
    place.run(&["--output", "json", "report", run]).out
}

#[test]
fn a_report_says_what_went_wrong_in_its_first_lines() {
    let shop = Shop::open();
    let place = two_runs(&shop);
    let failed = place.run(&["report"]);
    assert!(failed.out.starts_with("FAILED  gone\n"), "{failed}");
    let cause = failed.cause();
    assert!(cause.starts_with("Asked: its timeout of 2s is over; "), "{cause}");
    assert!(cause.contains("refused"), "{cause}");
}

#[test]
fn undo_on_an_empty_journal() {
    let place = Place::new("https://127.0.0.1:1");
    // Its cluster cannot be looked at, so that nothing is left is not known.
    let undo = place.run(&["undo"]);
    assert_eq!((undo.code, undo.out.as_str()), (3, "nothing is left to undo in the journal\n"));
    assert_eq!(
        undo.err,
        "error: marks were not looked for: cluster lab cannot be reached: https://127.0.0.1:1: \
         Connection refused (os error 111)\n"
    );
    let undo = place.run(&["--output", "json", "undo"]);
    assert_eq!((undo.code, undo.json()), (3, serde_json::json!([])));
    assert_eq!(fine(&place.run(&["history"])), "no runs\n");
    let none = place.run(&["show"]);
    assert_eq!((none.code, none.out.as_str()), (2, ""), "{none}");
    insta::assert_snapshot!("no_run", none.err);
    let unknown = place.run(&["undo", "0199"]);
    assert_eq!(unknown.code, 2, "{unknown}");
}

#[test]
fn a_broken_journal_is_told() {
    let shop = Shop::open();
    let place = two_runs(&shop);
    let path = place.path().join("journal/journal.db");
    std::fs::write(&path, "not a journal").expect("written");
    let said = place.run(&["journal", "verify"]);
    assert_eq!(said.code, 70, "{said}");
    assert!(said.err.contains("help: "), "{said}");
    let said = place.run(&["run", "gone"]);
    assert_eq!((said.code, said.out.as_str()), (70, ""), "{said}");
}

#[test]
fn logs_are_on_stderr_with_run_and_step_as_fields() {
    let shop = Shop::open();
    let place = two_runs(&shop);
    let mut command = place.command(&["--output", "json", "--log", "json", "run", "shop-answers"]);
    command.env("FIREDRILL_LOG", "firedrill=trace");
    let said = said(command);
    assert_eq!(said.code, 0, "{said}");
    let summary = said.json();
    let run = summary["run"].as_str().expect("an id");
    // Progress is plain lines; logs are objects.
    let logs: Vec<Value> =
        said.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(!logs.is_empty(), "{said}");
    let with = |field: &str, value: &str| {
        let spans = |log: &Value| log["spans"].as_array().cloned().unwrap_or_default();
        logs.iter().filter(|log| spans(log).iter().any(|span| span[field] == value)).count()
    };
    assert!(with("run", run) > 0, "{said}");
    assert!(with("step", "asked") > 0, "{said}");
    for log in &logs {
        assert!(log["level"].is_string() && log["timestamp"].is_string(), "{log}");
    }
    // Without the variable nothing but progress is there.
    let quiet = place.run(&["--log", "json", "run", "shop-answers"]);
    assert!(quiet.err.lines().all(|line| !line.starts_with('{')), "{quiet}");
}

#[test]
fn completions_for_the_usual_shells() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, word) in
        [("bash", "complete -F"), ("zsh", "#compdef firedrill"), ("fish", "complete -c firedrill")]
    {
        let said = run(folder.path(), &["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
        assert!(said.out.contains(word), "{shell}");
        for command in ["run", "validate", "history", "show", "report", "undo", "journal"] {
            assert!(said.out.contains(command), "{shell} does not know {command}");
        }
    }
    assert_eq!(run(folder.path(), &["completions", "ksh"]).code, 2);
}

#[test]
fn help_of_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut golden = String::new();
    let mut ask = |args: &[&str]| {
        let said = run(folder.path(), &[args, &["--help"]].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
        fits(&said.out);
        golden +=
            &format!("$ firedrill {}\n{}\n", [args, &["--help"]].concat().join(" "), said.out);
        said.out
    };
    let top = ask(&[]);
    let commands = top.split("Commands:\n").nth(1).expect("commands").split("\n\n").next();
    let commands: Vec<&str> = commands
        .expect("commands")
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        ask(&[command]);
    }
    for command in ["verify", "export"] {
        ask(&["journal", command]);
    }
    insta::assert_snapshot!("help", golden);
}
