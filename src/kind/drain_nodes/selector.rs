//! Kubernetes' label selectors: read from text and matched. PURE.
//!
//! Grammar: the one of the API's `labelSelector` parameter, both equality and set based, but for
//! the numeric `>` and `<`. As there, `!=` and `notin` also match where the label is absent.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// A label selector; all of its requirements must hold. Without any it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Absent(String),
}

/// What is wrong with a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A requirement that does not read as one.
    #[error(
        "{0:?} is not a label requirement: write key=value, key!=value, key in (a,b), key or !key"
    )]
    Requirement(String),
    /// A key that no label can have.
    #[error("{0:?} is not a label key")]
    Key(String),
    /// A value that no label can have.
    #[error("{0:?} is not a label value")]
    Value(String),
    /// An operator of a `matchExpressions` entry that is not known.
    #[error("{0:?} is not an operator of a label selector")]
    Operator(String),
}

impl Selector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// The first requirement that cannot be read.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let requirements = split(text)
            .into_iter()
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Reads the API's structure.
    ///
    /// # Errors
    /// An operator that is not known, or one without the values that it needs.
    pub fn from_api(selector: &LabelSelector) -> Result<Self, Malformed> {
        let mut requirements: Vec<Requirement> = selector
            .match_labels
            .iter()
            .flatten()
            .map(|(key, value)| Requirement::In(key.clone(), BTreeSet::from([value.clone()])))
            .collect();
        for expression in selector.match_expressions.iter().flatten() {
            let key = expression.key.clone();
            let values: BTreeSet<String> = expression.values.iter().flatten().cloned().collect();
            requirements.push(match expression.operator.as_str() {
                "In" if !values.is_empty() => Requirement::In(key, values),
                "NotIn" if !values.is_empty() => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Absent(key),
                other => return Err(Malformed::Operator(other.to_owned())),
            });
        }
        Ok(Self { requirements })
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key));
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => value(key).is_some_and(|v| values.contains(v)),
            Requirement::NotIn(key, values) => value(key).is_none_or(|v| !values.contains(v)),
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
        })
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(text: &str) -> Result<Requirement, Malformed> {
    let malformed = || Malformed::Requirement(text.to_owned());
    if let Some(name) = text.strip_prefix('!') {
        return Ok(Requirement::Absent(key(name.trim())?));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (head, list) = list.split_once('(').ok_or_else(malformed)?;
        let mut words = head.split_whitespace();
        let (Some(name), Some(operator), None) = (words.next(), words.next(), words.next()) else {
            return Err(malformed());
        };
        let values = list.split(',').map(|v| value(v.trim())).collect::<Result<_, _>>()?;
        return match operator {
            "in" => Ok(Requirement::In(key(name)?, values)),
            "notin" => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(malformed()),
        };
    }
    let one = |v: &str| value(v.trim()).map(|v| BTreeSet::from([v]));
    if let Some((name, v)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key(name.trim())?, one(v)?));
    }
    if let Some((name, v)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(key(name.trim())?, one(v)?));
    }
    if text.is_empty() || text.contains(char::is_whitespace) || text.contains(['<', '>', '(']) {
        return Err(malformed());
    }
    Ok(Requirement::Exists(key(text)?))
}

/// A label key: a name of at most 63 characters, perhaps after a DNS subdomain and a slash.
///
/// # Errors
/// If it is none.
pub fn key(text: &str) -> Result<String, Malformed> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let prefix_ok = prefix.is_none_or(|prefix| {
        prefix.len() <= 253
            && prefix.split('.').all(|part| {
                is_bounded(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), |c| c == '-')
            })
    });
    let ok = prefix_ok && name.len() <= 63 && is_name(name);
    if ok { Ok(text.to_owned()) } else { Err(Malformed::Key(text.to_owned())) }
}

