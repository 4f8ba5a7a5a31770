//! The path of a field in an object of Kubernetes: a strict part of kubectl's JSONPath. PURE.
//!
//! ```text
//! path  = [ "{" ] [ "." ] key { "." key | "[" index "]" | "['" any text "']" } [ "}" ]
//! key   = letters, digits, "_", "-", "/", and "\." for a dot within
//! index = 0, 1, 2, ...
//! ```
//!
//! So `status.readyReplicas`, `{.spec.template.spec.containers[0].image}` and
//! `metadata.annotations['example.com/owner']` are paths; wildcards, filters, slices and `..` are
//! not, because they give any number of fields.

use std::fmt;

use serde_json::Value;

/// Where a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
}

/// The most parts of a path.
const MAX_PARTS: usize = 32;

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let wrong = |what: &str, help: &str| Err((what.to_owned(), help.to_owned()));
        let inner = match text.strip_prefix('{') {
            Some(inner) => match inner.strip_suffix('}') {
                Some(inner) => inner,
                None => return wrong("the path begins with `{` and does not end with `}`", SHAPE),
            },
            None => text,
        };
        let mut rest = inner.strip_prefix("$").unwrap_or(inner);
        let mut parts = Vec::new();
        // The first key may stand without a dot.
        if !rest.starts_with(['.', '[']) {
            let (key, after) = key(rest)?;
            parts.push(Part::Key(key));
            rest = after;
        }
        while !rest.is_empty() {
            if parts.len() == MAX_PARTS {
                return wrong("the path has more than 32 parts", SHAPE);
            }
            let after = if let Some(after) = rest.strip_prefix("..") {
                let _ = after;
                return wrong("`..` may find any number of fields", ONE);
            } else if let Some(after) = rest.strip_prefix('.') {
                let (key, after) = key(after)?;
                parts.push(Part::Key(key));
                after
            } else if let Some(after) = rest.strip_prefix('[') {
                let (part, after) = bracket(after)?;
                parts.push(part);
                after
            } else {
                let c = rest.chars().next().unwrap_or_default();
                return wrong(&format!("the path has {c:?} where a part ends"), SHAPE);
            };
            rest = after;
        }
        match parts.first() {
            Some(Part::Key(_)) => Ok(Self(parts)),
            _ => wrong("the path begins with no key", SHAPE),
        }
    }

    /// The value there; none if there is none. `null` counts as none, as for Kubernetes.
    #[must_use]
    pub fn find<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        self.0
            .iter()
            .try_fold(object, |at, part| match part {
                Part::Key(key) => at.as_object()?.get(key),
                Part::Index(index) => at.as_array()?.get(*index),
            })
            .filter(|value| !value.is_null())
    }

    /// Whether it lies in the object's `status`, which its controller writes.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.0.first() == Some(&Part::Key("status".to_owned()))
    }
}

const SHAPE: &str = "write it as `status.readyReplicas`, `spec.containers[0].image` or \
                     `metadata.labels['example.com/tier']`";
const ONE: &str = "name one field; of a condition, write `condition: {type: Ready}` instead";

fn key(text: &str) -> Result<(String, &str), (String, String)> {
    let mut key = String::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix("\\.") {
            key.push('.');
            rest = after;
            continue;
        }
        let Some(c) = rest.chars().next().filter(|c| !".[".contains(*c)) else { break };
        if !(c.is_alphanumeric() || "_-/".contains(c)) {
            let (what, help) = match c {
                '*' => ("`*` may find any number of fields".to_owned(), ONE),
                _ => (format!("{c:?} stands in a key"), SHAPE),
            };
            return Err((what, help.to_owned()));
        }
        key.push(c);
        rest = &rest[c.len_utf8()..];
    }
    if key.is_empty() {
        return Err(("a key of the path is empty".to_owned(), SHAPE.to_owned()));
    }
    Ok((key, rest))
}

