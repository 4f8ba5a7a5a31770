//! Marks and names: what we write on objects of ours, so that anyone can tell whose they are.
//!
//! PURE. A mark is two labels (to find ours by a selector) and annotations (to undo without the
//! journal). Names are made from ids, so that a create is idempotent: the same effect always asks
//! for the same name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Label: the configured name of the installation.
pub const INSTANCE: &str = "firedrill.dev/instance";
/// Label: the run's id.
pub const RUN: &str = "firedrill.dev/run";
/// Annotation: the effect's number within its run.
pub const EFFECT: &str = "firedrill.dev/effect";
/// Annotation: the epoch of the leader that wrote it.
pub const EPOCH: &str = "firedrill.dev/epoch";
/// Annotation: what was there before us, as JSON.
pub const PRIOR: &str = "firedrill.dev/prior";
/// Annotation: a fence patch, written and cleared to move the resourceVersion.
pub const FENCE: &str = "firedrill.dev/fence";
/// Label that an operator puts on nodes that drills may drain.
pub const DRILLABLE: &str = "firedrill.dev/drillable";
/// The field manager of every write of ours.
pub const FIELD_MANAGER: &str = "firedrill";
/// The namespace of the Lease and of the epoch ConfigMap, in each cluster.
pub const NAMESPACE: &str = "firedrill";
/// The Lease that a run with effects holds in [`NAMESPACE`].
pub const LEASE: &str = "firedrill";
/// The ConfigMap of epochs in [`NAMESPACE`]: one key for each instance.
pub const EPOCHS: &str = "firedrill-epoch";

/// Whose object it is: instance, run, effect and the epoch of the leader that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The installation's configured name.
    pub instance: String,
    /// The run's id.
    pub run: String,
    /// The effect's number within the run.
    pub effect: u32,
    /// The leader's epoch.
    pub epoch: u64,
}

impl Mark {
    /// The labels of this mark.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (INSTANCE.to_owned(), self.instance.clone()),
            (RUN.to_owned(), self.run.clone()),
        ])
    }

    /// The annotations of this mark; `prior` is what was there before, as JSON.
    #[must_use]
    pub fn annotations(&self, prior: Option<&serde_json::Value>) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([
            (EFFECT.to_owned(), self.effect.to_string()),
            (EPOCH.to_owned(), self.epoch.to_string()),
        ]);
        if let Some(prior) = prior {
            all.insert(PRIOR.to_owned(), prior.to_string());
        }
        all
    }

    /// Reads the mark that an object carries; `None` where any part of it is missing or malformed.
    #[must_use]
    pub fn read(
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Option<Self> {
        Some(Self {
            instance: labels.get(INSTANCE)?.clone(),
            run: labels.get(RUN)?.clone(),
            effect: annotations.get(EFFECT)?.parse().ok()?,
            epoch: annotations.get(EPOCH)?.parse().ok()?,
        })
    }

    /// Whether `other` marks the same effect; the epoch may differ, since recovery runs under a
    /// newer one.
    #[must_use]
    pub fn same_effect(&self, other: &Self) -> bool {
        self.instance == other.instance && self.run == other.run && self.effect == other.effect
    }
}

/// Prefix of every name that we make.
pub const NAME_PREFIX: &str = "fd-";

/// The name of an object that effect `effect` of `run` creates: `fd-`, 12 base32 characters of
/// SHA-256 over run and effect, and as much of `tail` as fits into the 63 characters of a DNS-1123
/// label.
#[must_use]
pub fn object_name(run: &str, effect: u32, tail: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((run.len() as u64).to_be_bytes());
    hash.update(run.as_bytes());
    hash.update(effect.to_be_bytes());
    let mut name = NAME_PREFIX.to_owned();
    name.push_str(&base32(&hash.finalize())[..12]);
    let tail: String = tail
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63 - name.len() - 1)
        .collect();
    let tail = tail.trim_matches('-');
    if !tail.is_empty() {
        name.push('-');
        name.push_str(tail);
    }
    name
}

/// RFC 4648 base32, lower case, without padding: all of it is legal in a DNS-1123 label.
fn base32(bytes: &[u8]) -> String {
    use base32ct::{Base32Unpadded, Encoding};
    Base32Unpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_distinct_and_legal() {
        let one = object_name("0199-run", 2, "shop");
        assert_eq!(one, object_name("0199-run", 2, "shop"));
        assert_ne!(one, object_name("0199-run", 3, "shop"));
        let long = object_name("0199-run", 2, &"Äx.".repeat(80));
        for name in [one, long, object_name("r", 0, "---")] {
            assert!(name.len() <= 63, "{name}");
            assert!(name.starts_with("fd-"));
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            assert!(!name.ends_with('-'), "{name}");
        }
    }

    #[test]
    fn a_mark_is_read_back() {
        let mark = Mark { instance: "i".into(), run: "r".into(), effect: 7, epoch: 3 };
        let read = Mark::read(&mark.labels(), &mark.annotations(None)).expect("mark");
        assert_eq!(read, mark);
        assert!(Mark::read(&mark.labels(), &BTreeMap::new()).is_none());
    }
}
