//! The cordon and its way back: patches, and what a node says about who cordoned it. PURE.
//!
//! All bodies are JSON merge patches that carry `metadata.uid` and `metadata.resourceVersion`: the
//! server refuses them with 409 if the node has moved or is another of the same name.

use serde_json::{Map, Value, json};

use crate::{
    mark::{EFFECT, EPOCH, FENCE, INSTANCE, Mark, PRIOR, RUN},
    run::look::Facts,
};

/// What was there before a cordon of ours. Nodes that are cordoned already are never drilled, so
/// it is always the same.
#[must_use]
pub fn prior() -> Value {
    json!({"unschedulable": false})
}

/// Cordons and marks in one write, so that no node is ever cordoned without saying by whom.
#[must_use]
pub fn cordon_patch(mark: &Mark, uid: &str, resource_version: &str) -> Value {
    json!({
        "metadata": {
            "uid": uid,
            "resourceVersion": resource_version,
            "labels": mark.labels(),
            "annotations": mark.annotations(Some(&prior())),
        },
        "spec": {"unschedulable": true},
    })
}

/// Clears the bit and every mark of ours in one write.
#[must_use]
pub fn uncordon_patch(uid: &str, resource_version: &str) -> Value {
    let mut patch = strip_patch(uid, resource_version);
    patch["spec"] = json!({"unschedulable": null});
    patch
}

/// Clears every mark of ours and leaves the bit as it is.
#[must_use]
pub fn strip_patch(uid: &str, resource_version: &str) -> Value {
    let nothing = |keys: &[&str]| -> Map<String, Value> {
        keys.iter().map(|&key| (key.to_owned(), Value::Null)).collect()
    };
    json!({
        "metadata": {
            "uid": uid,
            "resourceVersion": resource_version,
            "labels": nothing(&[INSTANCE, RUN]),
            "annotations": nothing(&[EFFECT, EPOCH, PRIOR, FENCE]),
        },
    })
}

/// Moves the resourceVersion, so that a late write pinned to the old one fails: writes the fence
/// annotation, or clears it (`None`).
#[must_use]
pub fn fence_patch(uid: &str, resource_version: &str, fence: Option<&str>) -> Value {
    json!({
        "metadata": {
            "uid": uid,
            "resourceVersion": resource_version,
            "annotations": {FENCE: fence},
        },
    })
}

/// What a look at the node says about a cordon whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It arrived: our mark, or our bit, is there.
    Applied,
    /// It did not and cannot any more: the node moved on, or is another.
    Absent(String),
    /// It did not arrive yet and still may (or a fence was not cleared): move the resourceVersion,
    /// and look again.
    Fence,
}

/// Looks for the cordon of `mark`, which was pinned to `uid` and `resource_version`. `node` is
/// none after a 404.
#[must_use]
pub fn look_up(node: Option<&Facts>, mark: &Mark, uid: &str, resource_version: &str) -> Look {
    let Some(node) = node else { return Look::Absent("the node is gone".to_owned()) };
    if node.uid != uid {
        return Look::Absent("the node was made anew".to_owned());
    }
    if node.is_marked_by(mark) {
        return Look::Applied;
    }
    match &node.mark {
        // Another installation writes under the same field manager, so its bit looks like ours.
        Some(other) => {
            return Look::Absent(format!(
                "the node carries the mark of run {} of {}",
                other.run, other.instance
            ));
        }
        None if node.unschedulable && node.owns_bit() => return Look::Applied,
        None => {}
    }
    if node.fence || node.resource_version == resource_version {
        return Look::Fence;
    }
    Look::Absent("the node has moved on".to_owned())
}

/// How a cordon of ours is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Clear bit and mark: [`uncordon_patch`].
    Uncordon,
    /// Clear the mark only: [`strip_patch`]. The bit is not ours, and why.
    Strip(String),
    /// Nothing of ours is on it, and why. No write.
    Leave(String),
    /// The node that we cordoned is gone.
    Gone(String),
}

