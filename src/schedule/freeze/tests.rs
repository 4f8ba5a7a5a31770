//! Windows by examples.

use crate::schedule::zone;

use super::*;

fn freeze(expression: &str, zone: &str, hours: u64) -> Freeze {
    Freeze {
        cron: Cron::parse(expression, None).expect(expression),
        zone: zone::find(zone).expect(zone),
        duration: Duration::from_secs(hours * 3600),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// Until when an instant is frozen; empty if it is not.
fn until(freeze: &Freeze, text: &str) -> String {
    match freeze.frozen(at(text)) {
        None => String::new(),
        Some(Until::Instant(end)) => end.to_string(),
        Some(Until::After(end)) => format!("after {end}"),
    }
}

#[test]
fn the_first_instant_is_in_and_the_end_is_out() {
    let nights = freeze("0 22 * * *", "UTC", 8);
    for (instant, end) in [
        ("2027-01-01T21:59:59.999999999Z", ""),
        ("2027-01-01T22:00:00Z", "2027-01-02T06:00:00Z"),
        ("2027-01-02T05:59:59.999999999Z", "2027-01-02T06:00:00Z"),
        ("2027-01-02T06:00:00Z", ""),
    ] {
        assert_eq!(until(&nights, instant), end, "{instant}");
    }
}

#[test]
fn windows_that_overlap_or_follow_are_one() {
    // Saturday and Sunday, each of 24 hours.
    let weekend = freeze("0 0 * * 6-7", "UTC", 24);
    assert_eq!(until(&weekend, "2027-01-02T12:00:00Z"), "2027-01-04T00:00:00Z");
    assert_eq!(until(&weekend, "2027-01-03T00:00:00Z"), "2027-01-04T00:00:00Z");
    // 30 hours from each: the second window is longer than the first by 24.
    let longer = freeze("0 0 * * 6-7", "UTC", 30);
    assert_eq!(until(&longer, "2027-01-02T00:00:00Z"), "2027-01-04T06:00:00Z");
    assert_eq!(until(&longer, "2027-01-04T05:59:59Z"), "2027-01-04T06:00:00Z");
    assert_eq!(until(&longer, "2027-01-04T06:00:00Z"), "");
    // 12 hours: nothing at noon.
    let mornings = freeze("0 0 * * 6-7", "UTC", 12);
    assert_eq!(until(&mornings, "2027-01-02T12:00:00Z"), "");
    assert_eq!(until(&mornings, "2027-01-02T11:00:00Z"), "2027-01-02T12:00:00Z");
}

#[test]
fn a_freeze_without_an_end_says_so() {
    let always = freeze("0 0 * * *", "UTC", 24);
    assert_eq!(until(&always, "2027-01-01T00:00:00Z"), "after 2028-02-05T00:00:00Z");
    // But for one hour in autumn, when the day has 25.
    let nearly = freeze("0 0 * * *", "Europe/Berlin", 24);
    assert_eq!(until(&nearly, "2027-10-30T22:30:00Z"), "2027-10-31T22:00:00Z");
    assert_eq!(until(&nearly, "2027-10-31T22:30:00Z"), "");
    assert_eq!(until(&nearly, "2027-10-31T23:00:00Z"), "2028-10-29T22:00:00Z");
}

#[test]
fn a_window_of_no_time_freezes_nothing() {
    assert_eq!(freeze("* * * * *", "UTC", 0).frozen(at("2027-01-01T00:00:00Z")), None);
}

#[test]
fn a_window_of_a_year_is_found_from_its_far_end() {
    let yearly = freeze("0 0 1 1 *", "UTC", 365 * 24 - 1);
    assert_eq!(until(&yearly, "2027-12-31T22:59:59Z"), "2027-12-31T23:00:00Z");
    assert_eq!(until(&yearly, "2027-12-31T23:00:00Z"), "");
    assert_eq!(until(&yearly, "9999-12-30T21:00:00Z"), "9999-12-30T22:00:00.999999999Z");
}

/// All windows of some weeks, joined the slow way, ask the same of every instant around their
/// edges.
#[test]
fn windows_agree_with_a_list_of_them() {
    let nanosecond = SignedDuration::from_nanos(1);
    for (expression, zone, minutes) in [
        ("20,35 2 * * *", "Australia/Lord_Howe", 15),
        ("20,35 2 * * *", "Australia/Lord_Howe", 16),
        ("0 */6 * * *", "Australia/Lord_Howe", 330),
        ("0 */6 * * 1-5", "Australia/Lord_Howe", 360),
        ("0 0 * * *", "Pacific/Apia", 1430),
        ("30 1 * * 1-5", "Pacific/Apia", 1500),
    ] {
        let minutes = Duration::from_secs(minutes * 60);
        let freeze = Freeze { duration: minutes, ..freeze(expression, zone, 0) };
        let from = at(if zone == "Pacific/Apia" {
            "2011-12-20T00:00:00Z"
        } else {
            "2026-09-25T00:00:00Z"
        });
        let to = from.checked_add(SignedDuration::from_hours(20 * 24)).expect("an instant");
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
        let begins = slots::next(&freeze.cron, &freeze.zone, from).map(|slot| slot.instant);
        for begin in begins.take_while(|begin| *begin < to) {
            let end = begin.checked_add(minutes).expect("an instant");
            match joined.last_mut() {
                Some((_, last)) if begin <= *last => *last = end,
                _ => joined.push((begin, end)),
            }
        }
        // Those at the ends of the time are not whole.
        let whole = joined.len() - 1;
        assert!(whole > 2, "{expression} {zone}");
        for (begin, end) in &joined[1..whole] {
            for (instant, frozen) in [
                (begin.checked_sub(nanosecond), false),
                (Ok(*begin), true),
                (end.checked_sub(nanosecond), true),
                (Ok(*end), false),
            ] {
                let instant = instant.expect("an instant");
                let expected = frozen.then_some(Until::Instant(*end));
                assert_eq!(freeze.frozen(instant), expected, "{expression} {zone} {instant}");
            }
        }
    }
}
