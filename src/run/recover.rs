//! Recovery: a run that was found open can only be ended. Nothing of it goes on.

use std::{sync::Arc, time::Duration};

use super::{
    closing::Closing,
    drive::DriveError,
    effect::Effects,
    epoch,
    event::{Event, Reason},
    finish::finish,
    house::House,
    record::Record,
};
use crate::{journal::JournalError, report::summary::Summary, world::WorldError};

/// Why recovery could not look at everything.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A run.
    #[error("run {run}: {source}")]
    Run {
        /// Its id.
        run: String,
        /// The cause.
        #[source]
        source: Box<DriveError>,
    },
}

/// What recovery did.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Runs that were found open and have been ended.
    pub ended: Vec<Summary>,
    /// Ended runs whose leftovers were looked at again.
    pub swept: Vec<Summary>,
    /// Clusters where marks could not be looked for, and why.
    pub unseen: Vec<(String, WorldError)>,
}

impl Recovered {
    /// Leftovers that remain.
    #[must_use]
    pub fn leftovers(&self) -> usize {
        self.ended.iter().chain(&self.swept).map(|summary| summary.leftovers.len()).sum()
    }
}

/// Ends every open run of the journal (or only `only`) with its drill's own patience, and looks
/// again at the leftovers of ended ones with `patience`.
///
/// # Errors
/// At the first run that cannot be read or written; those before it are done.
pub async fn recover(
    house: &House,
    only: Option<&str>,
    patience: Duration,
) -> Result<Recovered, RecoverError> {
    let wanted = |run: &String| only.is_none_or(|only| only == run);
    let mut recovered = Recovered::default();
    let reader = house.leader.reader();
    for run in reader.open_runs().await?.into_iter().filter(wanted) {
        let failed = |source| RecoverError::Run { run: run.clone(), source: Box::new(source) };
        recovered.ended.push(end(house, &run).await.map_err(failed)?);
    }
    let now = house.clock.now().wall;
    for run in reader.unsettled_runs(now).await?.into_iter().filter(wanted) {
        let failed = |source| RecoverError::Run { run: run.clone(), source: Box::new(source) };
        if recovered.ended.iter().any(|summary| summary.run == run) {
            continue;
        }
        recovered.swept.push(sweep(house, &run, patience).await.map_err(failed)?);
    }
    Ok(recovered)
}

/// Ends one open run.
async fn end(house: &House, run: &str) -> Result<Summary, DriveError> {
    let (record, effects) = open(house, run).await?;
    let (is_open, last_seq, last_boot, own) = record.with(|machine| {
        let patience = Duration::from_millis(machine.outline.undo_patience_millis);
        (machine.is_open(), machine.next_seq.saturating_sub(1), machine.last_boot.clone(), patience)
    });
    record
        .append(Event::RunRecovered {
            process: house.leader.process().to_owned(),
            same_boot: last_boot == house.clock.boot(),
            last_seq,
        })
        .await?;
    if is_open {
        let why = Some("its process ended before the run did".to_owned());
        record.append(Event::RunClosing { reason: Reason::Interrupted, why }).await?;
    }
    finish(house, &record, &effects, own).await
}

/// Looks again at what an ended run left, and for creates that came late.
async fn sweep(house: &House, run: &str, patience: Duration) -> Result<Summary, DriveError> {
    let (record, effects) = open(house, run).await?;
    let clock = &house.clock;
    let mut closing =
        record.with(|machine| Closing::new(machine, clock.boot(), clock.mono(), patience));
    effects.pump(&mut closing, None).await?;
    Ok(Summary::fold(&record.entries())?)
}

/// The record of a run that is in the journal, and a writer on those of its clusters that can be
/// logged in to. The others are out of reach: their effects wait, and become leftovers.
async fn open(house: &House, run: &str) -> Result<(Arc<Record>, Effects), DriveError> {
    let entries =
        house.leader.reader().stream(run).await.map_err(|source| {
            super::record::RecordError::Journal { event: "RunRecovered", source }
        })?;
    let record = Arc::new(Record::new(house.leader.clone(), house.clock.clone(), run, entries)?);
    let names = record.with(|machine| machine.clusters.clone());
    let (clusters, failed) = house.connect(&names).await;
    for (name, error) in failed {
        tracing::error!(run, cluster = name, %error, "a cluster is out of reach");
    }
    for cluster in clusters.values() {
        // Before anything is looked at: from here on, late writes of the dead leader are denied.
        if let Err(error) = epoch::raise(cluster, &house.leader, &house.config.instance).await {
            tracing::error!(run, cluster = cluster.name, %error, "the epoch cannot be raised");
        }
    }
    let effects = Effects::new(
        Arc::clone(&record),
        Arc::new(clusters),
        &house.config.instance,
        &house.config.timings,
    );
    Ok((record, effects))
}
