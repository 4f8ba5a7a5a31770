//! The collecting decoder: reads objects of the tree by their field tables and notes every
//! problem on the way. It never stops at the first one.
//!
//! PURE. A getter answers `None` for a key that is not there and for one whose value is wrong; in
//! the second case, and where a required key is missing, the problem has been noted already. So
//! `?` on what is required is never silent.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    problem::{Code, Lines, Problem, Severity, quote},
    scalar,
    scalar::Wrong,
    selector, suggest,
    table::{Field, Need, Shape, Table},
    tree::{Entry, Node, Span, Value},
};

/// The most problems told of one file: a file that is wrong throughout needs no more.
pub const MAX_PROBLEMS: usize = 200;

/// A value, where it stands, and its key path.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
    /// Its key path.
    pub key: String,
}

/// A step named by another part of the drill, to be looked up when all steps are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The name.
    pub to: At<String>,
    /// The kinds that the step may be of; any if there are none.
    pub kinds: &'static [&'static str],
}

/// Collects the problems of one file.
pub struct Decoder<'t> {
    path: &'t Path,
    lines: Lines<'t>,
    problems: Vec<Problem>,
    dropped: usize,
    errors: usize,
    references: Vec<Reference>,
}

impl<'t> Decoder<'t> {
    /// Begins with no problems.
    #[must_use]
    pub fn new(path: &'t Path, text: &'t str) -> Self {
        Self {
            path,
            lines: Lines::new(text),
            problems: Vec::new(),
            dropped: 0,
            errors: 0,
            references: Vec::new(),
        }
    }

    /// Notes an error.
    pub fn error(
        &mut self,
        code: Code,
        span: &Span,
        key: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.errors += 1;
        self.note(Severity::Error, code, span, key, message.into())
    }

    /// Notes a warning.
    pub fn warning(
        &mut self,
        code: Code,
        span: &Span,
        key: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.note(Severity::Warning, code, span, key, message.into())
    }

    fn note(
        &mut self,
        severity: Severity,
        code: Code,
        span: &Span,
        key: &str,
        message: String,
    ) -> &mut Problem {
        let mut problem = Problem::of_file(self.path, severity, code, message);
        problem.place.span = span.clone();
        key.clone_into(&mut problem.key);
        // One slot beyond the limit takes all that will not be told.
        if self.problems.len() > MAX_PROBLEMS {
            self.problems.pop();
            self.dropped += 1;
        }
        let at = self.problems.len();
        self.problems.push(problem);
        &mut self.problems[at]
    }

    /// How many errors were noted so far.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The references noted since the last call.
    pub fn take_references(&mut self) -> Vec<Reference> {
        std::mem::take(&mut self.references)
    }

    /// All problems in the order of the file, with lines and columns.
    #[must_use]
    pub fn finish(mut self) -> Vec<Problem> {
        if self.problems.len() > MAX_PROBLEMS {
            self.problems.pop();
            self.dropped += 1;
        }
        for problem in &mut self.problems {
            problem.place = self.lines.place(&problem.place.span);
            if let Some((place, _)) = &mut problem.also {
                *place = self.lines.place(&place.span);
            }
            if let Some(secret) = &mut problem.secret {
                *secret = self.lines.place(secret).span;
            }
        }
        self.problems.sort_by_key(|problem| problem.place.span.start);
        if self.dropped > 0 {
            let more = format!("{} more problems in this file are not told", self.dropped);
            self.problems.push(Problem::of_file(self.path, Severity::Error, Code::TooMany, more));
        }
        self.problems
    }
}

/// An object of the tree whose keys have been checked against its table.
pub struct Object<'t> {
    table: &'static Table,
    fields: Vec<(&'static Field, &'t Entry)>,
    /// Known keys that unknown ones were probably meant to be: they are not told as missing too.
    meant: Vec<&'static str>,
    /// It has a key of a later version, which may stand for any that is missing.
    later: bool,
    /// The key that it stands under, else its beginning.
    pub span: Span,
    /// Its key path.
    pub key: String,
}

