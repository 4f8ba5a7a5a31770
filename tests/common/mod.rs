//! What the integration tests share: firedrill as a process, in a lab ([`Firedrill`], [`case`]) and
//! in a folder of its own without one ([`place`]).

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod case;
pub mod place;

use std::{
    fs,
    path::PathBuf,
    process::{Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use lab::{
    Lab,
    firedrill::{ConfigOptions, write_config},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

/// An installation of firedrill in a lab: a configuration and a journal of its own.
pub struct Firedrill {
    config: PathBuf,
    folder: PathBuf,
}

/// How a `firedrill run` ended.
pub struct Ran {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its stdout: the report.
    pub stdout: String,
    /// Its stderr: progress and logs.
    pub stderr: String,
}

/// A `firedrill run` that goes on.
pub struct Going {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<()>,
    said: Arc<Mutex<String>>,
}

impl Firedrill {
    /// An installation named `instance`.
    pub async fn new(
        lab: &Lab,
        instance: &str,
        mut options: ConfigOptions,
    ) -> anyhow::Result<Self> {
        options.folder = Some(format!("firedrill-{instance}"));
        options.instance = Some(instance.to_owned());
        let config = write_config(lab, &options).await?;
        let folder = config.parent().context("a file has a folder")?.to_owned();
        Ok(Self { config, folder })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::from(place::firedrill(&self.folder, &["--config"]));
        command.arg(&self.config).args(args).kill_on_drop(true);
        command
    }

    /// Any command, to its end.
    pub async fn call(&self, args: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(args).output().await?)
    }

    /// Starts a run of the drill that `text` is.
    #[expect(clippy::disallowed_methods, reason = "two readers of pipes, which end with the child")]
    pub fn start(&self, text: &str) -> anyhow::Result<Going> {
        let file = self.folder.join("drill.yaml");
        fs::write(&file, text)?;
        let mut command = self.command(&["run"]);
        let mut child = command.arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("stdout")?;
        let err = child.stderr.take().context("stderr")?;
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let stdout = tokio::spawn(async move {
            let mut text = String::new();
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut out, &mut text).await;
            text
        });
        let stderr = tokio::spawn(async move {
            let mut lines = BufReader::new(err).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            }
        });
        Ok(Going { child, stdout, stderr, said })
    }

    /// Runs the drill that `text` is, to its end.
    pub async fn run(&self, text: &str) -> anyhow::Result<Ran> {
        self.start(text)?.end().await
    }

    /// The newest run, as `report --format json` gives it.
    pub async fn report(&self) -> anyhow::Result<Value> {
        let output = self.call(&["report", "--format", "json"]).await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the report")
    }

    /// Checks the journal.
    pub async fn verify(&self) -> anyhow::Result<()> {
        let output = self.call(&["journal", "verify"]).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        ensure!(output.status.success(), "journal verify: {out}{err}");
        Ok(())
    }

    /// The journal's file; there is none before the first run.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }
}

impl Going {
    /// What it said on stderr so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said `words`.
    pub async fn says(&mut self, words: &str, limit: Duration) -> anyhow::Result<()> {
        let waiting = async {
            while !self.said().contains(words) {
                if let Some(status) = self.child.try_wait()? {
                    bail!("firedrill ended ({status}) and never said {words:?}:\n{}", self.said());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(said) => said,
            Err(_) => bail!("after {limit:?} firedrill has not said {words:?}:\n{}", self.said()),
        }
    }

    /// Sends it SIGTERM.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.child.id().context("it has ended")?.to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().await?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }

    /// Waits until it ends.
    pub async fn end(mut self) -> anyhow::Result<Ran> {
        let limit = Duration::from_secs(240);
        let Ok(status) = tokio::time::timeout(limit, self.child.wait()).await else {
            bail!("firedrill has not ended after {limit:?}:\n{}", self.said());
        };
        let code = status?.code().unwrap_or(-1);
        let stdout = self.stdout.await?;
        self.stderr.await?;
        let stderr = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Ran { code, stdout, stderr })
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
