//! The journal: an append-only SQLite file, the program's memory.
//!
//! One stream for each run, and [`DAEMON`]. Each entry names the hash of the one before it in its
//! stream ([`chain`]). One process at most writes, the [`Leader`]; any may read beside it, the
//! [`Reader`]. All SQL of the house is in this folder and in `migrations/`.
//!
//! Durability: WAL with `synchronous=FULL`, so a commit returns after an fsync of the log. SQLite
//! opens a log that was cut anywhere at its last whole commit.

use std::path::PathBuf;

pub mod chain;
pub mod crash;
mod index;
mod lead;
mod read;
mod store;
mod verify;
mod writer;

pub use index::RunRow;
pub use lead::{Holder, Leader};
pub use read::Reader;
pub use verify::{Break, Verified};

use crate::run::event::{Entry, Event};
use chain::Record;

/// The stream of the daemon itself; every other stream is a run's id.
pub const DAEMON: &str = "daemon";

/// The schema, compiled in.
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no file.
    #[error("no journal at {}: nothing has been run with it yet", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is no journal, or one that this firedrill cannot read.
    #[error("{} cannot be used as a journal: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another process leads.
    #[error("the journal is in use by {holder} (lock {})", path.display())]
    LockHeld {
        /// The lock file.
        path: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// Another process took leadership although we hold the lock (a deleted lock file, a file
    /// system that does not lock). Nothing more can be appended by this process.
    #[error("leadership of the journal is lost: our epoch is {ours}, the journal's is {stored}")]
    LeadershipLost {
        /// Our epoch.
        ours: u64,
        /// The journal's.
        stored: u64,
    },
    /// The stream moved without us; it is never forked.
    #[error("stream {stream} does not end where this process left it (before seq {seq})")]
    Forked {
        /// The stream.
        stream: String,
        /// The seq that was to be written.
        seq: u64,
    },
    /// The drill's slot already ran.
    #[error("slot {slot} of drill {drill} already ran as {run}")]
    SlotTaken {
        /// The drill.
        drill: String,
        /// The slot, RFC 3339 in UTC.
        slot: String,
        /// The run of that slot.
        run: String,
    },
    /// An event that cannot stand at this place of its stream.
    #[error("{kind} cannot be appended to stream {stream}: {why}")]
    Misplaced {
        /// The stream.
        stream: String,
        /// The event's name.
        kind: String,
        /// Why not.
        why: String,
    },
    /// The commit was sent, its outcome could not be read back. The next append finds out first.
    #[error("whether seq {seq} of stream {stream} was written is unknown: {source}")]
    UnknownOutcome {
        /// The stream.
        stream: String,
        /// The seq.
        seq: u64,
        /// What came instead of an answer.
        source: sqlx::Error,
    },
    /// No run has this id.
    #[error("no run is called {text:?}{}", among(candidates))]
    NoRun {
        /// What was asked for.
        text: String,
        /// The newest runs.
        candidates: Vec<String>,
    },
    /// Several runs have this prefix.
    #[error("{text:?} is the start of several runs{}", among(candidates))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Runs with this prefix, newest first.
        candidates: Vec<String>,
    },
    /// An entry of a newer firedrill.
    #[error(
        "stream {stream}, seq {seq}: {what} is unknown to this firedrill; a newer one wrote it"
    )]
    Newer {
        /// The stream.
        stream: String,
        /// The seq.
        seq: u64,
        /// `the event X` or `envelope version N`.
        what: String,
    },
    /// An entry whose columns or body do not decode.
    #[error("stream {stream}, seq {seq} cannot be decoded: {why}")]
    Undecodable {
        /// The stream.
        stream: String,
        /// The seq.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// An event that cannot be written as JSON.
    #[error("an event cannot be encoded: {0}")]
    Encode(#[source] serde_json::Error),
    /// [`Leader::close`] was called, or the writer panicked.
    #[error("the journal is closed")]
    Closed,
    /// The failure injection is malformed.
    #[error("{} must be before:N or after:N with N from 1, not {value:?}", crash::VARIABLE)]
    CrashSetting {
        /// What was found.
        value: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// SQLite failed; nothing was written.
    #[error("cannot {action} the journal: {source}")]
    Sql {
        /// What was tried.
        action: &'static str,
        /// SQLite's answer.
        source: sqlx::Error,
    },
}

impl JournalError {
    /// For `map_err`: what was tried when SQLite failed.
    fn sql(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { action, source }
    }
}

fn among(candidates: &[String]) -> String {
    if candidates.is_empty() {
        "; the journal has no run".to_owned()
    } else {
        format!(": {}", candidates.join(", "))
    }
}

/// Kind and body text of an event, as they are stored.
fn encode(event: &Event) -> Result<(&'static str, String), JournalError> {
    let mut value = serde_json::to_value(event).map_err(JournalError::Encode)?;
    Ok((event.name(), value["body"].take().to_string()))
}

/// The event that kind and body stand for; strict about both.
fn decode(record: &Record) -> Result<Event, JournalError> {
    let (stream, seq) = (record.stream.clone(), record.seq);
    if record.v > chain::VERSION {
        return Err(JournalError::Newer {
            stream,
            seq,
            what: format!("envelope version {}", record.v),
        });
    }
    let body: serde_json::Value = match serde_json::from_str(&record.body) {
        Ok(body) => body,
        Err(error) => {
            return Err(JournalError::Undecodable { stream, seq, why: format!("body: {error}") });
        }
    };
    let tagged = serde_json::json!({"kind": record.kind, "body": body});
    serde_json::from_value(tagged).map_err(|error| {
        let why = error.to_string();
        // serde has no list of variants to ask; its words for this case are stable.
        if why.starts_with(&format!("unknown variant `{}`", record.kind)) {
            JournalError::Newer { stream, seq, what: format!("the event {:?}", record.kind) }
        } else {
            JournalError::Undecodable { stream, seq, why: format!("{}: {why}", record.kind) }
        }
    })
}

/// The entry that a record stands for.
fn entry(record: Record) -> Result<Entry, JournalError> {
    let event = decode(&record)?;
    entry_with(record, event)
}

/// The entry of a record whose event is at hand.
fn entry_with(record: Record, event: Event) -> Result<Entry, JournalError> {
    let wall = record.wall.parse().map_err(|error| JournalError::Undecodable {
        stream: record.stream.clone(),
        seq: record.seq,
        why: format!("wall: {error}"),
    })?;
    Ok(Entry {
        stream: record.stream,
        seq: record.seq,
        prev: record.prev,
        wall,
        boot: record.boot,
        mono: crate::clock::Mono(record.mono),
        process: record.process,
        epoch: record.epoch,
        event,
    })
}

#[cfg(test)]
mod tests;