impl<'t> Object<'t> {
    /// Opens a node as an object: notes unknown, duplicate and missing keys. `span` is where
    /// missing keys are told.
    pub fn open(
        out: &mut Decoder<'_>,
        table: &'static Table,
        node: &'t Node,
        span: &Span,
        key: &str,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return wrong_type(out, &format!("{}, written as a map", table.what), node, key);
        };
        let mut object = Self {
            table,
            fields: Vec::new(),
            meant: Vec::new(),
            later: false,
            span: span.clone(),
            key: key.to_owned(),
        };
        for entry in entries {
            object.take(out, entry);
        }
        for field in table.fields() {
            let needed = matches!(field.need, Need::Required);
            if needed && object.entry(field.name).is_none() && !object.meant.contains(&field.name) {
                out.error(
                    Code::MissingKey,
                    span,
                    key,
                    format!("{} needs the key `{}`", table.what, field.name),
                )
                .help(format!("`{}`: {}", field.name, field.doc));
            }
        }
        Some(object)
    }

    /// Takes one entry, or notes why not.
    fn take(&mut self, out: &mut Decoder<'_>, entry: &'t Entry) {
        let Some(name) = entry.key.as_text() else {
            out.error(
                Code::WrongType,
                &entry.key.span,
                &self.key,
                format!("a key must be text, found {}", entry.key.found()),
            );
            return;
        };
        let path = self.path(name);
        let Some(field) = self.table.field(name) else {
            let meant = self.unknown_key(out, entry, name, &path);
            self.meant.extend(meant);
            return;
        };
        if let Shape::Later(instead) = field.shape {
            self.later = true;
            out.error(
                Code::NotSupportedYet,
                &entry.key.span,
                &path,
                format!("`{name}` is not supported yet"),
            )
            .help(instead);
            return;
        }
        if let Some(first) = self.entry(name) {
            out.error(
                Code::DuplicateKey,
                &entry.key.span,
                &path,
                format!("the key `{name}` is there twice"),
            )
            .also(first.key.span.clone(), "first here")
            .help("keep one of them");
            return;
        }
        if matches!(entry.value.value, Value::Null) {
            out.error(Code::EmptyValue, &entry.key.span, &path, format!("`{name}` has no value"))
                .help(format!("give it {}, or leave the key out", field.shape.expected()));
            // It counts as there, so that it is not told as missing too.
        }
        self.fields.push((field, entry));
    }

    /// Notes an unknown key; answers the known one that it was probably meant to be.
    fn unknown_key(
        &self,
        out: &mut Decoder<'_>,
        entry: &Entry,
        name: &str,
        path: &str,
    ) -> Option<&'static str> {
        if is_secret(name) {
            let file = self.table.names().find(|name| name.ends_with("File"));
            let help = file.map_or_else(
                || "secrets are read from files, never from here".to_owned(),
                |file| format!("write it into a file and name that under `{file}`"),
            );
            let end = end_of(&entry.value).max(entry.value.span.end);
            let message = format!("{} would put a secret into this file", quote(name));
            out.error(Code::InlineSecret, &entry.key.span, path, message)
                .help(help)
                .secret(entry.value.span.start..end);
            return file;
        }
        let help = if name == "<<" {
            "merge keys are not part of the language: write the keys out".to_owned()
        } else {
            suggest::help(name, self.table.names(), "keys")
        };
        let message = format!("{} has no key {}", self.table.what, quote(name));
        out.error(Code::UnknownKey, &entry.key.span, path, message).help(help);
        suggest::nearest(name, self.table.names())
    }

    /// The key path of one of its keys.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }

    /// The entry of a key, if it is there.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&'t Entry> {
        self.fields.iter().find(|(field, _)| field.name == name).map(|(_, entry)| *entry)
    }

    /// The field and the value of a key that is there and is not empty.
    fn value(&self, name: &str) -> Option<(&'static Field, &'t Node)> {
        debug_assert!(self.table.field(name).is_some(), "{} has no field {name}", self.table.what);
        self.fields
            .iter()
            .find(|(field, _)| field.name == name)
            .map(|(field, entry)| (*field, &entry.value))
            .filter(|(_, node)| !matches!(node.value, Value::Null))
    }

    /// The default of a key that is not there.
    fn default(&self, name: &str) -> Option<&'static str> {
        if self.entry(name).is_some() {
            return None;
        }
        match self.table.field(name)?.need {
            Need::Default(text) => Some(text),
            Need::Required | Need::Optional => None,
        }
    }

    fn at<T>(&self, name: &str, node: Option<&Node>, value: T) -> At<T> {
        let span = node.map_or_else(|| self.span.clone(), |node| node.span.clone());
        At { value, span, key: self.path(name) }
    }

    /// A text of the shape that the table says.
    pub fn text(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<String>> {
        if let Some(default) = self.default(name) {
            return Some(self.at(name, None, default.to_owned()));
        }
        let (field, node) = self.value(name)?;
        let text = checked_text(out, &field.shape, node, &self.path(name))?;
        let at = self.at(name, Some(node), text);
        if let Shape::Step(kinds) = field.shape {
            out.references.push(Reference { to: at.clone(), kinds });
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
                    out.error(Code::InvalidValue, &node.span, &path, message);
                    None
                }
            },
            Value::Text(text) if text.ends_with('%') => {
                let message = format!("`{name}` takes no percentage yet, found {}", quote(text));
                out.error(Code::NotSupportedYet, &node.span, &path, message)
                    .help(format!("write {}", field.shape.expected()));
                None
            }
            _ => wrong_type(out, &field.shape.expected(), node, &path),
        }
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

    /// Which one of several keys is there; notes if it is none or several.
    pub fn exactly_one(
        &self,
        out: &mut Decoder<'_>,
        names: &[&'static str],
    ) -> Option<&'static str> {
        let found: Vec<&'static str> =
            names.iter().copied().filter(|name| self.entry(name).is_some()).collect();
        let all = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match found.as_slice() {
            [one] => Some(one),
            [] => {
                if !self.later && !names.iter().any(|name| self.meant.contains(name)) {
                    let (message, help) = match names {
                        [only] => (format!("{} needs the key `{only}`", self.table.what), "add it"),
                        _ => (
                            format!("{} needs one of the keys {}", self.table.what, all()),
                            "add exactly one of them",
                        ),
                    };
                    out.error(Code::ExactlyOne, &self.span, &self.key, message).help(help);
                }
                None
            }
            [first, second, ..] => {
                if let (Some(first_entry), Some(second_entry)) =
                    (self.entry(first), self.entry(second))
                {
                    let message = format!("`{second}` cannot stand beside `{first}`");
                    out.error(
                        Code::ExactlyOne,
                        &second_entry.key.span,
                        &self.path(second),
                        message,
                    )
                    .also(first_entry.key.span.clone(), "the first of them")
                    .help(format!(
                        "{} takes exactly one of {}",
                        self.table.what,
                        all()
                    ));
                }
                None
            }
        }
    }

    /// Notes a key that must be there because of another one, and is not.
    pub fn needs(&self, out: &mut Decoder<'_>, name: &str, because: &str) {
        if self.entry(name).is_none() && !self.meant.contains(&name) {
            let doc = self.table.field(name).map_or("", |field| field.doc);
            out.error(
                Code::MissingKey,
                &self.span,
                &self.key,
                format!("`{because}` needs the key `{name}` beside it"),
            )
            .help(format!("`{name}`: {doc}"));
        }
    }

    /// Notes a key that has no meaning because of another one.
    pub fn refuses(&self, out: &mut Decoder<'_>, name: &str, because: &str) {
        if let Some(entry) = self.entry(name) {
            out.error(
                Code::OutOfPlace,
                &entry.key.span,
                &self.path(name),
                format!("`{name}` has no meaning beside `{because}`"),
            )
            .help("leave it out");
        }
    }
}

