use std::path::Path;

use super::*;
use crate::drill::{load, problem::Code};

#[test]
fn columns_are_characters_in_both_outputs() {
    let path = Path::new("a.yaml");
    let text = "kind: Drill\nmetadata: {\"név\": x, nme: y}\n";
    let loaded = load(path, text);
    let problem =
        loaded.problems.iter().find(|problem| problem.key == "metadata.nme").expect("nme");
    assert_eq!((problem.place.line, problem.place.column), (2, 22));
    let shown = super::text(std::slice::from_ref(problem), &Sources::of(path, text), false);
    assert!(shown.contains("a.yaml:2:22"), "{shown}");
    assert_eq!(
        values(std::slice::from_ref(problem)),
        serde_json::json!([{
            "path": "a.yaml", "line": 2, "column": 22, "severity": "error", "code": "unknown-key",
            "message": "`metadata` has no key `nme`", "help": "did you mean `name`?",
            "key": "metadata.nme", "also": null,
        }])
    );
}

#[test]
fn colour_only_if_asked_for() {
    let loaded = load(Path::new("a.yaml"), "kind: Drill\n");
    let sources = Sources::of(Path::new("a.yaml"), "kind: Drill\n");
    assert!(text(&loaded.problems, &sources, true).contains('\u{1b}'));
    assert!(!text(&loaded.problems, &sources, false).contains('\u{1b}'));
}

#[test]
fn control_characters_of_the_file_do_not_reach_the_terminal() {
    let source = "kind: Drill\nx\u{202e}y: 1\n";
    let loaded = load(Path::new("a.yaml"), source);
    let shown = text(&loaded.problems, &Sources::of(Path::new("a.yaml"), source), false);
    assert!(!shown.contains('\u{202e}'), "{shown}");
}

#[test]
fn a_file_that_is_not_there_is_told_by_its_name() {
    let loaded = crate::drill::load_file(Path::new("nowhere/a.yaml"));
    let [problem] = loaded.problems.as_slice() else { panic!("one problem") };
    assert_eq!(problem.code, Code::Unreadable);
    insta::assert_snapshot!(text(&loaded.problems, &Sources::default(), false), @"
    error[unreadable]: there is no such file
    --> nowhere/a.yaml
     = help: is the path right?
    ");
}

#[test]
fn covering_keeps_every_place() {
    let secret = "aé€🔑\n";
    assert_eq!(cover(secret).len(), secret.len());
    assert_eq!(cover(secret).chars().count(), secret.chars().count());
}
