//! What a drill may say about an etcd snapshot. PURE.

use std::time::Duration;

/// A checked `etcdSnapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// A store of the configuration.
    pub store: String,
    /// How old the newest snapshot may be.
    pub max_age: Duration,
    /// How far it is verified; each level includes those before it.
    pub level: Level,
    /// How far back is looked.
    pub window: Duration,
    /// The longest time that may lie between two snapshots within the window.
    pub max_gap: Option<Duration>,
    /// What keys begin with, after the store's own prefix.
    pub prefix: Option<String>,
    /// How keys end and where their time stands, in the notation of `strftime`; none = one of the
    /// schemes that are known.
    pub pattern: Option<String>,
}

/// How far a snapshot is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is there, young enough and of a plausible size.
    Listed,
    /// Its first and last pages are what etcd writes.
    #[default]
    Readable,
    /// All of it is what etcd wrote.
    Intact,
}
