//! The events of a run: one closed list, the only memory of a run.
//!
//! PURE. What may follow what is decided in [`super::machine`]; how durable an event must be
//! before the program goes on is its [`Class`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{clock::Mono, drill::Outline, mark::Mark};

/// Number of an effect within its run, from 0.
pub type EffectNo = u32;

/// One entry of a run's stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
pub enum Event {
    /// Seq 0: what will run, and from which definition. Recovery reads this, never the file.
    RunOpened {
        /// The run's id, a UUIDv7.
        run: String,
        /// The drill's name.
        drill: String,
        /// The drill's YAML document as it was read.
        definition: String,
        /// SHA-256 of `definition`, hexadecimal.
        definition_hash: String,
        /// Steps, objectives, checks and patience, as decoded from the definition.
        outline: Outline,
        /// What started it.
        trigger: Trigger,
        /// The configured name of this installation.
        instance: String,
        /// The clusters it names.
        clusters: Vec<String>,
        /// Versions worth keeping as evidence: `firedrill`, ...
        versions: BTreeMap<String, String>,
    },
    /// What the run is about to do, before it does anything.
    PlanMade {
        /// One line for each effect foreseen.
        foreseen: Vec<String>,
        /// Why it must not start; any refusal closes the run.
        refusals: Vec<String>,
    },
    /// A step begins.
    StepStarted {
        /// The step's name.
        step: String,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// A step is over.
    StepEnded {
        /// The step's name.
        step: String,
        /// How it ended.
        outcome: StepOutcome,
        /// The cause in one sentence, unless it passed.
        why: Option<String>,
        /// Figures of the step, by name; units are part of the name.
        measures: BTreeMap<String, serde_json::Value>,
    },
    /// An effect that is about to be sent. Durable before the request leaves.
    EffectIntended(Box<Intent>),
    /// Its answer was lost, late or ambiguous.
    EffectDoubted {
        /// The effect.
        n: EffectNo,
        /// What came instead of an answer.
        error: String,
    },
    /// Its outcome is known.
    EffectSettled {
        /// The effect.
        n: EffectNo,
        /// Its outcome.
        settled: Settled,
    },
    /// A measurement.
    Observed {
        /// The step, or `check:NAME` for a background check.
        step: String,
        /// What was measured.
        what: What,
        /// When, on this run's clock.
        at: Mono,
        /// For an instant seen through a gap: the earliest it may have been.
        lower: Option<Mono>,
        /// Detail for a reader.
        note: Option<String>,
    },
    /// Something worth telling.
    FindingMade(Finding),
    /// No new effect from here on. The first reason decides for good.
    RunClosing {
        /// Why it closes.
        reason: Reason,
        /// The cause in one sentence.
        why: Option<String>,
    },
    /// Another process found the run open.
    RunRecovered {
        /// The process that recovers.
        process: String,
        /// Whether this boot is the boot of the last event.
        same_boot: bool,
        /// The last seq that was found.
        last_seq: u64,
    },
    /// An undo that is about to be sent.
    UndoIntended {
        /// The effect.
        n: EffectNo,
        /// 1 for the first attempt.
        attempt: u32,
        /// What undoes it.
        action: UndoAction,
        /// UID and resourceVersion that the request is pinned to.
        precondition: Precondition,
    },
    /// Why an undo waits.
    UndoWaits {
        /// The effect.
        n: EffectNo,
        /// What it waits for.
        reason: String,
        /// When its patience ends.
        until: Mono,
    },
    /// An undo is over.
    UndoSettled {
        /// The effect.
        n: EffectNo,
        /// How.
        outcome: UndoOutcome,
    },
    /// An effect stays, because the drill says so.
    EffectKept {
        /// The effect.
        n: EffectNo,
        /// The policy that keeps it.
        policy: String,
    },
    /// An effect that could not be undone in time.
    LeftoverNamed {
        /// The effect.
        n: EffectNo,
        /// The object, as a person would look for it.
        object: String,
        /// Why it stays.
        why: String,
    },
    /// A leftover is gone.
    LeftoverCleared {
        /// The effect.
        n: EffectNo,
        /// How it went.
        how: String,
    },
    /// The run is over.
    RunEnded {
        /// The verdict.
        verdict: Verdict,
        /// How many leftovers remain.
        leftovers: u32,
        /// The fold's summary, see `report::summary`.
        summary: serde_json::Value,
        /// Version of the summary's shape.
        summary_version: u32,
    },
}

/// An effect, known in full before it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub n: EffectNo,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The step that wants it, or [`RUN_STEP`].
    pub step: String,
    /// What is done to the target.
    pub verb: Verb,
    /// The configured cluster.
    pub cluster: String,
    /// The object.
    pub target: Target,
    /// SHA-256 of the request's body, hexadecimal.
    pub digest: String,
    /// UID and resourceVersion that the request is pinned to.
    pub precondition: Precondition,
    /// What was there before, to be given back.
    pub prior: Option<serde_json::Value>,
    /// The mark that it writes.
    pub mark: Mark,
    /// It is never sent at or after this instant.
    pub send_by: Mono,
    /// How it is undone.
    pub undo: Undo,
}

