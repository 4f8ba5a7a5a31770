//! A cron expression: five fields on civil minutes, or a macro.
//!
//! PURE. The `cron` crate stays behind this file: it turns entries into sets and says what is in
//! them. The grammar is stricter than the crate's and each refusal knows its place, so entries are
//! read here first and handed on in a form that can be read in one way only (the crate counts
//! Sunday as 1, takes seconds, and reads `5/15` as `5-59/15`).

mod field;
mod refuse;

use std::{ops::Range, str::FromStr as _};

use ::cron::TimeUnitSpec as _;
use jiff::civil::Date;

use field::{Field, Rule, Word};

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 1024;

/// How the two day fields join where both are restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayMatch {
    /// Either is enough, as crond does it.
    Or,
    /// Both must match.
    And,
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// Bytes of the expression; never empty unless the expression is.
    pub span: Range<usize>,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A checked expression. It fires on some day: what never fires is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    expression: String,
    day_match: Option<DayMatch>,
    minutes: Vec<u8>,
    hours: Vec<u8>,
    /// Bits 1 to 31.
    days: u32,
    /// Bits 1 to 12.
    months: u32,
    /// Bits 0 (Sunday) to 6.
    weekdays: u32,
    /// One of the two day fields is enough.
    either: bool,
}

/// The macros and what they stand for.
const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Cron {
    /// Reads an expression. `day_match` matters only where both day fields are restricted, that
    /// is, where neither begins with `*`.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its place.
    pub fn parse(expression: &str, day_match: Option<DayMatch>) -> Result<Self, CronError> {
        refuse::characters(expression)?;
        let words = words(expression);
        if words.first().is_some_and(|word| word.text.starts_with('@')) {
            let fields = refuse::not_a_macro(&words)?;
            return Self::from_words(expression, &self::words(fields), day_match);
        }
        refuse::not_five_fields(expression, &words)?;
        Self::from_words(expression, &words, day_match)
    }

    fn from_words(
        expression: &str,
        words: &[Word<'_>],
        day_match: Option<DayMatch>,
    ) -> Result<Self, CronError> {
        let [minute, hour, day, month, weekday] = words else {
            return Err(refuse::unreadable(expression));
        };
        let fields = [
            Field::parse(&Rule::MINUTE, minute)?,
            Field::parse(&Rule::HOUR, hour)?,
            Field::parse(&Rule::DAY, day)?,
            Field::parse(&Rule::MONTH, month)?,
            Field::parse(&Rule::WEEKDAY, weekday)?,
        ];
        let both = fields[2].restricted && fields[4].restricted;
        if both && day_match.is_none() {
            return Err(refuse::both_days(day, weekday));
        }
        let mut cron =
            Self::of_sets(expression, &fields).ok_or_else(|| refuse::unreadable(expression))?;
        cron.day_match = day_match;
        cron.either = both && day_match == Some(DayMatch::Or);
        if !cron.either && !cron.has_a_date() {
            return Err(refuse::never(day, month));
        }
        Ok(cron)
    }

    /// Asks the crate what is in the fields. `None` would mean that it cannot read our plain form.
    fn of_sets(expression: &str, fields: &[Field; 5]) -> Option<Self> {
        let [minute, hour, day, month, weekday] = fields;
        let plain = format!(
            "0 {} {} {} {} {}",
            minute.plain(),
            hour.plain(),
            day.plain(),
            month.plain(),
            weekday.plain_weekdays(),
        );
        let set = ::cron::Schedule::from_str(&plain).ok()?;
        Some(Self {
            expression: expression.to_owned(),
            day_match: None,
            minutes: (0..60).filter(|n| set.minutes().includes(u32::from(*n))).collect(),
            hours: (0..24).filter(|n| set.hours().includes(u32::from(*n))).collect(),
            days: bits((1..32).filter(|n| set.days_of_month().includes(*n))),
            months: bits((1..13).filter(|n| set.months().includes(*n))),
            // The crate counts from Sunday = 1.
            weekdays: bits((0..7).filter(|n| set.days_of_week().includes(n + 1))),
            either: false,
        })
    }

    /// As written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// As given, needed or not.
    #[must_use]
    pub fn day_match(&self) -> Option<DayMatch> {
        self.day_match
    }

    /// The minutes of an hour, rising; at least one.
    #[must_use]
    pub fn minutes(&self) -> &[u8] {
        &self.minutes
    }

    /// The hours of a day, rising; at least one.
    #[must_use]
    pub fn hours(&self) -> &[u8] {
        &self.hours
    }

    /// Whether there is anything on a date, whether or not the zone has that date.
    #[must_use]
    pub fn is_on(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        self.is_in(date.month()) && if self.either { day || weekday } else { day && weekday }
    }

    /// Whether there may be anything in a month, from 1 to 12.
    #[must_use]
    pub fn is_in(&self, month: i8) -> bool {
        has(self.months, month)
    }

    /// Whether the day of month and the month meet on a date of some year. Each date of the year,
    /// 29 February too, falls on each weekday some time in 400 years, so weekdays take nothing
    /// away.
    fn has_a_date(&self) -> bool {
        const LONGEST: [i8; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        (1..=12).any(|month: i8| {
            self.is_in(month)
                && (1..=LONGEST[usize::from(month.unsigned_abs())]).any(|day| has(self.days, day))
        })
    }
}

fn bits(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.fold(0, |bits, number| bits | 1 << number)
}

fn has(bits: u32, number: i8) -> bool {
    bits >> number & 1 == 1
}

/// The words between blanks.
fn words(expression: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = 0;
    for text in expression.split([' ', '\t']) {
        if !text.is_empty() {
            words.push(Word { text, start });
        }
        start += text.len() + 1;
    }
    words
}

#[cfg(test)]
mod tests;
