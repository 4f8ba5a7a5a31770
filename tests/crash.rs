//! firedrill is killed at a seeded dozen of journal points of each drill, and leaves nothing
//! behind. `cargo lab crash NAME --all` takes every point, every held write and the rest.

use std::path::PathBuf;

use lab::{
    Lab, Options,
    crash::{Choice, Scenario, run},
};
use tokio::sync::Mutex;

/// One lab at a time: two of them would only wait for each other's processor time.
static ONE: Mutex<()> = Mutex::const_new(());

async fn a_dozen_of(scenario: Scenario) -> anyhow::Result<()> {
    let _one = ONE.lock().await;
    let lab = Lab::start(Options::default()).await?;
    let choice = Choice { seed: 4, only_points: true, ..Choice::default() };
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_firedrill"));
    let report = run(&lab, binary, scenario, &choice).await?;
    println!("{}", report.text());
    assert!(report.is_clean(), "{}", report.text());
    assert_eq!(report.points(), 12);
    lab.stop().await
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    a_dozen_of(Scenario::Shop).await
}

#[tokio::test]
async fn a_drain_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    a_dozen_of(Scenario::Node).await
}
