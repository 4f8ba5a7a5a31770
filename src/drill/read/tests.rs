//! Hostile input: refused, quickly, without a panic, with places inside the text.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    config,
    drill::{load, problem::Problem, render},
};

const SAMPLES: [&str; 2] = [
    include_str!("../../../drills/shop-comes-back.yaml"),
    include_str!("../../../drills/node-lost.yaml"),
];
const CONFIG: &str = include_str!("../../../config/firedrill.yaml");

/// All problems of a text, read as drills and as a configuration; asserts what holds for any text.
fn problems(text: &str) -> Vec<Problem> {
    let path = Path::new("hostile.yaml");
    let loaded = load(path, text);
    assert!(loaded.drills.is_empty() || loaded.problems.len() < 1000);
    let (_, mut all) = config::parse(path, text);
    all.splice(0..0, loaded.problems);
    for problem in &all {
        let places =
            std::iter::once(&problem.place).chain(problem.also.as_ref().map(|also| &also.place));
        for place in places {
            assert!(text.get(place.span.clone()).is_some(), "{place:?} of {problem:?}");
            let line = text.split('\n').nth(place.line - 1).expect("the line is there");
            assert!(place.column <= line.chars().count() + 1, "{place:?} of {line:?}");
        }
        assert!(problem.secret.as_ref().is_none_or(|span| text.get(span.clone()).is_some()));
    }
    let sources = render::Sources::of(path, text);
    let _ = (render::text(&all, &sources, true), render::values(&all));
    all
}

/// The code of the first problem as a drill.
fn code(text: &str) -> Code {
    problems(text).first().map(|problem| problem.code).expect("a problem")
}

#[test]
fn hostile_files_are_refused() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
         c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
         e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert_eq!(code(bomb), Code::TooComplex);
    assert_eq!(code(&"[".repeat(10_000)), Code::TooComplex);
    assert_eq!(code(&"{a: ".repeat(10_000)), Code::TooComplex);
    assert_eq!(code(&"- ".repeat(10_000)), Code::TooComplex);
    let stairs: String = (0..10_000).map(|i| format!("{}a:\n", " ".repeat(i % 100))).collect();
    assert_eq!(code(&stairs), Code::TooComplex);
    assert_eq!(code("x: &x [*x]\n"), Code::TooComplex);
    assert_eq!(code(&"a: b\n".repeat(2 * 1024 * 1024 / 5)), Code::TooLarge);
    assert_eq!(code(&"---\na\n".repeat(MAX_DOCUMENTS + 1)), Code::WrongType);
    assert!(
        problems(&"---\na\n".repeat(MAX_DOCUMENTS + 1))
            .iter()
            .any(|p| p.code == Code::TooComplex || p.code == Code::TooMany)
    );
    assert_eq!(code(&"- a\n".repeat(60_000)), Code::TooComplex);
    assert_eq!(code("kind: Drill\0\n"), Code::ForbiddenCharacter);
    assert_eq!(code("\u{feff}kind: Drill\n"), Code::ForbiddenCharacter);
    assert_eq!(code(""), Code::NothingToRead);
    assert_eq!(code("# nothing\n---\n# here\n...\n"), Code::NothingToRead);
    assert_eq!(code("? [a]\n: b\n"), Code::WrongKind);
    assert_eq!(code("a: *nothing\n"), Code::Syntax);
    assert_eq!(code("\u{7}"), Code::Syntax);
    assert_eq!(code("%YAML 9.9\n---\n- a\n"), Code::Syntax);
    assert_eq!(code("a: \"\u{202e}\n---\n"), Code::ForbiddenCharacter);
    assert_eq!(code("kind: Drill # \u{2066}\n"), Code::ForbiddenCharacter);
    assert_eq!(code("kind: Drill\n\u{a0} a: b\n"), Code::ForbiddenCharacter);
}

#[test]
fn the_number_of_problems_is_bounded() {
    let many: String = (0..5_000).map(|i| format!("k{i}: {{}}\n")).collect();
    let many = format!("kind: Drill\n{many}");
    let all = load(Path::new("a.yaml"), &many).problems;
    assert_eq!(all.len(), crate::drill::decode::MAX_PROBLEMS + 1);
    let last = all.last().expect("the last");
    assert_eq!(last.code, Code::TooMany);
    // 5000 unknown keys and three missing ones.
    assert!(last.message.starts_with("4803 more"), "{}", last.message);
}

