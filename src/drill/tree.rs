//! The tree that YAML is read into: plain nodes that know where they stand in the file.
//!
//! PURE. A place is a byte span of the whole file; lines and columns are made from it only when a
//! problem is told.

use std::ops::Range;

use super::problem::quote;

/// A byte range of the file's text.
pub type Span = Range<usize>;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands. Of a map or a list: its first line, or the bracket that opens it.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `~`, `null` or nothing at all.
    Null,
    /// `true` or `false`; `yes` and `n` are text.
    Bool(bool),
    /// A whole number of at most 64 bits.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text, quoted or not.
    Text(String),
    /// `[a, b]`
    List(Vec<Node>),
    /// `{a: b}`, in the order of the file, duplicates included.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Any node: whether it is text is for the decoder to ask.
    pub key: Node,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// What it is, in words that continue "expected a name, found ...".
    #[must_use]
    pub fn found(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Integer(value) => format!("the number {value}"),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(value) => format!("the text {}", quote(value)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// Its text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of the first entry with this key, if it is a map that has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key.as_text() == Some(key))
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The node at a key path such as `spec.steps[1].name`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for part in path.split('.') {
            let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            node = node.get(key)?;
            for index in indices.split(['[', ']']).filter(|index| !index.is_empty()) {
                let Value::List(items) = &node.value else { return None };
                node = items.get(index.parse::<usize>().ok()?)?;
            }
        }
        Some(node)
    }
}
