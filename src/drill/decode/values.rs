//! Getters: values of the shapes that the tables say. PURE.

use std::{collections::BTreeMap, time::Duration};

use super::{At, Decoder, Mention, Object, Reference};
use crate::drill::{
    problem::{Code, quote},
    scalar,
    scalar::{Amount, Wrong},
    selector, suggest,
    table::{Field, Need, Shape},
    tree::{Entry, Node, Value},
};

/// The most entries of a list. References and names are compared with each other, which takes the
/// square of their number.
pub const MAX_ITEMS: usize = 200;

impl<'t> Object<'t> {
    /// A text of the shape that the table says.
    pub fn text(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<String>> {
        if let Some(default) = self.default(name) {
            let at = self.at(name, None, default.to_owned());
            // A name that is left out must be there as well.
            if let Some(Shape::Configured(sort)) = self.shape(name) {
                out.mentions.push(Mention::Name { sort, at: at.clone() });
            }
            return Some(at);
        }
        let (field, node) = self.value(name)?;
        let text = checked_text(out, &field.shape, node, &self.path(name))?;
        let at = self.at(name, Some(node), text);
        match field.shape {
            Shape::Step(kinds) => out.references.push(Reference { to: at.clone(), kinds }),
            Shape::Configured(sort) => out.mentions.push(Mention::Name { sort, at: at.clone() }),
            _ => {}
        }
        Some(at)
    }

    /// A list of texts.
    pub fn texts(&self, out: &mut Decoder<'_>, name: &str) -> Option<Vec<At<String>>> {
        let (field, node) = self.value(name)?;
        let Shape::Texts(shape) = field.shape else { return None };
        let path = self.path(name);
        let items = list(out, field, node, &path)?;
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let key = format!("{path}[{index}]");
            if let Some(value) = checked_text(out, shape, item, &key) {
                texts.push(At { value, span: item.span.clone(), key });
            }
        }
        Some(texts)
    }

    /// A duration.
    pub fn duration(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<Duration>> {
        if let Some(default) = self.default(name) {
            return Some(self.at(name, None, scalar::duration(default).ok()?));
        }
        let (field, node) = self.value(name)?;
        let path = self.path(name);
        let parsed = match &node.value {
            Value::Text(text) => scalar::duration(text),
            Value::Integer(number) => scalar::duration(&number.to_string()),
            _ => return wrong_type(out, &field.shape.expected(), node, &path),
        };
        let parsed = parsed.and_then(|duration| {
            if duration.is_zero() && matches!(field.shape, Shape::Duration) {
                return Err(Wrong::new(
                    format!("`{name}` cannot be zero"),
                    "write a duration such as `15m`",
                ));
            }
            Ok(duration)
        });
        Some(self.at(name, Some(node), told(out, parsed, node, &path)?))
    }

    /// A whole number within the bounds that the table says.
    pub fn count(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<u64>> {
        if let Some(default) = self.default(name) {
            return Some(self.at(name, None, default.parse().ok()?));
        }
        let (field, node) = self.value(name)?;
        let path = self.path(name);
        let Shape::Count(least, most) = field.shape else { return None };
        match &node.value {
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) if (least..=most).contains(&number) => {
                    Some(self.at(name, Some(node), number))
                }
                _ => {
                    let message =
                        format!("`{name}` must be {}, found {number}", field.shape.expected());
                    out.error(Code::InvalidValue, &node.span, &path, message)
                        .help(format!("write {}", field.shape.expected()));
                    None
                }
            },
            Value::Text(text) if text.ends_with('%') => {
                let message = format!("`{name}` takes no share, found {}", quote(text));
                out.error(Code::InvalidValue, &node.span, &path, message)
                    .help(format!("write {}", field.shape.expected()));
                None
            }
            _ => wrong_type(out, &field.shape.expected(), node, &path),
        }
    }

