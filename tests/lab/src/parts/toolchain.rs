//! Is there a Go command, is it new enough, is there a C compiler: asked before anything is built,
//! answered in one line.

use std::{path::Path, process::Command};

/// The oldest Go that the parts' modules accept.
const GO: (u32, u32) = (1, 26);
/// The first Go that fetches a newer toolchain by itself.
const GO_FETCHES: (u32, u32) = (1, 21);

/// What is missing on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No Go command.
    NoGo,
    /// A Go command that is too old, by its version.
    OldGo(String),
    /// No C compiler.
    NoC,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (major, minor) = GO;
        match self {
            Self::NoGo => write!(
                f,
                "go is not on PATH: install Go {major}.{minor} or newer (https://go.dev/dl)"
            ),
            Self::OldGo(version) => write!(
                f,
                "{version} is too old: install Go {major}.{minor} or newer (https://go.dev/dl)"
            ),
            Self::NoC => write!(
                f,
                "no C compiler (cc, gcc or clang) on PATH: install one, for example the package \
                 build-essential (Debian, Ubuntu) or gcc (Fedora, Alpine with musl-dev)"
            ),
        }
    }
}

impl std::error::Error for Problem {}

/// Asks the Go command in `dir`, a folder without a go.mod.
pub(super) fn require_go(dir: &Path) -> Result<(), Problem> {
    let output = Command::new("go")
        .args(["env", "GOVERSION", "GOTOOLCHAIN"])
        .current_dir(dir)
        .output()
        .map_err(|_| Problem::NoGo)?;
    judge_go(&String::from_utf8_lossy(&output.stdout))
}

/// Judges the answer of `go env GOVERSION GOTOOLCHAIN`: two lines, the second empty before 1.21.
fn judge_go(answer: &str) -> Result<(), Problem> {
    let mut lines = answer.lines().map(str::trim);
    let version = lines.next().filter(|line| !line.is_empty()).ok_or(Problem::NoGo)?;
    let toolchain = lines.next().unwrap_or_default();
    let fetches = toolchain.split('+').any(|word| matches!(word, "auto" | "path"));
    match number(version) {
        // A development version has no number; it is newer than any release we know.
        None => Ok(()),
        Some(found) if found >= GO => Ok(()),
        Some(found) if found >= GO_FETCHES && fetches => Ok(()),
        Some(_) => Err(Problem::OldGo(version.to_owned())),
    }
}

/// `go1.26.8` -> (1, 26)
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

/// Looks for a C compiler: firedrill's TLS and SQLite are built with one.
///
/// # Errors
/// [`Problem::NoC`].
pub fn require_c_compiler() -> Result<(), Problem> {
    let named = std::env::var("CC").ok().filter(|cc| !cc.is_empty());
    let candidates: Vec<String> =
        named.into_iter().chain(["cc", "gcc", "clang"].map(str::to_owned)).collect();
    let answers = |name: &String| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    if candidates.iter().any(answers) { Ok(()) } else { Err(Problem::NoC) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_is_judged_by_version_and_by_what_it_may_fetch() {
        assert_eq!(judge_go("go1.26.8\nauto\n"), Ok(()));
        assert_eq!(judge_go("go1.27rc1\nlocal\n"), Ok(()));
        assert_eq!(judge_go("devel +abc\n\n"), Ok(()));
        assert_eq!(judge_go("go1.22.1\nauto\n"), Ok(()));
        assert_eq!(judge_go("go1.22.1\ngo1.22.1+auto\n"), Ok(()));
        assert_eq!(judge_go("go1.22.1\nlocal\n"), Err(Problem::OldGo("go1.22.1".into())));
        assert_eq!(judge_go("go1.19.8\n\n"), Err(Problem::OldGo("go1.19.8".into())));
        assert_eq!(judge_go(""), Err(Problem::NoGo));
    }

    #[test]
    fn each_problem_is_one_line_that_says_what_to_install() {
        for problem in [Problem::NoGo, Problem::OldGo("go1.19".into()), Problem::NoC] {
            let line = problem.to_string();
            assert!(line.contains("install") && !line.contains('\n'), "{line}");
        }
    }
}
