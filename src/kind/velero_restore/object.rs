//! Velero's objects, as far as a restore reads them. PURE.
//!
//! Format: the `velero.io/v1` types of Velero 1.16 and later. Every field is optional and unknown
//! ones are ignored, because the status travels with the object (no status subresource) and grows
//! from release to release.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Label on a backup: the Schedule that made it.
pub const SCHEDULE_NAME: &str = "velero.io/schedule-name";

/// An object that does not look like Velero's.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name} cannot be read: {cause}")]
pub struct Unreadable {
    /// What it should have been.
    pub kind: &'static str,
    /// Its `metadata.name`, or `?`.
    pub name: String,
    /// What serde says.
    pub cause: serde_json::Error,
}

fn read<T: DeserializeOwned>(kind: &'static str, value: &Value) -> Result<T, Unreadable> {
    T::deserialize(value).map_err(|cause| Unreadable {
        kind,
        name: value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?").to_owned(),
        cause,
    })
}

/// `metadata`, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: Option<String>,
    /// `metadata.resourceVersion`
    pub resource_version: Option<String>,
    /// `metadata.labels`
    pub labels: Option<BTreeMap<String, String>>,
    /// `metadata.annotations`
    pub annotations: Option<BTreeMap<String, String>>,
    /// `metadata.finalizers`
    pub finalizers: Option<Vec<String>>,
    /// `metadata.deletionTimestamp`
    pub deletion_timestamp: Option<Timestamp>,
}

/// A Backup. `metadata.creationTimestamp` is not read on purpose: on a copy that was synced from
/// the bucket it is the time of the sync.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Backup {
    /// `metadata`
    pub metadata: Meta,
    /// `spec`
    pub spec: BackupSpec,
    /// `status`
    pub status: Option<BackupStatus>,
}

/// `spec` of a Backup, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpec {
    /// Namespaces, or globs of them; none, empty or `*` = all.
    pub included_namespaces: Option<Vec<String>>,
    /// Namespaces, or globs of them, that are left out.
    pub excluded_namespaces: Option<Vec<String>>,
    /// Old filter: resources.
    pub included_resources: Option<Vec<String>>,
    /// Old filter: resources left out.
    pub excluded_resources: Option<Vec<String>>,
    /// New filter: namespaced resources.
    pub included_namespace_scoped_resources: Option<Vec<String>>,
    /// New filter: namespaced resources left out.
    pub excluded_namespace_scoped_resources: Option<Vec<String>>,
    /// A label selector, unread: only whether there is one.
    pub label_selector: Option<Value>,
    /// Label selectors, unread: only whether there are any.
    pub or_label_selectors: Option<Vec<Value>>,
    /// The BackupStorageLocation; none = the default one.
    pub storage_location: Option<String>,
}

/// `status` of a Backup, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupStatus {
    /// `status.phase`; read it with [`Backup::phase`].
    pub phase: Option<String>,
    /// When Velero began, by its server's clock, in whole seconds.
    pub start_timestamp: Option<Timestamp>,
    /// When Velero deletes it, and every Restore that refers to it.
    pub expiration: Option<Timestamp>,
    /// Number of errors.
    pub errors: Option<u64>,
    /// The cause of a failure.
    pub failure_reason: Option<String>,
}

/// The phase of a Backup. What is not listed is still going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupPhase {
    /// Everything is saved.
    Completed,
    /// Something could not be saved.
    PartiallyFailed,
    /// Nothing usable is saved.
    Failed,
    /// The request was refused.
    FailedValidation,
    /// It is being deleted.
    Deleting,
    /// Not at its end: any other phase, also one that a later Velero invents. Empty if unset.
    Going(String),
}

impl std::fmt::Display for BackupPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Completed => "Completed",
            Self::PartiallyFailed => "PartiallyFailed",
            Self::Failed => "Failed",
            Self::FailedValidation => "FailedValidation",
            Self::Deleting => "Deleting",
            Self::Going(name) if name.is_empty() => "not started yet",
            Self::Going(name) => name,
        })
    }
}

