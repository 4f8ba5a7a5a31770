//! "Did you mean". PURE.

use super::problem::quote;

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
    let all: Vec<String> = known.into_iter().map(quote).collect();
    if all.is_empty() {
        format!("{strange}there are no {plural} here")
    } else {
        format!("{strange}{plural}: {}", all.join(", "))
    }
}

/// Names the first character outside ASCII: a letter of another script that looks like a Latin one
/// cannot be seen.
fn look_alike(word: &str) -> String {
    word.chars().find(|c| !c.is_ascii()).map_or_else(String::new, |c| {
        format!(
            "it has {} (U+{:04X}), which is not an ASCII letter; ",
            quote(&c.to_string()),
            u32::from(c)
        )
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
    fn a_cyrillic_letter_is_named() {
        assert_eq!(
            help("st\u{435}ps", ["steps"], "keys"),
            "it has `е` (U+0435), which is not an ASCII letter; did you mean `steps`?"
        );
    }
}
