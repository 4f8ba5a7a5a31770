//! Random expressions, whose meaning is known because it was there first.

use firedrill::schedule::DayMatch;

use super::brute::DAY;

/// splitmix64, so that a run is the same everywhere.
pub struct Random(pub u64);

impl Random {
    /// A number below `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below((most - least + 1) as u64) as i64
    }
}

/// How much an expression holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Anything, every minute of every day too.
    Any,
    /// Few minutes of a day.
    Sparse,
}

/// An expression and its meaning.
#[derive(Debug)]
pub struct Expression {
    pub text: String,
    how: u64,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

#[derive(Clone)]
struct Field {
    text: String,
    set: Vec<bool>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    fn random(random: &mut Random, least: i64, most: i64, names: &[&str], most_items: u64) -> Self {
        let mut field = Self { text: String::new(), set: vec![false; most as usize + 1] };
        for item in 0..1 + random.below(most_items) {
            if item > 0 {
                field.text.push(',');
            }
            field.item(random, (least, most), names, most_items > 1);
        }
        field
    }

    /// One or two of the hours from 0 to 3.
    fn night(random: &mut Random) -> Self {
        let (one, two) = (random.below(4), random.below(4));
        let mut set = vec![false; 24];
        set[one as usize] = true;
        set[two as usize] = true;
        Self { text: format!("{one},{two}"), set }
    }

    fn star() -> Self {
        Self { text: "*".to_owned(), set: vec![true; 60] }
    }

    /// Adds one item: a number, a range, a star, the last two perhaps with a step.
    fn item(&mut self, random: &mut Random, (least, most): (i64, i64), names: &[&str], wide: bool) {
        let (from, to, step) = match random.below(if wide { 6 } else { 3 }) {
            0..=2 => {
                let number = random.between(least, most);
                let text = spelling(random, number, least, names);
                self.text.push_str(&text);
                (number, number, None)
            }
            3 => {
                self.text.push('*');
                (least, most, (!random.one_in(3)).then(|| random.between(1, most + 2)))
            }
            _ => {
                let from = random.between(least, most);
                let to = random.between(from, most);
                let from_text = spelling(random, from, least, names);
                let to_text = spelling(random, to, least, names);
                // The name of Sunday is 0, and 7 has none; `spelling` knows.
                self.text.push_str(&format!("{from_text}-{to_text}"));
                (from, to, random.one_in(2).then(|| random.between(1, most + 2)))
            }
        };
        if let Some(step) = step {
            let zero = if random.one_in(8) { "0" } else { "" };
            self.text.push_str(&format!("/{zero}{step}"));
        }
        let mut number = from;
        while number <= to {
            self.set[number as usize] = true;
            number += step.unwrap_or(1);
        }
    }

    fn has(&self, number: i64) -> bool {
        self.set[number as usize]
    }

    fn restricted(&self) -> bool {
        !self.text.starts_with('*')
    }
}

/// A number as somebody may write it.
fn spelling(random: &mut Random, number: i64, least: i64, names: &[&str]) -> String {
    match names.get((number - least) as usize) {
        Some(name) if random.one_in(2) => name
            .chars()
            .map(|c| if random.one_in(2) { c.to_ascii_lowercase() } else { c })
            .collect(),
        _ if random.one_in(6) => format!("{number:03}"),
        _ => number.to_string(),
    }
}

impl Expression {
    /// Draws one.
    pub fn random(random: &mut Random, size: Size) -> Self {
        if random.one_in(12) {
            return Self::a_macro(random);
        }
        let any = size == Size::Any;
        let often = |random: &mut Random, n| any && random.one_in(n);
        let minutes = match often(random, 6) {
            true => Field::star(),
            false => Field::random(random, 0, 59, &[], if any { 4 } else { 1 }),
        };
        let hours = match often(random, 3) {
            true => Field::star(),
            // Most clocks change in the night.
            false if random.one_in(2) => Field::night(random),
            false => Field::random(random, 0, 23, &[], if any { 4 } else { 1 }),
        };
        let star = |random: &mut Random| random.one_in(2);
        let days = match star(random) {
            true => Field::star(),
            false => Field::random(random, 1, 31, &[], 3),
        };
        let months = match star(random) {
            true => Field::star(),
            false => Field::random(random, 1, 12, &MONTHS, 3),
        };
        let weekdays = match star(random) {
            true => Field::star(),
            false => Field::random(random, 0, 7, &WEEKDAYS, 3),
        };
        let blank = |random: &mut Random| match random.below(8) {
            0 => "\t",
            1 => "  ",
            2 => " \t ",
            _ => " ",
        };
        let mut text = String::new();
        for field in [&minutes, &hours, &days, &months, &weekdays] {
            if !text.is_empty() || random.one_in(20) {
                text.push_str(blank(random));
            }
            text.push_str(&field.text);
        }
        if random.one_in(20) {
            text.push_str(blank(random));
        }
        Self { text, how: random.below(3), minutes, hours, days, months, weekdays }
    }

