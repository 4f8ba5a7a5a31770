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
    /// Another cluster of the configuration to restore into.
    pub into: Option<String>,
}

/// Which backup is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of the Completed backups of a group.
    One {
        /// Which of them.
        which: Which,
        /// The group.
        of: Of,
    },
    /// A backup by name.
    Name(String),
    /// The backup that an earlier step makes.
    Step(String),
}

/// Which backup of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest by its own start.
    Newest,
    /// The oldest that is retained.
    Oldest,
    /// Any; the choice is derived from the run's id.
    Random,
}

/// A group of backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// Those of a Velero Schedule, by its name.
    Schedule(String),
    /// Those with these labels, in Kubernetes' syntax.
    Selector(String),
}