#[test]
fn lists_are_bounded() {
    let steps: String =
        (0..5_000).map(|i| format!("  - {{name: s{i}, workloadsReady: {{in: t{i}}}}}\n")).collect();
    let all = problems(&format!("kind: Drill\nspec:\n  steps:\n{steps}"));
    assert!(all.iter().any(|problem| problem.message == "`steps` has 5000 entries, more than 200"));
}

#[test]
fn places_are_those_of_the_file() {
    let text = "# c\n---\nkéy: [x, \"y\"]\n---\nn: yes\nblock:\n  - a: 1\n";
    let (documents, faults) = read(text);
    assert_eq!(faults, []);
    let [first, second] = documents.as_slice() else { panic!("two documents") };
    assert_eq!(&text[second.span.clone()], "---\nn: yes\nblock:\n  - a: 1\n");
    let shown = |node: Option<&Node>| node.map(|node| &text[node.span.clone()]);
    assert_eq!(shown(first.root.find("kéy[1]")), Some("\"y\""));
    assert_eq!(shown(second.root.find("block[0]")), Some("a"));
    assert_eq!(shown(second.root.find("block[0].a")), Some("1"));
    // YAML 1.1 would make both of these booleans.
    assert_eq!(second.root.find("n").map(|node| &node.value), Some(&Value::Text("yes".to_owned())));
}

#[test]
fn markers_cut_only_where_yaml_says_so() {
    let texts = |text: &'static str| -> Vec<&str> {
        split(text).into_iter().map(|span| &text[span]).collect()
    };
    assert_eq!(texts("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
    assert_eq!(texts("# c\n---\na: 1\n"), ["# c\n---\na: 1\n"]);
    assert_eq!(texts("%YAML 1.2\n---\na: 1\n...\n# end\n"), ["%YAML 1.2\n---\na: 1\n...\n"]);
    assert_eq!(texts("--- a\n--- b\n---c\n"), ["--- a\n", "--- b\n---c\n"]);
    assert_eq!(texts("a: |\n  ---\n  ...\n"), ["a: |\n  ---\n  ...\n"]);
    assert_eq!(texts("a: 1\r\n---\r\nb: 2\r\n"), ["a: 1\r\n", "---\r\nb: 2\r\n"]);
    assert_eq!(texts("...\n...\n"), [""; 0]);
}

#[test]
fn the_shipped_samples_are_clean() {
    let path = Path::new("/etc/firedrill/firedrill.yaml");
    let (config, problems) = config::parse(path, CONFIG);
    // It shows every key, also those that this version does not act on.
    assert!(problems.iter().all(|problem| problem.code == Code::NotActedOn), "{problems:?}");
    let config = config.expect("a configuration");
    for sample in SAMPLES {
        let loaded = load(Path::new("sample.yaml"), sample);
        assert_eq!(loaded.problems, []);
        assert_eq!(loaded.drills.len(), 1);
        assert_eq!(loaded.against(&config), []);
    }
}

/// Bytes that mean something to YAML or to us, to be thrown into a good file.
const SPICE: &[&str] = &[
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "|",
    ">",
    "&a ",
    "*a",
    "!x ",
    "? ",
    "---\n",
    "...\n",
    "%",
    "@",
    "`",
    ",",
    "\t",
    "\r",
    "\u{e9}",
    "\u{1f525}",
    "\u{2028}",
    "\u{85}",
    "null",
    "1",
    "-1",
    "1e999",
    ".nan",
    "<<: ",
    "token: x\n",
    "~",
    "\\",
    "\0",
    "\u{feff}",
    "restore",
    "1d",
];

proptest! {
    // Each case reads a whole file twice; the default of 256 would take a minute unoptimised.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_mutation_of_a_good_file_panics(
        which in 0..3_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, 0..SPICE.len()), 1..6),
    ) {
        let mut text = [SAMPLES[0], SAMPLES[1], CONFIG][which].to_owned();
        for (at, cut, spice) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end, SPICE[spice]);
        }
        problems(&text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        problems(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        problems(&String::from_utf8_lossy(&bytes));
    }
}
