//! `cargo lab drill`: a lab, a shop, a backup, and one drill with the real binary.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{
    Lab, Options,
    account::repository,
    firedrill::{self, ConfigOptions},
    shop::{Shop, ShopOptions},
};

/// The drill that runs when none is named, in the repository.
pub const DEFAULT: &str = "drills/shop-comes-back.yaml";

/// Runs the drill in `file`; answers firedrill's exit code.
///
/// # Errors
/// When the lab does not come up, or firedrill cannot be built or started.
pub async fn run(file: Option<PathBuf>) -> anyhow::Result<i32> {
    let file = file.unwrap_or_else(|| repository().join(DEFAULT));
    if !file.exists() {
        bail!("there is no drill {}", file.display());
    }
    let binary = tokio::task::spawn_blocking(firedrill::build).await??;
    let lab = Lab::start(Options { quiet: false, ..Options::default() }).await?;
    let result = on(&lab, &binary, &file).await;
    if matches!(result, Ok(0)) {
        lab.stop().await?;
    }
    result
}

async fn on(lab: &Lab, binary: &Path, file: &Path) -> anyhow::Result<i32> {
    let shop = Shop::open(lab, &ShopOptions::default()).await?;
    shop.backup().await?;
    lab.say("backup completed");
    let options = ConfigOptions { shop_url: Some(shop.url().to_owned()), ..Default::default() };
    let config = firedrill::write_config(lab, &options).await?;
    lab.say(&format!("firedrill run {}", file.display()));
    let (binary, file) = (binary.to_owned(), file.to_owned());
    tokio::task::spawn_blocking(move || {
        let firedrill = |args: &[&str]| {
            let mut command = Command::new(&binary);
            command.arg("--config").arg(&config).args(args).stdin(Stdio::null());
            command
        };
        let status = firedrill(&["run"]).arg(&file).status().context("firedrill")?;
        let history = firedrill(&["history", "--output", "json"]).output()?;
        match newest_run(&String::from_utf8_lossy(&history.stdout)) {
            Some(run) => drop(firedrill(&["report", run]).status()?),
            None => eprintln!("firedrill's history names no run"),
        }
        status.code().context("firedrill was killed")
    })
    .await?
}

/// The newest run's id in a text: ids are UUIDs of version 7, so the greatest is the newest.
fn newest_run(text: &str) -> Option<&str> {
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    text.split(|c| !hex(c))
        .filter(|word| word.len() == 36 && word.as_bytes()[14] == b'7')
        .filter(|word| word.match_indices('-').map(|(i, _)| i).eq([8, 13, 18, 23]))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_is_the_greatest_id() {
        let old = "019a0000-0000-7000-8000-000000000001";
        let new = "019a0000-0001-7000-8000-000000000000";
        let text =
            format!("[{{\"run\":\"{new}\"}},{{\"run\":\"{old}\",\"sha\":\"{}\"}}]", "a".repeat(64));
        assert_eq!(newest_run(&text), Some(new));
        assert_eq!(newest_run("{}"), None);
    }
}
