//! The read side.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions as _, FromRow, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    JournalError, MIGRATOR, RunRow, Verified, chain::Record, entry, index, index::Columns, verify,
};
use crate::run::event::Entry;

/// Creates that were found absent are looked for again this long: a request may still be on its
/// way.
const LATE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many runs an error proposes.
const CANDIDATES: i64 = 5;

/// The read side of the journal. Any process may read, also beside a leader.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
}

impl Reader {
    /// Opens the journal at `path` for reading.
    ///
    /// # Errors
    /// [`JournalError::Missing`]; [`JournalError::Unusable`] for a file that is no journal, a
    /// newer one, or an older one that no leader has brought up to date yet.
    pub async fn open(path: &Path) -> Result<Self, JournalError> {
        if let Err(source) = std::fs::metadata(path) {
            let path = path.to_owned();
            return Err(if source.kind() == std::io::ErrorKind::NotFound {
                JournalError::Missing { path }
            } else {
                JournalError::File { action: "open", path, source }
            });
        }
        let reader = Self::lazy(path);
        let unusable = |why: String| JournalError::Unusable { path: path.to_owned(), why };
        let found: Result<Option<i64>, _> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&reader.pool)
                .await;
        let ours = MIGRATOR.iter().map(|migration| migration.version).max();
        match found {
            Ok(found) if found == ours => Ok(reader),
            Ok(found) if found > ours => {
                Err(unusable("a newer firedrill wrote it; use that one".to_owned()))
            }
            Ok(_) => Err(unusable(
                "an older firedrill wrote it; the next run or undo brings it up to date".to_owned(),
            )),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    /// A reader that opens the file at its first question.
    pub(super) fn lazy(path: &Path) -> Self {
        let options =
            SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
        Self { pool: SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options) }
    }

    /// All entries of a stream, in order; none if there is no such stream. The chain is not
    /// checked; gaps, unknown events and bodies that do not decode are errors.
    ///
    /// # Errors
    /// [`JournalError::Newer`], [`JournalError::Undecodable`], SQLite errors.
    pub async fn stream(&self, stream: &str) -> Result<Vec<Entry>, JournalError> {
        let records = self.records(stream).await?;
        for (expected, record) in (0..).zip(&records) {
            if record.seq != expected {
                return Err(JournalError::Undecodable {
                    stream: stream.to_owned(),
                    seq: expected,
                    why: "the entry is missing".to_owned(),
                });
            }
        }
        records.into_iter().map(entry).collect()
    }

    /// All entries of a stream as their columns hold them, undecoded.
    ///
    /// # Errors
    /// SQLite errors.
    pub async fn records(&self, stream: &str) -> Result<Vec<Record>, JournalError> {
        records(&mut *self.connection().await?, stream).await
    }

    /// The names of all streams, in the order of their first entries.
    ///
    /// # Errors
    /// SQLite errors.
    pub async fn streams(&self) -> Result<Vec<String>, JournalError> {
        streams(&mut *self.connection().await?).await
    }

    /// Runs that were opened and have not ended, oldest first.
    ///
    /// # Errors
    /// SQLite errors.
    pub async fn open_runs(&self) -> Result<Vec<String>, JournalError> {
        sqlx::query_scalar("SELECT run FROM run WHERE ended IS NULL ORDER BY opened, run")
            .fetch_all(&self.pool)
            .await
            .map_err(JournalError::sql("read open runs of"))
    }

