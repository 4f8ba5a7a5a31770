//! A run's record: its journal stream and its machine, always in step.
//!
//! Every event goes through [`Record::append`]: legal, then durable, then believed. Where the
//! journal does not take the event of an undo, the undo goes on all the same and the event waits
//! in a backlog, in order, until the journal is back: giving a node back matters more than
//! writing about it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::{
    event::{Entry, Event},
    machine::{Illegal, Machine},
};
use crate::{
    clock::Clock,
    journal::{JournalError, Leader},
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
}

/// A run's stream and machine.
pub struct Record {
    leader: Leader,
    clock: std::sync::Arc<dyn Clock>,
    stream: String,
    machine: Mutex<Machine>,
    entries: Mutex<Vec<Entry>>,
    /// Events of undos that the journal has not taken yet; the lock orders all appends.
    backlog: AsyncMutex<VecDeque<Event>>,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Entry>>>,
}

impl Record {
    /// A record on top of what the journal holds of `stream` already.
    ///
    /// # Errors
    /// If the stream is not legal.
    pub fn new(
        leader: Leader,
        clock: std::sync::Arc<dyn Clock>,
        stream: &str,
        entries: Vec<Entry>,
    ) -> Result<Self, Illegal> {
        let machine = Machine::replay(&entries)?;
        Ok(Self {
            leader,
            clock,
            stream: stream.to_owned(),
            machine: Mutex::new(machine),
            entries: Mutex::new(entries),
            backlog: AsyncMutex::new(VecDeque::new()),
            watchers: Mutex::new(Vec::new()),
        })
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.stream
    }

    /// The leader that writes.
    #[must_use]
    pub fn leader(&self) -> &Leader {
        &self.leader
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &std::sync::Arc<dyn Clock> {
        &self.clock
    }

    /// Looks at the machine.
    pub fn with<R>(&self, look: impl FnOnce(&Machine) -> R) -> R {
        look(&lock(&self.machine))
    }

    /// All entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).clone()
    }

    /// Entries from now on, for an observer.
    #[must_use]
    pub fn watch(&self) -> mpsc::UnboundedReceiver<Entry> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.watchers).push(sender);
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
        let mut backlog = self.backlog.lock().await;
        let event = self.with(make);
        self.catch_up(&mut backlog, event.name()).await?;
        self.with(|machine| machine.allows(&event))?;
        self.write(event).await
    }

    /// Appends the event of an undo. If the journal does not take it, it is believed all the same
    /// and written later.
    ///
    /// # Errors
    /// If it is not legal.
    pub async fn append_undo(&self, event: Event) -> Result<(), RecordError> {
        let mut backlog = self.backlog.lock().await;
        self.with(|machine| machine.allows(&event))?;
        let caught_up = self.catch_up(&mut backlog, event.name()).await;
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

    /// Writes what the journal missed.
    ///
    /// # Errors
    /// If it still does not take it.
    pub async fn catch_up_now(&self) -> Result<(), RecordError> {
        let mut backlog = self.backlog.lock().await;
        self.catch_up(&mut backlog, "the events of the undo").await
    }

    /// Appends an event that only informs; a failure is logged.
    pub async fn note(&self, event: Event) {
        let name = event.name();
        if let Err(error) = self.append(event).await {
            tracing::warn!(run = self.stream, event = name, %error, "a note is lost");
        }
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
    async fn catch_up(
        &self,
        backlog: &mut VecDeque<Event>,
        name: &'static str,
    ) -> Result<(), RecordError> {
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
