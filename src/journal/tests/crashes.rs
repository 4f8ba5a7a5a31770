//! Death at every journal point, and a disk without room.

use std::os::unix::process::ExitStatusExt as _;

use super::{child, *};
use crate::run::event::Class;

/// How many entries are durable when the process dies before event `n` (from 1) is committed:
/// all up to the last act or fact, since notes after it still wait.
fn durable_before(n: usize) -> usize {
    let script = child::script();
    (0..n - 1).rev().find(|i| script[*i].class() != Class::Note).map_or(0, |i| i + 1)
}

#[tokio::test]
async fn death_at_every_point_leaves_a_sound_prefix() {
    let script = child::script();
    for n in 1..=script.len() {
        for (side, expected) in [("before", durable_before(n)), ("after", n)] {
            let place = Place::new();
            let point = format!("{side}:{n}");
            let status = child::command("script", &place.path(), None)
                .env(crash::VARIABLE, &point)
                .output()
                .expect("child")
                .status;
            assert_eq!(status.signal(), Some(9), "{point}");
            let reader = place.reader().await;
            let read = reader.stream("r").await.expect("stream");
            assert_eq!(events(&read), script[..expected], "{point}");
            assert_sound(&reader).await;
            // The dead process holds nothing.
            assert_eq!(place.leader().await.epoch(), 2, "{point}");
        }
    }
}

#[tokio::test]
async fn a_point_beyond_the_end_is_no_crash_and_a_malformed_one_an_error() {
    let place = Place::new();
    let run = |point: &str| {
        let mut command = child::command("script", &place.path(), None);
        command.env(crash::VARIABLE, point).stderr(std::process::Stdio::piped());
        command.output().expect("child")
    };
    let bad = run("sometime");
    assert!(!bad.status.success());
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(said.contains("CrashSetting"), "{said}");
    assert!(run("after:9").status.success());
    assert_eq!(place.reader().await.stream("r").await.expect("stream").len(), 8);
}

#[tokio::test]
async fn a_full_disk_skips_no_seq_and_loses_no_note() {
    let place = Place::new();
    let output = child::command("full", &place.path(), Some("trap '' XFSZ;"))
        .stderr(std::process::Stdio::piped())
        .output()
        .expect("child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.reader().await.stream("r").await.expect("stream").len(), 3);
}
