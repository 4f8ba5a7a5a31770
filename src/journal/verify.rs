//! Verification: finds what was changed, cut out or cut off.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::{
    DAEMON, JournalError, RunRow,
    chain::{Head, Record},
    decode, index, read, store,
};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Streams that were checked.
    pub streams: u64,
    /// Entries that were checked and are sound.
    pub entries: u64,
    /// The first break of each stream, and breaks of the file.
    pub breaks: Vec<Break>,
}

impl Verified {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The stream; none for the file as a whole.
    pub stream: Option<String>,
    /// The first entry that is not as it was written, or whose successor says so.
    pub seq: Option<u64>,
    /// What is wrong, in one sentence.
    pub what: String,
}

/// Checks everything in one snapshot, so that a leader may write meanwhile.
pub(super) async fn all(pool: &SqlitePool) -> Result<Verified, JournalError> {
    let fail = || JournalError::sql("verify");
    let mut conn = pool.acquire().await.map_err(fail())?;
    let mut snapshot = conn.begin().await.map_err(fail())?;
    let mut verified = Verified::default();
    pages(&mut snapshot, &mut verified).await;
    epochs(&mut snapshot, &mut verified).await?;
    let streams: BTreeSet<String> = sqlx::query_scalar(
        "SELECT stream FROM entry UNION SELECT stream FROM head UNION SELECT run FROM run",
    )
    .fetch_all(&mut *snapshot)
    .await
    .map_err(fail())?
    .into_iter()
    .collect();
    for stream in streams {
        verified.streams += 1;
        let entries = &mut verified.entries;
        if let Err((seq, what)) = one(&mut snapshot, &stream, entries).await {
            verified.breaks.push(Break { stream: Some(stream), seq, what });
        }
    }
    Ok(verified)
}

/// SQLite's own check of its pages and indexes.
async fn pages(conn: &mut SqliteConnection, verified: &mut Verified) {
    let found: Result<Vec<String>, _> =
        sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(conn).await;
    let problems = match found {
        Ok(lines) => lines.into_iter().filter(|line| line != "ok").collect(),
        Err(error) => vec![error.to_string()],
    };
    verified.breaks.extend(problems.into_iter().map(|what| Break {
        stream: None,
        seq: None,
        what,
    }));
}

/// No entry can be of an epoch that nobody took.
async fn epochs(conn: &mut SqliteConnection, verified: &mut Verified) -> Result<(), JournalError> {
    let beyond: Option<i64> = sqlx::query_scalar(
        "SELECT max(epoch) FROM entry WHERE epoch > (SELECT epoch FROM leadership)",
    )
    .fetch_one(conn)
    .await
    .map_err(JournalError::sql("verify"))?;
    if let Some(epoch) = beyond {
        let what = format!("entries are of epoch {epoch}, which no leader has taken");
        verified.breaks.push(Break { stream: None, seq: None, what });
    }
    Ok(())
}

/// Checks one stream up to its first break.
async fn one(
    conn: &mut SqliteConnection,
    stream: &str,
    entries: &mut u64,
) -> Result<(), (Option<u64>, String)> {
    let whole = |error: JournalError| (None, error.to_string());
    let records = read::records(conn, stream).await.map_err(whole)?;
    let row = chain(&records, stream, entries)?;
    let head = store::head(conn, stream).await.map_err(whole)?;
    let end = records.last().map(Head::of);
    if head != end {
        let seq = end.map(|end| end.seq);
        return Err((seq, "the end of the stream is not the one that was written".to_owned()));
    }
    // As stored, not as decoded: two texts may stand for one instant.
    let row = row.as_ref().map(index::Columns::of).transpose().map_err(whole)?;
    if index::columns(conn, stream).await.map_err(whole)? != row {
        return Err((None, "the index of runs differs from the entries".to_owned()));
    }
    Ok(())
}

/// Checks the entries of one stream and folds its row of the index. PURE.
fn chain(
    records: &[Record],
    stream: &str,
    entries: &mut u64,
) -> Result<Option<RunRow>, (Option<u64>, String)> {
    let (mut head, mut row) = (None::<Head>, None);
    for record in records {
        let (seq, prev) = Head::next(head.as_ref());
        if record.seq != seq {
            return Err((Some(seq), "the entry is missing".to_owned()));
        }
        if record.prev != prev {
            // The break is in the entry before or in this one's prev; both were hashed together.
            return Err(if seq == 0 {
                (Some(0), "the first entry does not begin a chain".to_owned())
            } else {
                (Some(seq - 1), format!("its hash is not the one that seq {seq} names"))
            });
        }
        let here = |error: JournalError| (Some(seq), error.to_string());
        // The daemon's events are another list.
        if stream == DAEMON {
            serde_json::from_str::<serde_json::Value>(&record.body)
                .map_err(|error| (Some(seq), format!("body: {error}")))?;
        } else {
            decode(record).map_err(here)?;
        }
        row = index::apply(row, record).map_err(here)?;
        head = Some(Head::of(record));
        *entries += 1;
    }
    Ok(row)
}
