//! What has to hold whatever stands in a file: the bodies of the fuzz targets (`tests/fuzz`), which
//! `tests/corpus.rs` runs over their seeds without a fuzzer.

use std::{path::Path, sync::LazyLock, time::Duration};

use firedrill::{
    config::{self, Config},
    drill::{
        self,
        problem::Problem,
        render::{self, Sources},
    },
    schedule::{Cron, DayMatch, slots},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// What drills are held against.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = include_str!("../../config/firedrill.yaml");
    let (config, problems) = config::parse(Path::new("config/firedrill.yaml"), text);
    config.unwrap_or_else(|| panic!("{problems:?}"))
});

/// A file of drills.
pub fn drill(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let path = Path::new("fuzzed.yaml");
    let loaded = drill::load(path, &text);
    assert!(loaded.has_errors() || !loaded.drills.is_empty(), "nothing read and nothing said");
    let mut problems = loaded.problems.clone();
    problems.extend(loaded.against(&CONFIG));
    told(path, &text, &problems);
    for drill in &loaded.drills {
        // The journal keeps a drill as its text: it must mean the same once more.
        let again = drill::load(path, &drill.text);
        assert_eq!(again.drills.as_slice(), std::slice::from_ref(drill));
        assert!(!drill.outline(Duration::from_secs(30)).steps.is_empty());
    }
}

/// A configuration file.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let path = Path::new("fuzzed.yaml");
    let (config, problems) = config::parse(path, &text);
    assert_eq!(config.is_none(), problems.iter().any(Problem::is_error));
    told(path, &text, &problems);
}

/// Every problem has a place in the file and a help, and can be told.
fn told(path: &Path, text: &str, problems: &[Problem]) {
    let lines = text.split('\n').count();
    for problem in problems {
        let places = [Some(&problem.place), problem.also.as_ref().map(|also| &also.place)];
        for place in places.into_iter().flatten() {
            assert!(text.get(place.span.clone()).is_some(), "{problem:?}");
            assert!((1..=lines).contains(&place.line) && place.column >= 1, "{problem:?}");
        }
        assert!(problem.help.as_ref().is_some_and(|help| !help.is_empty()), "{problem:?}");
        assert!(!problem.message.is_empty(), "{problem:?}");
        for words in [&problem.message, problem.help.as_ref().expect("a help")] {
            assert!(!words.contains(char::is_control), "{problem:?}");
        }
    }
    let sources = Sources::of(path, text);
    let shown = render::text(problems, &sources, false);
    // Tabs and carriage returns of the source, and its line breaks, are all that may be left.
    assert!(!shown.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)), "{shown:?}");
    assert!(render::text(problems, &sources, true).len() >= shown.len(), "colours only add");
    let json = render::values(problems);
    assert_eq!(json.as_array().map(Vec::len), Some(problems.len()));
}

/// A cron expression, a zone, an instant and a `dayMatch`, each on a line. What is no zone or no
/// instant is made into one, so that every input gets as far as the walk.
pub fn cron(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (expression, zone, after, day_match) = (line(), zone(line()), instant(line()), line());
    let day_match = match day_match.bytes().next() {
        Some(b'a') => Some(DayMatch::And),
        Some(b'o') => Some(DayMatch::Or),
        _ => None,
    };
    let cron = match Cron::parse(expression, day_match) {
        Ok(cron) => cron,
        Err(error) => {
            assert!(expression.get(error.span.clone()).is_some(), "{error:?}");
            assert!(!error.span.is_empty() || expression.is_empty(), "{error:?}");
            assert!(!error.message.is_empty() && !error.help.is_empty(), "{error:?}");
            return;
        }
    };
    assert_eq!(Cron::parse(cron.expression(), day_match).as_ref(), Ok(&cron));
    let mut last = after;
    for slot in slots::next(&cron, &zone, after).take(20) {
        assert!(slot.instant > last, "{slot:?} is not after {last}");
        last = slot.instant;
        let (hour, minute) = (slot.civil.hour(), slot.civil.minute());
        assert!(cron.is_on(slot.civil.date()) && cron.is_in(slot.civil.month()), "{slot:?}");
        assert!(cron.hours().contains(&hour.unsigned_abs()), "{slot:?}");
        assert!(cron.minutes().contains(&minute.unsigned_abs()), "{slot:?}");
        let shown = zone.to_datetime(slot.instant);
        let known = zone.to_ambiguous_timestamp(slot.civil);
        if shown == slot.civil {
            assert_eq!(known.earlier().ok(), Some(slot.instant), "the first of a fold");
        } else {
            // Only a gap moves a slot, forward, by no more than a day.
            assert!(slot.note.is_some(), "{slot:?}");
            let moved = shown.duration_since(slot.civil);
            assert!(moved > SignedDuration::ZERO && moved <= SignedDuration::from_hours(24));
        }
    }
}

/// The zone of this name, else one of a list.
fn zone(name: &str) -> TimeZone {
    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "America/St_Johns",
    ];
    TimeZone::get(name)
        .or_else(|_| TimeZone::get(ZONES[number(name) as usize % ZONES.len()]))
        .unwrap_or(TimeZone::UTC)
}

/// The instant in RFC 3339, else one between the years 1900 and 9999.
fn instant(text: &str) -> Timestamp {
    let from = "1900-01-01T00:00:00Z".parse::<Timestamp>().expect("an instant");
    text.parse().unwrap_or_else(|_| {
        let span = 255_000_000_000;
        let seconds = i64::try_from(number(text) % span).unwrap_or(0);
        from + SignedDuration::from_secs(seconds)
    })
}

/// A number that depends on every byte.
fn number(text: &str) -> u64 {
    text.bytes().fold(7, |all: u64, byte| all.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte))
}
