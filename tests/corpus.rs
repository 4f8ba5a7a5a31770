//! The seeds of the fuzz targets, and a file for each finding, through the bodies of the targets:
//! what a fuzzer looks for, without one.

#[path = "common/told.rs"]
mod told;

use std::{fs, path::Path};

/// Runs `body` on every file of these folders, and on the beginnings of each.
fn replay(body: fn(&[u8]), folders: &[&str]) {
    let mut count = 0;
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                continue;
            }
            println!("{}", path.display());
            let bytes = fs::read(&path).expect("a seed");
            body(&bytes);
            // What an editor saves halfway.
            let step = (bytes.len() / 16).max(1);
            (0..bytes.len()).step_by(step).for_each(|end| body(&bytes[..end]));
            count += 1;
        }
    }
    assert!(count >= 8, "{count} seeds");
}

#[test]
fn drills() {
    replay(told::drill, &["tests/fuzz/seeds/drill", "tests/fuzz/seeds/config", "drills"]);
}

#[test]
fn configurations() {
    replay(told::configuration, &["tests/fuzz/seeds/config", "tests/fuzz/seeds/drill", "config"]);
}

#[test]
fn cron_expressions() {
    replay(told::cron, &["tests/fuzz/seeds/cron"]);
}
