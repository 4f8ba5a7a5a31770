//! "Did you mean". PURE.

use std::collections::BTreeSet;

use super::problem::{invisible, quote};

/// The known word that `word` was most likely meant to be, if one is near enough: at most a third
/// of its characters differ, swapped neighbours counting as one.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Distances grow with the square of the length, and nothing that long is a slip.
    if word.chars().count() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A help line: the likely meaning, else all that is known, under the name `plural`.
#[must_use]
pub fn help<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
    plural: &str,
) -> String {
    let strange = look_alike(word);
    if let Some(meant) = nearest(word, known.clone()) {
        return format!("{strange}did you mean `{meant}`?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        format!("{strange}there are no {plural} here")
    } else {
        format!("{strange}{plural}: {}", list(&known))
    }
}

/// The most names that a help lists.
const MOST_NAMES: usize = 20;

/// Names in backticks; of many the first, and how many more there are.
#[must_use]
pub fn list(names: &[&str]) -> String {
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = names.iter().copied().filter(|name| seen.insert(*name)).collect();
    let shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| quote(name)).collect();
    match names.len().checked_sub(MOST_NAMES) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names the first character that cannot be told by eye from one that is meant: a letter of another
/// script, a quote of typography, a blank that is none. Ends in `; `; empty if there is none.
#[must_use]
pub fn look_alike(word: &str) -> String {
    let strange = word.chars().find_map(|c| {
        let what = match c {
            c if c.is_ascii() => return None,
            '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}' | '\u{ab}' | '\u{bb}' => {
                "which is a quote of typography: write `\"`"
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "which is a dash, and no `-`",
            c if invisible(c) => "which is not seen",
            c if c.is_alphanumeric() => "which is not an ASCII letter or digit",
            _ => return None,
        };
        Some((c, what))
    });
    strange.map_or_else(String::new, |(c, what)| {
        format!("it has {} (U+{:04X}), {what}; ", quote(&c.to_string()), u32::from(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["stableFor", "in", "timeout", "target"];
        assert_eq!(nearest("stabelFor", known), Some("stableFor"));
        assert_eq!(nearest("stablefor", known), Some("stableFor"));
        assert_eq!(nearest("timeuot", known), Some("timeout"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", ["a-very-long-name"]), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..200).map(|n| format!("step-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = help("banana", names, "steps");
        assert!(help.ends_with("`step-19` and 180 more"), "{help}");
    }

    #[test]
    fn a_cyrillic_letter_is_named() {
        assert_eq!(
            help("st\u{435}ps", ["steps"], "keys"),
            "it has `е` (U+0435), which is not an ASCII letter or digit; did you mean `steps`?"
        );
    }
}