    /// Ended runs that a sweep still looks after, oldest first: with leftovers that are not
    /// cleared, or with a create that was called absent (by look-up or fence, not by the
    /// server's refusal) within the 24 hours before `now`.
    ///
    /// # Errors
    /// SQLite errors.
    pub async fn unsettled_runs(&self, now: jiff::Timestamp) -> Result<Vec<String>, JournalError> {
        let since = now.checked_sub(LATE).unwrap_or(jiff::Timestamp::MIN);
        sqlx::query_scalar(
            "SELECT run FROM run WHERE ended IS NOT NULL AND (leftovers <> '[]' OR run IN (
               SELECT settled.stream FROM entry settled JOIN entry intended
                 ON intended.stream = settled.stream AND intended.kind = 'EffectIntended'
                 AND json_extract(intended.body, '$.n') = json_extract(settled.body, '$.n')
               WHERE settled.kind = 'EffectSettled' AND settled.wall > ?
                 AND json_extract(settled.body, '$.settled.absent.by') = 'fenced'
                 AND json_extract(intended.body, '$.verb') = 'create'))
             ORDER BY opened, run",
        )
        .bind(index::stored(since))
        .fetch_all(&self.pool)
        .await
        .map_err(JournalError::sql("read unsettled runs of"))
    }

    /// The newest `limit` runs, newest first; of one drill, or of all.
    ///
    /// # Errors
    /// SQLite errors; an index that does not decode.
    pub async fn runs(&self, drill: Option<&str>, limit: u32) -> Result<Vec<RunRow>, JournalError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT * FROM run WHERE ?1 IS NULL OR drill = ?1
             ORDER BY opened DESC, run DESC LIMIT ?2",
        )
        .bind(drill)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(JournalError::sql("read runs of"))?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// The row of one run, by its full id.
    ///
    /// # Errors
    /// SQLite errors; an index that does not decode.
    pub async fn run(&self, run: &str) -> Result<Option<RunRow>, JournalError> {
        index::load(&mut *self.connection().await?, run).await
    }

    /// The run that a person means: a full id, the start of exactly one id, or `latest`.
    ///
    /// # Errors
    /// [`JournalError::NoRun`] and [`JournalError::Ambiguous`] name candidates; SQLite errors.
    pub async fn find_run(&self, text: &str) -> Result<String, JournalError> {
        let prefix = if text == "latest" { "" } else { text };
        let mut candidates: Vec<String> = sqlx::query_scalar(
            "SELECT run FROM run WHERE substr(run, 1, length(?1)) = ?1
             ORDER BY run = ?1 DESC, opened DESC, run DESC LIMIT ?2",
        )
        .bind(prefix)
        .bind(CANDIDATES)
        .fetch_all(&self.pool)
        .await
        .map_err(JournalError::sql("look for a run in"))?;
        let sure = text == "latest" || candidates.len() == 1;
        if !text.is_empty() && candidates.first().is_some_and(|first| sure || first == text) {
            return Ok(candidates.swap_remove(0));
        }
        let text = text.to_owned();
        if !candidates.is_empty() && !text.is_empty() {
            return Err(JournalError::Ambiguous { text, candidates });
        }
        let newest = u32::try_from(CANDIDATES).unwrap_or(u32::MAX);
        let newest = self.runs(None, newest).await?;
        let candidates = newest.into_iter().map(|row| row.run).collect();
        Err(JournalError::NoRun { text, candidates })
    }

    /// Checks every stream: chain, gaps, hashes, bodies that decode, its head, its row in the
    /// index of runs; and the pages of the file. All of it is checked, whatever is found.
    ///
    /// # Errors
    /// Only if nothing can be read; what is found is in the result.
    pub async fn verify(&self) -> Result<Verified, JournalError> {
        verify::all(&self.pool).await
    }

    /// The highest epoch that led this journal.
    ///
    /// # Errors
    /// SQLite errors.
    pub async fn max_epoch(&self) -> Result<u64, JournalError> {
        epoch(&mut *self.connection().await?).await
    }

    async fn connection(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, JournalError> {
        self.pool.acquire().await.map_err(JournalError::sql("open"))
    }
}

/// The columns of an entry.
#[derive(FromRow)]
struct EntryColumns {
    v: i64,
    stream: String,
    seq: i64,
    prev: String,
    wall: String,
    boot: String,
    mono: i64,
    process: String,
    epoch: i64,
    kind: String,
    body: String,
}

impl EntryColumns {
    fn record(self) -> Result<Record, JournalError> {
        let (stream, seq) = (self.stream, self.seq.unsigned_abs());
        let odd = |column| JournalError::Undecodable {
            stream: stream.clone(),
            seq,
            why: format!("column {column} is out of range"),
        };
        Ok(Record {
            v: u32::try_from(self.v).map_err(|_| odd("v"))?,
            prev: self.prev,
            wall: self.wall,
            boot: self.boot,
            mono: u64::try_from(self.mono).map_err(|_| odd("mono"))?,
            process: self.process,
            epoch: u64::try_from(self.epoch).map_err(|_| odd("epoch"))?,
            kind: self.kind,
            body: self.body,
            stream,
            seq,
        })
    }
}

/// All records of a stream, by seq.
pub(super) async fn records(
    conn: &mut SqliteConnection,
    stream: &str,
) -> Result<Vec<Record>, JournalError> {
    let rows: Vec<EntryColumns> = sqlx::query_as(
        "SELECT v, stream, seq, prev, wall, boot, mono, process, epoch, kind, body
         FROM entry WHERE stream = ? ORDER BY seq",
    )
    .bind(stream)
    .fetch_all(conn)
    .await
    .map_err(JournalError::sql("read a stream of"))?;
    rows.into_iter().map(EntryColumns::record).collect()
}

/// One record.
pub(super) async fn record(
    conn: &mut SqliteConnection,
    stream: &str,
    seq: u64,
) -> Result<Option<Record>, JournalError> {
    sqlx::query_as::<_, EntryColumns>(
        "SELECT v, stream, seq, prev, wall, boot, mono, process, epoch, kind, body
         FROM entry WHERE stream = ? AND seq = ?",
    )
    .bind(stream)
    .bind(i64::try_from(seq).unwrap_or(i64::MAX))
    .fetch_optional(conn)
    .await
    .map_err(JournalError::sql("read an entry of"))?
    .map(EntryColumns::record)
    .transpose()
}

/// The names of all streams, in the order of their first entries.
pub(super) async fn streams(conn: &mut SqliteConnection) -> Result<Vec<String>, JournalError> {
    sqlx::query_scalar("SELECT stream FROM entry GROUP BY stream ORDER BY min(id)")
        .fetch_all(conn)
        .await
        .map_err(JournalError::sql("list the streams of"))
}

/// The stored epoch.
pub(super) async fn epoch(conn: &mut SqliteConnection) -> Result<u64, JournalError> {
    let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM leadership")
        .fetch_one(conn)
        .await
        .map_err(JournalError::sql("read the epoch of"))?;
    Ok(epoch.unsigned_abs())
}

/// Whether a ROLLBACK failed only because SQLite had rolled back by itself.
pub(super) fn is_no_transaction(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.message().contains("no transaction is active"))
}
