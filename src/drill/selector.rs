//! Label selectors in Kubernetes' syntax: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`,
//! `a notin (b,c)`, joined by commas.
//!
//! PURE. Only checked here: the API server does the selecting.
//! Format: Kubernetes' documentation, "Labels and Selectors".

use super::{
    problem::quote,
    scalar::{self, Wrong},
};

/// Checks a selector.
///
/// # Errors
/// If it is none, or empty, which would select everything.
pub fn check(text: &str) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(wrong("an empty selector would select everything".to_owned()));
    }
    let mut depth = 0_u32;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts {
        requirement(part.trim())?;
    }
    Ok(())
}

/// Checks one part of a selector.
fn requirement(part: &str) -> Result<(), Wrong> {
    if part.is_empty() {
        return Err(wrong("a part of the selector between commas is empty".to_owned()));
    }
    if let Some(key) = part.strip_prefix('!') {
        return label_key(key.trim());
    }
    if let Some(at) = part.find(|c: char| c.is_whitespace() || c == '(')
        && !part.contains('=')
    {
        let (key, rest) = part.split_at(at);
        let rest = rest.trim_start();
        let (operator, values) = rest.split_at(rest.find('(').unwrap_or(rest.len()));
        if !matches!(operator.trim(), "in" | "notin") {
            return Err(wrong(format!(
                "{} in {} is not an operator",
                quote(operator.trim()),
                quote(part)
            )));
        }
        let values = values.trim();
        let Some(values) = values.strip_prefix('(').and_then(|values| values.strip_suffix(')'))
        else {
            return Err(wrong(format!("the values in {} need brackets", quote(part))));
        };
        label_key(key)?;
        return values.split(',').try_for_each(|value| label_value(value.trim()));
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = part.split_once(operator) {
            label_key(key.trim())?;
            return label_value(value.trim());
        }
    }
    label_key(part)
}

/// Checks a label key: a name of at most 63 characters, perhaps after a DNS subdomain and `/`.
///
/// # Errors
/// If it is none.
pub fn label_key(key: &str) -> Result<(), Wrong> {
    let (prefix, name) =
        key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let legal = prefix.is_none_or(|prefix| scalar::subdomain(prefix).is_ok())
        && !name.is_empty()
        && part_is_legal(name);
    if legal { Ok(()) } else { Err(not_a_label("key", key)) }
}

/// Checks a label value: at most 63 characters, may be empty.
///
/// # Errors
/// If it is none.
pub fn label_value(value: &str) -> Result<(), Wrong> {
    if part_is_legal(value) { Ok(()) } else { Err(not_a_label("value", value)) }
}

/// Letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn part_is_legal(part: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    part.len() <= 63
        && edge(part.chars().next())
        && edge(part.chars().next_back())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
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
