//! A second process: this test binary again, running one ignored test.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;

const MODE: &str = "FIREDRILL_TEST_MODE";
const JOURNAL: &str = "FIREDRILL_TEST_JOURNAL";

/// What the child appends to stream `r`, notes among acts.
pub(super) fn script() -> Vec<Event> {
    vec![
        opened("r", "d", Trigger::Hand),
        note("1"),
        note("2"),
        started("a"),
        note("3"),
        closing(),
        ended(0),
        note("4"),
    ]
}

/// The command that runs `mode` on `path`; `shell` comes before the program.
pub(super) fn command(mode: &str, path: &Path, shell: Option<&str>) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = match shell {
        None => Command::new(&program),
        Some(shell) => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{shell} exec \"$0\" \"$@\"")]).arg(&program);
            command
        }
    };
    command
        .args(["--exact", "journal::tests::child::act", "--ignored", "--nocapture"])
        .env(MODE, mode)
        .env(JOURNAL, path)
        .env_remove(crash::VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Waits for a line of the child's own.
pub(super) fn wait_for(child: &mut Child, line: &str) {
    let out = child.stdout.take().expect("stdout");
    let mut lines = BufReader::new(out).lines();
    assert!(lines.any(|found| found.expect("line").ends_with(line)), "{line} never came");
}

/// The child's side.
#[tokio::test]
#[ignore = "only for other tests to start"]
async fn act() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let path = PathBuf::from(std::env::var_os(JOURNAL).expect("path"));
    let leader = Leader::take(&path, clock()).await.expect("leader");
    match mode.as_str() {
        "script" => {
            for event in script() {
                leader.append("r", event).await.expect("append");
            }
            leader.close().await.expect("close");
        }
        "hold" => {
            println!("\nholding");
            // Ends with the parent at the latest.
            let _end = std::io::stdin().read_line(&mut String::new());
        }
        "full" => full_disk(leader).await,
        other => panic!("no mode {other}"),
    }
}

/// A file size limit stands for a full disk: writes fail with EFBIG. The shell that started us
/// ignores SIGXFSZ.
async fn full_disk(leader: Leader) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |bytes| {
        let limit = Rlimit { current: bytes, maximum: None };
        setrlimit(Resource::Fsize, limit).expect("limit");
    };
    leader.append("r", opened("r", "d", Trigger::Hand)).await.expect("append");
    leader.append("r", note("waits")).await.expect("append");
    limit(Some(1024));
    for _ in 0..3 {
        let error = leader.append("r", closing()).await.expect_err("full");
        assert!(matches!(error, JournalError::Sql { .. }), "{error:?}");
    }
    assert!(matches!(leader.flush().await, Err(JournalError::Sql { .. })));
    // The timer finds the disk full by itself, and the next note says so.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(matches!(leader.append("r", note("no")).await, Err(JournalError::Sql { .. })));
    assert!(matches!(leader.raise_epoch(9).await, Err(JournalError::Sql { .. })));
    limit(None);
    let entry = leader.append("r", closing()).await.expect("room again");
    assert_eq!(entry.seq, 2);
    assert_eq!(leader.raise_epoch(9).await.expect("raise"), 10);
    let read = leader.reader().stream("r").await.expect("stream");
    assert_eq!(events(&read), [opened("r", "d", Trigger::Hand), note("waits"), closing()]);
    assert_sound(&leader.reader()).await;
    leader.close().await.expect("close");
}
