//! A step's figures, as its kind gave them. PURE.

use serde_json::Value;

use crate::report::{summary::Step, words};

/// The most rows of a list that are shown; the JSON report has all.
const ROWS: usize = 10;

/// Lines for a step's figures: plain ones together on one, then each row of each list.
pub(super) fn lines(step: &Step) -> Vec<String> {
    let plain: Vec<String> =
        step.measures.iter().filter_map(|(name, value)| one(name, value)).collect();
    let mut lines: Vec<String> =
        (!plain.is_empty()).then(|| plain.join(", ")).into_iter().collect();
    for (name, value) in &step.measures {
        let Value::Array(rows) = value else { continue };
        lines.extend(rows.iter().take(ROWS).map(row));
        if rows.len() > ROWS {
            lines.push(format!("and {} more {name}; the JSON report has all", rows.len() - ROWS));
        }
    }
    lines
}

/// A name and its figure; milliseconds are read as durations.
fn one(name: &str, value: &Value) -> Option<String> {
    Some(match value {
        Value::Array(_) | Value::Object(_) | Value::Null => return None,
        Value::String(text) => format!("{name} {text}"),
        Value::Bool(_) | Value::Number(_) => match (name.strip_suffix("Millis"), value.as_u64()) {
            (Some(name), Some(millis)) => format!("{name} {}", words::duration(millis)),
            _ => format!("{name} {value}"),
        },
    })
}

/// A row of a list: what it is about, then its figures.
fn row(value: &Value) -> String {
    let Value::Object(fields) = value else { return value.to_string() };
    let names = fields.values().filter_map(Value::as_str);
    let figures = fields
        .iter()
        .filter(|(_, value)| !value.is_string())
        .filter_map(|(name, value)| one(name, value));
    let figures: Vec<String> = figures.collect();
    format!("{}: {}", names.collect::<Vec<_>>().join(" "), figures.join(", "))
}
