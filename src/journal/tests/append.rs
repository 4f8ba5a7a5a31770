//! Appending, reading back, leadership.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn what_is_appended_is_read_back_by_another_reader() {
    let place = Place::new();
    let leader = place.leader().await;
    let mut appended = Vec::new();
    for event in [opened("r", "d", Trigger::Hand), started("a"), note("x"), closing(), ended(0)] {
        appended.push(leader.append("r", event).await.expect("append"));
    }
    let reader = place.reader().await;
    let read = reader.stream("r").await.expect("stream");
    assert_eq!(read, appended);
    assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(read[0].prev, chain::GENESIS);
    assert!(read.iter().all(|entry| entry.epoch == 1 && entry.process == leader.process()));
    assert_sound(&reader).await;
    assert_eq!(reader.stream("other").await.expect("stream"), Vec::new());
}

#[tokio::test]
async fn streams_have_chains_of_their_own_and_go_on_after_a_restart() {
    let place = Place::new();
    let leader = place.leader().await;
    for run in ["r1", "r2"] {
        leader.append(run, opened(run, "d", Trigger::Hand)).await.expect("append");
    }
    leader.close().await.expect("close");
    let leader = place.leader().await;
    assert_eq!(leader.epoch(), 2);
    let entry = leader.append("r1", started("a")).await.expect("append");
    assert_eq!((entry.seq, entry.epoch), (1, 2));
    let reader = leader.reader();
    assert_sound(&reader).await;
    assert_eq!(reader.streams().await.expect("streams"), ["r1", "r2"]);
    assert_eq!(reader.max_epoch().await.expect("epoch"), 2);
}

#[tokio::test]
async fn a_note_waits_and_goes_before_the_next_act() {
    let place = Place::new();
    let leader = place.leader().await;
    let reader = leader.reader();
    leader.append("r", opened("r", "d", Trigger::Hand)).await.expect("append");
    let first = leader.append("r", note("1")).await.expect("append");
    let second = leader.append("r", note("2")).await.expect("append");
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!(reader.stream("r").await.expect("stream").len(), 1, "notes are not written yet");
    let act = leader.append("r", closing()).await.expect("append");
    assert_eq!(act.seq, 3);
    let read = reader.stream("r").await.expect("stream");
    assert_eq!(read[1..], [first, second, act]);
    assert_sound(&reader).await;
}

#[tokio::test]
async fn a_note_is_written_within_a_second_or_by_flush() {
    let place = Place::new();
    let leader = place.leader().await;
    let reader = leader.reader();
    leader.append("r", note("1")).await.expect("append");
    leader.flush().await.expect("flush");
    assert_eq!(reader.stream("r").await.expect("stream").len(), 1);
    leader.append("r", note("2")).await.expect("append");
    tokio::time::sleep(Duration::from_millis(500)).await;
    leader.append("r", note("3")).await.expect("append");
    // The wait counts from the first note; half a second is for a busy machine.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.stream("r").await.expect("stream").len(), 3);
}

#[tokio::test]
async fn many_notes_are_written_before_their_second_is_over() {
    let place = Place::new();
    let leader = place.leader().await;
    for n in 0..300 {
        leader.append("r", note(&n.to_string())).await.expect("append");
    }
    let written = leader.reader().stream("r").await.expect("stream").len();
    assert!(written >= 256, "{written}");
}

#[tokio::test]
async fn an_append_nobody_waits_for_is_written() {
    let place = Place::new();
    let leader = place.leader().await;
    let mut append = Box::pin(leader.append("r", opened("r", "d", Trigger::Hand)));
    // One poll hands the event over.
    assert!(futures::poll!(&mut append).is_pending());
    drop(append);
    leader.flush().await.expect("flush");
    assert_eq!(leader.reader().stream("r").await.expect("stream").len(), 1);
}

