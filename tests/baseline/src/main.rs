//! Reads all drills of a folder with serde-saphyr alone, into plain structs: no places, no checks
//! but types, no errors but the first. `cargo lab bench validate` compares with it.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use serde::Deserialize;

/// A document. Keys that stand in the samples all have a field, so that nothing is skipped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Drill {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Metadata {
    name: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Spec {
    description: Option<String>,
    cluster: String,
    suspend: Option<bool>,
    schedule: Option<Schedule>,
    deadline: Option<String>,
    undo_patience: Option<String>,
    guards: Option<Vec<Check>>,
    checks: Option<Vec<Check>>,
    steps: Vec<Step>,
    objectives: Option<Vec<Objective>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Schedule {
    cron: String,
    time_zone: Option<String>,
    day_match: Option<String>,
    jitter: Option<String>,
    starting_deadline: Option<String>,
    on_missed: Option<String>,
    on_interrupted: Option<String>,
}

/// A check, a guard, or the question of a step.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Check {
    name: Option<String>,
    http: Option<Flat>,
    tcp: Option<Flat>,
    kubernetes: Option<Flat>,
    promql: Option<Flat>,
    every: Option<String>,
    timeout: Option<String>,
    successes: Option<u32>,
    abort_after: Option<String>,
    fail_after: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Step {
    name: String,
    timeout: Option<String>,
    when: Option<String>,
    retry: Option<Flat>,
    velero_restore: Option<VeleroRestore>,
    velero_backup: Option<VeleroBackup>,
    workloads_ready: Option<Flat>,
    drain_nodes: Option<Flat>,
    backup_freshness: Option<Flat>,
    etcd_snapshot: Option<Flat>,
    check: Option<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct VeleroRestore {
    backup: BTreeMap<String, Source>,
    namespaces: Vec<String>,
    also_restore: Option<Vec<String>>,
    into: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is only read")]
struct VeleroBackup {
    namespaces: Option<Vec<String>>,
}

/// `newestOf: {schedule: ...}` or `name: ...`
#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only read")]
enum Source {
    Name(String),
    Of(Flat),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Objective {
    name: String,
    recovery_time: Option<String>,
    from: Option<String>,
    until: Option<String>,
    recovery_point: Option<String>,
    of: Option<String>,
}

/// Keys with single values.
type Flat = BTreeMap<String, Scalar>;

/// Any single value, as text: the cheapest that can be done with it.
#[derive(Debug)]
#[expect(dead_code, reason = "it is only read")]
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let mut files: Vec<_> = fs::read_dir(Path::new(&folder))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut drills: Vec<Drill> = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path)?;
        let read = serde_saphyr::from_str_multiple::<Drill, Vec<Drill>>(&text);
        drills.extend(read.map_err(|error| format!("{}: {error}", path.display()))?);
    }
    println!("{} files: {} drills", files.len(), drills.len());
    Ok(())
}