impl Backup {
    /// Reads a Backup.
    ///
    /// # Errors
    /// If a field has a type that Velero never writes.
    pub fn parse(value: &Value) -> Result<Self, Unreadable> {
        read("backup", value)
    }

    /// Its phase; an object that is terminating counts as `Deleting`.
    #[must_use]
    pub fn phase(&self) -> BackupPhase {
        if self.metadata.deletion_timestamp.is_some() {
            return BackupPhase::Deleting;
        }
        match self.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("") {
            "Completed" => BackupPhase::Completed,
            "PartiallyFailed" => BackupPhase::PartiallyFailed,
            "Failed" => BackupPhase::Failed,
            "FailedValidation" => BackupPhase::FailedValidation,
            "Deleting" => BackupPhase::Deleting,
            other => BackupPhase::Going(other.to_owned()),
        }
    }

    /// When Velero began to make it.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.status.as_ref().and_then(|status| status.start_timestamp)
    }

    /// Whether the Schedule of this name made it.
    #[must_use]
    pub fn is_of(&self, schedule: &str) -> bool {
        let label = self.metadata.labels.as_ref().and_then(|labels| labels.get(SCHEDULE_NAME));
        label.is_some_and(|label| *label == label_value(schedule))
    }
}

/// A name as Velero writes it into a label value: a long one is cut to 57 characters and 6 hex
/// digits of its SHA-256 are added (`pkg/label/label.go`).
#[must_use]
pub fn label_value(name: &str) -> String {
    if name.len() <= 63 {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let hex: String = digest[..3].iter().map(|byte| format!("{byte:02x}")).collect();
    let cut: String = name.chars().take(57).collect();
    cut + &hex
}

/// A Restore.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Restore {
    /// `metadata`
    pub metadata: Meta,
    /// `status`
    pub status: Option<RestoreStatus>,
}

/// `status` of a Restore, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreStatus {
    /// `status.phase`; read it with [`Restore::phase`].
    pub phase: Option<String>,
    /// Why the request was refused.
    pub validation_errors: Option<Vec<String>>,
    /// The cause of a failure.
    pub failure_reason: Option<String>,
    /// When Velero began with it, by its server's clock, in whole seconds.
    pub start_timestamp: Option<Timestamp>,
    /// When Velero ended it.
    pub completion_timestamp: Option<Timestamp>,
    /// Counts of objects.
    pub progress: Option<RestoreProgress>,
    /// Number of errors.
    pub errors: Option<u64>,
    /// Number of warnings.
    pub warnings: Option<u64>,
}

/// `status.progress` of a Restore.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreProgress {
    /// Objects that are to come back.
    pub total_items: Option<u64>,
    /// Objects that came back.
    pub items_restored: Option<u64>,
}

/// The phase of a Restore. What is not listed is still going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePhase {
    /// Done.
    Completed,
    /// Done, but something could not be restored.
    PartiallyFailed,
    /// It gave up.
    Failed,
    /// The request was refused.
    FailedValidation,
    /// Not at its end: any other phase, also one that a later Velero invents. Empty if unset.
    Going(String),
}

impl Restore {
    /// Reads a Restore.
    ///
    /// # Errors
    /// If a field has a type that Velero never writes.
    pub fn parse(value: &Value) -> Result<Self, Unreadable> {
        read("restore", value)
    }

    /// Its phase.
    #[must_use]
    pub fn phase(&self) -> RestorePhase {
        match self.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("") {
            "Completed" => RestorePhase::Completed,
            "PartiallyFailed" => RestorePhase::PartiallyFailed,
            "Failed" => RestorePhase::Failed,
            "FailedValidation" => RestorePhase::FailedValidation,
            other => RestorePhase::Going(other.to_owned()),
        }
    }
}

/// A BackupStorageLocation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Location {
    /// `metadata`
    pub metadata: Meta,
    /// `spec`
    pub spec: LocationSpec,
    /// `status`
    pub status: Option<LocationStatus>,
}

