//! The drills that are killed. Pure.

/// A drill to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The shop is restored beside the original.
    Shop,
    /// A node is drained.
    Node,
}

/// A write of the drill that the proxy can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// What it is called in a case's id.
    pub name: &'static str,
    /// Its HTTP method.
    pub method: &'static str,
    /// Part of its path and query.
    pub path: &'static str,
    /// Which of them, from 1.
    pub nth: u64,
}

impl Write {
    const fn new(name: &'static str, method: &'static str, path: &'static str, nth: u64) -> Self {
        Self { name, method, path, nth }
    }

    /// Whether it makes something; the others give something back.
    pub fn is_forward(&self) -> bool {
        self.method == "POST" || self.name == "cordon"
    }
}

/// The first eviction: when it is held, the cordon stands and nothing is evicted yet.
pub(super) const EVICTION: Write = Write::new("eviction", "POST", "/eviction?", 1);

const LEASE: Write = Write::new("lease", "POST", "/namespaces/firedrill/leases?", 1);
const LEASE_DELETE: Write =
    Write::new("lease-delete", "DELETE", "/namespaces/firedrill/leases/", 1);

const SHOP: &[Write] = &[
    LEASE,
    Write::new("namespace", "POST", "/api/v1/namespaces?", 1),
    Write::new("networkpolicy", "POST", "/networkpolicies?", 1),
    Write::new("restore", "POST", "/namespaces/velero/restores?", 1),
    Write::new("namespace-delete", "DELETE", "/api/v1/namespaces/fd-", 1),
    Write::new("restore-delete", "DELETE", "/namespaces/velero/restores/", 1),
    LEASE_DELETE,
];

const NODE: &[Write] = &[
    LEASE,
    Write::new("cordon", "PATCH", "/api/v1/nodes/", 1),
    EVICTION,
    Write::new("uncordon", "PATCH", "/api/v1/nodes/", 2),
    LEASE_DELETE,
];

impl Scenario {
    /// By its name on the command line.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Shop, Self::Node].into_iter().find(|scenario| scenario.name() == name)
    }

    /// `shop` or `node`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Node => "node",
        }
    }

    /// The writes that can be held.
    pub(super) fn writes(self) -> &'static [Write] {
        match self {
            Self::Shop => SHOP,
            Self::Node => NODE,
        }
    }

    /// The drill's file: the repository's samples, but quick.
    pub(super) fn drill(self) -> &'static str {
        match self {
            Self::Shop => include_str!("shop.yaml"),
            Self::Node => include_str!("node.yaml"),
        }
    }
}
