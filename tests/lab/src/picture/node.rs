//! Who cordoned which node, followed through the log. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{FIELD_MANAGER, Fate, NodeState, Snapshot, body::Change};

/// Cordons as they came and went.
#[derive(Clone, Debug)]
pub(super) struct Cordons {
    /// Who made each cordon that stands now: an actor of the log, or none for one that stood
    /// before the run and was not ours.
    standing: BTreeMap<String, Option<String>>,
    /// Nodes that our account ever cordoned, those it had cordoned before the run included.
    by_us: BTreeSet<String>,
}

impl Cordons {
    /// As they stand before the run. One of ours may stand already, left by a crash.
    pub fn before(snapshot: &Snapshot, us: &str) -> Self {
        let mut cordons = Self { standing: BTreeMap::new(), by_us: BTreeSet::new() };
        for (name, node) in snapshot.nodes.iter().filter(|(_, node)| node.unschedulable) {
            let manager = node.cordon_manager.as_deref();
            let ours = !node.ours.is_empty() && manager.is_none_or(|m| m == FIELD_MANAGER);
            if ours {
                cordons.by_us.insert(name.clone());
            }
            cordons.standing.insert(name.clone(), ours.then(|| us.to_owned()));
        }
        cordons
    }

    /// A successful write of a node. Returns what it did to a cordon that its actor did not make.
    pub fn apply(&mut self, node: &str, actor: &str, us: &str, change: &Change) -> Option<String> {
        match change.unschedulable? {
            true => {
                if actor == us {
                    self.by_us.insert(node.to_owned());
                }
                // A cordon on top of another changes nothing, and leaves no trace on the node.
                self.standing.entry(node.to_owned()).or_insert_with(|| Some(actor.to_owned()));
                None
            }
            false => match self.standing.remove(node)? {
                None => Some(format!("uncordoned node {node}, which was cordoned before the run")),
                Some(maker) if maker != actor => {
                    Some(format!("uncordoned node {node}, which {maker} had cordoned"))
                }
                Some(_) => None,
            },
        }
    }

    /// Who made the cordon that stands on a node now, as far as the log tells.
    pub fn maker(&self, node: &str) -> Option<&str> {
        self.standing.get(node)?.as_deref()
    }

    /// Whether our account had cordoned a node by now.
    pub fn had_by_us(&self, node: &str) -> bool {
        self.by_us.contains(node)
    }
}

/// Who cordoned a node that is cordoned: its managedFields, else the log. A node that was created
/// without any field, or whose managedFields somebody emptied, has none ever after: the server
/// does not begin to track fields in the middle of an object's life.
fn cordoner<'a>(name: &str, now: &'a NodeState, end: &'a Cordons, us: &str) -> Option<&'a str> {
    match now.cordon_manager.as_deref() {
        Some(manager) => Some(manager),
        None if end.maker(name) == Some(us) => Some(FIELD_MANAGER),
        None => end.maker(name),
    }
}

/// Whether a node is cordoned by us.
pub(super) fn is_ours(name: &str, now: &NodeState, end: &Cordons, us: &str) -> bool {
    now.unschedulable && cordoner(name, now, end, us) == Some(FIELD_MANAGER)
}

/// What became of a write of ours on a node, by what the node looks like afterwards and by the
/// cordons at the log's end.
pub(super) fn fate(
    name: &str,
    (before, after): (&Snapshot, &Snapshot),
    end: &Cordons,
    us: &str,
) -> Fate {
    let Some(now) = after.nodes.get(name) else { return Fate::Undone };
    let then = before.nodes.get(name);
    if then.is_some_and(|then| then.uid != now.uid) {
        return Fate::Undone;
    }
    if !now.ours.is_empty() {
        let keys: Vec<&str> = now.ours.keys().map(String::as_str).collect();
        let cordon = if is_ours(name, now, end, us) { " and is still cordoned by us" } else { "" };
        return Fate::Left(format!("it bears {}{cordon}", keys.join(", ")));
    }
    if !now.unschedulable {
        return Fate::Undone;
    }
    match cordoner(name, now, end, us) {
        Some(FIELD_MANAGER) => Fate::Left("it is still cordoned by us".to_owned()),
        // Documented: somebody renewed the cordon, so it is not ours to take away.
        Some(other) => Fate::Exempt(format!("not ours any more: cordoned by {other}")),
        None => Fate::Left("it is cordoned, and nothing says by whom".to_owned()),
    }
}