/// Decides how the cordon of `mark` on the node `uid` is undone. Clearing the bit needs both our
/// mark and our name in managedFields: who cordons an uncordoned node again takes the field over,
/// and our mark alone stays. A node without any managedFields is judged by the mark alone, because
/// the other mistake would leave every such node cordoned.
#[must_use]
pub fn undo(node: Option<&Facts>, mark: &Mark, uid: &str) -> Undo {
    let Some(node) = node else { return Undo::Gone("the node is gone".to_owned()) };
    if node.uid != uid {
        return Undo::Gone("the node was made anew".to_owned());
    }
    if !node.is_marked_by(mark) {
        return Undo::Leave(match (&node.mark, node.unschedulable) {
            (Some(other), _) => {
                format!("it carries the mark of run {} of {}", other.run, other.instance)
            }
            (None, true) => "it is cordoned, but our mark is gone".to_owned(),
            (None, false) => "it is neither cordoned nor marked any more".to_owned(),
        });
    }
    if !node.unschedulable {
        return Undo::Strip("somebody else uncordoned it".to_owned());
    }
    if node.managed && !node.owns_bit() {
        return Undo::Strip(match node.bit_owners.as_slice() {
            [] => "nobody owns the cordon in managedFields".to_owned(),
            owners => format!("the cordon belongs to {}", owners.join(", ")),
        });
    }
    if let Some(actor) = &node.foreign {
        return Undo::Strip(format!("{actor} is working on it now"));
    }
    Undo::Uncordon
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { instance: "lab".into(), run: "r".into(), effect: 4, epoch: 2 }
    }

    /// JSON merge patch, RFC 7386.
    fn merge(target: &mut Value, patch: &Value) {
        let Some(patch) = patch.as_object() else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (key, value) in patch {
            if value.is_null() {
                target.as_object_mut().expect("object").remove(key);
            } else {
                merge(&mut target[key], value);
            }
        }
    }

    fn fresh() -> Value {
        json!({
            "metadata": {"name": "n", "uid": "u", "resourceVersion": "7",
                         "labels": {"pool": "a"}, "annotations": {"note": "x"}},
            "spec": {"podCIDR": "10.0.0.0/24"},
        })
    }

    fn facts(node: &Value, managers: &[&str]) -> Facts {
        let mut node = node.clone();
        node["metadata"]["managedFields"] = managers
            .iter()
            .map(|manager| {
                json!({"manager": manager, "operation": "Update", "apiVersion": "v1",
                       "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:unschedulable": {}}}})
            })
            .chain([json!({"manager": "kubelet", "operation": "Update",
                           "fieldsV1": {"f:spec": {"f:podCIDR": {}}}})])
            .collect();
        node["kind"] = json!("Node");
        Facts::of(&node)
    }

    #[test]
    fn a_cordon_and_its_undo_leave_the_node_as_it_was() {
        let mut node = fresh();
        merge(&mut node, &cordon_patch(&mark(), "u", "7"));
        let seen = facts(&node, &["firedrill"]);
        assert!(seen.unschedulable);
        assert_eq!(seen.mark, Some(mark()));
        assert_eq!(node["metadata"]["annotations"][PRIOR], "{\"unschedulable\":false}");
        merge(&mut node, &fence_patch("u", "7", Some("f")));
        assert_eq!(node["metadata"]["annotations"][FENCE], "f");
        let mut unfenced = node.clone();
        merge(&mut unfenced, &fence_patch("u", "7", None));
        assert!(unfenced["metadata"]["annotations"].get(FENCE).is_none());
        let mut stripped = node.clone();
        merge(&mut node, &uncordon_patch("u", "7"));
        assert_eq!(node, fresh());
        merge(&mut stripped, &strip_patch("u", "7"));
        assert_eq!(stripped["spec"]["unschedulable"], true);
        assert_eq!(stripped["metadata"], fresh()["metadata"]);
    }

    #[test]
    fn only_a_cordon_that_is_ours_is_cleared() {
        let mut ours = fresh();
        merge(&mut ours, &cordon_patch(&mark(), "u", "7"));
        let other = Mark { run: "other".into(), ..mark() };
        let newer = Mark { epoch: 9, ..mark() };
        let mut uncordoned = ours.clone();
        uncordoned["spec"] = json!({});
        let mut bare = fresh();
        bare["spec"]["unschedulable"] = json!(true);
        let mut foreign = ours.clone();
        foreign["spec"]["taints"] = json!([{"key": "medik8s.io/drain", "effect": "NoSchedule"}]);
        for (node, managers, mark, want) in [
            (&ours, &["firedrill"][..], mark(), Undo::Uncordon),
            (&ours, &["firedrill"], newer, Undo::Uncordon),
            // A human uncordoned and cordoned again: our mark is still there.
            (&ours, &["kubectl"], mark(), Undo::Strip("the cordon belongs to kubectl".into())),
            (&ours, &[], mark(), Undo::Strip("nobody owns the cordon in managedFields".into())),
            (&uncordoned, &[], mark(), Undo::Strip("somebody else uncordoned it".into())),
            (
                &foreign,
                &["firedrill"],
                mark(),
                Undo::Strip("medik8s (taint medik8s.io/drain) is working on it now".into()),
            ),
            (
                &ours,
                &["firedrill"],
                other,
                Undo::Leave("it carries the mark of run r of lab".into()),
            ),
            (
                &bare,
                &["firedrill"],
                mark(),
                Undo::Leave("it is cordoned, but our mark is gone".into()),
            ),
            (
                &fresh(),
                &[],
                mark(),
                Undo::Leave("it is neither cordoned nor marked any more".into()),
            ),
        ] {
            assert_eq!(undo(Some(&facts(node, managers)), &mark, "u"), want);
        }
        let ours = facts(&ours, &["firedrill"]);
        assert_eq!(undo(Some(&ours), &mark(), "v"), Undo::Gone("the node was made anew".into()));
        assert_eq!(undo(None, &mark(), "u"), Undo::Gone("the node is gone".into()));
    }

    #[test]
    fn a_lost_answer_is_looked_up() {
        let mut ours = fresh();
        merge(&mut ours, &cordon_patch(&mark(), "u", "7"));
        ours["metadata"]["resourceVersion"] = json!("8");
        let mut moved = fresh();
        moved["metadata"]["resourceVersion"] = json!("8");
        let look = |node: &Value, managers: &[&str]| {
            look_up(Some(&facts(node, managers)), &mark(), "u", "7")
        };
        assert_eq!(look(&ours, &["kubectl"]), Look::Applied, "by the mark");
        let mut unmarked = moved.clone();
        unmarked["spec"]["unschedulable"] = json!(true);
        assert_eq!(look(&unmarked, &["firedrill"]), Look::Applied, "by the bit");
        let mut fenced = moved.clone();
        merge(&mut fenced, &fence_patch("u", "8", Some("r")));
        assert_eq!(look(&fenced, &[]), Look::Fence, "a fence that was not cleared");
        let mut bare = facts(&ours, &[]);
        bare.managed = false;
        assert_eq!(undo(Some(&bare), &mark(), "u"), Undo::Uncordon, "no managedFields at all");
        assert_eq!(look(&moved, &[]), Look::Absent("the node has moved on".into()));
        let mut theirs = fresh();
        merge(&mut theirs, &cordon_patch(&Mark { run: "s".into(), ..mark() }, "u", "7"));
        assert_eq!(
            look(&theirs, &["firedrill"]),
            Look::Absent("the node carries the mark of run s of lab".into())
        );
        assert_eq!(look(&fresh(), &[]), Look::Fence);
        assert_eq!(
            look_up(Some(&facts(&fresh(), &[])), &mark(), "v", "7"),
            Look::Absent("the node was made anew".into())
        );
        assert_eq!(look_up(None, &mark(), "u", "7"), Look::Absent("the node is gone".into()));
    }
}
