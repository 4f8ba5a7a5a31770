//! The events of a run: one closed list, the only memory of a run.
//!
//! PURE. What may follow what is decided in [`super::machine`]; how durable an event must be
//! before the program goes on is its [`Class`].

mod effect;
mod fact;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use effect::{
    AbsentBy, Evidence, Gate, Intent, Precondition, RUN_STEP, Settled, Target, Undo, UndoAction,
    UndoOutcome, Verb,
};
pub use fact::{Finding, Reason, Severity, StepOutcome, Trigger, Verdict, What};

use crate::{clock::Mono, drill::Outline};

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
        outline: Box<Outline>,
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
