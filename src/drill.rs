//! A drill: what somebody wrote down to be rehearsed, checked and resolved.
//!
//! PURE. `read` turns YAML into a tree with places, `validate` turns the tree into a [`Drill`] or
//! into every problem that it has. After that there are no strings left to parse.

pub mod decode;
pub mod fields;
pub mod load;
pub mod problem;
pub mod read;
pub mod reference;
pub mod render;
pub mod scalar;
pub mod schema;
pub mod selector;
pub mod suggest;
pub mod table;
pub mod tree;
pub mod validate;

pub use load::{Loaded, load, load_file};

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{
    check::Question,
    kind::{
        backup_freshness, drain_nodes, etcd_snapshot, velero_backup, velero_restore,
        workloads_ready,
    },
    schedule::Cron,
};

/// A checked drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// `metadata.name`: a DNS-1123 label of at most 40 characters.
    pub name: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// One sentence for people.
    pub description: Option<String>,
    /// A cluster of the configuration.
    pub cluster: String,
    /// Not to be started by its schedule.
    pub suspend: bool,
    /// When it is due; none = only by hand.
    pub schedule: Option<Schedule>,
    /// Of the forward part; undo has its own patience.
    pub deadline: Duration,
    /// How long undo waits for one thing before it becomes a leftover.
    pub undo_patience: Duration,
    /// Conditions without which nothing starts.
    pub guards: Vec<Guard>,
    /// Asked all through the run.
    pub checks: Vec<BackgroundCheck>,
    /// What the run does, in order.
    pub steps: Vec<Step>,
    /// What the run must achieve.
    pub objectives: Vec<Objective>,
    /// What it asks for that this version cannot do, in one sentence each. Such a drill is refused
    /// a run.
    pub pending: Vec<String>,
    /// The file it was read from.
    pub path: PathBuf,
    /// Its YAML document, as written.
    pub text: String,
}

/// When a drill is due. The exact rule of slots is [`crate::schedule`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Five fields or a macro, with how its day fields join.
    pub cron: Cron,
    /// The zone that the fields are read in; it has an IANA name.
    pub time_zone: TimeZone,
    /// Spread of the start after the slot.
    pub jitter: Duration,
    /// How late a slot may still start.
    pub starting_deadline: Option<Duration>,
    /// What happens to slots that were missed.
    pub on_missed: OnMissed,
    /// What happens to the slot of a run whose process died.
    pub on_interrupted: OnInterrupted,
}

/// What happens to slots that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissed {
    /// They are recorded as missed.
    #[default]
    Skip,
    /// The newest of them runs once.
    RunOnce,
}

/// A condition without which nothing starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its name, unique among the guards.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// How often; default 1 s. Matters only where several answers are wanted.
    pub every: Duration,
    /// How long an answer may take; default 2 s. No answer is red.
    pub timeout: Duration,
    /// Good answers in a row that make it green; the first other one makes it red. Default 1.
    pub successes: u32,
}

/// What happens to the slot of a run whose process died. That run is never continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInterrupted {
    /// It ends as interrupted, and that is all.
    #[default]
    Skip,
    /// The drill runs once more, as a new run.
    RunOnce,
}

/// A check that is asked all through the run.
#[derive(Clone, Debug, PartialEq)]
pub struct BackgroundCheck {
    /// Its name, unique among the checks.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// How often; default 1 s.
    pub every: Duration,
    /// How long an answer may take; default 2 s. No answer is red.
    pub timeout: Duration,
    /// Good answers in a row that make it green again after it was red; default 1.
    pub successes: u32,
    /// Red for this long without a break closes the run.
    pub abort_after: Option<Duration>,
    /// Red for longer than this in sum makes the verdict failed; the run goes on.
    pub fail_after: Option<Duration>,
}

/// One thing that a run does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name, unique within the drill.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// How long each attempt may take; none = the rest of the drill's deadline.
    pub timeout: Option<Duration>,
    /// How often it is tried.
    pub retry: Retry,
    /// Whether it runs after a failed step.
    pub when: When,
}

/// How often a step is tried, and how long it rests between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// All attempts, the first among them; at least 1.
    pub attempts: u32,
    /// The pause before each further attempt, after everything was given back.
    pub backoff: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff: Duration::from_secs(10) }
    }
}

/// Whether a step runs after a failed step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Only while everything before it passed.
    #[default]
    Passed,
    /// Also after a failed step, before the run closes.
    Always,
}

/// What a step does, by kind. One arm for each entry of [`fields::KINDS`].
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// Restores a Velero backup into a sandbox.
    VeleroRestore(velero_restore::Spec),
    /// Waits until the workloads of a sandbox are ready.
    WorkloadsReady(workloads_ready::Spec),
    /// Drains nodes and measures recovery.
    DrainNodes(drain_nodes::Spec),
    /// Asks a question until it is answered well.
    Check(crate::kind::check::Spec),
    /// Makes a Velero backup.
    VeleroBackup(velero_backup::Spec),
    /// Judges the freshness of Velero's backups.
    BackupFreshness(backup_freshness::Spec),
    /// Verifies an etcd snapshot.
    EtcdSnapshot(etcd_snapshot::Spec),
}