/// Whether a key asks for a secret itself, not for a file with it.
fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let plain: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    !plain.ends_with("file")
        && [
            "token",
            "password",
            "passwd",
            "secret",
            "credential",
            "accesskey",
            "privatekey",
            "keydata",
            "apikey",
        ]
        .iter()
        .any(|word| plain.contains(word))
}

/// The last byte of a node and of all within it.
fn end_of(node: &Node) -> usize {
    let within = match &node.value {
        Value::List(items) => items.iter().map(end_of).max(),
        Value::Map(entries) => {
            entries.iter().map(|entry| entry.key.span.end.max(end_of(&entry.value))).max()
        }
        _ => None,
    };
    within.unwrap_or(0).max(node.span.end)
}

/// Notes a value of the wrong type.
fn wrong_type<T>(out: &mut Decoder<'_>, expected: &str, node: &Node, key: &str) -> Option<T> {
    let code = if matches!(node.value, Value::Null) { Code::EmptyValue } else { Code::WrongType };
    let problem =
        out.error(code, &node.span, key, format!("expected {expected}, found {}", node.found()));
    if let Value::Integer(_) | Value::Bool(_) | Value::Float(_) = node.value
        && (expected.contains("text") || expected.contains("name"))
    {
        problem.help("put it in quotes if it is meant as text");
    }
    None
}

/// The value, or a note why there is none.
fn told<T>(out: &mut Decoder<'_>, result: Result<T, Wrong>, node: &Node, key: &str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(wrong) => {
            let problem =
                out.error(Code::InvalidValue, &node.span, key, wrong.message).help(wrong.help);
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
        Shape::Name | Shape::Step(_) => scalar::label(text, 40),
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
        Shape::TimeZone => scalar::time_zone(text),
        _ => Ok(()),
    }
}
