//! `firedrill snapshot verify PATH`

use std::path::{Path, PathBuf};

use super::{args::Format, output, place::Exit};
use crate::{
    clock::{Clock as _, SystemClock},
    report::words::{self, neutral, wrap},
    snapshot::{
        file::{self, NoFile},
        verdict::{Facts, Finding, Level, Outcome, Verdict},
    },
};

/// Judges a snapshot; the text to print and the exit code.
///
/// # Errors
/// When there is nothing to judge.
pub fn verify(
    place: &str,
    level: Level,
    scratch: Option<&Path>,
    format: Format,
) -> Result<(String, u8), Exit> {
    if place.starts_with("s3://") {
        return Err(Exit::invalid(format!(
            "error: {}: snapshots in a store cannot be read in this version yet\n  help: download \
             it and name the file",
            neutral(place)
        )));
    }
    let now = SystemClock::new()
        .map_err(|error| Exit::internal(format!("error: no clock: {error}")))?
        .now()
        .wall;
    let scratch = scratch.map_or_else(std::env::temp_dir, PathBuf::from);
    let verdict = file::verify(Path::new(place), level, &scratch, now).map_err(|error| {
        let help = match &error {
            NoFile::NotThere(_) => "name a file that `etcdctl snapshot save` has written",
            NoFile::Other(..) => "name the snapshot's file itself",
            NoFile::Unknown(..) => "is the path right?",
        };
        Exit::invalid(format!("error: {}\n  help: {help}", neutral(&error.to_string())))
    })?;
    let text = match format {
        Format::Text => text(&verdict),
        Format::Json => output::json(&verdict)
            .map_err(|error| Exit::internal(format!("error: no JSON: {error}")))?,
    };
    Ok((text, u8::from(verdict.verdict != Outcome::Passed)))
}

/// Columns of a label.
const LABEL: usize = 12;

/// A verdict for people; fits 80 columns.
#[must_use]
pub fn text(verdict: &Verdict) -> String {
    let mut lines = vec![format!("{}: {}", verdict.level.as_str(), verdict.verdict.as_str())];
    for finding in &verdict.findings {
        lines.extend(of_finding(finding));
    }
    lines.push(String::new());
    for (label, value) in rows(&verdict.facts) {
        lines.extend(labelled(label, &value));
    }
    lines.join("\n") + "\n"
}

fn of_finding(finding: &Finding) -> Vec<String> {
    let mut lines = labelled(finding.severity.as_str(), &finding.text);
    for evidence in &finding.evidence {
        let wrapped = wrap(&neutral(evidence), words::WIDTH - LABEL - 2);
        lines.extend(wrapped.into_iter().map(|line| format!("{:LABEL$}  {line}", "")));
    }
    lines
}

fn labelled(label: &str, value: &str) -> Vec<String> {
    let lines = wrap(&neutral(value), words::WIDTH - LABEL);
    let label = |index: usize| if index == 0 { label } else { "" };
    lines.iter().enumerate().map(|(at, line)| format!("{:LABEL$}{line}", label(at))).collect()
}

