//! `firedrill validate`: every problem of drills and configuration, with its place.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    config::{self, Config},
    drill::{
        Drill, Loaded, load,
        problem::{Also, Code, Lines, Problem, Severity, neutral},
        read::{self, Document},
        render,
        render::Sources,
        tree::Span,
    },
    world::files,
};

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Text {
        /// With ANSI colours.
        colour: bool,
    },
    /// One object with the problems.
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
    /// The configurations without errors.
    found: Vec<Config>,
    /// The configuration that the drills were compared with.
    pub against: Option<PathBuf>,
    /// The drills without errors, each with its file.
    pub loaded: Vec<(PathBuf, Drill)>,
    /// Whether there was any drill, or any configuration, also one with errors.
    seen_drills: bool,
    seen_configurations: bool,
}

/// The configuration that drills are compared with if the paths do not hold one.
#[derive(Clone, Debug, Default)]
pub enum Beside {
    /// None was named, and none was found in the usual places.
    #[default]
    None,
    /// It was found in one of the usual places, and has errors.
    Broken(PathBuf),
    /// It has none.
    Good(Box<Config>),
}

/// Validates files and folders and writes the answer to stdout.
///
/// Answers the exit code: 0, or 2 if there are errors (or warnings, with `deny_warnings`).
#[must_use]
pub fn run(
    paths: &[PathBuf],
    beside: &Beside,
    output: Output,
    deny_warnings: bool,
    files: Option<Timestamp>,
) -> i32 {
    let config = match beside {
        Beside::Good(config) => Some(&**config),
        Beside::None | Beside::Broken(_) => None,
    };
    let mut checked = check(paths, config);
    if let Some(now) = files {
        checked.look_at_files(now);
    }
    let text = match output {
        Output::Text { colour } => {
            format!(
                "{}{}\n{}",
                render::text(&checked.problems, &checked.sources, colour),
                checked.summary(),
                checked.note(beside)
            )
        }
        Output::Json => format!("{}\n", checked.json(deny_warnings)),
    };
    // Who closed the pipe has read enough: the exit code still tells.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    checked.exit_code(deny_warnings)
}

impl Checked {
    /// Looks at the files that the configurations name.
    fn look_at_files(&mut self, now: Timestamp) {
        for config in &self.found {
            // It could be read a moment ago; were it gone, that was told already.
            let text = load::read_file(&config.path).unwrap_or_default();
            self.problems.extend(files::check(config, &text, now));
        }
        self.problems
            .sort_by(|a, b| (&a.path, a.place.span.start).cmp(&(&b.path, b.place.span.start)));
    }

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

    /// A line that says why drills were not compared with a configuration, if they were not.
    fn note(&self, beside: &Beside) -> String {
        if self.against.is_some() || !self.seen_drills {
            return String::new();
        }
        let why = match beside {
            _ if self.configurations > 1 => "there are several configurations".to_owned(),
            Beside::Broken(path) => {
                format!("the configuration {} has errors", neutral(&path.to_string_lossy()))
            }
            _ if self.seen_configurations => "the configuration has errors".to_owned(),
            Beside::None | Beside::Good(_) => "there is no configuration".to_owned(),
        };
        format!("note: {why}, so the names of clusters, targets and stores were not compared\n")
    }

    /// `{valid, files, drills, configuration, errors, warnings, problems}`: whether the exit code is
    /// 0, how many files were read and drills are without errors, the configuration that they were
    /// compared with or null, how many errors and warnings there are, and the problems as
    /// [`render::json`] gives them.
    fn json(&self, deny_warnings: bool) -> String {
        let answer = serde_json::json!({
            "valid": self.exit_code(deny_warnings) == OK,
            "files": self.files,
            "drills": self.drills,
            "configuration": self.against.as_ref().map(|path| path.to_string_lossy()),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "problems": render::values(&self.problems),
        });
        format!("{answer:#}")
    }
}

