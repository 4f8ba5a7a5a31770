//! Random sequences of events: read back, chained, and no byte of them changes unseen.

use proptest::prelude::*;

use super::*;

const RUNS: [&str; 3] = ["0199aaaa-run", "0199bbbb-run", "0199cccc-run"];

fn event() -> impl Strategy<Value = Event> {
    let text = ".{0,12}";
    prop_oneof![
        text.prop_map(|step| started(&step)),
        text.prop_map(|phase| note(&phase)),
        (0..4u32, any::<bool>())
            .prop_map(|(n, patch)| intended(n, if patch { Verb::Patch } else { Verb::Create })),
        (0..4u32).prop_map(|n| absent(n, AbsentBy::Fenced)),
        (0..4u32, text, text).prop_map(|(n, object, why)| Event::LeftoverNamed { n, object, why }),
        (0..4u32, text).prop_map(|(n, how)| Event::LeftoverCleared { n, how }),
        (text, any::<u64>()).prop_map(|(key, value)| Event::StepEnded {
            step: key.clone(),
            outcome: crate::run::event::StepOutcome::Passed,
            why: None,
            measures: BTreeMap::from([(key, serde_json::json!([value, {"a": null}]))]),
        }),
        (0..3u32).prop_map(ended),
    ]
}

/// A stored value to be changed: which of the columns, which row, which byte, and how.
type Change = (usize, usize, usize, u8);

/// Every stored column but `entry.id` (the order of appends across streams, which no chain
/// covers) and `leadership.epoch` (which may grow without an entry).
const COLUMNS: [(&str, &str); 22] = [
    ("entry", "v"),
    ("entry", "stream"),
    ("entry", "seq"),
    ("entry", "prev"),
    ("entry", "wall"),
    ("entry", "boot"),
    ("entry", "mono"),
    ("entry", "process"),
    ("entry", "epoch"),
    ("entry", "kind"),
    ("entry", "body"),
    ("head", "stream"),
    ("head", "seq"),
    ("head", "hash"),
    ("run", "run"),
    ("run", "drill"),
    ("run", "slot"),
    ("run", "trigger"),
    ("run", "opened"),
    ("run", "ended"),
    ("run", "verdict"),
    ("run", "leftovers"),
];

/// Makes the change in a copy of the file; gives what was changed, or nothing where the value is
/// null or the change would collide with a key.
async fn change(path: &Path, (column, row, byte, xor): Change) -> Option<String> {
    let (table, column) = COLUMNS[column % COLUMNS.len()];
    let mut conn = intruder(path).await;
    // All names come from the list above.
    let key = match table {
        "entry" => "id",
        "head" => "stream",
        _ => "run",
    };
    let rows = sqlx::AssertSqlSafe(format!(
        "SELECT CAST({key} AS TEXT), CAST({column} AS BLOB), typeof({column}) FROM {table}"
    ));
    let rows: Vec<(String, Option<Vec<u8>>, String)> =
        sqlx::query_as(rows).fetch_all(&mut conn).await.expect("rows");
    let (key_value, value, kind) = &rows[row % rows.len()];
    let mut bytes = value.clone().filter(|bytes| !bytes.is_empty())?;
    let update = sqlx::AssertSqlSafe(format!(
        "UPDATE OR IGNORE {table} SET {column} = CAST(?1 AS {kind}) WHERE CAST({key} AS TEXT) = ?2"
    ));
    let update = if kind == "integer" {
        let old: i64 = std::str::from_utf8(&bytes).ok()?.parse().ok()?;
        sqlx::query(update).bind(old ^ i64::from(xor))
    } else {
        let at = byte % bytes.len();
        bytes[at] ^= xor;
        sqlx::query(update).bind(bytes)
    };
    let done = update.bind(key_value).execute(&mut conn).await;
    conn.close().await.expect("close");
    let changed = done.expect("update").rows_affected() > 0;
    changed.then(|| format!("{table}.{column}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_appended_is_read_back_and_no_change_goes_unseen(
        sequence in prop::collection::vec((0..RUNS.len(), event()), 1..24),
        changes in prop::collection::vec((0..64usize, 0..64usize, 0..4096usize, 1..=255u8), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let place = Place::new();
            let leader = place.leader().await;
            let mut appended = vec![Vec::new(); RUNS.len()];
            for (run, name) in RUNS.iter().enumerate() {
                let trigger = Trigger::Slot(format!("2026-01-0{}T02:00:00Z", run + 1));
                let entry = leader.append(name, opened(name, "d", trigger)).await.expect("append");
                appended[run].push(entry);
            }
            for (run, event) in sequence {
                let entry = leader.append(RUNS[run], event.clone()).await.expect("append");
                prop_assert_eq!(&entry.event, &event);
                appended[run].push(entry);
            }
            leader.close().await.expect("close");
            let reader = place.reader().await;
            for (run, name) in RUNS.iter().enumerate() {
                prop_assert_eq!(&reader.stream(name).await.expect("stream"), &appended[run]);
            }
            assert_sound(&reader).await;
            let mut made = 0;
            for one in changes {
                let copy = place.folder.path().join("copy.db");
                std::fs::copy(place.path(), &copy).expect("copy");
                if let Some(what) = change(&copy, one).await {
                    made += 1;
                    let verified = Reader::open(&copy).await.expect("reader").verify().await;
                    let sound = verified.is_ok_and(|verified| verified.is_sound());
                    prop_assert!(!sound, "a change of {} went unseen: {:?}", what, one);
                }
            }
            prop_assert!(made > 0, "nothing was changed");
            Ok(())
        })?;
    }
}
