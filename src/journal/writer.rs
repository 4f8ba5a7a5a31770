//! The writer: one task owns the write connection.
//!
//! It gives out seq and `prev`, so a note has its place at once although it is written later.
//! Whatever fails, the chain stays right: a seq is used up only by an entry that is in the file
//! or that is a note still waiting to be written.

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    JournalError,
    chain::{Head, Record, VERSION},
    crash::{self, Crash},
    index, read, store,
};
use crate::clock::Clock;

/// A note waits at most this long.
const NOTE_DELAY: Duration = Duration::from_secs(1);

/// More notes than this are written at once, which also bounds what a full disk lets pile up.
const NOTE_COUNT: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// What the writer is asked to do.
pub(super) enum Command {
    Append { new: New, reply: Reply<Record> },
    Raise { above: u64, reply: Reply<u64> },
    Flush { reply: Reply<()> },
    Rebuild { reply: Reply<()> },
    Close { reply: Reply<()> },
}

/// An event to be appended.
pub(super) struct New {
    pub(super) stream: String,
    pub(super) kind: String,
    pub(super) body: String,
    pub(super) note: bool,
}

pub(super) struct Writer {
    path: PathBuf,
    /// None after an error that may have left it in an unknown state.
    conn: Option<SqliteConnection>,
    clock: Arc<dyn Clock>,
    process: String,
    epoch: Arc<AtomicU64>,
    /// An epoch that we may have written: its commit was not answered.
    raising: Option<u64>,
    /// The last entry given out in each stream that this process wrote, waiting notes included.
    heads: HashMap<String, Head>,
    /// Notes that have their place and wait to be written, oldest first.
    waiting: Vec<Record>,
    /// When they must be written.
    due: Option<Instant>,
    /// Writing them failed the last time.
    stuck: bool,
    /// A batch whose commit was not answered.
    doubted: Vec<Record>,
    /// Another process leads: the epoch that it stored.
    lost: Option<u64>,
    crash: Crash,
    /// Held until the last write is done.
    _lock: File,
}

impl Writer {
    /// Opens the file, brings the schema up to date and raises the epoch.
    pub(super) async fn open(
        path: PathBuf,
        lock: File,
        clock: Arc<dyn Clock>,
        process: String,
        epoch: Arc<AtomicU64>,
        crash: Crash,
    ) -> Result<Self, JournalError> {
        let mut conn = store::open(&path).await?;
        epoch.store(store::take_epoch(&mut conn).await?, Ordering::SeqCst);
        Ok(Self {
            path,
            conn: Some(conn),
            clock,
            process,
            epoch,
            raising: None,
            heads: HashMap::new(),
            waiting: Vec::new(),
            due: None,
            stuck: false,
            doubted: Vec::new(),
            lost: None,
            crash,
            _lock: lock,
        })
    }

