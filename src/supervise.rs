//! Background tasks: one table of names and rules, and the only place that spawns.
//!
//! A task that nobody named has no rule for being cancelled or for failing, and its panic is
//! lost. So every task is a [`TaskKind`], and [`spawn`] hands back a [`Task`] that must be used.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Every kind of background task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// Owns the journal's write connection.
    JournalWriter,
    /// Appends one event to a run's record.
    Append,
    /// Renews a run's Lease in one cluster.
    LeaseRenewal,
    /// Asks one background check all through a run.
    BackgroundCheck,
    /// Follows one kind of object of one cluster.
    Watch,
    /// Draws progress on a terminal.
    Progress,
    /// Turns signals into cancellation.
    Signals,
    /// Closes a run when its deadline is over.
    Deadline,
    /// Closes a run when the halt file appears.
    HaltFile,
}

/// What becomes of a task when its token is cancelled or its handle is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Its future is dropped at its next await.
    Dropped,
    /// It is left alone: it ends by itself, once its work is written.
    Finishes,
}

/// What its owner does when a task fails or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing can be recorded any more: no new effect, undo goes on, the process ends.
    EndsProcess,
    /// The run closes: what the task guarded is no longer proven.
    ClosesRun,
    /// The run goes on; what the task showed is missing.
    Logged,
}

impl TaskKind {
    /// Its name in logs and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JournalWriter => "journal-writer",
            Self::Append => "append",
            Self::LeaseRenewal => "lease-renewal",
            Self::BackgroundCheck => "background-check",
            Self::Watch => "watch",
            Self::Progress => "progress",
            Self::Signals => "signals",
            Self::Deadline => "deadline",
            Self::HaltFile => "halt-file",
        }
    }

    /// Its rule for cancellation.
    #[must_use]
    pub const fn on_cancel(self) -> OnCancel {
        match self {
            // Appends that were accepted are written, whoever stopped waiting for them.
            Self::JournalWriter | Self::Append => OnCancel::Finishes,
            _ => OnCancel::Dropped,
        }
    }

    /// Its rule for failure.
    #[must_use]
    pub const fn on_error(self) -> OnError {
        match self {
            // Without signals a process could only be killed, and would leave its undo open.
            Self::JournalWriter | Self::Signals => OnError::EndsProcess,
            Self::Append
            | Self::LeaseRenewal
            | Self::BackgroundCheck
            | Self::Watch
            | Self::Deadline
            | Self::HaltFile => OnError::ClosesRun,
            Self::Progress => OnError::Logged,
        }
    }
}

/// Why a task gave no result; each names it by kind and detail.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// By its token, its handle, or the end of the runtime.
    #[error("the task {0} was cancelled")]
    Cancelled(String),
    /// A bug, with the panic's message; already logged.
    #[error("the task {0} panicked: {1}")]
    Panicked(String, String),
}

/// A running task: a future of its result. Dropping it follows [`TaskKind::on_cancel`].
#[must_use = "a task whose result nobody reads fails unseen"]
#[derive(Debug)]
pub struct Task<T> {
    kind: TaskKind,
    name: String,
    handle: JoinHandle<Result<T, TaskError>>,
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Our wrapper catches panics, so a join error is the end of the runtime or an abort.
        let joined = std::task::ready!(self.handle.poll_unpin(cx));
        Poll::Ready(joined.unwrap_or_else(|_| Err(TaskError::Cancelled(self.name.clone()))))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if self.kind.on_cancel() == OnCancel::Dropped {
            self.handle.abort();
        }
    }
}

/// Starts a background task. `detail` tells tasks of one kind apart: a cluster, a check's name.
///
/// Must be called within a tokio runtime.
#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
pub fn spawn<T, F>(kind: TaskKind, detail: &str, token: CancellationToken, future: F) -> Task<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let name = format!("{} {detail}", kind.name()).trim_end().to_owned();
    // Of the level of errors, so that no filter takes the run's fields from an error of a task.
    let span = tracing::error_span!("task", name);
    let task = name.clone();
    let guarded = async move {
        let caught = AssertUnwindSafe(future).catch_unwind();
        let caught = match kind.on_cancel() {
            OnCancel::Finishes => Some(caught.await),
            OnCancel::Dropped => token.run_until_cancelled(caught).await,
        };
        match caught {
            None => Err(TaskError::Cancelled(task)),
            Some(Ok(value)) => Ok(value),
            Some(Err(panic)) => {
                let message = message(panic.as_ref());
                tracing::error!(task, message, "a background task panicked");
                Err(TaskError::Panicked(task, message))
            }
        }
    };
    Task { kind, name, handle: tokio::spawn(guarded.instrument(span)) }
}

/// A panic's message: the two types that `panic!` makes.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests;
