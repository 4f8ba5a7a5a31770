//! Lists of runs.

use super::*;

/// Three runs: one ended, one open, one ended of another drill with a leftover.
async fn three(leader: &Leader) {
    for (run, drill) in [("aa1", "d"), ("aa2", "d"), ("bb3", "e")] {
        leader.append(run, opened(run, drill, Trigger::Hand)).await.expect("append");
    }
    leader.append("aa1", ended(0)).await.expect("append");
    let left = Event::LeftoverNamed { n: 4, object: "namespace x".into(), why: "late".into() };
    leader.append("bb3", left).await.expect("append");
    leader.append("bb3", ended(1)).await.expect("append");
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let place = Place::new();
    let leader = place.leader().await;
    three(&leader).await;
    let reader = leader.reader();
    let names = |rows: Vec<RunRow>| rows.into_iter().map(|row| row.run).collect::<Vec<_>>();
    let rows = reader.runs(None, 10).await.expect("runs");
    assert_eq!(rows[0].leftovers.iter().copied().collect::<Vec<_>>(), [4]);
    assert_eq!(rows[0].verdict, Some(Verdict::Passed));
    assert!(rows[0].ended.is_some() && rows[1].ended.is_none());
    assert_eq!(names(rows), ["bb3", "aa2", "aa1"]);
    assert_eq!(names(reader.runs(Some("d"), 10).await.expect("runs")), ["aa2", "aa1"]);
    assert_eq!(names(reader.runs(None, 1).await.expect("runs")), ["bb3"]);
    assert_eq!(reader.open_runs().await.expect("open"), ["aa2"]);
}

#[tokio::test]
async fn a_run_is_found_by_id_prefix_or_latest() {
    let place = Place::new();
    let leader = place.leader().await;
    let reader = leader.reader();
    let error = reader.find_run("latest").await.expect_err("none");
    assert!(error.to_string().contains("the journal has no run"), "{error}");
    three(&leader).await;
    assert_eq!(reader.find_run("latest").await.expect("run"), "bb3");
    assert_eq!(reader.find_run("bb").await.expect("run"), "bb3");
    assert_eq!(reader.find_run("aa1").await.expect("run"), "aa1");
    let error = reader.find_run("aa").await.expect_err("two");
    assert!(matches!(&error, JournalError::Ambiguous { .. }), "{error}");
    assert!(error.to_string().ends_with("aa2, aa1"), "{error}");
    for text in ["zz", "%", ""] {
        let error = reader.find_run(text).await.expect_err("none");
        assert!(matches!(&error, JournalError::NoRun { .. }), "{error}");
        assert!(error.to_string().ends_with("bb3, aa2, aa1"), "{error}");
    }
    // A full id that starts another one is still itself.
    leader.append("aa", opened("aa", "d", Trigger::Hand)).await.expect("append");
    assert_eq!(reader.find_run("aa").await.expect("run"), "aa");
}

#[tokio::test]
async fn runs_with_leftovers_or_late_creates_are_unsettled() {
    let place = Place::new();
    let leader = place.leader().await;
    three(&leader).await;
    let cases = [
        ("late", Verb::Create, AbsentBy::Fenced),
        ("refused", Verb::Create, AbsentBy::Refused),
        ("patch", Verb::Patch, AbsentBy::Fenced),
        ("open", Verb::Create, AbsentBy::Fenced),
    ];
    for (run, verb, by) in cases {
        leader.append(run, opened(run, "d", Trigger::Hand)).await.expect("append");
        leader.append(run, intended(0, Verb::Evict)).await.expect("append");
        leader.append(run, intended(1, verb)).await.expect("append");
        leader.append(run, absent(1, by)).await.expect("append");
        if run != "open" {
            leader.append(run, ended(0)).await.expect("append");
        }
    }
    let reader = leader.reader();
    let now = clock().now().wall;
    let later = |hours: i64| now + jiff::SignedDuration::from_hours(hours);
    assert_eq!(reader.unsettled_runs(now).await.expect("runs"), ["bb3", "late"]);
    assert_eq!(reader.unsettled_runs(later(23)).await.expect("runs"), ["bb3", "late"]);
    assert_eq!(reader.unsettled_runs(later(25)).await.expect("runs"), ["bb3"]);
    let cleared = Event::LeftoverCleared { n: 4, how: "gone".into() };
    leader.append("bb3", cleared).await.expect("append");
    assert_eq!(reader.unsettled_runs(later(25)).await.expect("runs"), Vec::<String>::new());
    assert_sound(&reader).await;
}

#[tokio::test]
async fn the_index_is_rebuilt_from_the_entries() {
    let place = Place::new();
    let leader = place.leader().await;
    three(&leader).await;
    let reader = leader.reader();
    let before = reader.runs(None, 10).await.expect("runs");
    place.sql("DELETE FROM run WHERE run = 'aa1'").await;
    place.sql("UPDATE run SET leftovers = '[]', verdict = '\"failed\"' WHERE run = 'bb3'").await;
    let broken = reader.verify().await.expect("verify").breaks;
    let streams: Vec<_> = broken.iter().map(|found| found.stream.as_deref()).collect();
    assert_eq!(streams, [Some("aa1"), Some("bb3")]);
    leader.rebuild_index().await.expect("rebuild");
    assert_sound(&reader).await;
    assert_eq!(reader.runs(None, 10).await.expect("runs"), before);
}
