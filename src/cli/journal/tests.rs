use std::{path::PathBuf, sync::Arc};

use super::*;
use crate::{
    clock::SystemClock,
    journal::Leader,
    run::event::{Event, Reason},
};

/// A journal with two entries in stream `r`; closed unless the leader is kept.
async fn journal(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("journal.db");
    let clock = Arc::new(SystemClock::new().expect("clock"));
    let leader = Leader::take(&path, clock).await.expect("leader");
    for why in ["one", "two \"quoted\""] {
        let event = Event::RunClosing { reason: Reason::Halt, why: Some(why.into()) };
        leader.append("r", event).await.expect("append");
    }
    leader.close().await.expect("close");
    path
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
    let path = journal(&folder).await;
    assert_eq!(verified(&path, false).await, (0, "sound: 1 streams, 2 entries\n".into()));
    let (code, text) = verified(&path, true).await;
    assert_eq!((code, text.trim()), (0, r#"{"breaks":[],"entries":2,"sound":true,"streams":1}"#));
    flip(&path);
    let (code, text) = verified(&path, false).await;
    assert_eq!(code, 1);
    assert!(text.starts_with("r seq 0: its hash is not the one that seq 1 names\n"), "{text}");
    let (code, text) = verified(&path, true).await;
    let value: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!((code, &value["sound"], &value["breaks"][0]["seq"]), (1, &false.into(), &0.into()));
}

#[tokio::test]
async fn the_chain_is_recomputed_from_exported_lines() {
    let folder = tempfile::tempdir().expect("folder");
    let path = journal(&folder).await;
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
    assert_eq!(text.lines().count(), 2);
    let mut out = Vec::new();
    assert!(export(&path, Some("nothing"), &mut out).await.is_err());
}
