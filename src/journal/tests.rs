//! Tests of the journal as its users see it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::*;
use crate::{
    clock::{Clock, Mono, SystemClock},
    mark::Mark,
    run::event::{
        AbsentBy, Intent, Precondition, Reason, Settled, Target, Trigger, Undo, UndoAction, Verb,
        Verdict, What,
    },
};

mod append;
mod child;
mod crashes;
mod damage;
mod lists;
mod lock;
mod random;

/// A folder with a journal in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state/journal.db")
    }

    async fn leader(&self) -> Leader {
        Leader::take(&self.path(), clock()).await.expect("leader")
    }

    async fn reader(&self) -> Reader {
        Reader::open(&self.path()).await.expect("reader")
    }

    /// A connection that obeys none of the journal's rules.
    async fn intruder(&self) -> SqliteConnection {
        intruder(&self.path()).await
    }

    async fn sql(&self, sql: &'static str) {
        let mut conn = self.intruder().await;
        sqlx::query(sql).execute(&mut conn).await.expect(sql);
        conn.close().await.expect("close");
    }
}

async fn intruder(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.expect("connection")
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new().expect("clock"))
}

fn opened(run: &str, drill: &str, trigger: Trigger) -> Event {
    Event::RunOpened {
        run: run.into(),
        drill: drill.into(),
        definition: "kind: Drill\n# \"quoted\" \u{1f525}\n".into(),
        definition_hash: "00".into(),
        outline: Box::default(),
        trigger,
        instance: "test".into(),
        clusters: vec!["lab".into()],
        versions: BTreeMap::from([("firedrill".into(), "0".into())]),
    }
}

fn started(step: &str) -> Event {
    Event::StepStarted { step: step.into(), attempt: 1 }
}

fn note(text: &str) -> Event {
    Event::Observed {
        step: "step".into(),
        what: What::Phase(text.into()),
        at: Mono(7),
        lower: None,
        note: None,
    }
}

fn closing() -> Event {
    Event::RunClosing { reason: Reason::Completed, why: None }
}

fn intended(n: u32, verb: Verb) -> Event {
    Event::EffectIntended(Box::new(Intent {
        n,
        attempt: 1,
        step: "restore".into(),
        verb,
        cluster: "lab".into(),
        target: Target {
            group: String::new(),
            version: "v1".into(),
            kind: "Namespace".into(),
            plural: "namespaces".into(),
            namespace: None,
            name: "fd-x".into(),
        },
        digest: "00".into(),
        precondition: Precondition::default(),
        prior: None,
        mark: Mark { instance: "test".into(), run: "r".into(), effect: n, epoch: 1 },
        send_by: Mono(9),
        undo: Undo::By { action: UndoAction::Delete, gate: None, after: vec![0] },
    }))
}

fn absent(n: u32, by: AbsentBy) -> Event {
    Event::EffectSettled { n, settled: Settled::Absent { by, why: None } }
}

fn ended(leftovers: u32) -> Event {
    Event::RunEnded {
        verdict: Verdict::Passed,
        leftovers,
        summary: serde_json::json!({"b": [1, "x"], "a": null}),
        summary_version: 1,
    }
}

fn events(entries: &[Entry]) -> Vec<Event> {
    entries.iter().map(|entry| entry.event.clone()).collect()
}

async fn assert_sound(reader: &Reader) {
    let verified = reader.verify().await.expect("verify");
    assert_eq!(verified.breaks, Vec::new());
}