/// `spec` of a BackupStorageLocation, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocationSpec {
    /// Whether backups without a location go here.
    #[serde(rename = "default")]
    pub is_default: Option<bool>,
    /// A Go duration; read it with [`Location::validation_frequency`].
    pub validation_frequency: Option<String>,
}

/// `status` of a BackupStorageLocation, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocationStatus {
    /// `Available` or `Unavailable`.
    pub phase: Option<String>,
    /// When Velero last looked at it.
    pub last_validation_time: Option<Timestamp>,
    /// Why it is unavailable.
    pub message: Option<String>,
}

impl Location {
    /// Reads a BackupStorageLocation.
    ///
    /// # Errors
    /// If a field has a type that Velero never writes.
    pub fn parse(value: &Value) -> Result<Self, Unreadable> {
        read("backup storage location", value)
    }

    /// How often Velero looks at it: one minute unless the location says otherwise. Zero = never.
    #[must_use]
    pub fn validation_frequency(&self) -> SignedDuration {
        let default = SignedDuration::from_mins(1);
        match self.spec.validation_frequency.as_deref() {
            Some("0") => SignedDuration::ZERO,
            // jiff's friendly format reads what Go writes: `1m0s`, `1h30m0s`, `500ms`.
            Some(text) => text.parse().unwrap_or(default),
            None => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_phases_and_fields_are_still_going() {
        for (phase, want) in [
            (json!(null), BackupPhase::Going(String::new())),
            (json!("Queued"), BackupPhase::Going("Queued".into())),
            (json!("Teleporting"), BackupPhase::Going("Teleporting".into())),
            (
                json!("FinalizingPartiallyFailed"),
                BackupPhase::Going("FinalizingPartiallyFailed".into()),
            ),
            (json!("Completed"), BackupPhase::Completed),
            (json!("Deleting"), BackupPhase::Deleting),
        ] {
            let backup = Backup::parse(&json!({
                "metadata": {"name": "b", "labels": null},
                "spec": {"includedNamespaces": null, "novelty": {"a": 1}},
                "status": {"phase": phase, "novelty": []},
            }))
            .expect("readable");
            assert_eq!(backup.phase(), want);
        }
        assert_eq!(Restore::default().phase(), RestorePhase::Going(String::new()));
    }

    #[test]
    fn a_terminating_backup_is_deleting_whatever_its_phase() {
        let backup = Backup::parse(&json!({
            "metadata": {"name": "b", "deletionTimestamp": "2026-08-01T03:00:00Z"},
            "status": {"phase": "Completed"},
        }))
        .expect("readable");
        assert_eq!(backup.phase(), BackupPhase::Deleting);
    }

    #[test]
    fn a_wrong_type_names_the_object() {
        let error =
            Backup::parse(&json!({"metadata": {"name": "b"}, "status": {"errors": "many"}}))
                .expect_err("unreadable");
        assert!(error.to_string().starts_with("backup b cannot be read:"), "{error}");
    }

    #[test]
    fn long_schedule_names_are_cut_as_velero_cuts_them() {
        let long = "a".repeat(64);
        let label = label_value(&long);
        // printf 'a%.0s' {1..64} | sha256sum
        assert_eq!(label, "a".repeat(57) + "ffe054");
        assert_eq!(label.len(), 63);
        assert_eq!(label_value("shop-nightly"), "shop-nightly");
    }

    #[test]
    fn go_durations_are_read() {
        for (text, seconds) in [
            (None, 60),
            (Some("1m0s"), 60),
            (Some("10s"), 10),
            (Some("1h30m0s"), 5400),
            (Some("0s"), 0),
            (Some("0"), 0),
            (Some("nonsense"), 60),
        ] {
            let location = Location {
                spec: LocationSpec {
                    validation_frequency: text.map(str::to_owned),
                    ..LocationSpec::default()
                },
                ..Location::default()
            };
            assert_eq!(location.validation_frequency().as_secs(), seconds, "{text:?}");
        }
    }
}
