//! Files that were cut or changed.

use super::*;

/// Copies a journal whose log is cut at `cut` bytes; the shared-memory file is left behind, as
/// by a power loss.
fn copy_cut(from: &Path, to: &Path, cut: u64) {
    std::fs::copy(from, to).expect("copy");
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(wal(from), wal(to)).expect("copy");
    let file = std::fs::OpenOptions::new().write(true).open(wal(to)).expect("log");
    file.set_len(cut).expect("cut");
}

#[tokio::test]
async fn a_log_cut_at_any_byte_opens_at_the_last_whole_commit() {
    let place = Place::new();
    // The schema goes into the file itself.
    place.leader().await.close().await.expect("close");
    let leader = place.leader().await;
    let wal = PathBuf::from(format!("{}-wal", place.path().display()));
    let size = || std::fs::metadata(&wal).expect("log").len();
    let mut ends = vec![size()];
    let mut appended = vec![];
    for event in [opened("r", "d", Trigger::Hand), started("a"), closing(), ended(0)] {
        appended.push(leader.append("r", event).await.expect("append"));
        ends.push(size());
    }
    let last = ends[4];
    // Every commit's end and its neighbours, and a stride that meets every part of a page.
    let cuts = ends.iter().flat_map(|end| [end - 1, *end, end + 1]).chain((0..last).step_by(463));
    for cut in cuts.filter(|cut| *cut <= last) {
        let folder = tempfile::tempdir().expect("folder");
        let copy = folder.path().join("journal.db");
        copy_cut(&place.path(), &copy, cut);
        let whole = ends[1..].iter().filter(|end| **end <= cut).count();
        let reader = Reader::open(&copy).await.expect("reader");
        assert_eq!(reader.stream("r").await.expect("stream"), appended[..whole], "cut at {cut}");
        assert_sound(&reader).await;
        // And the next leader goes on from there.
        let next = Leader::take(&copy, clock()).await.expect("leader");
        assert_eq!(next.append("r", note("on")).await.expect("append").seq, whole as u64);
        next.close().await.expect("close");
        assert_sound(&reader).await;
    }
}

#[tokio::test]
async fn a_flipped_byte_of_the_file_is_named_by_stream_and_seq() {
    let place = Place::new();
    let leader = place.leader().await;
    leader.append("r", opened("r", "d", Trigger::Hand)).await.expect("append");
    for step in ["first", "needle", "last"] {
        leader.append("r", started(step)).await.expect("append");
    }
    leader.append("s", opened("s", "d", Trigger::Hand)).await.expect("append");
    leader.close().await.expect("close");
    let sound = std::fs::read(place.path()).expect("file");
    for (word, seq) in [("needle", 2), ("last", 3)] {
        let mut bytes = sound.clone();
        let at = bytes.windows(word.len()).position(|part| part == word.as_bytes());
        bytes[at.expect("word")] ^= 1;
        std::fs::write(place.path(), bytes).expect("file");
        let reader = place.reader().await;
        let verified = reader.verify().await.expect("verify");
        assert_eq!(verified.streams, 2, "the other stream is checked all the same");
        assert_eq!(verified.breaks.len(), 1, "{:?}", verified.breaks);
        assert_eq!(verified.breaks[0].stream.as_deref(), Some("r"));
        assert_eq!(verified.breaks[0].seq, Some(seq), "{word}");
    }
}

#[tokio::test]
async fn what_is_cut_out_or_cut_off_is_found() {
    let place = Place::new();
    let leader = place.leader().await;
    for run in ["r", "s", "t"] {
        leader.append(run, opened(run, "d", Trigger::Hand)).await.expect("append");
        leader.append(run, started("a")).await.expect("append");
        leader.append(run, closing()).await.expect("append");
    }
    place.sql("DELETE FROM entry WHERE stream = 'r' AND seq = 1").await;
    place.sql("DELETE FROM entry WHERE stream = 's' AND seq = 2").await;
    place.sql("DELETE FROM entry WHERE stream = 't'").await;
    let breaks = leader.reader().verify().await.expect("verify").breaks;
    let found: Vec<_> = breaks.iter().map(|b| (b.stream.as_deref().unwrap_or(""), b.seq)).collect();
    assert_eq!(found, [("r", Some(1)), ("s", Some(1)), ("t", None)]);
    let error = leader.reader().stream("r").await.expect_err("gap");
    assert!(matches!(error, JournalError::Undecodable { seq: 1, .. }), "{error}");
}

#[tokio::test]
async fn entries_of_a_newer_firedrill_are_clear_errors() {
    let place = Place::new();
    let leader = place.leader().await;
    leader.append("r", closing()).await.expect("append");
    leader.append("s", closing()).await.expect("append");
    leader.append("t", closing()).await.expect("append");
    place.sql("UPDATE entry SET kind = 'Teleported' WHERE stream = 'r'").await;
    place.sql("UPDATE entry SET v = 2 WHERE stream = 's'").await;
    place.sql("UPDATE entry SET body = '{\"reason\":\"bored\"}' WHERE stream = 't'").await;
    let reader = leader.reader();
    let error = reader.stream("r").await.expect_err("newer");
    assert!(matches!(error, JournalError::Newer { .. }), "{error}");
    assert!(error.to_string().contains("\"Teleported\""), "{error}");
    let error = reader.stream("s").await.expect_err("newer");
    assert!(matches!(error, JournalError::Newer { .. }), "{error}");
    let error = reader.stream("t").await.expect_err("unknown reason");
    assert!(matches!(error, JournalError::Undecodable { .. }), "{error}");
}
