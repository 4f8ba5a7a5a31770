//! What the lab tells people while it works: one line for each event, with elapsed seconds.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// A stopwatch that prints to stderr.
///
/// It writes to the stream itself, not by `eprintln!`: the first build of the parts takes minutes
/// and must be seen under `cargo test` too, which captures the macro's output.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    quiet: AtomicBool,
}

impl Progress {
    /// A stopwatch that starts now.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { start: Instant::now(), quiet: AtomicBool::new(quiet) }
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Prints a line, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet.load(Ordering::Relaxed) {
            self.insist(line);
        }
    }

    /// Prints a line, also when quiet: for what takes minutes, and for failures.
    pub fn insist(&self, line: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        // A closed stderr is no reason to fail.
        let _ = writeln!(std::io::stderr(), "[{seconds:6.1} s] {line}");
    }
}

/// Minutes and seconds, as people say them: `8 s`, `5 min 42 s`.
#[must_use]
pub fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_speech() {
        assert_eq!(human(Duration::from_millis(8900)), "8 s");
        assert_eq!(human(Duration::from_secs(342)), "5 min 42 s");
    }
}
