//! One etcd for the corpus.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, ensure};
use base64::Engine as _;
use serde_json::Value;

use super::{Good, HashKv, Tools};
use crate::{
    control_plane::LIMIT,
    ports::Ports,
    processes::{Processes, Recipe},
};

/// What all stores stand on.
pub struct Ground {
    pub processes: Processes,
    pub ports: Ports,
    pub tools: Tools,
    /// Where snapshots go.
    pub out: PathBuf,
    /// Where data goes.
    pub work: PathBuf,
}

/// A running etcd of one member.
pub struct Store<'g> {
    ground: &'g Ground,
    name: &'static str,
    endpoint: String,
    user: Option<String>,
}

impl<'g> Store<'g> {
    /// Starts one with more `flags`.
    pub async fn start(
        ground: &'g Ground,
        name: &'static str,
        flags: &[&str],
    ) -> anyhow::Result<Self> {
        let [client, peer] = [ground.ports.next()?, ground.ports.next()?]
            .map(|port| format!("http://127.0.0.1:{port}"));
        let mut args: Vec<String> = vec![
            format!("--name={name}"),
            format!("--data-dir={}", ground.work.join(name).display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
        ];
        // A restored folder knows its cluster.
        if !ground.work.join(name).exists() {
            args.push(format!("--initial-advertise-peer-urls={peer}"));
            args.push(format!("--initial-cluster={name}={peer}"));
        }
        if ground.tools.at_least(5) {
            args.push("--unsafe-no-fsync".to_owned());
        }
        args.extend(flags.iter().map(|&flag| flag.to_owned()));
        ground.processes.start(name, &Recipe::new(ground.tools.etcd.clone(), args))?;
        let health = format!("{client}/health");
        let http = reqwest::Client::new();
        let ready = async || {
            let answer = http.get(&health).timeout(Duration::from_secs(5)).send().await;
            matches!(answer, Ok(answer) if answer.status().is_success())
        };
        ground.processes.wait_ready(name, LIMIT, ready).await?;
        Ok(Self { ground, name, endpoint: client, user: None })
    }

    /// From here on as this user, `name:password`.
    pub fn log_in(&mut self, user: &str) {
        self.user = Some(user.to_owned());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.ground.tools.etcdctl);
        if !self.ground.tools.at_least(5) {
            command.env("ETCDCTL_API", "3");
        }
        command.arg(format!("--endpoints={}", self.endpoint));
        if let Some(user) = &self.user {
            command.arg(format!("--user={user}"));
        }
        command.args(args);
        command
    }

    /// Runs `etcdctl` to its end.
    pub fn ctl(&self, args: &[&str]) -> anyhow::Result<String> {
        let said = self.command(args).output()?;
        ensure!(
            said.status.success(),
            "etcdctl {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&said.stderr)
        );
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// Posts to the gateway; the answer, whatever its status.
    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = reqwest::Client::new()
            .post(format!("{}{path}", self.endpoint))
            .json(body)
            .timeout(LIMIT)
            .send()
            .await?;
        Ok(answer.json().await?)
    }

    /// Changes many keys in one transaction: None deletes.
    pub async fn change(&self, rows: &[(String, Option<Vec<u8>>)]) -> anyhow::Result<()> {
        let text = base64;
        let operations: Vec<Value> = rows
            .iter()
            .map(|(key, value)| {
                let key = text(key.as_bytes());
                match value {
                    Some(value) => {
                        serde_json::json!({"requestPut": {"key": key, "value": text(value)}})
                    }
                    None => serde_json::json!({"requestDeleteRange": {"key": key}}),
                }
            })
            .collect();
        for operations in operations.chunks(100) {
            let body = serde_json::json!({"success": operations});
            let answer = self.post("/v3/kv/txn", &body).await?;
            ensure!(answer["succeeded"] == true, "{answer}");
        }
        Ok(())
    }

    /// Puts one key; what the server says of it.
    pub async fn put(&self, key: &str, value: &[u8]) -> anyhow::Result<Value> {
        let body = serde_json::json!({"key": base64(key.as_bytes()), "value": base64(value)});
        self.post("/v3/kv/put", &body).await
    }

    /// The current revision.
    pub fn revision(&self) -> anyhow::Result<i64> {
        let said: Value = serde_json::from_str(&self.ctl(&["endpoint", "status", "-w", "json"])?)?;
        said[0]["Status"]["header"]["revision"].as_i64().context("a revision")
    }

    /// Takes a snapshot, with the figures of the member and of the tool.
    pub fn snapshot(&self, name: &'static str) -> anyhow::Result<Good> {
        let path = self.ground.out.join(format!("{name}.db"));
        self.ctl(&["snapshot", "save", &path.display().to_string()])?;
        let said: Value = serde_json::from_str(&self.ctl(&["endpoint", "hashkv", "-w", "json"])?)?;
        let hash = &said[0]["HashKV"];
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let revision = match number(&hash["hash_revision"]) {
            // Older servers do not say it.
            0 => number(&hash["header"]["revision"]),
            revision => revision,
        };
        let hash_kv = HashKv {
            hash: u32::try_from(number(&hash["hash"]))?,
            revision,
            compact_revision: number(&hash["compact_revision"]),
        };
        // `--count-only` is younger than 3.4.
        let keys = self.ctl(&["get", "", "--from-key", "--keys-only"])?;
        let keys = keys.lines().filter(|line| !line.is_empty()).count() as u64;
        let status = self.ground.tools.status(&path)?;
        Ok(Good { name, path, status, hash_kv, keys, alarm: false })
    }

    /// Ends it.
    pub fn stop(self) {
        self.ground.processes.kill(self.name);
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
