//! A run's record: its journal stream and its machine, always in step.
//!
//! Every event goes through [`Record::append`]: legal, then durable, then believed. Where the
//! journal does not take the event of an undo, the undo goes on all the same and the event waits
//! in a backlog, in order, until the journal is back: giving a node back matters more than
//! writing about it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    event::{Entry, Event},
    machine::{Illegal, Machine},
};
use crate::{
    clock::Clock,
    journal::{JournalError, Leader},
    supervise::{TaskError, TaskKind, spawn},
};

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It may not happen here.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The journal did not take it.
    #[error("the journal did not take {event}: {source}")]
    Journal {
        /// The event's name.
        event: &'static str,
        /// The cause.
        #[source]
        source: JournalError,
    },
    /// The append broke off.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// A run's stream and machine.
pub struct Record {
    core: Arc<Core>,
    /// Events of undos that the journal has not taken yet; the lock orders all appends.
    backlog: Arc<AsyncMutex<Backlog>>,
}

type Backlog = VecDeque<Event>;

/// What an append works on. An append that has begun goes on to its end as a task of its own,
/// even if whoever wanted it is gone (a step that timed out): an entry that is in the journal and
/// that the machine has not seen would put the two out of step for good.
struct Core {
    leader: Leader,
    clock: Arc<dyn Clock>,
    stream: String,
    machine: Mutex<Machine>,
    entries: Mutex<Vec<Entry>>,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Entry>>>,
}

impl Record {
    /// A record on top of what the journal holds of `stream` already.
    ///
    /// # Errors
    /// If the stream is not legal.
    pub fn new(
        leader: Leader,
        clock: Arc<dyn Clock>,
        stream: &str,
        entries: Vec<Entry>,
    ) -> Result<Self, Illegal> {
        let machine = Machine::replay(&entries)?;
        let core = Core {
            leader,
            clock,
            stream: stream.to_owned(),
            machine: Mutex::new(machine),
            entries: Mutex::new(entries),
            watchers: Mutex::new(Vec::new()),
        };
        Ok(Self { core: Arc::new(core), backlog: Arc::default() })
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.core.stream
    }

    /// The leader that writes.
    #[must_use]
    pub fn leader(&self) -> &Leader {
        &self.core.leader
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.clock
    }

    /// Looks at the machine.
    pub fn with<R>(&self, look: impl FnOnce(&Machine) -> R) -> R {
        self.core.with(look)
    }

    /// All entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.core.entries).clone()
    }

    /// Entries from now on, for an observer.
    #[must_use]
    pub fn watch(&self) -> mpsc::UnboundedReceiver<Entry> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.core.watchers).push(sender);
        receiver
    }

    /// Appends an event: legal, durable as its class asks, then believed.
    ///
    /// # Errors
    /// If it is not legal, or the journal does not take it. Nothing has changed then.
    pub async fn append(&self, event: Event) -> Result<Entry, RecordError> {
        self.append_with(|_| event).await
    }

    /// Appends an event that is made from the machine as it stands at its turn.
    ///
    /// # Errors
    /// As [`Record::append`].
    pub async fn append_with(
        &self,
        make: impl FnOnce(&Machine) -> Event + Send,
    ) -> Result<Entry, RecordError> {
        let mut turn = Arc::clone(&self.backlog).lock_owned().await;
        let event = self.with(make);
        let core = Arc::clone(&self.core);
        self.to_its_end(async move {
            core.catch_up(&mut turn, event.name()).await?;
            core.with(|machine| machine.allows(&event))?;
            core.write(event).await
        })
        .await
    }

    /// Appends the event of an undo. If the journal does not take it, it is believed all the same
    /// and written later.
    ///
    /// # Errors
    /// If it is not legal.
    pub async fn append_undo(&self, event: Event) -> Result<(), RecordError> {
        let mut turn = Arc::clone(&self.backlog).lock_owned().await;
        self.with(|machine| machine.allows(&event))?;
        let core = Arc::clone(&self.core);
        self.to_its_end(async move { core.append_undo(&mut turn, event).await }).await
    }

    /// Writes what the journal missed.
    ///
    /// # Errors
    /// If it still does not take it.
    pub async fn catch_up_now(&self) -> Result<(), RecordError> {
        let mut turn = Arc::clone(&self.backlog).lock_owned().await;
        let core = Arc::clone(&self.core);
        self.to_its_end(async move { core.catch_up(&mut turn, "the events of the undo").await })
            .await
    }

    /// Appends an event that only informs; a failure is logged.
    pub async fn note(&self, event: Event) {
        let name = event.name();
        if let Err(error) = self.append(event).await {
            tracing::warn!(run = self.run(), event = name, %error, "a note is lost");
        }
    }

    /// Does `work`, also if this future is dropped meanwhile.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RecordError>> + Send + 'static,
    ) -> Result<T, RecordError> {
        spawn(TaskKind::Append, self.run(), CancellationToken::new(), work).await?
    }
}

impl Core {
    fn with<R>(&self, look: impl FnOnce(&Machine) -> R) -> R {
        look(&lock(&self.machine))
    }

    async fn append_undo(&self, backlog: &mut Backlog, event: Event) -> Result<(), RecordError> {
        let caught_up = self.catch_up(backlog, event.name()).await;
        let failed = match caught_up {
            Ok(()) => match self.write(event.clone()).await {
                Ok(_) => return Ok(()),
                Err(RecordError::Illegal(illegal)) => return Err(illegal.into()),
                Err(failed) => failed,
            },
            Err(failed) => failed,
        };
        tracing::error!(run = self.stream, error = %failed, "undoing goes on without the journal");
        let entry = self.unwritten(event.clone());
        lock(&self.machine).apply(&entry)?;
        backlog.push_back(event);
        Ok(())
    }

    async fn write(&self, event: Event) -> Result<Entry, RecordError> {
        let name = event.name();
        let entry = match self.leader.append(&self.stream, event).await {
            Ok(entry) => entry,
            Err(source) => return Err(RecordError::Journal { event: name, source }),
        };
        lock(&self.machine).apply(&entry)?;
        self.tell(&entry);
        Ok(entry)
    }

    /// Writes what the journal missed. The machine believes these events already.
    async fn catch_up(&self, backlog: &mut Backlog, name: &'static str) -> Result<(), RecordError> {
        while let Some(event) = backlog.front() {
            match self.leader.append(&self.stream, event.clone()).await {
                Ok(entry) => {
                    self.tell(&entry);
                    backlog.pop_front();
                }
                Err(source) => return Err(RecordError::Journal { event: name, source }),
            }
        }
        Ok(())
    }

    fn tell(&self, entry: &Entry) {
        lock(&self.entries).push(entry.clone());
        lock(&self.watchers).retain(|watcher| watcher.send(entry.clone()).is_ok());
    }

    /// An entry for the machine alone.
    fn unwritten(&self, event: Event) -> Entry {
        let now = self.clock.now();
        Entry {
            stream: self.stream.clone(),
            seq: self.with(|machine| machine.next_seq),
            prev: String::new(),
            wall: now.wall,
            boot: self.clock.boot().to_owned(),
            mono: now.mono,
            process: self.leader.process().to_owned(),
            epoch: self.leader.epoch(),
            event,
        }
    }
}

/// A poisoned lock still holds a whole value here: nothing panics while it is half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
