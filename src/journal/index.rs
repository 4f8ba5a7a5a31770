//! The index of runs: one row for each run, a fold over its entries.
//!
//! The writer keeps it in the same transaction as the entry, `verify` folds it anew and compares,
//! [`super::Leader::rebuild_index`] writes it anew. All three use [`apply`], so they agree.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::{JournalError, chain::Record, decode};
use crate::run::event::{EffectNo, Event, Trigger, Verdict};

/// A run, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The run's id.
    pub run: String,
    /// The drill's name.
    pub drill: String,
    /// What started it.
    pub trigger: Trigger,
    /// Wall time of RunOpened.
    pub opened: jiff::Timestamp,
    /// Wall time of RunEnded; none while it is open.
    pub ended: Option<jiff::Timestamp>,
    /// Its verdict, once it ended.
    pub verdict: Option<Verdict>,
    /// Effects that were left and not cleared since.
    pub leftovers: BTreeSet<EffectNo>,
}

impl RunRow {
    fn slot(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::Slot(slot) => Some(slot),
            _ => None,
        }
    }
}

/// Whether an event of this name can change the index; others need not be decoded.
pub(super) fn concerns(kind: &str) -> bool {
    matches!(kind, "RunOpened" | "RunEnded" | "LeftoverNamed" | "LeftoverCleared")
}

/// The row after `record`. PURE.
pub(super) fn apply(row: Option<RunRow>, record: &Record) -> Result<Option<RunRow>, JournalError> {
    if !concerns(&record.kind) {
        return Ok(row);
    }
    let misplaced = |why: &str| JournalError::Misplaced {
        stream: record.stream.clone(),
        kind: record.kind.clone(),
        why: why.to_owned(),
    };
    let event = decode(record)?;
    if let Event::RunOpened { run, drill, trigger, .. } = event {
        if record.seq != 0 || row.is_some() {
            return Err(misplaced("a run is opened by its first entry only"));
        }
        if run != record.stream {
            return Err(misplaced("the stream of a run is named by its id"));
        }
        let opened = wall(record)?;
        let leftovers = BTreeSet::new();
        return Ok(Some(RunRow {
            run,
            drill,
            trigger,
            opened,
            ended: None,
            verdict: None,
            leftovers,
        }));
    }
    let Some(mut row) = row else { return Err(misplaced("the run was never opened")) };
    match event {
        Event::RunEnded { verdict, .. } => {
            row.ended = Some(wall(record)?);
            row.verdict = Some(verdict);
        }
        Event::LeftoverNamed { n, .. } => {
            row.leftovers.insert(n);
        }
        Event::LeftoverCleared { n, .. } => {
            row.leftovers.remove(&n);
        }
        _ => {}
    }
    Ok(Some(row))
}

fn wall(record: &Record) -> Result<jiff::Timestamp, JournalError> {
    record.wall.parse().map_err(|error| JournalError::Undecodable {
        stream: record.stream.clone(),
        seq: record.seq,
        why: format!("wall: {error}"),
    })
}

/// Wall time as the journal stores it: of fixed width, so that text sorts as time does.
pub(super) fn stored(wall: jiff::Timestamp) -> String {
    format!("{wall:.9}")
}

/// The columns of a row.
#[derive(Debug, PartialEq, Eq, FromRow)]
pub(super) struct Columns {
    run: String,
    drill: String,
    slot: Option<String>,
    trigger: String,
    opened: String,
    ended: Option<String>,
    verdict: Option<String>,
    leftovers: String,
}

impl Columns {
    /// The columns that store `row`.
    pub(super) fn of(row: &RunRow) -> Result<Self, JournalError> {
        let json = |value: serde_json::Result<String>| value.map_err(JournalError::Encode);
        Ok(Self {
            run: row.run.clone(),
            drill: row.drill.clone(),
            slot: row.slot().map(str::to_owned),
            trigger: json(serde_json::to_string(&row.trigger))?,
            opened: stored(row.opened),
            ended: row.ended.map(stored),
            verdict: row.verdict.map(|v| json(serde_json::to_string(&v))).transpose()?,
            leftovers: json(serde_json::to_string(&row.leftovers))?,
        })
    }

    /// The row; `why` of an error names the column.
    pub(super) fn row(self) -> Result<RunRow, JournalError> {
        fn read<T, E: std::fmt::Display>(
            run: &str,
            column: &str,
            value: Result<T, E>,
        ) -> Result<T, JournalError> {
            value.map_err(|error| JournalError::Undecodable {
                stream: run.to_owned(),
                seq: 0,
                why: format!("column {column} of the run index: {error}"),
            })
        }
        let run = self.run;
        let row = RunRow {
            drill: self.drill,
            trigger: read(&run, "trigger", serde_json::from_str(&self.trigger))?,
            opened: read(&run, "opened", self.opened.parse())?,
            ended: read(&run, "ended", self.ended.map(|wall| wall.parse()).transpose())?,
            verdict: read(
                &run,
                "verdict",
                self.verdict.map(|text| serde_json::from_str(&text)).transpose(),
            )?,
            leftovers: read(&run, "leftovers", serde_json::from_str(&self.leftovers))?,
            run: run.clone(),
        };
        if row.slot() != self.slot.as_deref() {
            return read(&run, "slot", Err("differs from the trigger"));
        }
        Ok(row)
    }
}

/// The stored row of a run.
pub(super) async fn load(
    conn: &mut SqliteConnection,
    run: &str,
) -> Result<Option<RunRow>, JournalError> {
    columns(conn, run).await?.map(Columns::row).transpose()
}

/// The stored row of a run, as it is stored.
pub(super) async fn columns(
    conn: &mut SqliteConnection,
    run: &str,
) -> Result<Option<Columns>, JournalError> {
    sqlx::query_as::<_, Columns>("SELECT * FROM run WHERE run = ?")
        .bind(run)
        .fetch_optional(conn)
        .await
        .map_err(JournalError::sql("read the run index of"))
}

/// Writes a row, within the transaction of its entry. A slot that already ran is an error that
/// names its run; the unique index stands behind it.
pub(super) async fn save(conn: &mut SqliteConnection, row: &RunRow) -> Result<(), JournalError> {
    let columns = Columns::of(row)?;
    if let Some(slot) = &columns.slot {
        let taken: Option<String> =
            sqlx::query_scalar("SELECT run FROM run WHERE drill = ? AND slot = ? AND run <> ?")
                .bind(&columns.drill)
                .bind(slot)
                .bind(&columns.run)
                .fetch_optional(&mut *conn)
                .await
                .map_err(JournalError::sql("read the run index of"))?;
        if let Some(run) = taken {
            return Err(JournalError::SlotTaken { drill: columns.drill, slot: slot.clone(), run });
        }
    }
    sqlx::query(
        "INSERT INTO run (run, drill, slot, trigger, opened, ended, verdict, leftovers)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run) DO UPDATE SET
           ended = excluded.ended, verdict = excluded.verdict, leftovers = excluded.leftovers",
    )
    .bind(columns.run)
    .bind(columns.drill)
    .bind(columns.slot)
    .bind(columns.trigger)
    .bind(columns.opened)
    .bind(columns.ended)
    .bind(columns.verdict)
    .bind(columns.leftovers)
    .execute(conn)
    .await
    .map_err(JournalError::sql("write the run index of"))?;
    Ok(())
}
