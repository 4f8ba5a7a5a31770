//! One field: a list of numbers, names, ranges and steps.
//!
//! PURE.

use super::{CronError, refuse};

/// A part of the expression and where it begins, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Word<'t> {
    /// The part.
    pub text: &'t str,
    /// Its first byte.
    pub start: usize,
}

impl<'t> Word<'t> {
    /// Its bytes of the expression.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// From a byte of it to its end.
    fn from(&self, at: usize) -> Self {
        Self { text: &self.text[at..], start: self.start + at }
    }

    /// From its beginning to a byte of it.
    fn until(&self, at: usize) -> Self {
        Self { text: &self.text[..at], start: self.start }
    }

    /// What stands before and after the first `mark`, and the place of that.
    fn split(&self, mark: char) -> Option<(Self, Word<'t>, Self)> {
        let at = self.text.find(mark)?;
        let mark = Word { text: &self.text[at..=at], start: self.start + at };
        Some((self.until(at), mark, self.from(at + 1)))
    }
}

/// What a field may hold.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub what: &'static str,
    /// The least number.
    pub least: u8,
    /// The greatest number.
    pub most: u8,
    /// Names of the numbers from `least` on.
    pub names: &'static [&'static str],
}

impl Rule {
    pub const MINUTE: Self = Self { what: "minute", least: 0, most: 59, names: &[] };
    pub const HOUR: Self = Self { what: "hour", least: 0, most: 23, names: &[] };
    pub const DAY: Self = Self { what: "day of month", least: 1, most: 31, names: &[] };
    pub const MONTH: Self = Self {
        what: "month",
        least: 1,
        most: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    };
    /// 0 and 7 are Sunday; the name is 0 only.
    pub const WEEKDAY: Self = Self {
        what: "day of week",
        least: 0,
        most: 7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    };

    /// Whether it is the day of week.
    pub fn is_weekday(&self) -> bool {
        self.most == 7
    }
}

/// Every `step`th number from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    from: u8,
    to: u8,
    step: u8,
}

/// A checked field.
#[derive(Clone, Debug)]
pub struct Field {
    /// It does not begin with `*`.
    pub restricted: bool,
    entries: Vec<Entry>,
}

impl Field {
    /// Reads a field.
    pub fn parse(rule: &Rule, word: &Word<'_>) -> Result<Self, CronError> {
        let mut entries = Vec::new();
        let mut rest = *word;
        while let Some((item, comma, after)) = rest.split(',') {
            if item.text.is_empty() {
                return Err(refuse::nothing_in_list(&comma));
            }
            entries.push(entry(rule, &item)?);
            if after.text.is_empty() {
                return Err(refuse::nothing_in_list(&comma));
            }
            rest = after;
        }
        entries.push(entry(rule, &rest)?);
        Ok(Self { restricted: !word.text.starts_with('*'), entries })
    }

    /// Its list for the crate.
    pub fn plain(&self) -> String {
        let entries: Vec<String> = self
            .entries
            .iter()
            .map(|entry| match entry {
                Entry { from, to, .. } if from == to => from.to_string(),
                Entry { from, to, step } => format!("{from}-{to}/{step}"),
            })
            .collect();
        entries.join(",")
    }

    /// Its list for the crate, if it is the day of week: each by itself, because a range that ends
    /// in 7 is none there.
    pub fn plain_weekdays(&self) -> String {
        let numbers = self.entries.iter().flat_map(|entry| {
            (entry.from..=entry.to).step_by(usize::from(entry.step)).map(|day| day % 7 + 1)
        });
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        numbers.join(",")
    }
}

/// Reads one entry of a list.
fn entry(rule: &Rule, item: &Word<'_>) -> Result<Entry, CronError> {
    refuse::strange(rule, item)?;
    let (base, step) = match item.split('/') {
        None => (*item, None),
        Some((base, slash, step)) => {
            if base.text.is_empty() {
                return Err(refuse::step_of_nothing(&slash, &step));
            }
            (base, Some(self::step(&slash, &step)?))
        }
    };
    let (from, to) = if base.text == "*" {
        (rule.least, rule.most)
    } else if base.text.contains('*') {
        return Err(refuse::star_with_more(&base));
    } else if let Some((first, dash, last)) = base.split('-') {
        if first.text.is_empty() {
            return Err(refuse::sign(rule, &base));
        }
        let from = number(rule, &first)?;
        if last.text.is_empty() {
            return Err(refuse::open_range(rule, &base, from));
        }
        if last.text.contains('-') {
            return Err(refuse::dashes(&dash, &last));
        }
        let to = number(rule, &last)?;
        if from > to {
            return Err(refuse::backwards(rule, &base, (from, to), step));
        }
        (from, to)
    } else {
        let only = number(rule, &base)?;
        if let Some(step) = step {
            return Err(refuse::step_of_one(rule, item, &base, only, step));
        }
        (only, only)
    };
    // A step beyond the range gives its first number, and so does a range of one.
    let step = step.unwrap_or(1);
    Ok(if step > to - from { Entry { from, to: from, step: 1 } } else { Entry { from, to, step } })
}

/// Reads what stands after `/`; what is beyond 255 is 255, because no range is that long.
fn step(slash: &Word<'_>, word: &Word<'_>) -> Result<u8, CronError> {
    if word.text.is_empty() {
        return Err(refuse::no_step(slash));
    }
    if word.text.contains('/') {
        return Err(refuse::two_steps(word));
    }
    if !word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse::not_a_step(word));
    }
    match digits(word.text) {
        0 => Err(refuse::step_of_zero(word)),
        step => Ok(step),
    }
}

/// Reads a number or a name.
fn number(rule: &Rule, word: &Word<'_>) -> Result<u8, CronError> {
    if word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = digits(word.text);
        if (rule.least..=rule.most).contains(&number) {
            return Ok(number);
        }
        return Err(refuse::out_of_range(rule, word));
    }
    let named =
        rule.names.iter().zip(rule.least..).find(|(name, _)| word.text.eq_ignore_ascii_case(name));
    named.map(|(_, number)| number).ok_or_else(|| refuse::not_a_number(rule, word))
}

/// The value of digits; 255 if it is greater.
fn digits(text: &str) -> u8 {
    text.bytes().fold(0_u8, |value, digit| value.saturating_mul(10).saturating_add(digit - b'0'))
}
