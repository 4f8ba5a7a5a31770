//! What a drill may say about a backup that it makes. PURE.

use std::time::Duration;

/// A checked `veleroBackup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What is saved.
    pub what: What,
    /// When Velero deletes the backup, if nobody else does before.
    pub ttl: Duration,
    /// Whether the backup outlives the run.
    pub keep: Keep,
    /// How long Velero may take to begin; none = the configuration's `veleroAccept`.
    pub accept_within: Option<Duration>,
}

/// What is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// What the template of a Velero Schedule says.
    Template {
        /// The Schedule's name.
        schedule: String,
    },
    /// What the drill says.
    Own(Own),
}

/// A backup that the drill describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The namespaces; at least one.
    pub namespaces: Vec<String>,
    /// Only these resources, `resource.group`; none = all.
    pub resources: Vec<String>,
    /// Not these.
    pub exclude_resources: Vec<String>,
    /// Only objects with these labels.
    pub selector: Option<String>,
    /// A BackupStorageLocation; none = Velero's default.
    pub storage_location: Option<String>,
    /// Whether volumes are snapshotted; none = where Velero can.
    pub snapshot_volumes: Option<bool>,
    /// Whether the files of volumes are copied; none = as Velero's server is set.
    pub fs_backup: Option<bool>,
}

/// Whether a backup outlives the run that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It is deleted when the run closes.
    #[default]
    Never,
    /// It stays until it expires.
    Always,
    /// It stays if the run does not pass.
    OnFailure,
}
