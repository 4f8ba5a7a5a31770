//! Values of the tables' defaults and examples, and trees as JSON. PURE.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::drill::{
    read,
    table::Shape,
    tree::{Node, Value},
};

/// A default or an example of a table, which is written as in YAML, as a value. Where a shape takes
/// only text it is text, whatever it looks like.
#[must_use]
pub fn written(shape: &Shape, text: &str) -> Node {
    let as_text = || Node { span: 0..0, value: Value::Text(text.to_owned()) };
    match shape {
        Shape::Flag
        | Shape::Count(..)
        | Shape::CountOrShare(..)
        | Shape::Number
        | Shape::Scalar
        | Shape::Port
        | Shape::Labels
        | Shape::Texts(_)
        | Shape::Object(_)
        | Shape::Objects(_)
        | Shape::Named(_) => {
            let (documents, _) = read::read(text);
            documents.into_iter().next().map_or_else(as_text, |document| document.root)
        }
        _ => as_text(),
    }
}

/// A tree as JSON, without its places. Of two entries with one key JSON keeps both; a key that is
/// no text is written as what it is.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.serialize_i128(*value),
            },
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    let key = entry.key.as_text();
                    map.serialize_entry(key.unwrap_or(&entry.key.found()), &entry.value)?;
                }
                map.end()
            }
        }
    }
}