    /// A whole number within the bounds that the table says, or a share.
    pub fn count_or_share(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<Amount>> {
        let (field, node) = match self.default(name) {
            Some(default) => {
                return Some(self.at(name, None, scalar::amount(default).ok()?));
            }
            None => self.value(name)?,
        };
        let path = self.path(name);
        let Shape::CountOrShare(least, most) = field.shape else { return None };
        let amount = match &node.value {
            Value::Integer(number) => u64::try_from(*number).ok().map(Amount::Count),
            Value::Text(text) => {
                let amount = scalar::amount(text);
                Some(told(out, amount, node, &path)?)
            }
            _ => return wrong_type(out, &field.shape.expected(), node, &path),
        };
        match amount {
            Some(Amount::Count(number)) if !(least..=most).contains(&number) => None,
            amount => amount,
        }
        .or_else(|| {
            let message =
                format!("`{name}` must be {}, found {}", field.shape.expected(), node.found());
            out.error(Code::InvalidValue, &node.span, &path, message)
                .help(format!("write {}", field.shape.expected()));
            None
        })
        .map(|amount| self.at(name, Some(node), amount))
    }

    /// A share of a whole, in percent from 1 to 100.
    pub fn share(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<u8>> {
        let (field, node) = match self.default(name) {
            Some(default) => match scalar::amount(default).ok()? {
                Amount::Percent(share) => return Some(self.at(name, None, share)),
                Amount::Count(_) => return None,
            },
            None => self.value(name)?,
        };
        let path = self.path(name);
        let share = match &node.value {
            Value::Text(text) => scalar::share(text),
            Value::Integer(number) => scalar::share(&number.to_string()),
            _ => return wrong_type(out, &field.shape.expected(), node, &path),
        };
        Some(self.at(name, Some(node), told(out, share, node, &path)?))
    }

    /// Any finite number.
    pub fn number(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<f64>> {
        if let Some(default) = self.default(name) {
            return Some(self.at(name, None, default.parse().ok()?));
        }
        let (field, node) = self.value(name)?;
        match &node.value {
            #[expect(clippy::cast_precision_loss, reason = "PromQL's numbers are of this type")]
            Value::Integer(number) => Some(self.at(name, Some(node), *number as f64)),
            Value::Float(number) if number.is_finite() => Some(self.at(name, Some(node), *number)),
            _ => wrong_type(out, &field.shape.expected(), node, &self.path(name)),
        }
    }

    /// A text, a number or a boolean.
    pub fn scalar(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<serde_json::Value>> {
        let (field, node) = self.value(name)?;
        let value = match &node.value {
            Value::Text(text) => Some(serde_json::Value::from(text.as_str())),
            Value::Bool(flag) => Some(serde_json::Value::from(*flag)),
            Value::Integer(number) => i64::try_from(*number).ok().map(serde_json::Value::from),
            Value::Float(number) => {
                serde_json::Number::from_f64(*number).map(serde_json::Value::Number)
            }
            Value::Null | Value::List(_) | Value::Map(_) => None,
        };
        match value {
            Some(value) => Some(self.at(name, Some(node), value)),
            None => wrong_type(out, &field.shape.expected(), node, &self.path(name)),
        }
    }

    /// A port's number or name, as text.
    pub fn port(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<String>> {
        let (field, node) = self.value(name)?;
        let path = self.path(name);
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            _ => return wrong_type(out, &field.shape.expected(), node, &path),
        };
        told(out, scalar::port(&text), node, &path)?;
        Some(self.at(name, Some(node), text))
    }

    /// `true` or `false`.
    pub fn flag(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<bool>> {
        if let Some(default) = self.default(name) {
            return Some(self.at(name, None, default == "true"));
        }
        let (field, node) = self.value(name)?;
        match &node.value {
            Value::Bool(value) => Some(self.at(name, Some(node), *value)),
            _ => wrong_type(out, &field.shape.expected(), node, &self.path(name)),
        }
    }

    /// Labels.
    pub fn labels(&self, out: &mut Decoder<'_>, name: &str) -> Option<BTreeMap<String, String>> {
        let (field, node) = self.value(name)?;
        let path = self.path(name);
        let Value::Map(entries) = &node.value else {
            return wrong_type(out, &field.shape.expected(), node, &path);
        };
        let mut labels = BTreeMap::new();
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        for Entry { key, value } in entries {
            let Some(name) = unique_key(out, &mut seen, key, &path) else { continue };
            let path = format!("{path}.{name}");
            let name = told(out, selector::label_key(name).map(|()| name), key, &path);
            let Some(text) = value.as_text() else {
                wrong_type::<()>(out, "text", value, &path);
                continue;
            };
            let text = told(out, selector::label_value(text).map(|()| text), value, &path);
            if let (Some(name), Some(text)) = (name, text) {
                labels.insert(name.to_owned(), text.to_owned());
            }
        }
        Some(labels)
    }

    /// An object within it.
    pub fn object(&self, out: &mut Decoder<'_>, name: &str) -> Option<Object<'t>> {
        let (field, node) = self.value(name)?;
        let Shape::Object(table) = field.shape else { return None };
        let span = self.entry(name)?.key.span.clone();
        Object::open(out, table, node, &span, &self.path(name))
    }

    /// A list of objects; those that are none are left out, with a note.
    pub fn objects(&self, out: &mut Decoder<'_>, name: &str) -> Option<Vec<Object<'t>>> {
        let (field, node) = self.value(name)?;
        let Shape::Objects(table) = field.shape else { return None };
        let path = self.path(name);
        let items = list(out, field, node, &path)?;
        Some(
            items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    Object::open(out, table, item, &item.span, &format!("{path}[{index}]"))
                })
                .collect(),
        )
    }

    /// A map from names to objects; those that are none are left out, with a note.
    pub fn named(&self, out: &mut Decoder<'_>, name: &str) -> Option<Vec<(String, Object<'t>)>> {
        let (field, node) = self.value(name)?;
        let Shape::Named(table) = field.shape else { return None };
        let path = self.path(name);
        let Value::Map(entries) = &node.value else {
            return wrong_type(out, &field.shape.expected(), node, &path);
        };
        let mut objects = Vec::new();
        let mut seen = BTreeMap::new();
        for Entry { key, value } in entries {
            let Some(name) = unique_key(out, &mut seen, key, &path) else { continue };
            let path = format!("{path}.{name}");
            told(out, scalar::label(name, 40), key, &path);
            if let Some(object) = Object::open(out, table, value, &key.span, &path) {
                objects.push((name.to_owned(), object));
            }
        }
        Some(objects)
    }
}

/// Notes a value of the wrong type.
pub(super) fn wrong_type<T>(
    out: &mut Decoder<'_>,
    expected: &str,
    node: &Node,
    key: &str,
) -> Option<T> {
    let code = if matches!(node.value, Value::Null) { Code::EmptyValue } else { Code::WrongType };
    let problem =
        out.error(code, &node.span, key, format!("expected {expected}, found {}", node.found()));
    match &node.value {
        Value::Integer(_) | Value::Bool(_) | Value::Float(_)
            if expected.contains("text") || expected.contains("name") =>
        {
            problem.help("put it in quotes if it is meant as text");
        }
        Value::List(_) if !expected.contains("list") => {
            problem.help("write one value, without `[ ]` or `-`");
        }
        Value::Text(_) | Value::Integer(_) if expected.contains("list") => {
            problem.help("write a list, in `[ ]` or each item on a line after `- `");
        }
        _ if expected.contains("map") => {
            problem.help("write its keys below it, each indented by two more columns");
        }
        _ => {
            problem.help(format!("write {expected}"));
        }
    }
    None
}

/// The value, or a note why there is none.
fn told<T>(out: &mut Decoder<'_>, result: Result<T, Wrong>, node: &Node, key: &str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(wrong) => {
            // A character that cannot be told from another one by eye is the likely cause.
            let strange = match node.as_text() {
                Some(text) if !wrong.secret => suggest::look_alike(text),
                _ => String::new(),
            };
            let help = format!("{strange}{}", wrong.help);
            let problem = out.error(Code::InvalidValue, &node.span, key, wrong.message).help(help);
            if wrong.secret {
                problem.secret(node.span.clone());
            }
            None
        }
    }
}

/// The items of a list; it may be empty only where it may also be left out.
fn list<'t>(out: &mut Decoder<'_>, field: &Field, node: &'t Node, key: &str) -> Option<&'t [Node]> {
    match &node.value {
        Value::List(items) if items.is_empty() && matches!(field.need, Need::Required) => {
            out.error(Code::EmptyValue, &node.span, key, format!("`{}` is empty", field.name))
                .help("give it at least one entry");
            None
        }
        Value::List(items) if items.len() > MAX_ITEMS => {
            let message =
                format!("`{}` has {} entries, more than {MAX_ITEMS}", field.name, items.len());
            out.error(Code::TooComplex, &items[MAX_ITEMS].span, key, message)
                .help("the rest was not read: split it");
            Some(&items[..MAX_ITEMS])
        }
        Value::List(items) => Some(items),
        _ => wrong_type(out, &field.shape.expected(), node, key),
    }
}

/// The text of a key that is not in `seen` yet.
fn unique_key<'t>(
    out: &mut Decoder<'_>,
    seen: &mut BTreeMap<&'t str, &'t Node>,
    key: &'t Node,
    path: &str,
) -> Option<&'t str> {
    let Some(name) = key.as_text() else {
        return wrong_type(out, "a name", key, path);
    };
    if let Some(first) = seen.get(name) {
        out.error(
            Code::DuplicateKey,
            &key.span,
            &format!("{path}.{name}"),
            format!("the key {} is there twice", quote(name)),
        )
        .also(first.span.clone(), "first here")
        .help("keep one of them");
        return None;
    }
    seen.insert(name, key);
    Some(name)
}

/// A text that satisfies its shape.
fn checked_text(out: &mut Decoder<'_>, shape: &Shape, node: &Node, key: &str) -> Option<String> {
    let Value::Text(text) = &node.value else {
        return wrong_type(out, &shape.expected(), node, key);
    };
    let checked = check_text(shape, text);
    told(out, checked.map(|()| text.clone()), node, key)
}

/// Checks a text against its shape.
pub(crate) fn check_text(shape: &Shape, text: &str) -> Result<(), Wrong> {
    if text.is_empty() && !matches!(shape, Shape::TextOrEmpty) {
        return Err(Wrong::new(
            format!("expected {}, found an empty text", shape.expected()),
            "write a value, or leave the key out if it is not required",
        ));
    }
    match shape {
        Shape::Name | Shape::Step(_) | Shape::Configured(_) => scalar::label(text, 40),
        Shape::LabelValue => selector::label_value(text),
        Shape::Namespace => scalar::label(text, 63),
        Shape::ObjectName => scalar::subdomain(text),
        Shape::Choice(words) if !words.contains(&text) => Err(Wrong::new(
            format!("expected {}, found {}", shape.expected(), quote(text)),
            suggest::help(text, words.iter().copied(), "values"),
        )),
        Shape::Selector => selector::check(text),
        Shape::Url => scalar::url(text, false),
        Shape::HttpsUrl => scalar::url(text, true),
        Shape::UrlPath => scalar::url_path(text),
        Shape::Cron => scalar::cron(text),
        Shape::Port => scalar::port(text),
        Shape::Share => scalar::share(text).map(|_| ()),
        Shape::Address => scalar::address(text),
        Shape::TimeZone => scalar::time_zone(text),
        // It is shown on terminals and pages.
        Shape::Text | Shape::TextOrEmpty | Shape::File
            if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) =>
        {
            Err(Wrong::new(
                format!("{} has a control character", quote(text)),
                "write the text without it",
            ))
        }
        _ => Ok(()),
    }
}