fn bracket(text: &str) -> Result<(Part, &str), (String, String)> {
    let wrong = |what: &str, help: &str| Err((what.to_owned(), help.to_owned()));
    for quote in ['\'', '"'] {
        let Some(quoted) = text.strip_prefix(quote) else { continue };
        let end = [quote, ']'].iter().collect::<String>();
        return match quoted.split_once(&end) {
            Some(("", _)) => wrong("a key of the path is empty", SHAPE),
            Some((key, after)) => Ok((Part::Key(key.to_owned()), after)),
            None => wrong("a quoted key of the path has no end", SHAPE),
        };
    }
    match text.split_once(']') {
        Some((index, after)) => {
            if !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) {
                return match index.parse() {
                    Ok(index) => Ok((Part::Index(index), after)),
                    Err(_) => wrong("an index of the path is too large", SHAPE),
                };
            }
            let what = format!("`[{index}]` is neither an index nor a quoted key");
            let one = index.starts_with(['?', '*', '-']) || index.contains([':', ',']);
            Err((what, if one { ONE } else { SHAPE }.to_owned()))
        }
        None => wrong("a `[` of the path has no `]`", SHAPE),
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Key(key) if key.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    write!(f, "{}{key}", if at == 0 { "" } else { "." })?;
                }
                Part::Key(key) => write!(f, "['{key}']")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_its_field() {
        let object = json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "web", "a-b": "c"}, "x": null},
            "status": {"readyReplicas": 3, "list": [{"k": "first"}, {"k": [7, 8]}]},
        });
        for (path, found, shown) in [
            ("status.readyReplicas", Some(json!(3)), "status.readyReplicas"),
            (".status.readyReplicas", Some(json!(3)), "status.readyReplicas"),
            ("{.status.readyReplicas}", Some(json!(3)), "status.readyReplicas"),
            ("{$.status.list[1].k[0]}", Some(json!(7)), "status.list[1].k[0]"),
            ("status.list[0].k", Some(json!("first")), "status.list[0].k"),
            ("status.list[2].k", None, "status.list[2].k"),
            ("status.list.k", None, "status.list.k"),
            ("status[0]", None, "status[0]"),
            ("metadata.x", None, "metadata.x"),
            (
                "metadata.labels['app.kubernetes.io/name']",
                Some(json!("web")),
                "metadata.labels['app.kubernetes.io/name']",
            ),
            (
                "metadata.labels.app\\.kubernetes\\.io/name",
                Some(json!("web")),
                "metadata.labels['app.kubernetes.io/name']",
            ),
            ("metadata.labels[\"a-b\"]", Some(json!("c")), "metadata.labels['a-b']"),
            ("metadata['labels'].a-b", Some(json!("c")), "metadata.labels['a-b']"),
        ] {
            let parsed = FieldPath::parse(path).expect(path);
            assert_eq!(parsed.find(&object), found.as_ref(), "{path}");
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(
                FieldPath::parse(shown).as_ref(),
                Ok(&parsed),
                "what is shown can be written"
            );
        }
        assert!(FieldPath::parse("status.x").unwrap().is_status());
        assert!(!FieldPath::parse("spec.status").unwrap().is_status());
    }

    #[test]
    fn what_is_no_path_is_told() {
        for (path, what) in [
            ("", "a key of the path is empty"),
            (".", "a key of the path is empty"),
            ("{.a", "the path begins with `{` and does not end with `}`"),
            ("a..b", "`..` may find any number of fields"),
            ("a.b.", "a key of the path is empty"),
            ("a.*", "`*` may find any number of fields"),
            ("a[*]", "`[*]` is neither an index nor a quoted key"),
            ("a[-1]", "`[-1]` is neither an index nor a quoted key"),
            ("a[0:2]", "`[0:2]` is neither an index nor a quoted key"),
            (
                "status.conditions[?(@.type==\"Ready\")].status",
                "`[?(@.type==\"Ready\")]` is neither an index nor a quoted key",
            ),
            ("a[b]", "`[b]` is neither an index nor a quoted key"),
            ("a[99999999999999999999999]", "an index of the path is too large"),
            ("a['b", "a quoted key of the path has no end"),
            ("a['']", "a key of the path is empty"),
            ("a[0", "a `[` of the path has no `]`"),
            ("a[0]b", "the path has 'b' where a part ends"),
            ("[0].a", "the path begins with no key"),
            ("a b", "' ' stands in a key"),
            ("a\u{1b}b", "'\\u{1b}' stands in a key"),
        ] {
            let (told, help) = FieldPath::parse(path).expect_err(path);
            assert_eq!(told, what, "{path}");
            assert!(!help.is_empty());
        }
        assert!(FieldPath::parse(&vec!["a"; 33].join(".")).is_err());
        assert!(FieldPath::parse(&vec!["a"; 32].join(".")).is_ok());
    }
}
