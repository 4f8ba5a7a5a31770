//! Failure injection: dies at a chosen append.
//!
//! The promise that every crash is undone is shown by crashing at **every** journal point, in
//! the program that is shipped and not in a copy built for tests. `FIREDRILL_CRASH=before:N` or
//! `after:N` kills this process with SIGKILL right before its N-th appended event is committed,
//! or right after it was committed durably. N counts every event of the process from 1, notes
//! too. Unset, it costs one look at the environment when leadership is taken.

use super::JournalError;

/// The environment variable that is read.
pub const VARIABLE: &str = "FIREDRILL_CRASH";

/// Where to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Before(u64),
    After(u64),
}

/// Counts appends and dies at the chosen one.
#[derive(Debug, Default)]
pub(super) struct Crash {
    point: Option<Point>,
    appended: u64,
}

impl Crash {
    /// Reads [`VARIABLE`]. A malformed value is an error: an injection that silently does
    /// nothing would let a crash test pass.
    pub(super) fn from_env() -> Result<Self, JournalError> {
        let Some(value) = std::env::var_os(VARIABLE) else { return Ok(Self::default()) };
        let value = value.to_string_lossy();
        let point = parse(&value)
            .ok_or_else(|| JournalError::CrashSetting { value: value.clone().into_owned() })?;
        Ok(Self { point: Some(point), appended: 0 })
    }

    /// Whether the next event is to die before its commit.
    pub(super) fn is_before_next(&self) -> bool {
        self.point == Some(Point::Before(self.appended + 1))
    }

    /// Whether the next event is to die once it is durable; a note must not wait then.
    pub(super) fn is_after_next(&self) -> bool {
        self.point == Some(Point::After(self.appended + 1))
    }

    /// An event was taken.
    pub(super) fn count(&mut self) {
        self.appended += 1;
    }
}

fn parse(value: &str) -> Option<Point> {
    let (side, n) = value.split_once(':')?;
    let n = n.parse().ok().filter(|n| *n > 0)?;
    match side {
        "before" => Some(Point::Before(n)),
        "after" => Some(Point::After(n)),
        _ => None,
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no signal handler runs.
pub(super) fn die() -> ! {
    let sent =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // A failed kill must not go on past the point; abort is the nearest thing.
    if sent.is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_refused() {
        assert_eq!(parse("before:1"), Some(Point::Before(1)));
        assert_eq!(parse("after:12"), Some(Point::After(12)));
        for bad in ["", "after", "after:0", "after:-1", "during:1", "after:1:2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
