//! An object of a cluster, judged. PURE.

use serde_json::Value;

use super::Wanted;

/// Whether an object is as it is wanted.
///
/// # Errors
/// Why not, as the end of a sentence that begins with the object.
pub fn judge(object: &Value, wanted: &Wanted) -> Result<(), String> {
    match wanted {
        Wanted::Condition { name, status } => condition(object, name, status),
        Wanted::Field { path, test } => {
            // What a controller wrote about an older spec says nothing about this one.
            if path.is_status() {
                stale(object, object.pointer("/status/observedGeneration"))
                    .map_or(Ok(()), |why| Err(format!("has a stale status: {why}")))?;
            }
            test.judge(path.find(object)).map_err(|why| format!("has {path}, which {why}")).map_err(
                // "has status.x, which is not there" would contradict itself.
                |why| match why.strip_suffix(", which is not there") {
                    Some(_) => format!("has no {path}"),
                    None => why,
                },
            )
        }
    }
}

fn condition(object: &Value, name: &str, status: &str) -> Result<(), String> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let text = |condition: &Value, key: &str| {
        condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let Some(found) = all.iter().find(|condition| text(condition, "type") == name) else {
        if all.is_empty() {
            return Err("has no conditions".to_owned());
        }
        let known: Vec<String> = all.iter().map(|condition| text(condition, "type")).collect();
        return Err(format!("has no condition {name}; it has {}", known.join(", ")));
    };
    for observed in [found.get("observedGeneration"), object.pointer("/status/observedGeneration")]
    {
        if let Some(why) = stale(object, observed) {
            return Err(format!("has a stale condition {name}: {why}"));
        }
    }
    let is = text(found, "status");
    if is == status {
        return Ok(());
    }
    let reason = [text(found, "reason"), text(found, "message")];
    let reason: Vec<String> = reason.into_iter().filter(|part| !part.is_empty()).collect();
    let reason = if reason.is_empty() { String::new() } else { format!(": {}", reason.join(", ")) };
    Err(format!("has condition {name}={is}, not {status}{reason}"))
}

/// Why what was observed does not count, if it is of an older generation than the object's.
fn stale(object: &Value, observed: Option<&Value>) -> Option<String> {
    let generation = object.pointer("/metadata/generation")?.as_i64()?;
    let observed = observed?.as_i64()?;
    (observed < generation)
        .then(|| format!("it is of generation {observed}, and the object is at {generation}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{
        compare::{Quantity, Test},
        path::FieldPath,
    };

    fn deployment(generation: i64, observed: i64) -> Value {
        json!({
            "metadata": {"name": "web", "generation": generation},
            "status": {
                "observedGeneration": observed,
                "readyReplicas": 2,
                "conditions": [
                    {"type": "Progressing", "status": "True"},
                    {"type": "Available", "status": "True"},
                    {"type": "Broken", "status": "False", "reason": "None", "message": "all is well"},
                ],
            },
        })
    }

    fn has(name: &str, status: &str) -> Wanted {
        Wanted::Condition { name: name.into(), status: status.into() }
    }

    #[test]
    fn a_condition_is_judged() {
        let object = deployment(3, 3);
        assert_eq!(judge(&object, &has("Available", "True")), Ok(()));
        assert_eq!(judge(&object, &has("Broken", "False")), Ok(()));
        for (wanted, why) in [
            (has("Available", "False"), "has condition Available=True, not False"),
            (has("Broken", "True"), "has condition Broken=False, not True: None, all is well"),
            (has("Ready", "True"), "has no condition Ready; it has Progressing, Available, Broken"),
        ] {
            assert_eq!(judge(&object, &wanted), Err(why.to_owned()));
        }
        assert_eq!(
            judge(&json!({"status": {}}), &has("Ready", "True")),
            Err("has no conditions".to_owned())
        );
    }

    #[test]
    fn what_is_of_an_older_generation_does_not_count() {
        let wanted = has("Available", "True");
        let why = "has a stale condition Available: it is of generation 2, and the object is at 3";
        assert_eq!(judge(&deployment(3, 2), &wanted), Err(why.to_owned()));
        // A condition's own word is the finer one.
        let mut object = deployment(3, 3);
        object["status"]["conditions"][1]["observedGeneration"] = json!(2);
        assert_eq!(judge(&object, &wanted), Err(why.to_owned()));
        object["status"]["conditions"][1]["observedGeneration"] = json!(3);
        assert_eq!(judge(&object, &wanted), Ok(()));
        let field = Wanted::Field {
            path: FieldPath::parse("status.readyReplicas").unwrap(),
            test: Test::AtLeast(Quantity::parse("2").unwrap()),
        };
        assert_eq!(judge(&deployment(3, 3), &field), Ok(()));
        assert_eq!(
            judge(&deployment(3, 2), &field),
            Err("has a stale status: it is of generation 2, and the object is at 3".to_owned())
        );
    }

    #[test]
    fn a_field_is_judged() {
        let field =
            |path: &str, test: Test| Wanted::Field { path: FieldPath::parse(path).unwrap(), test };
        let object = deployment(1, 1);
        let at_least = |text| Test::AtLeast(Quantity::parse(text).unwrap());
        assert_eq!(
            judge(&object, &field("status.readyReplicas", at_least("3"))),
            Err("has status.readyReplicas, which is 2, not at least 3".to_owned())
        );
        assert_eq!(
            judge(&object, &field("status.replicas", at_least("3"))),
            Err("has no status.replicas".to_owned())
        );
        assert_eq!(judge(&object, &field("spec.paused", Test::Exists(false))), Ok(()));
    }
}
