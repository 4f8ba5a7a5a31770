//! The statements of the write side.

use std::path::Path;

use sqlx::{
    ConnectOptions as _, SqliteConnection,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    JournalError, MIGRATOR,
    chain::{Head, Record},
    index, read,
};

/// How the write connection is opened.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With WAL, only FULL syncs the log at each commit.
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Opens the file and brings its schema up to date.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, JournalError> {
    let unusable = |why: String| JournalError::Unusable { path: path.to_owned(), why };
    let mut conn = options(path).connect().await.map_err(|error| unusable(error.to_string()))?;
    MIGRATOR.run(&mut conn).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => {
            unusable(format!("a newer firedrill wrote it (schema {version})"))
        }
        error => unusable(error.to_string()),
    })?;
    Ok(conn)
}

/// Runs one statement without parameters.
pub(super) async fn execute(
    conn: &mut SqliteConnection,
    sql: &'static str,
) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(conn).await.map(drop)
}

/// Raises the stored epoch by one, durably, and gives it.
pub(super) async fn take_epoch(conn: &mut SqliteConnection) -> Result<u64, JournalError> {
    let epoch: i64 = sqlx::query_scalar("UPDATE leadership SET epoch = epoch + 1 RETURNING epoch")
        .fetch_one(conn)
        .await
        .map_err(JournalError::sql("take leadership of"))?;
    Ok(epoch.unsigned_abs())
}

/// Sets the stored epoch to `wanted` if it is `own`, or `raising` (an attempt without an answer).
pub(super) async fn raise_epoch(
    conn: &mut SqliteConnection,
    own: u64,
    raising: Option<u64>,
    wanted: u64,
) -> Result<(), JournalError> {
    let fail = || JournalError::sql("raise the epoch of");
    execute(conn, "BEGIN IMMEDIATE").await.map_err(fail())?;
    let stored = read::epoch(conn).await?;
    if stored != own && Some(stored) != raising {
        return Err(JournalError::LeadershipLost { ours: own, stored });
    }
    sqlx::query("UPDATE leadership SET epoch = max(epoch, ?)")
        .bind(number(wanted))
        .execute(&mut *conn)
        .await
        .map_err(fail())?;
    execute(conn, "COMMIT").await.map_err(fail())
}

/// The stored head of a stream.
pub(super) async fn head(
    conn: &mut SqliteConnection,
    stream: &str,
) -> Result<Option<Head>, JournalError> {
    let row: Option<(i64, String)> = sqlx::query_as("SELECT seq, hash FROM head WHERE stream = ?")
        .bind(stream)
        .fetch_optional(conn)
        .await
        .map_err(JournalError::sql("read a head of"))?;
    Ok(row.map(|(seq, hash)| Head { seq: seq.unsigned_abs(), hash }))
}

/// Whether the file holds exactly this entry.
pub(super) async fn holds(
    conn: &mut SqliteConnection,
    record: &Record,
) -> Result<bool, JournalError> {
    let row = read::record(conn, &record.stream, record.seq).await?;
    Ok(row.as_ref() == Some(record))
}

/// Begins a transaction and does all of a batch but the commit. The caller rolls back on error.
pub(super) async fn prepare(
    conn: &mut SqliteConnection,
    batch: &[Record],
    is_ours: impl Fn(u64) -> bool,
) -> Result<(), JournalError> {
    execute(conn, "BEGIN IMMEDIATE").await.map_err(JournalError::sql("write to"))?;
    let stored = read::epoch(conn).await?;
    if !is_ours(stored) {
        return Err(JournalError::LeadershipLost { ours: 0, stored });
    }
    for record in batch {
        insert(conn, record).await?;
    }
    Ok(())
}

/// One entry, the head of its stream and the row of its run.
async fn insert(conn: &mut SqliteConnection, record: &Record) -> Result<(), JournalError> {
    let stored = head(conn, &record.stream).await?;
    if Head::next(stored.as_ref()) != (record.seq, record.prev.clone()) {
        let (stream, seq) = (record.stream.clone(), record.seq);
        return Err(JournalError::Forked { stream, seq });
    }
    sqlx::query(
        "INSERT INTO entry (v, stream, seq, prev, wall, boot, mono, process, epoch, kind, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(i64::from(record.v))
    .bind(&record.stream)
    .bind(number(record.seq))
    .bind(&record.prev)
    .bind(&record.wall)
    .bind(&record.boot)
    .bind(number(record.mono))
    .bind(&record.process)
    .bind(number(record.epoch))
    .bind(&record.kind)
    .bind(&record.body)
    .execute(&mut *conn)
    .await
    .map_err(JournalError::sql("write to"))?;
    sqlx::query(
        "INSERT INTO head (stream, seq, hash) VALUES (?, ?, ?)
         ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )
    .bind(&record.stream)
    .bind(number(record.seq))
    .bind(record.hash())
    .execute(&mut *conn)
    .await
    .map_err(JournalError::sql("write to"))?;
    if index::concerns(&record.kind) {
        let row = index::load(conn, &record.stream).await?;
        if let Some(row) = index::apply(row, record)? {
            index::save(conn, &row).await?;
        }
    }
    Ok(())
}

/// Folds the index of runs anew, in one transaction. The caller rolls back on error.
pub(super) async fn rebuild_index(conn: &mut SqliteConnection) -> Result<(), JournalError> {
    let fail = || JournalError::sql("rebuild the run index of");
    execute(conn, "BEGIN IMMEDIATE").await.map_err(fail())?;
    execute(conn, "DELETE FROM run").await.map_err(fail())?;
    for stream in read::streams(conn).await? {
        let mut row = None;
        for record in read::records(conn, &stream).await? {
            row = index::apply(row, &record)?;
        }
        if let Some(row) = row {
            index::save(conn, &row).await?;
        }
    }
    execute(conn, "COMMIT").await.map_err(fail())
}

/// SQLite's integers are signed; ours count from zero and never come near the end.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
