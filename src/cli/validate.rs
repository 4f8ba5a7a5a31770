//! `firedrill validate`: every problem of drills and configuration, with its place.

use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    config::{self, Config},
    drill::{
        Drill, Loaded, load,
        problem::{Code, Place, Problem, Severity},
        read::{self, Document},
        render,
        render::Sources,
    },
};

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Text {
        /// With ANSI colours.
        colour: bool,
    },
    /// A list of problems.
    Json,
}

/// The exit code for files without problems.
const OK: i32 = 0;
/// The exit code for invalid input.
const INVALID: i32 = 2;

/// What files and folders gave.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every problem, file by file.
    pub problems: Vec<Problem>,
    /// The texts of the files.
    pub sources: Sources,
    /// How many files were read.
    pub files: usize,
    /// How many drills are without errors.
    pub drills: usize,
    /// How many configurations are without errors.
    pub configurations: usize,
    /// The drills without errors, each with its file.
    pub loaded: Vec<(PathBuf, Drill)>,
}

/// Validates files and folders and writes the answer to stdout. `config` is the configuration that
/// drills are checked against if `paths` do not hold one.
///
/// Answers the exit code: 0, or 2 if there are errors (or warnings, with `deny_warnings`).
#[must_use]
pub fn run(paths: &[PathBuf], config: Option<&Config>, output: Output, deny_warnings: bool) -> i32 {
    let checked = check(paths, config);
    let text = match output {
        Output::Text { colour } => {
            format!(
                "{}{}\n",
                render::text(&checked.problems, &checked.sources, colour),
                checked.summary()
            )
        }
        Output::Json => format!("{}\n", render::json(&checked.problems)),
    };
    // Who closed the pipe has read enough: the exit code still tells.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    checked.exit_code(deny_warnings)
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The exit code: 0, or 2 if there are errors (or warnings, with `deny_warnings`).
    #[must_use]
    pub fn exit_code(&self, deny_warnings: bool) -> i32 {
        let bad =
            self.count(Severity::Error) > 0 || deny_warnings && self.count(Severity::Warning) > 0;
        if bad { INVALID } else { OK }
    }

    /// One line: what was read, and how many problems there are.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |number: usize, what: &str| {
            format!("{number} {what}{}", if number == 1 { "" } else { "s" })
        };
        format!(
            "{}: {} and {} ok, {}, {}",
            count(self.files, "file"),
            count(self.drills, "drill"),
            count(self.configurations, "configuration"),
            count(self.count(Severity::Error), "error"),
            count(self.count(Severity::Warning), "warning"),
        )
    }
}

/// Validates files and folders: each file by itself, then drills against each other and against
/// the configuration.
#[must_use]
pub fn check(paths: &[PathBuf], config: Option<&Config>) -> Checked {
    let mut checked = Checked::default();
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files, &mut checked.problems);
    }
    let mut drills: Vec<(PathBuf, Loaded)> = Vec::new();
    let mut found: Vec<Config> = Vec::new();
    for path in files {
        checked.files += 1;
        let text = match load::read_file(&path) {
            Ok(text) => text,
            Err(problem) => {
                checked.problems.push(*problem);
                continue;
            }
        };
        let read = read::read(&text);
        if is_configuration(&read.0) {
            let (config, problems) = config::parse_read(&path, &text, read);
            checked.problems.extend(problems);
            checked.sources.add(&path, &text);
            found.extend(config);
        } else {
            let mut loaded = load::load_read(&path, &text, read);
            checked.problems.append(&mut loaded.problems);
            drills.push((path, loaded));
        }
    }
    checked.drills = drills.iter().map(|(_, loaded)| loaded.drills.len()).sum();
    checked.configurations = found.len();
    same_names(&drills, &mut checked.problems);
    // With several configurations nobody can say which of them a drill belongs to.
    let against = match found.as_slice() {
        [] => config,
        [one] => Some(one),
        _ => None,
    };
    if let Some(against) = against {
        for (_, loaded) in &drills {
            checked.problems.extend(loaded.against(against));
        }
    }
    // By file, so that all of a file is together; stable, so that its order within is kept.
    checked.problems.sort_by(|a, b| a.path.cmp(&b.path));
    for (path, loaded) in drills {
        // Only what has a problem is shown.
        if checked.problems.binary_search_by(|problem| problem.path.cmp(&path)).is_ok() {
            checked.sources.add(&path, &loaded.text);
        }
        checked.loaded.extend(loaded.drills.into_iter().map(|drill| (path.clone(), drill)));
    }
    checked
}

/// Whether the first readable document says that it is a configuration.
fn is_configuration(documents: &[Document]) -> bool {
    documents.iter().find_map(|document| document.root.get("kind")?.as_text())
        == Some("Configuration")
}

/// Notes drills of one name in different files.
fn same_names(drills: &[(PathBuf, Loaded)], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for (path, loaded) in drills {
        for (name, span) in loaded.names() {
            let Some(first) = seen.get(name) else {
                seen.insert(name, path);
                continue;
            };
            let message = format!("there is another drill named `{name}` in {}", first.display());
            let mut problem = Problem::of_file(path, Severity::Error, Code::DuplicateName, message);
            problem.place = Place { ..crate::drill::problem::Lines::new(&loaded.text).place(span) };
            problem.key = "metadata.name".to_owned();
            problem.help("give each drill a name of its own: it is how it is run and looked up");
            problems.push(problem);
        }
    }
}

/// Adds the files of a path: itself, or all `*.yaml` and `*.yml` below a folder, sorted. Links
/// that the caller names are followed, links in a folder are not.
fn collect(path: &Path, files: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) {
    if !path.is_dir() {
        files.push(path.to_owned());
        return;
    }
    let before = (files.len(), problems.len());
    walk(path, files, problems);
    if (files.len(), problems.len()) == before {
        let message = "there is no *.yaml or *.yml file in this folder".to_owned();
        let mut problem = Problem::of_file(path, Severity::Error, Code::NothingToRead, message);
        problem.help("name a folder with drills or a configuration");
        problems.push(problem);
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) {
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("this folder cannot be read: {error}");
            problems.push(Problem::of_file(folder, Severity::Error, Code::Unreadable, message));
            return;
        }
    };
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        let yaml =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // Of the entry itself: what a link points at is not asked.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            walk(&path, files, problems);
        } else if metadata.is_symlink() && (yaml || path.is_dir()) {
            let message = "a link in a folder is not followed".to_owned();
            let mut problem =
                Problem::of_file(&path, Severity::Warning, Code::LinkSkipped, message);
            problem.help("name it on the command line if it is meant");
            problems.push(problem);
        } else if yaml {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests;