    fn a_macro(random: &mut Random) -> Self {
        let star = Field::star;
        let one = |number: usize| {
            let mut set = vec![false; 60];
            set[number] = true;
            Field { text: number.to_string(), set }
        };
        let (text, hours, days, months, weekdays) = match random.below(7) {
            0 => ("@hourly", star(), star(), star(), star()),
            1 => ("@daily", one(0), star(), star(), star()),
            2 => ("@midnight", one(0), star(), star(), star()),
            3 => ("@weekly", one(0), star(), star(), one(0)),
            4 => ("@monthly", one(0), one(1), star(), star()),
            5 => ("@yearly", one(0), one(1), one(1), star()),
            _ => ("@annually", one(0), one(1), one(1), star()),
        };
        let text = text.to_owned();
        Self { text, how: random.below(3), minutes: one(0), hours, days, months, weekdays }
    }

    fn both(&self) -> bool {
        self.days.restricted() && self.weekdays.restricted()
    }

    /// What is said of the day fields: always something where both are restricted.
    pub fn day_match(&self) -> Option<DayMatch> {
        match self.how {
            0 => Some(DayMatch::Or),
            1 => Some(DayMatch::And),
            _ if self.both() => Some(DayMatch::And),
            _ => None,
        }
    }

    /// Whether a day, counted from 1970-01-01, matches.
    fn on(&self, day: i64) -> bool {
        let (_, month, date) = calendar(day);
        // 1970-01-01 was a Thursday; 0 and 7 are Sunday.
        let weekday = (day + 4).rem_euclid(7);
        let by_date = self.days.has(date);
        let by_weekday = self.weekdays.has(weekday) || weekday == 0 && self.weekdays.has(7);
        self.months.has(month)
            && if self.both() && self.day_match() == Some(DayMatch::Or) {
                by_date || by_weekday
            } else {
                by_date && by_weekday
            }
    }

    /// Whether it matches a day of some year. The calendar repeats itself after 400 years.
    pub fn ever_fires(&self) -> bool {
        (0..146_097).any(|day| self.on(day))
    }

    /// The civil minutes that match, from a civil second on and before another.
    pub fn minutes(&self, from: i64, to: i64) -> impl Iterator<Item = i64> {
        let days = from.div_euclid(DAY)..=to.div_euclid(DAY);
        let mut minutes = Vec::new();
        for day in days {
            if from < to && self.on(day) {
                for minute in 0..1440 {
                    let civil = day * DAY + minute * 60;
                    let matches = self.hours.has(minute / 60) && self.minutes.has(minute % 60);
                    if matches && civil >= from && civil < to {
                        minutes.push(civil);
                    }
                }
            }
        }
        minutes.into_iter()
    }
}

/// Year, month and day of a day counted from 1970-01-01, by counting.
fn calendar(day: i64) -> (i64, i64, i64) {
    // From 1600-01-01 on, in cycles of 400 years.
    let mut rest = day + 135_140;
    let mut year = 1600 + 400 * rest.div_euclid(146_097);
    rest = rest.rem_euclid(146_097);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // Most of a century at once; what is left is counted.
    let days = |year: i64| if leap(year) { 366 } else { 365 };
    while rest >= days(year) {
        rest -= days(year);
        year += 1;
    }
    let mut month = 1;
    loop {
        let length = match month {
            2 => 28 + i64::from(leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if rest < length {
            return (year, month, rest + 1);
        }
        rest -= length;
        month += 1;
    }
}

#[test]
fn the_calendar_counts_as_others_do() {
    for (day, date) in [
        (0, (1970, 1, 1)),
        (-1, (1969, 12, 31)),
        (59, (1970, 3, 1)),
        (11_016, (2000, 2, 29)),
        (20_781, (2026, 11, 24)),
        (-135_140, (1600, 1, 1)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ] {
        assert_eq!(calendar(day), date);
    }
}