/// Validates files and folders: each file by itself, then drills against each other and against
/// the configuration.
#[must_use]
pub fn check(paths: &[PathBuf], config: Option<&Config>) -> Checked {
    let mut checked = Checked::default();
    let mut files = Files::default();
    for path in paths {
        files.add(path, &mut checked.problems);
    }
    let mut drills: Vec<(PathBuf, Loaded)> = Vec::new();
    let mut found: Vec<Config> = Vec::new();
    for path in files.paths {
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
            checked.seen_configurations = true;
            checked.problems.extend(problems);
            checked.sources.add(&path, &text);
            found.extend(config);
        } else {
            let mut loaded = load::load_read(&path, &text, read);
            checked.seen_drills |= loaded.names().next().is_some();
            checked.problems.append(&mut loaded.problems);
            drills.push((path, loaded));
        }
    }
    checked.drills = drills.iter().map(|(_, loaded)| loaded.drills.len()).sum();
    checked.configurations = found.len();
    checked.found.clone_from(&found);
    same_names(&drills, &mut checked.problems);
    // With several configurations nobody can say which of them a drill belongs to.
    let against = match found.as_slice() {
        [] if !checked.seen_configurations => config,
        [one] => Some(one),
        _ => None,
    };
    if let Some(against) = against {
        checked.against = Some(against.path.clone());
        for (_, loaded) in &drills {
            checked.problems.extend(loaded.against(against));
        }
    }
    // By file, so that all of a file is together, and within it from top to bottom.
    checked
        .problems
        .sort_by(|a, b| a.path.cmp(&b.path).then(a.place.span.start.cmp(&b.place.span.start)));
    let others: BTreeSet<&PathBuf> = checked
        .problems
        .iter()
        .filter_map(|problem| problem.also.as_ref()?.path.as_ref())
        .collect();
    for (path, loaded) in &drills {
        // Only what has a problem is shown, and what another file's problem points at.
        let shown = checked.problems.binary_search_by(|problem| problem.path.cmp(path)).is_ok();
        if shown || others.contains(path) {
            checked.sources.add(path, &loaded.text);
        }
    }
    let each = drills.into_iter().flat_map(|(path, loaded)| {
        loaded.drills.into_iter().map(move |drill| (path.clone(), drill))
    });
    checked.loaded = each.collect();
    checked
}

/// Whether the first document that says what it is says that it is a configuration.
fn is_configuration(documents: &[Document]) -> bool {
    documents.iter().find_map(|document| document.root.get("kind")?.as_text())
        == Some("Configuration")
}

/// Notes drills of one name in different files.
fn same_names(drills: &[(PathBuf, Loaded)], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, (&Path, &Span, &str)> = HashMap::new();
    for (path, loaded) in drills {
        for (name, span) in loaded.names() {
            let Some((first, at, text)) = seen.get(name) else {
                seen.insert(name, (path, span, &loaded.text));
                continue;
            };
            let first_place = Lines::new(text).place(at);
            let message = format!(
                "there is another drill named `{name}` in {}:{}",
                first.display(),
                first_place.line
            );
            let mut problem = Problem::of_file(path, Severity::Error, Code::DuplicateName, message);
            problem.place = Lines::new(&loaded.text).place(span);
            problem.key = "metadata.name".to_owned();
            problem.help(load::OF_ITS_OWN);
            problem.also = Some(Also {
                path: Some((*first).to_owned()),
                place: first_place,
                label: "first here".to_owned(),
            });
            problems.push(problem);
        }
    }
}

/// The files to be read, each once.
#[derive(Debug, Default)]
struct Files {
    paths: Vec<PathBuf>,
    /// Where they are in truth: a file may be there twice, by a link.
    seen: BTreeSet<PathBuf>,
    /// How many were found, those that were there before among them.
    found: usize,
}

impl Files {
    /// Adds the files of a path: itself, or all `*.yaml` and `*.yml` below a folder, sorted. What is
    /// hidden (`.git`, the `..data` of a mounted ConfigMap) is left out. A link to a file is
    /// followed; a link to a folder is not, because it may lead back.
    fn add(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        if !path.is_dir() {
            self.push(path.to_owned());
            return;
        }
        let before = (self.found, problems.len());
        self.walk(path, problems);
        if (self.found, problems.len()) == before {
            let message = "there is no *.yaml or *.yml file in this folder".to_owned();
            let mut problem = Problem::of_file(path, Severity::Error, Code::NothingToRead, message);
            problem.help("name a folder with drills or a configuration; hidden files are not read");
            problems.push(problem);
        }
    }

    fn push(&mut self, path: PathBuf) {
        self.found += 1;
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if self.seen.insert(real) {
            self.paths.push(path);
        }
    }

    fn walk(&mut self, folder: &Path, problems: &mut Vec<Problem>) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => return unreadable(folder, &error, problems),
        };
        let mut paths: Vec<PathBuf> = entries
            .iter()
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .map(fs::DirEntry::path)
            .collect();
        paths.sort();
        for path in paths {
            let yaml =
                path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            // Of the entry itself: where a link points to is asked only below.
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(error) => {
                    unreadable(&path, &error, problems);
                    continue;
                }
            };
            if kind.is_dir() {
                self.walk(&path, problems);
            } else if kind.is_symlink() && path.is_dir() {
                let message = "a link to a folder is not followed".to_owned();
                let mut problem =
                    Problem::of_file(&path, Severity::Warning, Code::LinkSkipped, message);
                problem.help("name that folder on the command line if it is meant");
                problems.push(problem);
            } else if yaml {
                self.push(path);
            }
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error, problems: &mut Vec<Problem>) {
    let message = format!("this folder cannot be read: {error}");
    let mut problem = Problem::of_file(path, Severity::Error, Code::Unreadable, message);
    problem.help("the user that firedrill runs as needs to read and enter it");
    problems.push(problem);
}

#[cfg(test)]
mod tests;
