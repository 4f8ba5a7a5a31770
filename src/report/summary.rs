//! The summary of a run: a fold over its events, and the only place that computes figures.
//!
//! PURE. History, reports, metrics and messages read this and compute nothing. `RunEnded` stores
//! it, so the fold gives the same with that entry and without it; what a sweep does to leftovers
//! afterwards changes `leftovers`, `effects` and `exitCode`, nothing else.
//!
//! All durations are milliseconds of CLOCK_BOOTTIME and compare only within one boot. A figure is
//! given only where one process saw both of its ends: after a crash it is absent, never guessed.

mod checks;
mod effects;
mod fold;
mod measure;

pub(crate) use measure::EARLIER;

#[cfg(test)]
pub(crate) mod samples;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    drill::Goal,
    run::{
        event::{
            EffectNo, Entry, Event, Finding, Reason, StepOutcome, Target, Trigger, UndoAction,
            Verb, Verdict,
        },
        verdict::Standing,
    },
};

/// Version of [`Summary`]'s shape. It grows when a field changes its meaning or goes away.
pub const SUMMARY_VERSION: u32 = 1;

/// What a run was, did, measured and left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// [`SUMMARY_VERSION`] of the fold that made it.
    pub schema_version: u32,
    /// The run's id, a UUIDv7.
    pub run: String,
    /// The drill's name.
    pub drill: String,
    /// The installation's configured name.
    pub instance: String,
    /// The clusters that the drill names.
    pub clusters: Vec<String>,
    /// What started it.
    pub trigger: Trigger,
    /// SHA-256 of the definition, hexadecimal.
    pub definition_hash: String,
    /// Versions, as recorded when it opened.
    pub versions: BTreeMap<String, String>,
    /// Wall time of the first event.
    pub opened: jiff::Timestamp,
    /// Wall time of the last event before `RunEnded`; none while there is something to do.
    pub ended: Option<jiff::Timestamp>,
    /// From the first to that last event; none across boots.
    pub duration_millis: Option<u64>,
    /// The verdict; none before the run closes.
    pub verdict: Option<Verdict>,
    /// Why it closed.
    pub reason: Option<Reason>,
    /// The cause in one sentence; none if it passed or has not closed.
    pub why: Option<String>,
    /// What the command that reports this run exits with.
    pub exit_code: u8,
    /// Why the plan refused it.
    pub refusals: Vec<String>,
    /// Every step of the drill, in order.
    pub steps: Vec<Step>,
    /// Every objective of the drill, in order.
    pub objectives: Vec<Objective>,
    /// Recovery times: those that objectives ask for, and those that were measured all the same.
    pub recoveries: Vec<Recovery>,
    /// How old what came back was.
    pub recovery_points: Vec<RecoveryPoint>,
    /// What the guards came to; absent if the drill has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// The background checks.
    pub availability: Vec<Availability>,
    /// What is worth telling.
    pub findings: Vec<Finding>,
    /// Every write, and what became of it.
    pub effects: Vec<Effect>,
    /// The effects counted by what became of them.
    pub effect_counts: EffectCounts,
    /// What could not be undone and is still there.
    pub leftovers: Vec<Leftover>,
    /// Each time another process found the run open.
    pub interruptions: Vec<Interruption>,
}

/// A step of the drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How it ended; none while it is active, and if it never came up.
    pub outcome: Option<StepOutcome>,
    /// The cause in one sentence, unless it passed.
    pub why: Option<String>,
    /// How often it was started. All other fields are of the last attempt.
    pub attempts: u32,
    /// From its last start to its end; none if another process ended it.
    pub took_millis: Option<u64>,
    /// Its figures, by name; units are part of the name.
    pub measures: BTreeMap<String, serde_json::Value>,
    /// The attempts before the last, in order; absent if there was one only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_attempts: Vec<Attempt>,
}

/// An attempt of a step after which there was another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// 1 for the first.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Option<StepOutcome>,
    /// The cause in one sentence.
    pub why: Option<String>,
    /// From its start to its end, without what came before the next: giving back, and the pause.
    pub took_millis: Option<u64>,
}

/// An objective and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// What is measured, and its limit.
    pub goal: Goal,
    /// The figure.
    pub value_millis: Option<u64>,
    /// Error bound: it may have been as little as this.
    pub lower_millis: Option<u64>,
    /// Error bound: it was not more than this.
    pub upper_millis: Option<u64>,
    /// How it stands.
    pub standing: Standing,
    /// Why, unless it is met.
    pub why: Option<String>,
}

/// A recovery time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// The step whose T0 starts it.
    pub from: String,
    /// The step that ends it.
    pub until: String,
    /// From the start of the attempt of step `from` that T0 belongs to, up to T0 (making the sandbox); not part of the recovery time.
    pub preparing_millis: Option<u64>,
    /// From the opening of the run to T0.
    pub t0_millis: Option<u64>,
    /// From T0 to the recovery.
    pub total_millis: Option<u64>,
    /// Error bound: it may have been as little as this; none if no bound was measured.
    pub lower_millis: Option<u64>,
    /// The phases along the critical path. With a total they sum to it; without one they are what
    /// was seen before it was lost.
    pub phases: Vec<Phase>,
    /// What came back last, as its observer noted it.
    pub last: Option<String>,
    /// Why there is no total.
    pub why: Option<String>,
}

/// A part of a recovery time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it held the recovery up.
    pub millis: u64,
}

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// The restore step.
    pub step: String,
    /// Age at T0 of what came back; none = not applicable.
    pub age_millis: Option<u64>,
    /// What the age was measured by.
    pub note: Option<String>,
}

