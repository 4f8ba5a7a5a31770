//! Leadership: the lock, the epoch, and the write side's handle.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    JournalError, Reader, crash, encode, entry_with, index,
    writer::{Command, New, Writer},
};
use crate::{
    clock::Clock,
    run::event::{Class, Entry, Event},
    supervise::{TaskKind, spawn},
};

/// Appends that may wait for the writer before `append` itself waits.
const QUEUE: usize = 64;

/// Who holds the lock, as the lock file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process number; 0 if the lock file does not say.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// Since when, RFC 3339.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process that has not named itself");
        }
        write!(f, "process {} since {}: {}", self.pid, self.since, self.command)
    }
}

/// The write side of the journal; at most one process has it. Clones share one writer.
///
/// Dropping the last clone lets the writer finish what it accepted and release the lock in the
/// background; [`Leader::close`] waits for that.
#[derive(Clone)]
pub struct Leader {
    inner: Arc<Inner>,
}

struct Inner {
    commands: mpsc::Sender<Command>,
    epoch: Arc<AtomicU64>,
    process: String,
    path: PathBuf,
    /// Clusters that took an epoch from this process.
    told: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader")
            .field("path", &self.inner.path)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

impl Leader {
    /// Takes leadership of the journal at `path`: creates it (mode 0600) and its folder where
    /// they are missing, takes an advisory lock on `PATH.lock`, brings the schema up to date, and
    /// raises the epoch by one, durably. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`JournalError::LockHeld`] names the process that leads; [`JournalError::Unusable`] for a
    /// file that is no journal or a newer one; file and SQLite errors.
    pub async fn take(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        let crash = crash::Crash::from_env()?;
        let path = create(path)?;
        let now = clock.now();
        let lock = lock(&path, &index::stored(now.wall))?;
        let process = process_id(now.wall).to_string();
        let epoch = Arc::new(AtomicU64::new(0));
        let (commands, receiver) = mpsc::channel(QUEUE);
        let writer =
            Writer::open(path.clone(), lock, clock, process.clone(), epoch.clone(), crash).await?;
        // Its result is not awaited: every reply channel tells of its end, and a panic is logged.
        drop(spawn(TaskKind::JournalWriter, "", CancellationToken::new(), writer.run(receiver)));
        let told = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { commands, epoch, process, path, told }) })
    }

    /// The epoch of our leadership.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner.epoch.load(Ordering::SeqCst)
    }

    /// Whether this process has made a cluster know an epoch of its own. The same number may come
    /// from a process whose journal is lost, and a new journal counts from one again.
    #[must_use]
    pub fn has_told(&self, cluster: &str) -> bool {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner).contains(cluster)
    }

    /// Remembers that a cluster took an epoch from this process.
    pub fn tell(&self, cluster: &str) {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.to_owned());
    }

    /// The id of this process, a UUIDv7.
    #[must_use]
    pub fn process(&self) -> &str {
        &self.inner.process
    }

    /// Raises our epoch to at least `above + 1`, durably, because a cluster has seen `above`;
    /// gives the epoch that holds now. Never lowers it.
    ///
    /// # Errors
    /// [`JournalError::LeadershipLost`]; SQLite errors, after which the old epoch holds.
    pub async fn raise_epoch(&self, above: u64) -> Result<u64, JournalError> {
        self.ask(|reply| Command::Raise { above, reply }).await
    }

    /// Appends an event. An act or a fact is durable when this returns `Ok`; a note has its place
    /// in the stream then, and is written within a second and before the next act or fact.
    ///
    /// The event is written even if the caller stops waiting.
    ///
    /// # Errors
    /// On an error the event is not in the journal and its seq is free, except for
    /// [`JournalError::UnknownOutcome`]. After an I/O error the writer stays usable. A note that
    /// could not be written makes the appends after it fail until it is.
    pub async fn append(&self, stream: &str, event: Event) -> Result<Entry, JournalError> {
        let (kind, body) = encode(&event)?;
        let note = event.class() == Class::Note;
        let new = New { stream: stream.to_owned(), kind: kind.to_owned(), body, note };
        let record = self.ask(|reply| Command::Append { new, reply }).await?;
        entry_with(record, event)
    }

    /// Writes all notes, durably.
    ///
    /// # Errors
    /// SQLite errors; the notes stay and are tried again.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.ask(|reply| Command::Flush { reply }).await
    }

    /// Writes the index of runs anew from the entries, in one transaction.
    ///
    /// # Errors
    /// SQLite errors; entries that do not decode. The old index stays then.
    pub async fn rebuild_index(&self) -> Result<(), JournalError> {
        self.ask(|reply| Command::Rebuild { reply }).await
    }

    /// Writes all notes and releases the lock. Other clones get [`JournalError::Closed`] then.
    ///
    /// # Errors
    /// Those of [`Leader::flush`]; the lock is released all the same.
    pub async fn close(self) -> Result<(), JournalError> {
        self.ask(|reply| Command::Close { reply }).await
    }

    /// A reader of the same file. It does not see notes that are not yet written.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::lazy(&self.inner.path)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Command,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(command(reply)).await.map_err(|_| JournalError::Closed)?;
        answer.await.unwrap_or(Err(JournalError::Closed))
    }
}

/// A UUIDv7 of `wall`: made from our clock, since only `clock.rs` reads one.
fn process_id(wall: jiff::Timestamp) -> uuid::Uuid {
    let seconds = u64::try_from(wall.as_second()).unwrap_or(0);
    let nanos = u32::try_from(wall.subsec_nanosecond()).unwrap_or(0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

/// Makes folder and file where they are missing; gives the file's canonical path, so that two
/// names of one journal share one lock.
fn create(path: &Path) -> Result<PathBuf, JournalError> {
    let fail = |action, path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::File { action, path, source }
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(fail("create the folder", folder))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(fail("open the journal", path))?;
    let mode = file.metadata().map_err(fail("look at", path))?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(fail("protect", path))?;
    }
    // A file whose name is not durable would be gone after a power loss, with every fsync in it.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail("sync", folder))?;
    path.canonicalize().map_err(fail("resolve", path))
}

/// The lock file beside the journal.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Takes the lock and writes our name into it. The kernel releases it when the file is closed,
/// so also when the process dies. Children do not inherit it: the file is close-on-exec.
fn lock(journal: &Path, since: &str) -> Result<File, JournalError> {
    let path = lock_path(journal);
    let fail = |action| {
        let path = path.clone();
        move |source: std::io::Error| JournalError::File { action, path, source }
    };
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail("open the lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(JournalError::LockHeld { holder: holder(&mut file), path });
            }
            Err(errno) => return Err(fail("lock")(errno.into())),
        }
        // Somebody may have removed the file between open and lock; then the lock locks nothing.
        let ours = file.metadata().map_err(fail("look at"))?;
        match std::fs::metadata(&path) {
            Ok(named) if named.ino() == ours.ino() && named.dev() == ours.dev() => {}
            _ => continue,
        }
        let command: Vec<_> =
            std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let holder =
            Holder { pid: std::process::id(), command: command.join(" "), since: since.to_owned() };
        let text = serde_json::to_string(&holder).map_err(JournalError::Encode)?;
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(fail("write"))?;
        return Ok(file);
    }
}

/// Reads who holds the lock. It may have locked and not yet written; give it a moment.
fn holder(file: &mut File) -> Holder {
    for _ in 0..20 {
        let mut text = String::new();
        if file.rewind().and_then(|()| file.read_to_string(&mut text)).is_ok()
            && let Ok(holder) = serde_json::from_str(&text)
        {
            return holder;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Holder { pid: 0, command: String::new(), since: String::new() }
}
