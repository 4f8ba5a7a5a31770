//! What a patch or an update of a node changes. Pure.

use serde_json::Value;

use super::{DRILLABLE, FENCE, OUR_KEYS};

/// What a request's body writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// spec.unschedulable, if it is written; removed = false.
    pub unschedulable: Option<bool>,
    /// Labels and annotations of ours.
    pub ours: Vec<String>,
    /// Everything else, as paths.
    pub others: Vec<String>,
}

impl Change {
    /// Of a merge, strategic or apply patch (an object) or a JSON patch (a list).
    pub fn of_patch(body: &Value) -> Self {
        let mut change = Self::default();
        match body {
            Value::Array(steps) => steps.iter().for_each(|step| change.step(step)),
            body => change.walk(&mut Vec::new(), body),
        }
        change
    }

    /// Of an update, which is the whole object: only the cordon can be told without the object
    /// that was there before.
    pub fn of_update(body: &Value) -> Self {
        let cordon = body.pointer("/spec/unschedulable").and_then(Value::as_bool);
        Self { unschedulable: Some(cordon.unwrap_or(false)), ..Self::default() }
    }

    /// Whether it writes our fence and nothing else.
    pub fn is_fence(&self) -> bool {
        self.unschedulable.is_none() && self.others.is_empty() && self.ours == [FENCE]
    }

    fn walk(&mut self, path: &mut Vec<String>, value: &Value) {
        match value {
            Value::Object(fields) if path.len() < 3 => {
                for (key, value) in fields {
                    path.push(key.clone());
                    self.walk(path, value);
                    path.pop();
                }
            }
            value => self.leaf(path, value),
        }
    }

    fn step(&mut self, step: &Value) {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        let path: Vec<String> = text("path")
            .split('/')
            .skip(1)
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        match text("op") {
            "test" => {}
            "remove" => self.leaf(&path, &Value::Null),
            // A whole map replaced takes away what others had in it.
            "add" | "replace" if step["value"].is_object() => self.others.push(path.join(".")),
            "add" | "replace" => self.leaf(&path, &step["value"]),
            // A move or copy takes from elsewhere what cannot be seen here.
            op => self.others.push(format!("{op} {}", text("path"))),
        }
    }

    fn leaf(&mut self, path: &[String], value: &Value) {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            // Names the object, or pins the request; writes nothing.
            ["apiVersion" | "kind"]
            | ["metadata", "name" | "uid" | "resourceVersion" | "managedFields"] => {}
            ["spec", "unschedulable"] => {
                self.unschedulable = Some(value.as_bool().unwrap_or(false));
            }
            ["metadata", "labels" | "annotations", key]
                if key.starts_with(OUR_KEYS) && *key != DRILLABLE =>
            {
                self.ours.push((*key).to_owned());
            }
            // An empty object writes nothing.
            _ if value.as_object().is_some_and(serde_json::Map::is_empty) => {}
            parts => self.others.push(parts.join(".")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch() {
        let change = Change::of_patch(&json!({
            "metadata": {
                "resourceVersion": "7", "labels": {"firedrill.dev/run": "r", "zone": "b"},
                "annotations": {"firedrill.dev/epoch": null},
            },
            "spec": {"unschedulable": true, "taints": []},
        }));
        assert_eq!(change.unschedulable, Some(true));
        assert_eq!(change.ours, ["firedrill.dev/epoch", "firedrill.dev/run"]);
        assert_eq!(change.others, ["metadata.labels.zone", "spec.taints"]);
        assert!(!change.is_fence());
    }

    #[test]
    fn removing_all_labels_or_the_whole_spec_is_not_ours_to_do() {
        let change = Change::of_patch(&json!({"metadata": {"labels": null}, "spec": null}));
        assert_eq!(change.others, ["metadata.labels", "spec"]);
        let word = Change::of_patch(&json!({"metadata": {"labels": {DRILLABLE: "true"}}}));
        assert_eq!(word.others.len(), 1);
    }

    #[test]
    fn a_json_patch() {
        let change = Change::of_patch(&json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "remove", "path": "/spec/unschedulable"},
            {"op": "add", "path": "/metadata/annotations/firedrill.dev~1fence", "value": "1"},
            {"op": "add", "path": "/metadata/labels", "value": {"firedrill.dev/run": "r"}},
            {"op": "move", "path": "/spec/taints", "from": "/spec/x"},
        ]));
        assert_eq!(change.unschedulable, Some(false));
        assert_eq!(change.ours, [FENCE]);
        assert_eq!(change.others, ["metadata.labels", "move /spec/taints"]);
    }

    #[test]
    fn a_fence_alone_is_a_fence() {
        let fence = json!({"metadata": {"annotations": {FENCE: "1"}, "resourceVersion": "7"}});
        assert!(Change::of_patch(&fence).is_fence());
        assert!(Change::of_update(&json!({"spec": {}})).unschedulable == Some(false));
    }
}
