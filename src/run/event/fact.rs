//! What a run found out and how it ended. PURE.

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepOutcome {
    /// It did what it says.
    Passed,
    /// It did not.
    Failed,
    /// The run closed while it was active.
    Aborted,
    /// It never started.
    Skipped,
}

/// What an [`super::Event::Observed`] measured. Each is an instant of the run's clock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// T0 of a recovery time: just before the create of the Restore was sent, or the first
    /// accepted eviction.
    T0,
    /// A phase of the recovery ended, by its name (`queued`, `restoring`, `scheduled`, `ready`).
    Phase(String),
    /// The thing that the step waits for holds, since this instant.
    Recovered,
    /// A background check turned green.
    Green,
    /// A background check turned red.
    Red,
    /// A background check was asked for the last time.
    CheckEnded,
    /// A recovery point: what came back is this old. The instant is T0; the age is in the note.
    RecoveryPoint {
        /// Age of the newest thing that came back, in milliseconds; none = not applicable.
        age_millis: Option<u64>,
    },
    /// Our own watches echo a write after this many milliseconds at most: the error bound.
    WatchLag {
        /// The largest echo seen, in milliseconds.
        millis: u64,
    },
}

/// Something worth telling, with evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code, `drain.notOurs`.
    pub code: String,
    /// One sentence.
    pub text: String,
    /// What shows it.
    pub evidence: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Act on it.
    Error,
}

/// What started a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// Somebody ran it.
    Hand,
    /// A due slot, RFC 3339 in UTC.
    Slot(String),
    /// The API.
    Api,
    /// A new run in place of an interrupted one.
    RerunOf(String),
    /// Rebuilt from marks found in a cluster, because the journal does not know the run.
    Marks,
}

/// Why a run closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// All steps are done.
    Completed,
    /// A step failed.
    StepFailed,
    /// A condition to start does not hold; nothing was changed.
    Refused,
    /// A background check was red for too long.
    Check,
    /// The halt lever.
    Halt,
    /// The drill's deadline.
    Deadline,
    /// SIGTERM or SIGINT.
    Signal,
    /// The Lease could not be renewed.
    LeaseLost,
    /// Its process died.
    Interrupted,
}

/// The verdict of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Every step passed, every objective was met.
    Passed,
    /// A step failed, or an objective was missed or unproven.
    Failed,
    /// It closed before its end.
    Aborted,
    /// Its process died.
    Interrupted,
}