/// A label value: at most 63 characters, may be empty.
///
/// # Errors
/// If it is none.
pub fn value(text: &str) -> Result<String, Malformed> {
    let ok = text.is_empty() || (text.len() <= 63 && is_name(text));
    if ok { Ok(text.to_owned()) } else { Err(Malformed::Value(text.to_owned())) }
}

fn is_name(text: &str) -> bool {
    is_bounded(text, |c| c.is_ascii_alphanumeric(), |c| matches!(c, '-' | '_' | '.'))
}

/// Not empty, all of `edge` or `inner`, and `edge` at both ends.
fn is_bounded(text: &str, edge: impl Fn(char) -> bool, inner: impl Fn(char) -> bool) -> bool {
    text.starts_with(&edge) && text.ends_with(&edge) && text.chars().all(|c| edge(c) || inner(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn selectors_match_as_the_api_says() {
        let node = labels(&[("zone", "a"), ("firedrill.dev/drillable", "true"), ("empty", "")]);
        for (text, want) in [
            ("", true),
            ("zone=a", true),
            ("zone==a", true),
            (" zone = a , empty = ", true),
            ("zone=b", false),
            ("other=a", false),
            ("zone!=a", false),
            ("zone!=b", true),
            ("other!=a", true),
            ("zone in (a,b)", true),
            ("zone in ( b , c )", false),
            ("zone notin (a)", false),
            ("other notin (a)", true),
            ("zone", true),
            ("!zone", false),
            ("!other", true),
            ("firedrill.dev/drillable=true,zone in (a),!other", true),
            ("empty=", true),
            ("zone in ()", false),
        ] {
            assert_eq!(Selector::parse(text).expect(text).matches(Some(&node)), want, "{text}");
        }
        assert!(!Selector::parse("a").expect("a").matches(None));
        assert!(Selector::parse("!a").expect("a").matches(None));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "a b",
            "a=b=c",
            "=b",
            "a in b",
            "a in (b",
            "a)",
            "a,",
            ",a",
            "a in (b) x",
            "-a=b",
            "a=-b",
            "a/b/c",
            "/a",
            "A.b/c",
            "a>1",
            "!",
            "a like (b)",
            "ä=b",
            "a=b c",
            "a!b",
        ] {
            assert!(
                Selector::parse(text).is_err(),
                "{text:?} reads as {:?}",
                Selector::parse(text)
            );
        }
    }

    #[test]
    fn the_apis_structure_says_the_same() {
        let read = |value| {
            let api: LabelSelector = serde_json::from_value(value).expect("selector");
            Selector::from_api(&api)
        };
        let both = read(json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["test"]},
            {"key": "gone", "operator": "DoesNotExist"}]}))
        .expect("selector");
        assert!(both.matches(Some(&labels(&[("app", "web")]))));
        assert!(!both.matches(Some(&labels(&[("app", "web"), ("tier", "test")]))));
        assert!(!both.matches(Some(&labels(&[("app", "web"), ("gone", "")]))));
        assert!(read(json!({})).expect("empty").matches(None));
        for operator in ["Gt", "In"] {
            let expression = json!({"matchExpressions": [{"key": "a", "operator": operator}]});
            assert!(read(expression).is_err(), "{operator}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", shaped in "[a(),!= \\./in-]{0,24}") {
            for text in [text, shaped] {
                if let Ok(selector) = Selector::parse(&text) {
                    let none = selector.matches(None);
                    prop_assert_eq!(none, selector.matches(Some(&labels(&[]))));
                }
            }
        }

        #[test]
        fn a_requirement_and_its_opposite_part_the_world(
            key in "[a-c]", value in "[a-c]", other in "[a-c]", has in "[a-c]",
        ) {
            let node = labels(&[(&has, &other)]);
            let yes = Selector::parse(&format!("{key}={value}")).expect("selector");
            let no = Selector::parse(&format!("{key} notin ({value})")).expect("selector");
            prop_assert_ne!(yes.matches(Some(&node)), no.matches(Some(&node)));
        }
    }
}
