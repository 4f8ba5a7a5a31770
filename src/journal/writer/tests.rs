//! The writer's memory of a commit that was not answered.

use super::*;
use crate::clock::SystemClock;

async fn writer(folder: &tempfile::TempDir) -> Writer {
    let path = folder.path().join("journal.db");
    File::create(&path).expect("file");
    let lock = File::create(folder.path().join("lock")).expect("lock");
    let clock = Arc::new(SystemClock::new().expect("clock"));
    let epoch = Arc::new(AtomicU64::new(0));
    Writer::open(path, lock, clock, "p".into(), epoch, Crash::default()).await.expect("writer")
}

fn new(note: bool) -> New {
    let body = r#"{"reason":"completed","why":null}"#.to_owned();
    New { stream: "r".into(), kind: "RunClosing".into(), body, note }
}

/// A note waits, and an act is committed whose answer is lost: `written` says whether it is in
/// the file. The writer is left as `commit` leaves it then.
async fn doubt(writer: &mut Writer, written: bool) -> Record {
    let note = writer.append(new(true)).await.expect("note");
    let (seq, prev) = Head::next(writer.heads.get("r"));
    let act = Record { seq, prev, ..note.clone() };
    let batch = vec![note, act.clone()];
    if written {
        let conn = writer.conn().await.expect("connection");
        store::prepare(conn, &batch, |_| true).await.expect("prepare");
        store::execute(conn, "COMMIT").await.expect("commit");
    }
    writer.conn = None;
    writer.doubted = batch;
    act
}

#[tokio::test]
async fn a_doubted_commit_that_is_in_the_file_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let mut writer = writer(&folder).await;
    writer.append(new(false)).await.expect("append");
    let act = doubt(&mut writer, true).await;
    let next = writer.append(new(false)).await.expect("append");
    assert_eq!((next.seq, next.prev), (3, act.hash()));
    assert!(writer.waiting.is_empty(), "the note was written with the act");
}

#[tokio::test]
async fn a_doubted_commit_that_is_not_in_the_file_frees_its_seq_and_keeps_the_note() {
    let folder = tempfile::tempdir().expect("folder");
    let mut writer = writer(&folder).await;
    writer.append(new(false)).await.expect("append");
    let act = doubt(&mut writer, false).await;
    assert_eq!(act.seq, 2);
    let next = writer.append(new(false)).await.expect("append");
    assert_eq!((next.seq, next.prev), (2, act.prev));
    let conn = writer.conn().await.expect("connection");
    assert_eq!(read::records(conn, "r").await.expect("records").len(), 3);
}

#[tokio::test]
async fn an_epoch_whose_raise_was_not_answered_is_no_loss() {
    let folder = tempfile::tempdir().expect("folder");
    let mut writer = writer(&folder).await;
    store::raise_epoch(writer.conn().await.expect("connection"), 1, None, 9).await.expect("raise");
    writer.raising = Some(9);
    writer.append(new(false)).await.expect("append");
    assert_eq!(writer.raise(3).await.expect("raise"), 9, "not below what may be stored");
    writer.append(new(false)).await.expect("append");
}

/// SQLite answers a COMMIT outside of a transaction by an error: here the transaction is already
/// committed, as after an answer that was lost.
#[tokio::test]
async fn a_commit_that_failed_is_read_back() {
    let folder = tempfile::tempdir().expect("folder");
    let mut writer = writer(&folder).await;
    let first = writer.append(new(false)).await.expect("append");
    let conn = writer.conn().await.expect("connection");
    assert!(store::execute(conn, "COMMIT").await.is_err());
    assert!(store::holds(conn, &first).await.expect("read back"));
    let other = Record { body: "{}".into(), ..first.clone() };
    assert!(!store::holds(conn, &other).await.expect("read back"), "another entry of that seq");
    let later = Record { seq: 1, ..first };
    assert!(!store::holds(conn, &later).await.expect("read back"));
}

#[tokio::test]
async fn every_commit_is_synced() {
    let folder = tempfile::tempdir().expect("folder");
    let mut writer = writer(&folder).await;
    let conn = writer.conn().await.expect("connection");
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *conn).await.expect("mode");
    let sync: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *conn).await.expect("sync");
    assert_eq!((mode.as_str(), sync), ("wal", 2));
}
