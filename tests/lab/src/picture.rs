//! The judge of "nothing left, nothing of others touched".
//!
//! From the audit log ([`crate::audit`]) and two [`Snapshot`]s of the cluster it says what became
//! of every write of firedrill's account: undone, kept by policy, left, refused, or exempt by a
//! closed table. It knows nothing of firedrill's journal: what the API server saw is the truth.
//!
//! ```no_run
//! # async fn f(admin: kube::Client, path: &str) -> anyhow::Result<()> {
//! use lab::{audit::AuditLog, picture::{Evidence, Snapshot, judge, watch_budgets}};
//! let mut log = AuditLog::from_now(path)?;
//! let before = Snapshot::take(&admin).await?;
//! let budgets = watch_budgets(admin.clone()).await?;
//! // ... run drills, kill them, recover ...
//! let budgets = budgets.stop().await?;
//! let after = Snapshot::take(&admin).await?;
//! log.refresh()?;
//! let evidence = Evidence {
//!     entries: log.entries(), before: &before, after: &after, seats: &budgets.seats, kept: &[],
//! };
//! let picture = judge(&evidence);
//! assert!(picture.is_clean(), "{picture}");
//! assert!(budgets.violations.is_empty(), "{budgets}");
//! # Ok(()) }
//! ```

mod body;
mod budgets;
mod judge;
mod node;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

pub use self::{
    budgets::{BudgetReport, BudgetViolation, BudgetWatch, watch_budgets},
    judge::judge,
    snapshot::{Key, NodeState, ObjectState, Seat, Snapshot},
};
use crate::audit::Entry;

/// Label: the configured name of the installation. Said here a second time, and the keys below
/// with it: a judge that took them from the program would agree with whatever it does.
pub const INSTANCE: &str = "firedrill.dev/instance";
/// Every key of firedrill begins like this.
pub const OUR_KEYS: &str = "firedrill.dev/";
/// An operator's label on nodes; begins like ours and is not.
pub const DRILLABLE: &str = "firedrill.dev/drillable";
/// The annotation of a fence patch.
pub const FENCE: &str = "firedrill.dev/fence";
/// Every name that firedrill makes begins like this.
pub const NAME_PREFIX: &str = "fd-";
/// The field manager of firedrill's writes.
pub const FIELD_MANAGER: &str = "firedrill";

/// What the judge hears.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The audit log of the time between the snapshots: of everyone, not of firedrill alone
    /// (who else cordoned a node, what Velero did on our behalf).
    pub entries: &'a [Entry],
    /// Before the first request.
    pub before: &'a Snapshot,
    /// After the last.
    pub after: &'a Snapshot,
    /// Where pods sat, by UID, from [`BudgetReport::seats`]: pods that came and went between the
    /// snapshots are in neither.
    pub seats: &'a BTreeMap<String, Seat>,
    /// What may stay.
    pub kept: &'a [Kept],
}

/// Objects that a drill keeps by its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Plural and group, `backups.velero.io`.
    pub resource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// What the name begins with.
    pub name_prefix: String,
    /// The policy, in words.
    pub policy: String,
}

/// What became of everything that firedrill's account wrote.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Every write of the account, in the order in which the server finished them.
    pub writes: Vec<Write>,
    /// What was there before, or belongs to others, and was changed.
    pub touched_others: Vec<String>,
    /// What is there now and should not be.
    pub leftovers: Vec<String>,
    /// Writes that succeeded, but without what makes them safe: a delete without a UID (for
    /// namespaces: and a resourceVersion), a deletecollection, a create without our mark, or one
    /// whose body the log does not show.
    pub unguarded: Vec<String>,
}

/// One write of firedrill's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When the server had finished it.
    pub at: Option<Timestamp>,
    /// `create`, `patch`, `update`, `delete`, ...
    pub verb: String,
    /// The object, `namespaces fd-abc` or `pods/eviction shop/web-1`.
    pub target: String,
    /// HTTP status code.
    pub code: u16,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Undone, or itself the undoing of something of ours.
    Undone,
    /// Kept, by this policy.
    Kept(String),
    /// Still there, and why that is so.
    Left(String),
    /// The server refused it.
    Refused,
    /// Nothing to undo, by the closed table.
    Exempt(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undone => f.write_str("undone"),
            Self::Kept(policy) => write!(f, "kept: {policy}"),
            Self::Left(why) => write!(f, "LEFT: {why}"),
            Self::Refused => f.write_str("refused"),
            Self::Exempt(what) => write!(f, "exempt: {what}"),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at:.3} ")?;
        }
        write!(f, "{} {} ({}): {}", self.verb, self.target, self.code, self.fate)
    }
}

impl Picture {
    /// The writes that are left.
    pub fn left(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(|write| matches!(write.fate, Fate::Left(_)))
    }

    /// Whether nothing is left and nothing of others was touched.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left().next().is_none()
            && self.touched_others.is_empty()
            && self.leftovers.is_empty()
            && self.unguarded.is_empty()
    }
}

/// What is wrong, line by line; with `{:#}` every write, too.
impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&Fate) -> bool| {
            self.writes.iter().filter(|write| wanted(&write.fate)).count()
        };
        writeln!(
            f,
            "{}: {} writes: {} undone, {} kept, {} left, {} refused, {} exempt",
            if self.is_clean() { "clean" } else { "NOT CLEAN" },
            self.writes.len(),
            count(|fate| matches!(fate, Fate::Undone)),
            count(|fate| matches!(fate, Fate::Kept(_))),
            count(|fate| matches!(fate, Fate::Left(_))),
            count(|fate| matches!(fate, Fate::Refused)),
            count(|fate| matches!(fate, Fate::Exempt(_))),
        )?;
        for touched in &self.touched_others {
            writeln!(f, "  touched what is not ours: {touched}")?;
        }
        for leftover in &self.leftovers {
            writeln!(f, "  leftover: {leftover}")?;
        }
        for write in &self.unguarded {
            writeln!(f, "  unguarded: {write}")?;
        }
        let all = f.alternate();
        for write in self.writes.iter().filter(|w| all || matches!(w.fate, Fate::Left(_))) {
            writeln!(f, "  {write}")?;
        }
        Ok(())
    }
}