#[tokio::test]
async fn the_last_handle_writes_notes_and_releases_the_lock() {
    let place = Place::new();
    let leader = place.leader().await;
    let clone = leader.clone();
    leader.append("r", note("1")).await.expect("append");
    leader.close().await.expect("close");
    assert!(matches!(clone.append("r", note("2")).await, Err(JournalError::Closed)));
    let next = place.leader().await;
    next.append("r", note("3")).await.expect("append");
    drop(next);
    // Dropped, not closed: the writer finishes by itself.
    for _ in 0..200 {
        if Leader::take(&place.path(), clock()).await.is_ok() {
            let read = place.reader().await.stream("r").await.expect("stream");
            assert_eq!(events(&read), [note("1"), note("3")]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the lock was never released");
}

#[tokio::test]
async fn a_slot_runs_once_and_the_error_names_the_run() {
    let place = Place::new();
    let leader = place.leader().await;
    let slot = || Trigger::Slot("2026-01-05T02:00:00Z".into());
    leader.append("r1", opened("r1", "d", slot())).await.expect("append");
    leader.append("r2", note("kept")).await.expect("append");
    let error = leader.append("r3", opened("r3", "d", slot())).await.expect_err("taken");
    assert!(matches!(&error, JournalError::SlotTaken { run, .. } if run == "r1"), "{error}");
    // Another drill has that slot too, and the refused stream is untouched.
    leader.append("r3", opened("r3", "other", slot())).await.expect("append");
    let reader = leader.reader();
    assert_eq!(reader.stream("r2").await.expect("stream").len(), 1);
    assert_sound(&reader).await;
}

#[tokio::test]
async fn events_at_the_wrong_place_are_refused_and_use_up_no_seq() {
    let place = Place::new();
    let leader = place.leader().await;
    let misplaced = |result: Result<Entry, JournalError>| {
        assert!(matches!(result, Err(JournalError::Misplaced { .. })), "{result:?}");
    };
    misplaced(leader.append("r", opened("other", "d", Trigger::Hand)).await);
    misplaced(leader.append("r", ended(0)).await);
    leader.append("r", opened("r", "d", Trigger::Hand)).await.expect("append");
    misplaced(leader.append("r", opened("r", "d", Trigger::Hand)).await);
    assert_eq!(leader.append("r", closing()).await.expect("append").seq, 1);
    assert_sound(&leader.reader()).await;
}

#[tokio::test]
async fn an_epoch_is_raised_durably_and_never_lowered() {
    let place = Place::new();
    let leader = place.leader().await;
    assert_eq!(leader.raise_epoch(41).await.expect("raise"), 42);
    assert_eq!(leader.raise_epoch(7).await.expect("raise"), 42);
    assert_eq!(leader.epoch(), 42);
    assert_eq!(leader.append("r", closing()).await.expect("append").epoch, 42);
    assert_sound(&leader.reader()).await;
    leader.close().await.expect("close");
    assert_eq!(place.leader().await.epoch(), 43);
}

#[tokio::test]
async fn lost_leadership_ends_all_appends() {
    let place = Place::new();
    let leader = place.leader().await;
    leader.append("r", closing()).await.expect("append");
    leader.append("r", note("lost")).await.expect("append");
    place.sql("UPDATE leadership SET epoch = 9").await;
    for _ in 0..2 {
        let error = leader.append("r", closing()).await.expect_err("lost");
        assert!(matches!(error, JournalError::LeadershipLost { ours: 1, stored: 9 }), "{error}");
    }
    assert!(matches!(
        leader.append("r", note("x")).await,
        Err(JournalError::LeadershipLost { .. })
    ));
    assert!(matches!(leader.raise_epoch(20).await, Err(JournalError::LeadershipLost { .. })));
    assert_eq!(leader.reader().stream("r").await.expect("stream").len(), 1);
}

#[tokio::test]
async fn a_stream_that_moved_without_us_is_not_forked() {
    let place = Place::new();
    let leader = place.leader().await;
    leader.append("r", closing()).await.expect("append");
    place.sql("UPDATE head SET hash = 'other'").await;
    let error = leader.append("r", closing()).await.expect_err("moved");
    assert!(matches!(error, JournalError::Forked { seq: 1, .. }), "{error}");
}

/// Prints how long a durable append takes; asserts nothing about time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_of_durable_appends() {
    let place = Place::new();
    let leader = place.leader().await;
    leader.append("r", opened("r", "d", Trigger::Hand)).await.expect("append");
    #[expect(clippy::disallowed_methods, reason = "a test measures the machine, not a run")]
    let now = std::time::Instant::now;
    let mut times = Vec::new();
    for n in 0..500 {
        let start = now();
        leader.append("r", intended(n, Verb::Create)).await.expect("append");
        times.push(start.elapsed());
    }
    times.sort();
    println!("durable append: p50 {:?}, p99 {:?}", times[250], times[495]);
    let mut times = Vec::new();
    for n in 0..500 {
        let start = now();
        leader.append("r", note(&n.to_string())).await.expect("append");
        times.push(start.elapsed());
    }
    times.sort();
    println!("note: p50 {:?}, p99 {:?}", times[250], times[495]);
    assert_eq!(leader.reader().run("r").await.expect("row").expect("run").drill, "d");
}