    /// Serves commands until the last handle is gone or one asks to close.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let closing = loop {
            let due = self.due;
            let command = tokio::select! {
                command = commands.recv() => command,
                () = wake(due) => {
                    self.write_due().await;
                    continue;
                }
            };
            // A reply that nobody waits for is dropped: the caller was cancelled.
            match command {
                None => break None,
                Some(Command::Append { new, reply }) => drop(reply.send(self.append(new).await)),
                Some(Command::Raise { above, reply }) => drop(reply.send(self.raise(above).await)),
                Some(Command::Flush { reply }) => drop(reply.send(self.flush().await)),
                Some(Command::Rebuild { reply }) => drop(reply.send(self.rebuild().await)),
                Some(Command::Close { reply }) => break Some(reply),
            }
        };
        let flushed = self.flush().await;
        if let Err(error) = &flushed {
            tracing::error!(%error, notes = self.waiting.len(), "notes are lost at the end");
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the journal did not close cleanly");
        }
        drop(self);
        if let Some(reply) = closing {
            drop(reply.send(flushed));
        }
    }

    async fn append(&mut self, new: New) -> Result<Record, JournalError> {
        self.settle().await?;
        if new.note && self.stuck {
            // Not a further note onto a pile that cannot be written.
            self.write_waiting().await?;
        }
        let head = match self.heads.get(&new.stream) {
            Some(head) => Some(head.clone()),
            None => store::head(self.conn().await?, &new.stream).await?,
        };
        let (seq, prev) = Head::next(head.as_ref());
        let now = self.clock.now();
        let record = Record {
            v: VERSION,
            stream: new.stream,
            seq,
            prev,
            wall: index::stored(now.wall),
            boot: self.clock.boot().to_owned(),
            mono: now.mono.0,
            process: self.process.clone(),
            epoch: self.epoch.load(Ordering::SeqCst),
            kind: new.kind,
            body: new.body,
        };
        let (die_before, die_after) = (self.crash.is_before_next(), self.crash.is_after_next());
        if new.note && die_before {
            crash::die();
        }
        if new.note && !die_after {
            self.wait(record.clone());
            if self.waiting.len() >= NOTE_COUNT {
                self.write_due().await;
            }
        } else {
            let mut batch = self.waiting.clone();
            batch.push(record.clone());
            self.commit(&batch, die_before).await?;
            self.advance(&batch);
            if die_after {
                crash::die();
            }
        }
        self.crash.count();
        Ok(record)
    }

    /// Gives a note its place.
    fn wait(&mut self, record: Record) {
        self.heads.insert(record.stream.clone(), Head::of(&record));
        self.due.get_or_insert_with(|| Instant::now() + NOTE_DELAY);
        self.waiting.push(record);
    }

    /// The batch is in the file. It began with all waiting notes.
    fn advance(&mut self, batch: &[Record]) {
        for record in batch {
            self.heads.insert(record.stream.clone(), Head::of(record));
        }
        self.waiting.clear();
        self.due = None;
        self.stuck = false;
    }

    /// Writes the waiting notes when nobody asked; an error is for the next caller.
    async fn write_due(&mut self) {
        let written = match self.settle().await {
            Ok(()) => self.write_waiting().await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, notes = self.waiting.len(), "notes wait: the journal fails");
            self.stuck = true;
            self.due = (!self.waiting.is_empty()).then(|| Instant::now() + NOTE_DELAY);
        }
    }

    async fn flush(&mut self) -> Result<(), JournalError> {
        self.settle().await?;
        self.write_waiting().await
    }

    async fn write_waiting(&mut self) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            self.due = None;
            self.stuck = false;
            return Ok(());
        }
        let batch = self.waiting.clone();
        self.commit(&batch, false).await?;
        self.advance(&batch);
        Ok(())
    }

    /// Comes first in every command: refuses if leadership is lost, and finds out what became of
    /// a doubted commit, because the next seq depends on it.
    async fn settle(&mut self) -> Result<(), JournalError> {
        if let Some(stored) = self.lost {
            return Err(self.leadership_lost(stored));
        }
        let Some(last) = self.doubted.last().cloned() else { return Ok(()) };
        let written = store::holds(self.conn().await?, &last).await;
        match written {
            Ok(written) => {
                let batch = std::mem::take(&mut self.doubted);
                if written {
                    self.advance(&batch);
                }
                Ok(())
            }
            Err(error) => {
                self.conn = None;
                Err(error)
            }
        }
    }

    /// Writes a batch in one transaction.
    async fn commit(&mut self, batch: &[Record], die_before: bool) -> Result<(), JournalError> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let raising = self.raising;
        let conn = self.conn().await?;
        let prepared =
            store::prepare(conn, batch, |stored| stored == epoch || Some(stored) == raising).await;
        if let Err(error) = prepared {
            self.roll_back().await;
            if let JournalError::LeadershipLost { stored, .. } = error {
                self.lost = Some(stored);
                self.waiting.clear();
                self.due = None;
                return Err(self.leadership_lost(stored));
            }
            return Err(error);
        }
        if die_before {
            crash::die();
        }
        let Err(source) = store::execute(self.conn().await?, "COMMIT").await else {
            return Ok(());
        };
        // SQLite answers most failed commits by a rollback, but only the file tells.
        self.roll_back().await;
        let Some(last) = batch.last() else { return Ok(()) };
        let found = match self.conn().await {
            Ok(conn) => store::holds(conn, last).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(true) => Ok(()),
            Ok(false) => Err(JournalError::Sql { action: "write to", source }),
            Err(_) => {
                self.conn = None;
                self.doubted = batch.to_vec();
                let (stream, seq) = (last.stream.clone(), last.seq);
                Err(JournalError::UnknownOutcome { stream, seq, source })
            }
        }
    }

    async fn raise(&mut self, above: u64) -> Result<u64, JournalError> {
        self.flush().await?;
        let own = self.epoch.load(Ordering::SeqCst);
        // Above an unanswered attempt too: if that one is in the file, ours must not be below it.
        let wanted = own.max(above.saturating_add(1)).max(self.raising.unwrap_or(0));
        if wanted == own && self.raising.is_none() {
            return Ok(own);
        }
        let raising = self.raising;
        let raised = store::raise_epoch(self.conn().await?, own, raising, wanted).await;
        if let Err(error) = raised {
            self.roll_back().await;
            if let JournalError::LeadershipLost { stored, .. } = error {
                self.lost = Some(stored);
                return Err(self.leadership_lost(stored));
            }
            // It may be in the file all the same; then the next append must not call it a loss.
            self.raising = Some(wanted);
            return Err(error);
        }
        self.raising = None;
        self.epoch.store(wanted, Ordering::SeqCst);
        Ok(wanted)
    }

    async fn rebuild(&mut self) -> Result<(), JournalError> {
        self.flush().await?;
        let conn = self.conn().await?;
        let rebuilt = store::rebuild_index(conn).await;
        if rebuilt.is_err() {
            self.roll_back().await;
        }
        rebuilt
    }

    fn leadership_lost(&self, stored: u64) -> JournalError {
        JournalError::LeadershipLost { ours: self.epoch.load(Ordering::SeqCst), stored }
    }

    /// Leaves no transaction open; a connection that cannot roll back is replaced.
    async fn roll_back(&mut self) {
        if let Some(conn) = &mut self.conn
            && let Err(error) = store::execute(conn, "ROLLBACK").await
            && !read::is_no_transaction(&error)
        {
            self.conn = None;
        }
    }

    async fn conn(&mut self) -> Result<&mut SqliteConnection, JournalError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                store::options(&self.path).connect().await.map_err(JournalError::sql("open"))?
            }
        };
        Ok(self.conn.insert(conn))
    }
}

/// Sleeps until `due`; for ever without one.
async fn wake(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
