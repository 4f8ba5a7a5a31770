//! One leader at a time.

use std::os::unix::fs::PermissionsExt as _;

use super::{child, *};

#[tokio::test]
async fn a_second_leader_is_refused_and_told_who_leads() {
    let place = Place::new();
    let leader = place.leader().await;
    let link = place.folder.path().join("link.db");
    std::os::unix::fs::symlink(place.path(), &link).expect("link");
    for path in [place.path(), link] {
        let error = Leader::take(&path, clock()).await.expect_err("held");
        let JournalError::LockHeld { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.pid, std::process::id());
        assert!(error.to_string().contains(&holder.command), "{error}");
    }
    assert_eq!(leader.epoch(), 1);
    assert_eq!(leader.reader().max_epoch().await.expect("epoch"), 1, "a refused take changed it");
}

#[tokio::test]
async fn the_lock_of_another_process_ends_with_it() {
    let place = Place::new();
    let mut other = child::command("hold", &place.path(), None).spawn().expect("child");
    child::wait_for(&mut other, "holding");
    let error = Leader::take(&place.path(), clock()).await.expect_err("held");
    let JournalError::LockHeld { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.pid, other.id());
    assert!(holder.command.contains("journal::tests::child::act"), "{}", holder.command);
    assert!(holder.since.parse::<jiff::Timestamp>().is_ok(), "{}", holder.since);
    other.kill().expect("kill");
    other.wait().expect("wait");
    assert_eq!(place.leader().await.epoch(), 2);
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let place = Place::new();
    let mode = |path: &Path| std::fs::metadata(path).expect("file").permissions().mode() & 0o777;
    let leader = place.leader().await;
    leader.append("r", closing()).await.expect("append");
    for end in ["", "-wal", "-shm", ".lock"] {
        let path = PathBuf::from(format!("{}{end}", place.path().display()));
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(place.path().parent().expect("folder")), 0o700);
    leader.close().await.expect("close");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o644)).expect("mode");
    let _leader = place.leader().await;
    assert_eq!(mode(&place.path()), 0o600);
}

#[tokio::test]
async fn files_that_are_no_journal_are_clear_errors() {
    let place = Place::new();
    let error = Reader::open(&place.path()).await.expect_err("missing");
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
    std::fs::create_dir_all(place.path().parent().expect("folder")).expect("folder");
    std::fs::write(place.path(), "a text, and not one of SQLite's").expect("file");
    let error = Reader::open(&place.path()).await.expect_err("no journal");
    assert!(matches!(error, JournalError::Unusable { .. }), "{error}");
    let error = Leader::take(&place.path(), clock()).await.expect_err("no journal");
    assert!(matches!(error, JournalError::Unusable { .. }), "{error}");
    assert_eq!(std::fs::read(place.path()).expect("file").len(), 31, "it was written to");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_both_sides() {
    let place = Place::new();
    place.leader().await.close().await.expect("close");
    place
        .sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', TRUE, x'00', 0)",
        )
        .await;
    for error in [
        Reader::open(&place.path()).await.expect_err("newer"),
        Leader::take(&place.path(), clock()).await.expect_err("newer"),
    ] {
        assert!(error.to_string().contains("a newer firedrill wrote it"), "{error}");
    }
}
