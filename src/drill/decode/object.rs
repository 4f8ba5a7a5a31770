//! Objects and their keys: unknown, duplicate, missing, misplaced. PURE.

use super::{At, Decoder, values::wrong_type};
use crate::drill::{
    problem::{Code, quote},
    suggest,
    table::{Field, Need, Rule, Shape, Table},
    tree::{Entry, Node, Span, Value},
};

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
    /// Opens a node as an object: notes unknown, duplicate and missing keys, and keys that do not
    /// go together. `span` is where missing keys are told.
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
        // Of several keys that cannot stand together nobody knows which one was meant, so what goes
        // with each of them is not told.
        let mut unsure: Vec<&'static str> = Vec::new();
        for rule in table.rules {
            match *rule {
                Rule::Needs(because, _)
                | Rule::NeedsOne(because, _)
                | Rule::Refuses(because, _)
                    if unsure.contains(&because) => {}
                Rule::Needs(because, names) if object.entry(because).is_some() => {
                    names.iter().for_each(|name| object.needs(out, name, because));
                }
                Rule::Refuses(because, names) if object.entry(because).is_some() => {
                    names.iter().for_each(|name| object.refuses(out, name, because));
                }
                Rule::NeedsOne(because, names) if object.entry(because).is_some() => {
                    object.needs_one(out, names, because);
                }
                Rule::Needs(..) | Rule::NeedsOne(..) | Rule::Refuses(..) => {}
                Rule::One(names) => unsure.extend(object.at_most_one(out, names, true)),
                Rule::AtMostOne(names) => unsure.extend(object.at_most_one(out, names, false)),
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
        if let Some(instead) = field.pending {
            out.pending(&entry.key.span, &path, name, instead);
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
        let own_file = format!("{name}File");
        // Where a URL is read from a file, it is one that nobody else may know.
        let secret_url = name == "url" && self.table.field(&own_file).is_some();
        if is_secret(name) || secret_url {
            let own = self.table.names().find(|name| *name == own_file);
            let file = own.or_else(|| self.table.names().find(|name| name.ends_with("File")));
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
        // Of what will not be told nobody needs to know what it was meant to be.
        let meant = if out.is_full() { None } else { suggest::nearest(name, self.table.names()) };
        let help = if out.is_full() {
            String::new()
        } else if name == "<<" {
            "merge keys are not part of the language: write the keys out".to_owned()
        } else if let Some((_, now)) = MOVED.iter().find(|(old, _)| *old == name) {
            (*now).to_owned()
        } else {
            suggest::help(name, self.table.names(), "keys")
        };
        let message = format!("{} has no key {}", self.table.what, quote(name));
        out.error(Code::UnknownKey, &entry.key.span, path, message).help(help);
        meant
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
    pub(super) fn value(&self, name: &str) -> Option<(&'static Field, &'t Node)> {
        debug_assert!(self.table.field(name).is_some(), "{} has no field {name}", self.table.what);
        self.fields
            .iter()
            .find(|(field, _)| field.name == name)
            .map(|(field, entry)| (*field, &entry.value))
            .filter(|(_, node)| !matches!(node.value, Value::Null))
    }

    /// What the value of a key looks like.
    pub(super) fn shape(&self, name: &str) -> Option<Shape> {
        self.table.field(name).map(|field| field.shape)
    }

    /// The default of a key that is not there.
    pub(super) fn default(&self, name: &str) -> Option<&'static str> {
        if self.entry(name).is_some() {
            return None;
        }
        match self.table.field(name)?.need {
            Need::Default(text) => Some(text),
            Need::Required | Need::Optional => None,
        }
    }

    pub(super) fn at<T>(&self, name: &str, node: Option<&Node>, value: T) -> At<T> {
        let span = node.map_or_else(|| self.span.clone(), |node| node.span.clone());
        At { value, span, key: self.path(name) }
    }

    /// Which one of several keys is there, if it is exactly one. That none or several of them are
    /// wrong is for a [`Rule`] to say.
    #[must_use]
    pub fn which(&self, names: &[&'static str]) -> Option<&'static str> {
        let mut found = names.iter().copied().filter(|name| self.entry(name).is_some());
        found.next().filter(|_| found.next().is_none())
    }

    /// Notes if of several keys none is there, where another one needs one of them.
    fn needs_one(&self, out: &mut Decoder<'_>, names: &[&'static str], because: &str) {
        if names.iter().any(|name| self.entry(name).is_some() || self.meant.contains(name)) {
            return;
        }
        let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let all = all.join(" or ");
        let message = format!("`{because}` needs {all} beside it");
        out.error(Code::MissingKey, &self.span, &self.key, message).help("add one of them");
    }

    /// Notes if several of these keys are there, or none where one is needed; answers those that
    /// cannot stand together.
    fn at_most_one(
        &self,
        out: &mut Decoder<'_>,
        names: &[&'static str],
        needed: bool,
    ) -> Vec<&'static str> {
        let found: Vec<(&'static str, &Entry)> =
            names.iter().filter_map(|name| Some((*name, self.entry(name)?))).collect();
        let all = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match found.as_slice() {
            [] => {
                if needed && !self.later && !names.iter().any(|name| self.meant.contains(name)) {
                    let message = format!("{} needs one of the keys {}", self.table.what, all());
                    out.error(Code::ExactlyOne, &self.span, &self.key, message)
                        .help("add exactly one of them");
                }
                Vec::new()
            }
            [_] => Vec::new(),
            [(first, first_entry), rest @ ..] => {
                let most = if needed { "exactly" } else { "at most" };
                for (name, entry) in rest {
                    let message = format!("`{name}` cannot stand beside `{first}`");
                    out.error(Code::ExactlyOne, &entry.key.span, &self.path(name), message)
                        .also(first_entry.key.span.clone(), "the first of them")
                        .help(format!("{} takes {most} one of {}", self.table.what, all()));
                }
                found.iter().map(|(name, _)| *name).collect()
            }
        }
    }

    /// Notes a key that must be there because of another one, and is not.
    fn needs(&self, out: &mut Decoder<'_>, name: &str, because: &str) {
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
    fn refuses(&self, out: &mut Decoder<'_>, name: &str, because: &str) {
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

/// Keys of earlier versions, and what is written now.
const MOVED: [(&str, &str); 1] = [("maxNodes", "write `caps: {nodes: 1}` instead")];

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
