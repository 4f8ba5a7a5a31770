//! What a step's act works with, and what it answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

use super::{
    effect::Effects,
    event::{Event, Finding, Severity, What},
    house::{House, Lever},
    record::Record,
};
use crate::{
    check::ask::Asker,
    clock::{Clock, Mono},
    drill::Drill,
    kind,
    world::kube::Cluster,
};

/// A run in its forward part.
pub struct Running {
    /// What the process has.
    pub house: House,
    /// The drill.
    pub drill: Drill,
    /// The run's record.
    pub record: Arc<Record>,
    /// Its writer.
    pub effects: Effects,
    /// The clusters that it may write to: of each it takes the Lease.
    pub clusters: Arc<BTreeMap<String, Cluster>>,
    /// All clusters that it reads, those among them.
    pub looked: Arc<BTreeMap<String, Cluster>>,
    /// Closes it.
    pub lever: Lever,
    /// Asks the questions of guards, checks and steps.
    pub asker: Arc<Asker>,
    /// What steps leave for later steps.
    pub shared: Mutex<Shared>,
    /// What is waited for now, in a sentence.
    pub waiting: Mutex<String>,
}

/// What steps leave for later steps.
#[derive(Default)]
pub struct Shared {
    /// Readiness watches, by the name of the step that reads them; armed at T0.
    pub armed: BTreeMap<String, Arc<kind::workloads_ready::act::Armed>>,
    /// When each restore step's Restore was terminal.
    pub restored: BTreeMap<String, Mono>,
    /// From when on a window that ends the recovery of a step counts: its Restore was terminal, its
    /// evicted pods were gone.
    pub floors: BTreeMap<String, Mono>,
    /// Questions that are asked since T0, by the name of the step that reads the answers.
    pub asked: BTreeMap<String, Arc<kind::check::act::Asked>>,
    /// When each background check was asked the last question that it has an answer to.
    pub last_asked: BTreeMap<String, Mono>,
}

impl Shared {
    /// Forgets what an attempt of `step` left for its readers: it is given back, and no later
    /// attempt may be judged by it.
    pub fn forget(&mut self, step: &str, readers: &[String]) {
        self.restored.remove(step);
        self.floors.remove(step);
        self.asked.retain(|reader, _| !readers.contains(reader));
        self.armed.retain(|reader, _| !readers.contains(reader));
    }
}

/// How a step went.
pub struct StepEnd {
    /// The cause in one sentence; none = passed.
    pub failed: Option<String>,
    /// Its figures.
    pub measures: BTreeMap<String, Value>,
}

impl StepEnd {
    /// It did what it says.
    #[must_use]
    pub fn passed() -> Self {
        Self { failed: None, measures: BTreeMap::new() }
    }

    /// It did not.
    pub fn failed(why: impl Into<String>) -> Self {
        Self { failed: Some(why.into()), measures: BTreeMap::new() }
    }

    /// With a figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.measures.insert(name.to_owned(), value.into());
        self
    }
}

impl Running {
    /// The drill's cluster.
    ///
    /// # Errors
    /// If it is not connected, which preflight excludes.
    pub fn cluster(&self) -> Result<&Cluster, String> {
        let name = &self.drill.cluster;
        self.clusters.get(name).ok_or_else(|| format!("cluster {name} is not connected"))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.house.clock
    }

    /// Says what is waited for, for progress and for the sentence of a deadline.
    pub fn say(&self, waiting: impl Into<String>) {
        let waiting = waiting.into();
        let mut now = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != waiting {
            tracing::info!(run = self.record.run(), waiting);
            *now = waiting;
        }
    }

    /// What is waited for.
    #[must_use]
    pub fn waiting(&self) -> String {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records an instant.
    pub async fn observe(&self, step: &str, what: What, at: Mono) {
        self.observe_with(step, what, at, None, None).await;
    }

    /// Records an instant with its bound and a note.
    pub async fn observe_with(
        &self,
        step: &str,
        what: What,
        at: Mono,
        lower: Option<Mono>,
        note: Option<String>,
    ) {
        let step = step.to_owned();
        self.record.note(Event::Observed { step, what, at, lower, note }).await;
    }

    /// Records a finding.
    pub async fn find(
        &self,
        severity: Severity,
        code: &str,
        text: String,
        evidence: Option<String>,
    ) {
        let finding = Finding { severity, code: code.to_owned(), text, evidence };
        self.record.note(Event::FindingMade(finding)).await;
    }

    /// Sleeps, or returns early with `false` when the lever is pulled.
    pub async fn sleep(&self, pause: Duration) -> bool {
        self.lever.token().run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }

    /// Looks at what steps share.
    pub fn share<R>(&self, look: impl FnOnce(&mut Shared) -> R) -> R {
        look(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