/// Facts as lines, those that were seen.
fn rows(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut row = |label, parts: Vec<Option<String>>| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            rows.push((label, parts.join(", ")));
        }
    };
    row(
        "file",
        vec![
            facts.source.clone(),
            facts.size.map(bytes),
            facts.modified.map(|at| format!("changed {}", words::wall(at))),
        ],
    );
    row(
        "container",
        vec![
            facts.container.map(str::to_owned),
            facts.entry.as_ref().map(|name| format!("holds {name}")),
            facts.content_size.map(|size| format!("{} inside", bytes(size))),
        ],
    );
    let share = facts.free_share.map(|share| format!("{:.1} % of it free pages", share * 100.0));
    row("database", vec![facts.database_size.map(bytes), share]);
    row("sha-256", vec![facts.digest.as_ref().map(|digest| digest.computed.clone())]);
    row(
        "revision",
        vec![
            facts.revision.map(|revision| revision.to_string()),
            facts.compact_revision.map(|revision| format!("compacted up to {revision}")),
        ],
    );
    row(
        "keys",
        vec![
            facts.total_keys.map(|keys| format!("{keys} live")),
            facts.total_rows.map(|rows| format!("{rows} rows in all buckets")),
            facts.leases.map(|n| words::count(usize::try_from(n).unwrap_or(usize::MAX), "lease")),
        ],
    );
    row(
        "hashes",
        vec![
            facts.status_hash.map(|hash| format!("snapshot status {hash}")),
            facts.hash_kv.map(|it| {
                format!("HashKV {} at {} (compacted {})", it.hash, it.revision, it.compact_revision)
            }),
        ],
    );
    let members = facts.members.as_ref().filter(|members| !members.is_empty()).map(|members| {
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        format!("{}: {}", words::count(names.len(), "member"), names.join(" "))
    });
    row(
        "cluster",
        vec![
            facts.cluster_version.as_ref().map(|version| format!("version {version}")),
            facts.storage_version.as_ref().map(|version| format!("storage {version}")),
            members,
        ],
    );
    row("kube-system", vec![facts.kube_system_uid.clone()]);
    row(
        "content of",
        vec![
            facts.newest_lease.map(words::wall),
            facts.content_age_seconds.map(|age| {
                format!("{} ago, by its newest Lease", words::duration(age.saturating_mul(1000)))
            }),
        ],
    );
    if let Some(resources) = &facts.resources {
        let all: Vec<String> =
            resources.iter().map(|(name, count)| format!("{name} {count}")).collect();
        row("objects", vec![Some(all.join(", "))]);
    }
    if let Some(encryption) = &facts.encryption {
        let all: Vec<String> = encryption
            .iter()
            .map(|it| format!("{} {} by {} key {}", it.objects, it.resource, it.provider, it.key))
            .collect();
        row("encrypted", vec![Some(all.join(", "))]);
    }
    rows
}

/// `22.7 MB`, and the exact number where that helps to compare.
fn bytes(size: u64) -> String {
    match size {
        0..10_000 => format!("{size} bytes"),
        10_000..1_000_000 => format!("{}.{} kB", size / 1000, size % 1000 / 100),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", size / 1_000_000, size % 1_000_000 / 100_000)
        }
        _ => format!("{}.{:02} GB", size / 1_000_000_000, size % 1_000_000_000 / 10_000_000),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::snapshot::verdict::{Digest, Encryption, HashKv, Member};

    #[test]
    fn golden() {
        let at = |second| Some(Timestamp::from_second(second).expect("a time"));
        let facts = Facts {
            source: Some("/backup/etcd-\u{1b}[2Jsnapshot.db.gz".into()),
            size: Some(7_341_022),
            modified: at(1_790_000_300),
            container: Some("gzip"),
            content_size: Some(22_736_928),
            database_size: Some(22_736_896),
            free_share: Some(0.041),
            digest: Some(Digest { computed: "ab".repeat(32), stored: "ab".repeat(32) }),
            revision: Some(359),
            compact_revision: Some(354),
            total_keys: Some(9878),
            total_rows: Some(10_335),
            leases: Some(1),
            status_hash: Some(3_124_574_207),
            hash_kv: Some(HashKv { hash: 531_981_818, revision: 359, compact_revision: 354 }),
            cluster_version: Some("3.6.0".into()),
            storage_version: Some("3.6.0".into()),
            members: Some(vec![Member {
                id: "8e9e05c52164694d".into(),
                name: "lab".into(),
                peer_urls: vec![],
                client_urls: vec![],
            }]),
            newest_lease: at(1_790_000_000),
            content_age_seconds: Some(300),
            resources: Some(BTreeMap::from_iter(
                ["configmaps", "deployments", "namespaces", "nodes", "pods", "secrets"]
                    .map(|name| (name.to_owned(), 160)),
            )),
            encryption: Some(vec![Encryption {
                resource: "secrets".into(),
                provider: "aescbc:v1".into(),
                key: "key1".into(),
                objects: 160,
            }]),
            ..Facts::default()
        };
        let findings = vec![
            Finding::info("needs-keys", "objects are encrypted: a restored API server needs the keys, and the snapshot does not hold them")
                .with(vec!["aescbc:v1 key1".into()]),
            Finding::error("digest-mismatch", "the SHA-256 of the content is not the one that the file ends with"),
        ];
        let text = text(&Verdict::of(Level::Intact, facts, findings));
        assert!(text.lines().all(|line| words::width(line) <= words::WIDTH), "{text}");
        insta::assert_snapshot!("snapshot", text);
    }
}
