//! Where a command works: its configuration, its journal, its drill.

use std::path::{Path, PathBuf};

use crate::{
    cli::{args::Format, validate},
    config::{self, Config},
    drill::{self, Drill, problem::Problem, render},
};

/// Why a command ended early; printed once, then the code is the exit code.
#[derive(Debug)]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// For stderr; empty if everything was said.
    pub message: String,
}

/// Invalid input.
pub const INVALID: u8 = 2;
/// Aborted, or refused before anything was changed.
pub const ABORTED: u8 = 3;
/// A defect, or a machine that cannot do what we need.
pub const INTERNAL: u8 = 70;

impl Exit {
    /// Invalid input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: INVALID, message: message.into() }
    }

    /// Refused before anything was changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: ABORTED, message: message.into() }
    }

    /// A defect, or a machine that cannot do what we need.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: INTERNAL, message: message.into() }
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
pub fn config(given: Option<&Path>, output: Format) -> Result<Config, Exit> {
    let path = config_path(given)?;
    let (config, problems) = config::load(&path);
    let text = drill::load::read_file(&path).unwrap_or_default();
    match config {
        Some(config) if !problems.iter().any(Problem::is_error) => Ok(config),
        _ => Err(Exit::invalid(rendered(&problems, &path, &text, output))),
    }
}

/// Finds a drill: by file, or by name in the configuration's folders; checked against the
/// configuration.
///
/// # Errors
/// With every problem rendered, exit code 2.
pub fn find_drill(
    config: &Config,
    wanted: &str,
    name: Option<&str>,
    output: Format,
) -> Result<Drill, Exit> {
    let path = Path::new(wanted);
    let looks_like_a_file = wanted.contains(['/', '.']) || path.is_file();
    if !looks_like_a_file {
        return by_name(config, wanted, output);
    }
    let loaded = drill::load_file(path);
    let mut problems = loaded.problems.clone();
    problems.extend(loaded.against(config));
    if problems.iter().any(Problem::is_error) {
        return Err(Exit::invalid(rendered(&problems, path, &loaded.text, output)));
    }
    let known: Vec<&str> = loaded.drills.iter().map(|drill| drill.name.as_str()).collect();
    let found = match name {
        Some(name) => loaded.drills.iter().find(|drill| drill.name == name),
        None if loaded.drills.len() == 1 => loaded.drills.first(),
        None => None,
    };
    found.cloned().ok_or_else(|| {
        Exit::invalid(format!(
            "error: {wanted} holds {} drills: {}\n  help: choose one with --name",
            known.len(),
            known.join(", ")
        ))
    })
}

fn by_name(config: &Config, wanted: &str, output: Format) -> Result<Drill, Exit> {
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
        return Err(Exit::invalid(rendered(&of_file, path, &text, output)));
    }
    names.sort();
    let folders: Vec<String> = config.drills.iter().map(|p| p.display().to_string()).collect();
    Err(Exit::invalid(format!(
        "error: there is no drill `{wanted}` in {}\n  help: known drills: {}",
        folders.join(", "),
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    )))
}

fn rendered(problems: &[Problem], path: &Path, text: &str, output: Format) -> String {
    match output {
        Format::Json => render::json(problems),
        Format::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            render::text(problems, &render::Sources::of(path, text), colour)
        }
    }
}