/// The step name of effects that belong to the run itself (its Lease).
pub const RUN_STEP: &str = "run";

/// What is done to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Create, refused if it exists.
    Create,
    /// Patch, pinned to a resourceVersion.
    Patch,
    /// Evict a pod, pinned to its UID.
    Evict,
}

/// An object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// API group; empty for core.
    pub group: String,
    /// API version, `v1`.
    pub version: String,
    /// Kind, `Node`.
    pub kind: String,
    /// Plural resource name, `nodes`.
    pub plural: String,
    /// Namespace; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.to_ascii_lowercase();
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.name),
            None => write!(f, "{kind} {}", self.name),
        }
    }
}

/// What a request is pinned to; the server refuses it with 409 if the object has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// metadata.uid
    pub uid: Option<String>,
    /// metadata.resourceVersion
    pub resource_version: Option<String>,
}

/// How an effect is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// By an action of ours.
    By {
        /// The action.
        action: UndoAction,
        /// What must hold in the world first.
        gate: Option<Gate>,
        /// Effects whose undo comes first.
        after: Vec<EffectNo>,
    },
    /// It stays, by this policy of the drill.
    Kept(String),
    /// Nothing to undo, and why (an evicted pod is replaced by its controller).
    None(String),
}

/// An undo of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UndoAction {
    /// Delete the object that we created, pinned to its UID (and resourceVersion for a namespace).
    Delete,
    /// Clear `spec.unschedulable` and our marks, pinned to the resourceVersion.
    Uncordon,
}

/// A condition of the world that an undo waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// No Velero Restore of this run may still act: each is terminal, absent or deleted.
    RestoresTerminal,
    /// Every other effect of the run on this cluster is settled and undone, or left.
    Last,
}

/// The outcome of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Settled {
    /// It happened.
    Applied {
        /// The object's UID.
        uid: String,
        /// How we know.
        by: Evidence,
    },
    /// It did not happen and cannot happen any more.
    Absent {
        /// How we know.
        by: AbsentBy,
        /// The server's words, if any.
        why: Option<String>,
    },
    /// The name is taken by an object that is not ours.
    Foreign {
        /// Its UID.
        uid: String,
    },
}

/// How we know that an effect happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The server answered.
    Answered,
    /// A look-up found it.
    Found,
}

/// How we know that an effect did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsentBy {
    /// The server refused it.
    Refused,
    /// A look-up after the settle time, or a fence, excludes it.
    Fenced,
}

/// How an undo ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UndoOutcome {
    /// Undone by us.
    Undone,
    /// It was gone already.
    Gone,
    /// It is not ours any more, and was left alone.
    NotOurs(String),
}

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

/// What an [`Event::Observed`] measured. Each is an instant of the run's clock.
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

/// How durable an event must be before the program goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Durable before the act that it announces.
    Act,
    /// Durable before anything builds on it.
    Fact,
    /// Batched for at most a second, and always before the next act or fact.
    Note,
}

impl Event {
    /// How durable this event must be before the program goes on.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::RunOpened { .. }
            | Self::EffectIntended(_)
            | Self::RunClosing { .. }
            | Self::UndoIntended { .. } => Class::Act,
            Self::Observed { .. } | Self::FindingMade(_) | Self::UndoWaits { .. } => Class::Note,
            _ => Class::Fact,
        }
    }

    /// The event's name, as stored in the journal's `kind` column.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunOpened { .. } => "RunOpened",
            Self::PlanMade { .. } => "PlanMade",
            Self::StepStarted { .. } => "StepStarted",
            Self::StepEnded { .. } => "StepEnded",
            Self::EffectIntended(_) => "EffectIntended",
            Self::EffectDoubted { .. } => "EffectDoubted",
            Self::EffectSettled { .. } => "EffectSettled",
            Self::Observed { .. } => "Observed",
            Self::FindingMade(_) => "FindingMade",
            Self::RunClosing { .. } => "RunClosing",
            Self::RunRecovered { .. } => "RunRecovered",
            Self::UndoIntended { .. } => "UndoIntended",
            Self::UndoWaits { .. } => "UndoWaits",
            Self::UndoSettled { .. } => "UndoSettled",
            Self::EffectKept { .. } => "EffectKept",
            Self::LeftoverNamed { .. } => "LeftoverNamed",
            Self::LeftoverCleared { .. } => "LeftoverCleared",
            Self::RunEnded { .. } => "RunEnded",
        }
    }
}

/// An event as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The stream: a run's id, or `daemon`.
    pub stream: String,
    /// Position in the stream, from 0.
    pub seq: u64,
    /// SHA-256 of the entry before, hexadecimal; 64 zeros at seq 0.
    pub prev: String,
    /// Wall time, for people.
    pub wall: jiff::Timestamp,
    /// The boot that `mono` counts from.
    pub boot: String,
    /// Milliseconds of CLOCK_BOOTTIME.
    pub mono: Mono,
    /// The process that wrote it.
    pub process: String,
    /// Its epoch of leadership.
    pub epoch: u64,
    /// What happened.
    pub event: Event,
}
