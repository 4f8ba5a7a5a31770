//! The lab with the shop in it, and the program in its folder: what every case is made of.

use std::{
    cell::Cell,
    fs::{self, File},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use kube::Client;
use tokio::process::{Child, Command};

use super::Scenario;
use crate::{
    Lab,
    audit::AuditLog,
    firedrill::{ConfigOptions, write_config},
    picture::{BudgetReport, Evidence, Picture, Snapshot, judge},
    shop::{Shop, ShopOptions},
};

/// No command of firedrill may take longer: the drills' deadline and undo's patience together.
const LIMIT: Duration = Duration::from_secs(240);
/// The API server logs a request shortly after it has answered it.
const LOG_LAG: Duration = Duration::from_millis(300);
/// Long enough for a busy machine, short enough for hundreds of effects in doubt.
const TIMINGS: [(&str, &str); 3] =
    [("sendTimeout", "2s"), ("settle", "3s"), ("veleroAccept", "30s")];

/// The lab, its shop and its audit log.
pub struct Rig<'a> {
    pub lab: &'a Lab,
    pub scenario: Scenario,
    pub shop: Shop,
    pub admin: Client,
    log: AuditLog,
    firedrill: PathBuf,
    folder: PathBuf,
}

impl<'a> Rig<'a> {
    pub async fn start(
        lab: &'a Lab,
        firedrill: PathBuf,
        scenario: Scenario,
    ) -> anyhow::Result<Self> {
        let shop = Shop::open(lab, &ShopOptions::default()).await?;
        if scenario == Scenario::Shop {
            shop.backup().await?;
        }
        // Outside the lab's folder: a failed case's journal and logs outlive the lab.
        let folder = tempfile::Builder::new().prefix("firedrill-crash-").tempdir()?.keep();
        let admin = lab.client().await?;
        let log = AuditLog::from_now(&lab.control_plane().audit_log)?;
        Ok(Self { lab, scenario, shop, admin, log, firedrill, folder })
    }

    pub fn say(&self, line: &str) {
        self.lab.say(line);
    }

    /// A run that nobody disturbs: the names of its events. It must pass and leave nothing.
    pub async fn undisturbed(&mut self) -> anyhow::Result<Vec<String>> {
        let program = self.program("undisturbed").await?;
        let before = self.begin().await?;
        let budgets = crate::picture::watch_budgets(self.admin.clone()).await?;
        let ended = program.run().await?;
        let picture = self.picture(&before, &budgets.stop().await?).await?;
        if !ended.is(0) || !picture.is_clean() {
            bail!("undisturbed, {ended}\n{picture}\n{}", program.tail());
        }
        program.events().await
    }

    /// What is needed at the beginning of a case; forgets the requests of the last.
    pub async fn begin(&mut self) -> anyhow::Result<Snapshot> {
        self.log.refresh()?;
        self.log.forget();
        Snapshot::take(&self.admin).await
    }

    /// What became of everything that firedrill wrote since `before` was taken.
    pub async fn picture(
        &mut self,
        before: &Snapshot,
        budgets: &BudgetReport,
    ) -> anyhow::Result<Picture> {
        tokio::time::sleep(LOG_LAG).await;
        let after = Snapshot::take(&self.admin).await?;
        self.log.refresh()?;
        let seats = &budgets.seats;
        let evidence =
            Evidence { entries: self.log.entries(), before, after: &after, seats, kept: &[] };
        Ok(judge(&evidence))
    }

    /// The program with a configuration, a drill and a journal of its own.
    pub async fn program(&self, name: &str) -> anyhow::Result<Program> {
        let folder = self.folder.join(name.replace(['/', ':', '@'], "-"));
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let options = ConfigOptions {
            folder: Some(folder.display().to_string()),
            shop_url: Some(self.shop.url().to_owned()),
            timings: TIMINGS.map(owned).to_vec(),
            ..ConfigOptions::default()
        };
        let config = write_config(self.lab, &options).await?;
        let drill = folder.join("drill.yaml");
        fs::write(&drill, self.scenario.drill())?;
        let firedrill = self.firedrill.clone();
        Ok(Program { firedrill, folder, config, drill, started: Cell::new(0) })
    }

