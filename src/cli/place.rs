//! Where a command works: its configuration, its journal, its drill.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    cli::validate,
    config::{self, Config},
    drill::{self, Drill, problem::Problem, render},
    journal::JournalError,
};

/// Why a command ended early; printed once, then the code is the exit code.
#[derive(Debug)]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// For stderr; empty if everything was said. Lines `error: ...` and `  help: ...`.
    pub message: String,
    /// The problems of a file, as `validate --output json` gives them; null if it is none.
    pub problems: Value,
}

/// Invalid input.
pub const INVALID: u8 = 2;
/// Aborted, or refused before anything was changed.
pub const ABORTED: u8 = 3;
/// A defect, or a machine that cannot do what we need.
pub const INTERNAL: u8 = 70;

impl Exit {
    /// Ends with a code and a message.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), problems: Value::Null }
    }

    /// Invalid input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(INVALID, message)
    }

    /// Refused before anything was changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ABORTED, message)
    }

    /// A defect, or a machine that cannot do what we need.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }
}

impl Exit {
    /// The answer of a command that has none, for `--output json`: one object with `error`,
    /// `help`, `exitCode`, and `problems` where a file has them.
    #[must_use]
    pub fn json(&self) -> String {
        let (error, help) = match self.message.trim_end().split_once("\n  help: ") {
            Some((error, help)) => (error, Some(help)),
            None => (self.message.trim_end(), None),
        };
        let error = error.strip_prefix("error: ").unwrap_or(error);
        let mut value = json!({"error": error, "help": help, "exitCode": self.code});
        if let Some(problems) = self.problems.as_array() {
            let count = crate::report::words::count(problems.len(), "problem");
            value["error"] = format!("invalid input: {count}").into();
            value["help"] = Value::Null;
            value["problems"] = self.problems.clone();
        }
        format!("{value:#}")
    }
}

impl From<JournalError> for Exit {
    /// What a journal that cannot be used means for a command.
    fn from(error: JournalError) -> Self {
        let (code, help) = match &error {
            JournalError::Missing { .. } => {
                (INVALID, "`firedrill run` makes it; or is `journal` of the configuration wrong?")
            }
            JournalError::NoRun { .. } => (INVALID, "`firedrill history` lists all runs"),
            JournalError::Ambiguous { .. } => (INVALID, "give more of its beginning"),
            JournalError::LockHeld { .. } => {
                (ABORTED, "one firedrill at a time: wait until it ends, or stop it with SIGTERM")
            }
            JournalError::File { .. } | JournalError::Sql { .. } => (
                INTERNAL,
                "`journal` of the configuration names a file; its folder must be writable and on \
                 a local disk with space left",
            ),
            JournalError::Newer { .. } => (INTERNAL, "use a firedrill at least as new"),
            JournalError::Unusable { .. } => {
                (INTERNAL, "name another file as `journal` of the configuration, and keep this one")
            }
            _ => return Self::internal(format!("error: {error}")),
        };
        Self::new(code, format!("error: {error}\n  help: {help}"))
    }
}

/// Where the configuration is looked for.
const PLACES: [&str; 2] = ["/etc/firedrill/firedrill.yaml", "config/firedrill.yaml"];

/// The configuration's path: the one given, or the first default that exists.
///
/// # Errors
/// If there is none.
pub fn config_path(given: Option<&Path>) -> Result<PathBuf, Exit> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    PLACES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
        Exit::invalid(format!(
            "error: there is no configuration\n  help: write one to {} (config/firedrill.yaml is a \
             sample), or name it with --config",
            PLACES[0]
        ))
    })
}

/// Loads the configuration.
///
/// # Errors
/// With every problem rendered, exit code 2.
pub fn config(given: Option<&Path>) -> Result<Config, Exit> {
    let path = config_path(given)?;
    let (config, problems) = config::load(&path);
    let text = drill::load::read_file(&path).unwrap_or_default();
    match config {
        Some(config) if !problems.iter().any(Problem::is_error) => Ok(config),
        _ => Err(invalid(&problems, &path, &text)),
    }
}

/// Finds a drill: by file, or by name in the configuration's folders; checked against the
/// configuration.
///
/// # Errors
/// With every problem rendered, exit code 2.
pub fn find_drill(config: &Config, wanted: &str, name: Option<&str>) -> Result<Drill, Exit> {
    let path = Path::new(wanted);
    let looks_like_a_file = wanted.contains(['/', '.']) || path.is_file();
    if !looks_like_a_file {
        return by_name(config, wanted);
    }
    let loaded = drill::load_file(path);
    let mut problems = loaded.problems.clone();
    problems.extend(loaded.against(config));
    if problems.iter().any(Problem::is_error) {
        return Err(invalid(&problems, path, &loaded.text));
    }
    let known: Vec<&str> = loaded.drills.iter().map(|drill| drill.name.as_str()).collect();
    let found = match name {
        Some(name) => loaded.drills.iter().find(|drill| drill.name == name),
        None if loaded.drills.len() == 1 => loaded.drills.first(),
        None => None,
    };
    found.cloned().ok_or_else(|| {
        let known = known.join(", ");
        Exit::invalid(match name {
            Some(name) => {
                format!("error: there is no drill `{name}` in {wanted}\n  help: it holds: {known}")
            }
            None => format!(
                "error: {wanted} holds several drills\n  help: choose one with --name: {known}"
            ),
        })
    })
}

fn by_name(config: &Config, wanted: &str) -> Result<Drill, Exit> {
    let checked = validate::check(&config.drills, Some(config));
    let mut names = Vec::new();
    for (path, drill) in &checked.loaded {
        if drill.name != wanted {
            names.push(drill.name.clone());
            continue;
        }
        let of_file: Vec<Problem> =
            checked.problems.iter().filter(|p| p.path == *path && p.is_error()).cloned().collect();
        if of_file.is_empty() {
            return Ok(drill.clone());
        }
        let text = drill::load::read_file(path).unwrap_or_default();
        return Err(invalid(&of_file, path, &text));
    }
    names.sort();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    // A drill with an error is none: its name may be the one that is wanted.
    let errors = checked.problems.iter().filter(|problem| problem.is_error()).count();
    let hidden = match errors {
        0 => String::new(),
        n => format!(
            "; `firedrill validate` shows {} that may hide it",
            crate::report::words::count(n, "error")
        ),
    };
    if config.drills.is_empty() {
        return Err(Exit::invalid(format!(
            "error: there is no drill `{wanted}`: `drills` of {} names no folder\n  help: name a \
             file, such as drills/{wanted}.yaml, or set `drills`",
            config.path.display()
        )));
    }
    let folders: Vec<String> = config.drills.iter().map(|p| p.display().to_string()).collect();
    Err(Exit::invalid(format!(
        "error: there is no drill `{wanted}` in {}\n  help: known drills: {known}{hidden}",
        folders.join(", "),
    )))
}

/// A file that cannot be used: every problem as text, and again for programs.
fn invalid(problems: &[Problem], path: &Path, text: &str) -> Exit {
    problems_of(problems, &render::Sources::of(path, text))
}

/// Input that cannot be used: every problem as text, and again for programs.
pub(super) fn problems_of(problems: &[Problem], sources: &render::Sources) -> Exit {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut exit = Exit::invalid(render::text(problems, sources, colour));
    exit.problems = render::values(problems);
    exit
}
