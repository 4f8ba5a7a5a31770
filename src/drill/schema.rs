//! The language as JSON Schema, for editors: a walk over the field tables.
//!
//! PURE. Draft 07, because it is the newest that editors understand in full: the language server
//! for YAML that most of them use ships draft 07 and began later ones only in parts
//! (redhat-developer/vscode-yaml#704, redhat-developer/yaml-language-server#1112). A schema takes
//! one document; an editor applies it to each document of a file.
//!
//! What the schema refuses, `validate` refuses. The other way round it is true of what a schema can
//! say: keys, types, choices, ranges, forms of names and which keys stand together; not of
//! references, time zones, and what a cron expression or a label selector means.

mod node;
mod value;

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    decode::MAX_ITEMS,
    table::{Field, Need, Rule, Shape, Table},
    tree::Node,
};

pub use node::written;

/// The schema's own version.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// A schema, with the keywords of draft 07 that we use, in the order in which they are written.
/// Keys stand in the order of the tables, which is that in which people write them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    draft: Option<&'static str>,
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Types::is_empty")]
    types: Types,
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    choices: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_properties: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_names: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    properties: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_properties: Option<Additional>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<&'static str>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    dependencies: Named,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    any_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    one_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Node>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<Node>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    definitions: Named,
}

/// Schemas by name, in order.
#[derive(Debug, Default)]
struct Named(Vec<(String, Schema)>);

impl Named {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, schema) in &self.0 {
            map.serialize_entry(name, schema)?;
        }
        map.end()
    }
}

/// The types that a value may have.
#[derive(Debug, Default)]
struct Types(&'static [&'static str]);

impl Types {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Types {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [one] => one.serialize(serializer),
            all => all.serialize(serializer),
        }
    }
}

/// What keys beyond the known ones may hold.
#[derive(Debug)]
enum Additional {
    /// There are none.
    None,
    /// Any number of keys, each with such a value.
    Each(Box<Schema>),
}

impl Serialize for Additional {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_bool(false),
            Self::Each(schema) => schema.serialize(serializer),
        }
    }
}

/// The schema of a document whose outermost object is `root`.
#[must_use]
pub fn of(root: &'static Table, title: &str) -> Schema {
    let mut definitions = Vec::new();
    let mut seen = BTreeSet::new();
    walk(root, &mut |table| {
        if table.what != root.what && seen.insert(name(table)) {
            definitions.push((name(table), object(table)));
        }
    });
    let mut schema = object(root);
    schema.draft = Some(DRAFT);
    schema.title = Some(title.to_owned());
    schema.definitions = Named(definitions);
    schema
}

/// The schema as text, indented, with a line break at its end.
#[must_use]
pub fn text(root: &'static Table, title: &str) -> String {
    // Strings as keys, no maps of ours that fail: serialising has no way to go wrong.
    let mut text = serde_json::to_string_pretty(&of(root, title)).unwrap_or_default();
    text.push('\n');
    text
}

/// Visits a table and all below it, each before what is below it. A table that is used in several
/// places comes once for each.
pub fn walk(table: &'static Table, visit: &mut dyn FnMut(&'static Table)) {
    visit(table);
    for field in table.fields() {
        if let Some(inner) = below(&field.shape) {
            walk(inner, visit);
        }
    }
}

/// The table of the objects that a shape holds.
#[must_use]
pub fn below(shape: &Shape) -> Option<&'static Table> {
    match *shape {
        Shape::Object(table) | Shape::Objects(table) | Shape::Named(table) => Some(table),
        _ => None,
    }
}

/// The name of a table: what it is, as one word: `a background check` is `backgroundCheck`.
#[must_use]
pub fn name(table: &Table) -> String {
    let plain = table.what.replace("'s", "").replace('`', "");
    let words = plain.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the"));
    let mut name = String::new();
    for word in words {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.extend(letters);
    }
    name
}

/// A table as the schema of an object.
fn object(table: &Table) -> Schema {
    let known = || table.fields().filter(|field| !matches!(field.shape, Shape::Later(_)));
    let required = known().filter(|field| matches!(field.need, Need::Required));
    let mut schema = Schema {
        types: Types(&["object"]),
        properties: Named(known().map(|field| (field.name.to_owned(), property(field))).collect()),
        additional_properties: Some(Additional::None),
        required: required.map(|field| field.name).collect(),
        ..Schema::default()
    };
    rules(table, &mut schema);
    schema
}

