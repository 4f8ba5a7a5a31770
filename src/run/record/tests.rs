use std::collections::BTreeMap;

use super::*;
use crate::{
    clock::SystemClock,
    run::event::{Finding, Severity, Trigger},
};

fn finding(text: &str) -> Event {
    Event::FindingMade(Finding {
        severity: Severity::Info,
        code: "test".into(),
        text: text.into(),
        evidence: None,
    })
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_any_more_is_believed_all_the_same() {
    let folder = tempfile::tempdir().expect("folder");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new().expect("clock"));
    let leader = Leader::take(&folder.path().join("journal.db"), clock.clone()).await;
    let record = Record::new(leader.expect("leader"), clock, "r", Vec::new()).expect("record");
    let opened = Event::RunOpened {
        run: "r".into(),
        drill: "d".into(),
        definition: String::new(),
        definition_hash: String::new(),
        outline: Box::default(),
        trigger: Trigger::Hand,
        instance: "test".into(),
        clusters: Vec::new(),
        versions: BTreeMap::new(),
    };
    record.append(opened).await.expect("opened");
    // A step that times out drops whatever it was at: here, in the middle of an append.
    {
        let append = record.append(finding("dropped"));
        tokio::pin!(append);
        assert!(futures::poll!(append).is_pending());
    }
    record.append(finding("after it")).await.expect("the record is still in step");
    let said = |entries: Vec<Entry>| {
        let texts = entries.into_iter().filter_map(|entry| match entry.event {
            Event::FindingMade(finding) => Some(finding.text),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    assert_eq!(said(record.entries()), ["dropped", "after it"]);
    // Notes wait for a while before they are written.
    record.leader().clone().close().await.expect("close");
    let journal = record.leader().reader().stream("r").await.expect("entries");
    assert_eq!(said(journal), ["dropped", "after it"]);
}