impl StepKind {
    /// The key that the kind is written under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::VeleroRestore(_) => "veleroRestore",
            Self::WorkloadsReady(_) => "workloadsReady",
            Self::DrainNodes(_) => "drainNodes",
            Self::Check(_) => "check",
            Self::VeleroBackup(_) => "veleroBackup",
            Self::BackupFreshness(_) => "backupFreshness",
            Self::EtcdSnapshot(_) => "etcdSnapshot",
        }
    }

    /// Names of earlier steps that it reads.
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        match self {
            Self::WorkloadsReady(spec) => vec![&spec.within],
            Self::VeleroRestore(spec) => match &spec.backup {
                velero_restore::spec::Source::Step(step) => vec![step],
                _ => Vec::new(),
            },
            Self::Check(spec) => spec.question.within().into_iter().collect(),
            Self::DrainNodes(_)
            | Self::VeleroBackup(_)
            | Self::BackupFreshness(_)
            | Self::EtcdSnapshot(_) => Vec::new(),
        }
    }

    /// The shortest time in which it can pass, whatever the world does.
    #[must_use]
    pub fn least(&self) -> Duration {
        match self {
            Self::WorkloadsReady(spec) => spec.stable_for,
            Self::DrainNodes(spec) => spec.stable_for,
            Self::Check(spec) => spec.every.saturating_mul(spec.successes.saturating_sub(1)),
            Self::VeleroRestore(_)
            | Self::VeleroBackup(_)
            | Self::BackupFreshness(_)
            | Self::EtcdSnapshot(_) => Duration::ZERO,
        }
    }
}

/// What a run must achieve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// Its name, unique within the drill.
    pub name: String,
    /// What is measured, and its limit.
    pub goal: Goal,
}

/// What is measured, and its limit in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Goal {
    /// From T0 of step `from` until step `until` holds.
    RecoveryTime {
        /// The limit.
        limit_millis: u64,
        /// The step whose T0 starts the time.
        from: String,
        /// The step that ends it.
        until: String,
    },
    /// The age of what step `of` brought back, at its T0.
    RecoveryPoint {
        /// The limit.
        limit_millis: u64,
        /// A restore step.
        of: String,
    },
}

/// What the journal keeps of a drill beside its text, so that recovery and reports need no parser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// The steps, in order.
    pub steps: Vec<StepOutline>,
    /// The objectives.
    pub objectives: Vec<Objective>,
    /// Names of the guards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
    /// Names of the background checks.
    pub checks: Vec<String>,
    /// The most time in sum that a background check may be red, in milliseconds, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fail_after_millis: BTreeMap<String, u64>,
    /// How long undo waits for one thing, in milliseconds.
    pub undo_patience_millis: u64,
    /// The configured settle time of doubted effects, in milliseconds after `sendBy`.
    pub settle_millis: u64,
}

/// A step, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepOutline {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether it runs after a failed step.
    pub when: When,
    /// How often it is tried at most. Journals from before there were further attempts say nothing.
    #[serde(default = "once")]
    pub attempts: u32,
    /// Names of earlier steps that it reads; a sandbox lives until its last reader has ended.
    pub reads: Vec<String>,
}

fn once() -> u32 {
    1
}

impl Drill {
    /// Everything that it asks: guards, background checks, steps.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        let steps = self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Check(spec) => Some(&spec.question),
            _ => None,
        });
        let guards = self.guards.iter().map(|guard| &guard.question);
        guards.chain(self.checks.iter().map(|check| &check.question)).chain(steps)
    }

    /// What the journal keeps of it.
    #[must_use]
    pub fn outline(&self, settle: Duration) -> Outline {
        Outline {
            steps: self
                .steps
                .iter()
                .map(|step| StepOutline {
                    name: step.name.clone(),
                    kind: step.kind.name().to_owned(),
                    when: step.when,
                    attempts: step.retry.attempts,
                    reads: step.kind.reads().into_iter().map(str::to_owned).collect(),
                })
                .collect(),
            objectives: self.objectives.clone(),
            guards: self.guards.iter().map(|guard| guard.name.clone()).collect(),
            checks: self.checks.iter().map(|check| check.name.clone()).collect(),
            fail_after_millis: self
                .checks
                .iter()
                .filter_map(|check| {
                    Some((check.name.clone(), crate::clock::millis(check.fail_after?)))
                })
                .collect(),
            undo_patience_millis: crate::clock::millis(self.undo_patience),
            settle_millis: crate::clock::millis(settle),
        }
    }
}
