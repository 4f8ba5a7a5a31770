//! Wrong drills and configurations, and what is told of them: `tests/bad/NAME.yaml`, and beside each
//! `NAME.txt`, the answer of `firedrill validate` together with `config/firedrill.yaml`.
//!
//! Read them as somebody who made that mistake. To write the answers anew:
//! `FIREDRILL_GOLDEN=write cargo test --test golden`, and look at the difference.

use std::{
    fs,
    path::{Path, PathBuf},
};

use firedrill::{
    cli::validate::{Checked, check},
    config,
    drill::{problem::Problem, render},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All wrong files, sorted.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("tests/bad"))
        .expect("tests/bad")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

/// Checks one file; a configuration by itself, a drill with the shipped configuration.
fn checked(path: &Path) -> Checked {
    let (config, problems) = config::load(&root().join("config/firedrill.yaml"));
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    assert_eq!(errors, 0, "the shipped configuration is good");
    check(&[path.to_owned()], config.as_ref())
}

/// The answer as people read it, with the path as it would be from the folder of the file.
fn told(path: &Path, checked: &Checked) -> String {
    let folder = path.parent().expect("a folder").display().to_string() + "/";
    let text = render::text(&checked.problems, &checked.sources, false);
    format!("{text}{}\n", checked.summary()).replace(&folder, "")
}

#[test]
fn every_wrong_file_has_its_golden_answer() {
    let write = std::env::var_os("FIREDRILL_GOLDEN").is_some_and(|word| word == "write");
    let mut differ = Vec::new();
    for path in files() {
        let answer = told(&path, &checked(&path));
        let golden = path.with_extension("txt");
        if write {
            fs::write(&golden, &answer).expect("written");
        } else if fs::read_to_string(&golden).unwrap_or_default() != answer {
            differ.push(format!("{}:\n{answer}", path.display()));
        }
    }
    assert!(differ.is_empty(), "other answers than the golden ones:\n\n{}", differ.join("\n"));
}

#[test]
fn every_answer_names_line_and_column_and_offers_a_help() {
    let mut wrong = 0;
    for path in files() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let checked = checked(&path);
        let answer = told(&path, &checked);
        let errors = checked.problems.iter().filter(|problem| problem.is_error()).count();
        if name.starts_with("warning-") {
            assert_eq!((errors, checked.drills), (0, 1), "{answer}");
            assert_eq!(checked.problems.len(), 1, "{answer}");
            assert_eq!((checked.exit_code(false), checked.exit_code(true)), (0, 2));
        } else {
            wrong += 1;
            assert!(errors > 0, "{answer}");
            assert_eq!(checked.exit_code(false), 2);
        }
        for Problem { place, help, message, .. } in &checked.problems {
            assert!(help.as_deref().is_some_and(|help| !help.is_empty()), "{answer}");
            let (file, at) = (format!("{name}.yaml"), format!("{}:{}", place.line, place.column));
            // Only what is about a whole file stands at no line.
            let found = answer.contains(&format!("--> {file}:{at}\n"))
                || at == "1:1" && answer.contains(&format!("--> {file}\n"));
            assert!(found, "{file}:{at} is not in\n{answer}");
            assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
        }
        for line in answer.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(line.chars().count() < 300, "{line}");
        }
        assert!(!answer.contains("hunter2") && !answer.contains("eyJ"), "a secret:\n{answer}");
    }
    assert!(wrong >= 60, "{wrong} wrong files");
    println!("{wrong} wrong files, {} with warnings only", files().len() - wrong);
}

#[test]
fn a_document_of_another_tool_has_one_problem() {
    let others: Vec<PathBuf> =
        files().into_iter().filter(|path| path.to_string_lossy().contains("/other-")).collect();
    assert!(others.len() > 15, "{others:?}");
    for path in others {
        let checked = checked(&path);
        let [problem] = checked.problems.as_slice() else { panic!("{}", told(&path, &checked)) };
        assert_eq!(problem.code.as_str(), "wrong-kind");
        assert!(problem.message.starts_with("this "), "{}", problem.message);
    }
}

#[test]
fn many_problems_of_one_file_are_told_at_once() {
    let checked = checked(&root().join("tests/bad/many-at-once.yaml"));
    let codes: Vec<_> = checked.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "unknown-cluster",
            "invalid-value",
            "unknown-target",
            "unknown-key",
            "invalid-value",
            "unknown-step"
        ]
    );
}
