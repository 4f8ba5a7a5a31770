//! Label selectors in Kubernetes' syntax: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`,
//! `a notin (b,c)`, joined by commas.
//!
//! PURE. Read by the same reader that selects the nodes, so that what passes here selects there.
//! Format: Kubernetes' documentation, "Labels and Selectors".

use super::{problem::quote, scalar::Wrong};
use crate::kind::drain_nodes::selector::{self, Malformed, Selector};

/// Checks a selector.
///
/// # Errors
/// If it is none, or empty, which would select everything.
pub fn check(text: &str) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(wrong("an empty selector would select everything".to_owned()));
    }
    Selector::parse(text).map(|_| ()).map_err(told)
}

/// Checks a label key: a name of at most 63 characters, perhaps after a DNS subdomain and `/`.
///
/// # Errors
/// If it is none.
pub fn label_key(key: &str) -> Result<(), Wrong> {
    selector::key(key).map(|_| ()).map_err(told)
}

/// Checks a label value: at most 63 characters, may be empty.
///
/// # Errors
/// If it is none.
pub fn label_value(value: &str) -> Result<(), Wrong> {
    selector::value(value).map(|_| ()).map_err(told)
}

fn told(malformed: Malformed) -> Wrong {
    match malformed {
        Malformed::Key(key) => not_a_label("key", &key),
        Malformed::Value(value) => not_a_label("value", &value),
        Malformed::Requirement(part) => {
            wrong(format!("{} is no part of a label selector", quote(&part)))
        }
        Malformed::Operator(operator) => wrong(format!("{} is not an operator", quote(&operator))),
    }
}

fn not_a_label(what: &str, text: &str) -> Wrong {
    Wrong::new(
        format!("{} is not a label {what}", quote(text)),
        "use letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends; \
         a key may begin with a domain and `/`",
    )
}

fn wrong(message: String) -> Wrong {
    Wrong::new(message, "write it like `firedrill.dev/drillable=true,zone in (a,b),!old`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_both_syntaxes_pass() {
        for text in [
            "firedrill.dev/drillable=true",
            "a=b,c!=d",
            "a==b, c != d",
            "a",
            "!a",
            "! a,b",
            "a in (b,c)",
            "a notin (b), c",
            "a in (b,c),d=e",
            "a=",
            "a in(b)",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn other_texts_do_not() {
        for text in [
            "",
            " ",
            ",",
            "a,",
            "a=b=c",
            "a b",
            "a in b",
            "a in (b",
            "a in",
            "-a=b",
            "a=b c",
            "a/b/c=d",
            "/a=b",
            "a/=b",
            "ä=b",
            "a=ä",
            "a>1",
            "in (a)",
            "a inside (b)",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