/// A background check through the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// The check's name.
    pub check: String,
    /// From its first answer to its last; zero if it was never answered.
    pub seen_millis: u64,
    /// How much of that it was red.
    pub red_millis: u64,
    /// How often it turned red.
    pub red_spans: u32,
    /// The longest time red without a break.
    pub longest_red_millis: u64,
    /// Whether it was asked to the end. If not, the figures reach to the last event of the process
    /// that asked.
    pub complete: bool,
    /// How it stands against the drill's `failAfter`; absent if that sets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<RedLimit>,
}

/// The time that a check may be red in sum, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedLimit {
    /// The drill's `failAfter`.
    pub fail_after_millis: u64,
    /// Error bound: it was red for at least this. Between two answers nobody knows.
    pub lower_millis: u64,
    /// Error bound: it was red for at most this.
    pub upper_millis: u64,
    /// How it stands.
    pub standing: Standing,
    /// Why, unless it is met.
    pub why: Option<String>,
}

/// What a guard came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// Its name.
    pub guard: String,
    /// Whether it was green; none if it was not asked.
    pub green: Option<bool>,
    /// Why it was not.
    pub why: Option<String>,
}

/// A write to the world and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// Its number.
    pub n: EffectNo,
    /// The step that wanted it.
    pub step: String,
    /// What was done to the target.
    pub verb: Verb,
    /// The configured cluster.
    pub cluster: String,
    /// The object.
    pub target: Target,
    /// What would undo it; none if nothing is to be undone.
    pub undo: Option<UndoAction>,
    /// What became of it.
    pub state: EffectState,
    /// More about that: a server's words, a policy, what an undo waits for.
    pub detail: Option<String>,
}

/// What became of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EffectState {
    /// About to be sent; no answer yet.
    Intended,
    /// Its answer was lost, late or ambiguous.
    Doubted,
    /// It happened and is to be undone.
    Applied,
    /// Its undo waits for something.
    Waiting,
    /// Its undo is being sent.
    Undoing,
    /// It did not happen.
    Absent,
    /// The name is taken by somebody else's object.
    Foreign,
    /// It happened, and there is nothing to undo.
    Done,
    /// Undone by us.
    Undone,
    /// Gone before we undid it.
    Gone,
    /// Not ours any more; left alone.
    NotOurs,
    /// Kept, because the drill says so.
    Kept,
    /// A leftover.
    Left,
    /// A leftover that went away later.
    Cleared,
}

impl EffectState {
    /// Whether the run can end with an effect in this state.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Intended | Self::Doubted | Self::Applied | Self::Waiting | Self::Undoing
        )
    }
}

/// Effects counted by what became of them. The fields sum to the number of effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectCounts {
    /// Undone by us, or gone before we undid it, or a leftover that went away.
    pub undone: u32,
    /// Nothing to undo: done for good, did not happen, or met somebody else's object.
    pub nothing_to_undo: u32,
    /// Not ours any more.
    pub not_ours: u32,
    /// Kept by policy.
    pub kept: u32,
    /// Left.
    pub left: u32,
    /// Not settled or not undone yet.
    pub open: u32,
}

/// Something that could not be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// The effect.
    pub n: EffectNo,
    /// The configured cluster.
    pub cluster: String,
    /// The object, as a person would look for it.
    pub object: String,
    /// Its kind and name, where the effect is known.
    pub target: Option<Target>,
    /// What would undo it.
    pub undo: Option<UndoAction>,
    /// Why it is still there.
    pub why: String,
}

/// Another process found the run open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    /// When it was found.
    pub at: jiff::Timestamp,
    /// The process that found it.
    pub process: String,
    /// Whether the machine was still in the boot of the last event.
    pub same_boot: bool,
    /// The last entry that was found.
    pub last_seq: u64,
}

/// Why entries are no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// There is no entry.
    #[error("the run has no entries")]
    Empty,
    /// The first entry is not `RunOpened`.
    #[error("the run begins with {0}, not with RunOpened")]
    NotOpened(&'static str),
    /// There is a second `RunOpened`.
    #[error("entry {0} opens the run a second time")]
    OpenedTwice(u64),
    /// An entry belongs elsewhere.
    #[error("entry {0} is of another stream")]
    OtherStream(u64),
}

impl Summary {
    /// Folds a run's entries, in the order of the journal, from `RunOpened` on.
    ///
    /// Any prefix will do: what has not happened yet is absent. Whether the entries are legal is
    /// the machine's to say; what makes no sense here (an effect that nobody intended) is passed
    /// over, so that a report never stands in the way of an undo.
    ///
    /// # Errors
    /// If the entries are not those of one run from its start.
    pub fn fold(entries: &[Entry]) -> Result<Self, FoldError> {
        fold::fold(entries)
    }

    /// Whether the summary that `RunEnded` stored is the one that its run folds to: `None` if the
    /// run has not ended or its summary has another version.
    ///
    /// # Errors
    /// As [`Self::fold`].
    pub fn stored_is_true(entries: &[Entry]) -> Result<Option<bool>, FoldError> {
        let stored = entries.iter().enumerate().find_map(|(at, entry)| match &entry.event {
            Event::RunEnded { summary, summary_version, .. } => {
                Some((at, summary, *summary_version))
            }
            _ => None,
        });
        let Some((at, stored, SUMMARY_VERSION)) = stored else { return Ok(None) };
        let folded = serde_json::to_value(Self::fold(&entries[..at])?).ok();
        Ok(Some(folded.as_ref() == Some(stored)))
    }

    /// The recovery time that an objective asks for.
    #[must_use]
    pub fn recovery_of(&self, objective: &Objective) -> Option<&Recovery> {
        let Goal::RecoveryTime { from, until, .. } = &objective.goal else { return None };
        self.recoveries.iter().find(|it| it.from == *from && it.until == *until)
    }
}

#[cfg(test)]
mod tests;