    /// Forgets the folder of all cases, unless one of them failed.
    pub fn end(&self, clean: bool) {
        if clean {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// firedrill in one folder.
pub struct Program {
    firedrill: PathBuf,
    pub folder: PathBuf,
    pub config: PathBuf,
    drill: PathBuf,
    started: Cell<u32>,
}

/// How a process ended; none = it did not within [`LIMIT`].
#[derive(Clone, Copy, Debug)]
pub struct Ended(Option<ExitStatus>);

impl Ended {
    pub fn is(self, code: i32) -> bool {
        self.0.and_then(|status| status.code()) == Some(code)
    }

    pub fn is_killed(self) -> bool {
        self.0.and_then(|status| status.signal()) == Some(9)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.and_then(|s| s.code()), self.0.and_then(|s| s.signal())) {
            (Some(code), _) => write!(f, "exit {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => write!(f, "not ended after {} s", LIMIT.as_secs()),
        }
    }
}

impl Program {
    /// Starts a command; its output goes to a log of its own.
    pub fn start(
        &self,
        config: &Path,
        args: &[&str],
        crash: Option<&str>,
    ) -> anyhow::Result<Child> {
        self.started.set(self.started.get() + 1);
        let name = format!("{}-{}", self.started.get(), args.first().unwrap_or(&"firedrill"));
        let log = |what: &str| File::create(self.folder.join(format!("{name}.{what}")));
        let mut command = Command::new(&self.firedrill);
        command.arg("--config").arg(config).args(args);
        command.env("FIREDRILL_LOG", "info,firedrill=debug").env_remove("FIREDRILL_CRASH");
        if let Some(point) = crash {
            command.env("FIREDRILL_CRASH", point);
        }
        command.stdin(Stdio::null()).stdout(log("out")?).stderr(log("err")?).kill_on_drop(true);
        command.spawn().with_context(|| self.firedrill.display().to_string())
    }

    /// Starts the drill.
    pub fn start_run(&self, config: &Path, crash: Option<&str>) -> anyhow::Result<Child> {
        let drill = self.drill.display().to_string();
        self.start(config, &["run", &drill], crash)
    }

    /// Runs the drill to its end.
    pub async fn run(&self) -> anyhow::Result<Ended> {
        ended(self.start_run(&self.config, None)?).await
    }

    /// Undoes what is left.
    pub async fn undo(&self) -> anyhow::Result<Ended> {
        ended(self.start(&self.config, &["undo"], None)?).await
    }

    /// Checks the journal.
    pub async fn verify(&self) -> anyhow::Result<Ended> {
        ended(self.start(&self.config, &["journal", "verify"], None)?).await
    }

    /// The names of all events in the journal; in the order of its stream, with one run in it.
    pub async fn events(&self) -> anyhow::Result<Vec<String>> {
        let output = Command::new(&self.firedrill)
            .arg("--config")
            .arg(&self.config)
            .args(["journal", "export"])
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = String::from_utf8(output.stdout)?;
        let kind = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line)?;
            let kind = entry["kind"].as_str().context("an entry without kind")?;
            anyhow::Ok(kind.to_owned())
        };
        text.lines().map(kind).collect()
    }

    /// Deletes the journal, as if the machine with it had been lost.
    pub fn lose_journal(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("journal.db") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// What the last command said last on stderr, apart from debugging.
    pub fn tail(&self) -> String {
        let mark = format!("{}-", self.started.get());
        let logs = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut text = String::new();
        for log in logs.map(|entry| entry.path()) {
            let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&mark) && name.ends_with(".err") {
                text = fs::read_to_string(log).unwrap_or_default();
            }
        }
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("DEBUG")).collect();
        lines[lines.len().saturating_sub(6)..].join("\n")
    }
}

/// Waits for a process; kills it when it takes too long.
pub async fn ended(mut child: Child) -> anyhow::Result<Ended> {
    match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(status) => Ok(Ended(Some(status?))),
        Err(_) => {
            child.kill().await?;
            Ok(Ended(None))
        }
    }
}
