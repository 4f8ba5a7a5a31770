//! Snapshots of etcd for tests: good ones by a real etcd, with the figures that its own tools give,
//! and damaged ones made from them ([`damage`]).
//!
//! Nothing is stored: a corpus takes a few seconds. `FIREDRILL_OTHER_ETCD` names a folder with
//! another version's `etcd`, `etcdctl` and, since 3.5, `etcdutl`.

pub mod damage;
mod editor;
pub mod objects;
mod scenes;
mod store;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::{
    guard::Guard,
    parts::{self, Binaries},
    ports::Ports,
    processes::Processes,
    progress::Progress,
};

pub use editor::Editor;

/// What `etcdutl snapshot status` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The hash over all buckets.
    pub hash: u32,
    /// The newest row's revision.
    pub revision: i64,
    /// Keys that live (since 3.6), or rows of all buckets (before).
    pub total_key: u64,
    /// Bytes of the database.
    pub total_size: u64,
    /// The storage version; empty before 3.6.
    #[serde(default)]
    pub version: String,
}

/// What a member answered to HashKV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKv {
    /// The hash.
    pub hash: u32,
    /// Up to this revision.
    pub revision: i64,
    /// How far the member had compacted; -1 if it never had.
    pub compact_revision: i64,
}

/// A good snapshot with its figures.
#[derive(Clone, Debug)]
pub struct Good {
    /// What it is of.
    pub name: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the tool says of it.
    pub status: Status,
    /// What the member said at the moment of the snapshot.
    pub hash_kv: HashKv,
    /// Keys that lived, as the member counted them.
    pub keys: u64,
    /// An alarm was on: whole, and of no use as it is.
    pub alarm: bool,
}

/// The programs of one version.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The server.
    pub etcd: PathBuf,
    /// The client.
    pub etcdctl: PathBuf,
    /// The tool for files; before 3.5 the client did that.
    pub etcdutl: Option<PathBuf>,
    /// `3.6`.
    pub version: String,
}

impl Tools {
    fn new(etcd: PathBuf, etcdctl: PathBuf, etcdutl: Option<PathBuf>) -> anyhow::Result<Self> {
        let said = Command::new(&etcd).arg("--version").output().context("etcd --version")?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = said.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or("");
        let version: Vec<&str> = version.split('.').take(2).collect();
        Ok(Self { etcd, etcdctl, etcdutl, version: version.join(".") })
    }

    /// Whether the version is at least `3.minor`.
    #[must_use]
    pub fn at_least(&self, minor: u32) -> bool {
        self.version.strip_prefix("3.").and_then(|it| it.parse::<u32>().ok()) >= Some(minor)
    }

    fn of_lab(binaries: &Binaries) -> anyhow::Result<Self> {
        let path = |name| binaries.path(name);
        Self::new(path("etcd"), path("etcdctl"), Some(path("etcdutl")))
    }

    fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let etcdutl = Some(folder.join("etcdutl")).filter(|path| path.exists());
        Self::new(folder.join("etcd"), folder.join("etcdctl"), etcdutl)
    }

    /// What the tool says of a snapshot.
    ///
    /// # Errors
    /// When it ends badly.
    pub fn status(&self, path: &Path) -> anyhow::Result<Status> {
        let tool = self.etcdutl.as_ref().unwrap_or(&self.etcdctl);
        let said = Command::new(tool)
            .env("ETCDCTL_API", "3")
            .args(["snapshot", "status", "-w", "json"])
            .arg(path)
            .output()?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        serde_json::from_slice(&said.stdout).context("snapshot status")
    }
}

/// Good snapshots, and what they were made with.
pub struct Corpus {
    /// The snapshots.
    pub good: Vec<Good>,
    /// `member/snap/db` of a store that was in use: a database without a digest.
    pub copy: PathBuf,
    /// The programs.
    pub tools: Tools,
    dir: tempfile::TempDir,
}

impl Corpus {
    /// Makes the corpus with the lab's etcd, or that of `FIREDRILL_OTHER_ETCD`.
    ///
    /// # Errors
    /// When a part cannot be built or started.
    pub async fn make() -> anyhow::Result<Self> {
        let binaries =
            tokio::task::spawn_blocking(|| parts::ensure(&Progress::new(true))).await??;
        let tools = match env::var_os("FIREDRILL_OTHER_ETCD") {
            Some(folder) => Tools::in_folder(Path::new(&folder))?,
            None => Tools::of_lab(&binaries)?,
        };
        let dir = tempfile::Builder::new().prefix("firedrill-corpus-").tempdir()?;
        // The guard empties its folder; the snapshots lie beside it.
        let work = dir.path().join("work");
        std::fs::create_dir_all(work.join("logs"))?;
        let ground = store::Ground {
            processes: Processes::new(Guard::start(&work)?, work.join("logs")),
            ports: Ports::take()?,
            tools: tools.clone(),
            out: dir.path().to_owned(),
            work,
        };
        let (good, copy) = scenes::all(&ground).await?;
        Ok(Self { good, copy, tools, dir })
    }

    /// The folder of the corpus, for files that are made from it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A snapshot by its name.
    ///
    /// # Panics
    /// When there is none: an error in a test.
    #[must_use]
    pub fn get(&self, name: &str) -> &Good {
        self.good
            .iter()
            .find(|good| good.name == name)
            .unwrap_or_else(|| panic!("no snapshot {name} in the corpus"))
    }

    /// The bytes of a snapshot.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(&self.get(name).path)
    }

    /// Writes everything into `folder`, with what each file deserves in `expected.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut expected = serde_json::Map::new();
        for good in &self.good {
            let name = format!("{}.db", good.name);
            std::fs::copy(&good.path, folder.join(&name))?;
            let verdict = if good.alarm { "failed" } else { "passed" };
            expected.insert(
                name,
                serde_json::json!({
                    "verdict": verdict,
                    "statusHash": good.status.hash,
                    "revision": good.status.revision,
                    "totalKey": good.status.total_key,
                    "hashKv": good.hash_kv.hash,
                }),
            );
        }
        std::fs::copy(&self.copy, folder.join("raw-copy.db"))?;
        expected.insert("raw-copy.db".into(), serde_json::json!({"verdict": "unproven"}));
        let good = self.bytes("compacted-and-changed")?;
        for case in damage::of_files(&good).into_iter().chain(damage::of_pages(&good)) {
            let name = format!("damaged-{}.db", case.name.replace(' ', "-"));
            std::fs::write(folder.join(&name), &case.bytes)?;
            let answer = serde_json::json!({"verdict": case.verdict, "code": case.code});
            expected.insert(name, answer);
        }
        let text = serde_json::to_string_pretty(&expected)?;
        std::fs::write(folder.join("expected.json"), text)?;
        println!("{} snapshots in {}", expected.len(), folder.display());
        Ok(())
    }
}
