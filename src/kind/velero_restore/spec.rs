//! What a drill may say about a restore. PURE.

/// A checked `veleroRestore`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Which backup.
    pub backup: Source,
    /// The namespaces of the backup that come back, each into a sandbox namespace of its own.
    pub namespaces: Vec<String>,
    /// Resources beyond the allow-list, `resource.group`.
    pub also_restore: Vec<String>,
}

/// Which backup is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The newest Completed backup of a Velero Schedule.
    NewestOf {
        /// The Schedule's name.
        schedule: String,
    },
    /// A backup by name.
    Name(String),
}
