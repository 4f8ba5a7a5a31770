use std::{path::PathBuf, sync::Arc};

use super::*;
use crate::{
    clock::SystemClock,
    journal::Leader,
    report::summary::samples,
    run::event::{Event, Finding, Reason, Severity, Verdict},
};

fn finding(text: &str) -> Event {
    Event::FindingMade(Finding {
        severity: Severity::Info,
        code: "test".into(),
        text: text.into(),
        evidence: None,
    })
}

/// A journal with a run of three entries, and then `more`.
async fn journal(folder: &tempfile::TempDir, more: Vec<Event>) -> (PathBuf, String) {
    let path = folder.path().join("journal.db");
    let clock = Arc::new(SystemClock::new().expect("clock"));
    let leader = Leader::take(&path, clock).await.expect("leader");
    let opened = samples::drained().into_iter().next().expect("an opening");
    let mut events = vec![opened.event, finding("one"), finding("two \"quoted\"")];
    events.extend(more);
    for event in events {
        leader.append(&opened.stream, event).await.expect("append");
    }
    leader.close().await.expect("close");
    (path, opened.stream)
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("file");
    let at = bytes.windows(5).position(|part| part == b"\"one\"").expect("word") + 1;
    bytes[at] = b'O';
    std::fs::write(path, bytes).expect("file");
}

async fn verified(path: &Path, json: bool) -> (u8, String) {
    let mut out = Vec::new();
    let code = verify(path, json, &mut out).await.expect("verify");
    (code, String::from_utf8(out).expect("text"))
}

#[tokio::test]
async fn verify_tells_by_words_json_and_exit_code() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, run) = journal(&folder, Vec::new()).await;
    assert_eq!(verified(&path, false).await, (0, "sound: 1 streams, 3 entries\n".into()));
    let (code, text) = verified(&path, true).await;
    assert_eq!((code, text.trim()), (0, r#"{"breaks":[],"entries":3,"sound":true,"streams":1}"#));
    flip(&path);
    let (code, text) = verified(&path, false).await;
    assert_eq!(code, 1);
    let line = format!("{run} seq 1: its hash is not the one that seq 2 names\n");
    assert!(text.starts_with(&line), "{text}");
    let (code, text) = verified(&path, true).await;
    let value: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!((code, &value["sound"], &value["breaks"][0]["seq"]), (1, &false.into(), &1.into()));
}

#[tokio::test]
async fn verify_reads_what_the_events_mean() {
    let closing = Event::RunClosing { reason: Reason::Halt, why: None };
    let ended = Event::RunEnded {
        verdict: Verdict::Passed,
        leftovers: 0,
        summary: serde_json::json!({"verdict": "passed"}),
        summary_version: crate::report::summary::SUMMARY_VERSION,
    };
    for (more, says) in [
        (vec![closing.clone(), ended], "the stored summary is not the one that its events fold to"),
        (vec![closing.clone(), closing], "the first reason to close decides for good"),
    ] {
        let folder = tempfile::tempdir().expect("folder");
        let (path, _) = journal(&folder, more).await;
        let (code, text) = verified(&path, false).await;
        assert_eq!(code, 1);
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn the_chain_is_recomputed_from_exported_lines() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, run) = journal(&folder, Vec::new()).await;
    let mut out = Vec::new();
    export(&path, None, &mut out).await.expect("export");
    let text = String::from_utf8(out).expect("text");
    let mut prev = crate::journal::chain::GENESIS.to_owned();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("json");
        let text = |field: &str| value[field].as_str().expect(field).to_owned();
        let number = |field: &str| value[field].as_u64().expect(field);
        let body = line.split_once(r#""body":"#).expect("body").1;
        let record = Record {
            v: 1,
            stream: text("stream"),
            seq: number("seq"),
            prev: text("prev"),
            wall: text("wall"),
            boot: text("boot"),
            mono: number("mono"),
            process: text("process"),
            epoch: number("epoch"),
            kind: text("kind"),
            body: body.strip_suffix('}').expect("end").to_owned(),
        };
        assert_eq!(record.prev, prev);
        prev = record.hash();
    }
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains(&run));
    let mut out = Vec::new();
    assert!(export(&path, Some("nothing"), &mut out).await.is_err());
}