/// The rules of a table. A key that is not of this version is left out, as from the properties.
fn rules(table: &Table, schema: &mut Schema) {
    for rule in table.rules {
        match *rule {
            Rule::One(names) => match names {
                [one] => schema.required.push(one),
                names => schema.all_of.push(Schema {
                    one_of: names.iter().map(|name| requires(&[name])).collect(),
                    ..Schema::default()
                }),
            },
            Rule::AtMostOne(names) => {
                let pairs = names.iter().enumerate().flat_map(|(at, first)| {
                    names[at + 1..].iter().map(move |second| requires(&[first, second]))
                });
                schema.all_of.push(never(pairs.collect()));
            }
            Rule::Needs(because, names) => {
                beside(schema, because).required.extend_from_slice(names);
            }
            Rule::NeedsOne(because, names) => {
                let one = Schema {
                    any_of: names.iter().map(|name| requires(&[name])).collect(),
                    ..Schema::default()
                };
                beside(schema, because).all_of.push(one);
            }
            Rule::Refuses(because, names) => {
                let each = never(names.iter().map(|name| requires(&[name])).collect());
                let beside = beside(schema, because);
                if beside.not.is_none() {
                    beside.not = each.not;
                } else {
                    beside.all_of.push(each);
                }
            }
        }
    }
    // One alternative needs no list around it, and editors tell it better without.
    if let [one] = schema.all_of.as_mut_slice() {
        schema.one_of = std::mem::take(&mut one.one_of);
        schema.not = one.not.take();
        schema.all_of.clear();
    }
}

/// Where it is said what stands beside a key.
fn beside<'s>(schema: &'s mut Schema, key: &str) -> &'s mut Schema {
    let all = &mut schema.dependencies.0;
    let at = all.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
        all.push((key.to_owned(), Schema::default()));
        all.len() - 1
    });
    &mut all[at].1
}

/// An object with these keys.
fn requires(names: &[&'static str]) -> Schema {
    Schema { required: names.to_vec(), ..Schema::default() }
}

/// None of these.
fn never(mut all: Vec<Schema>) -> Schema {
    let inner = match (all.pop(), all.is_empty()) {
        (Some(one), true) => one,
        (last, _) => {
            all.extend(last);
            Schema { any_of: all, ..Schema::default() }
        }
    };
    Schema { not: Some(Box::new(inner)), ..Schema::default() }
}

/// A field as the schema of its value.
fn property(field: &Field) -> Schema {
    let mut schema = shape(field);
    if let Some(reference) = schema.reference.take() {
        // In draft 07 nothing beside `$ref` counts.
        schema.all_of.push(Schema { reference: Some(reference), ..Schema::default() });
    }
    schema.description = Some(description(field));
    if let Need::Default(text) = field.need {
        schema.default = Some(written(&field.shape, text));
    }
    schema.examples = field.example.iter().map(|text| written(&field.shape, text)).collect();
    schema
}

fn description(field: &Field) -> String {
    let mut text = field.doc.to_owned();
    if let Need::Default(default) = field.need {
        let default = if default.is_empty() { "empty" } else { &format!("`{default}`") };
        text = format!("{text} Default: {default}.");
    }
    if let Some(instead) = field.pending {
        text = format!("{text} This version reads it and does not act on it: {instead}.");
    }
    text
}

/// The schema of a field's value; of a list whether it may be empty depends on the field.
fn shape(field: &Field) -> Schema {
    let required = matches!(field.need, Need::Required);
    let list = |items: Schema| Schema {
        types: Types(&["array"]),
        items: Some(Box::new(items)),
        min_items: required.then_some(1),
        max_items: Some(MAX_ITEMS),
        ..Schema::default()
    };
    match field.shape {
        Shape::Texts(inner) => list(value::schema(inner)),
        Shape::Objects(table) => list(reference(table)),
        Shape::Object(table) => reference(table),
        Shape::Named(table) => Schema {
            types: Types(&["object"]),
            min_properties: required.then_some(1),
            property_names: Some(Box::new(value::schema(&Shape::Name))),
            additional_properties: Some(Additional::Each(Box::new(reference(table)))),
            ..Schema::default()
        },
        shape => value::schema(&shape),
    }
}

fn reference(table: &Table) -> Schema {
    Schema { reference: Some(format!("#/definitions/{}", name(table))), ..Schema::default() }
}

#[cfg(test)]
pub(crate) mod tests;
