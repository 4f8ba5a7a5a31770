//! The walk, by examples. The property against a second implementation is tests/slots.rs.

use crate::schedule::{DayMatch, zone};

use super::*;

/// The next slots: instant, civil minute and note.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<(String, String, String)> {
    let cron = Cron::parse(expression, None).expect(expression);
    let zone = zone::find(zone).expect(zone);
    super::next(&cron, &zone, after.parse().expect(after))
        .take(count)
        .map(|slot| {
            let civil = slot.civil.strftime("%Y-%m-%d %H:%M").to_string();
            (slot.instant.to_string(), civil, slot.note.unwrap_or_default())
        })
        .collect()
}

fn instants(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    next(expression, zone, after, count).into_iter().map(|(instant, ..)| instant).collect()
}

#[test]
fn rule_5_fields_are_civil() {
    assert_eq!(
        instants("30 2 * * *", "Asia/Kathmandu", "2027-01-01T00:00:00Z", 2),
        ["2027-01-01T20:45:00Z", "2027-01-02T20:45:00Z"]
    );
    // The Friday that Apia skipped fires on Saturday, and is a slot of that Friday.
    assert_eq!(
        next("0 9 * * fri", "Pacific/Apia", "2011-12-24T00:00:00Z", 2),
        [
            (
                "2011-12-30T19:00:00Z".to_owned(),
                "2011-12-30 09:00".to_owned(),
                "2011-12-30 09:00 does not exist; it fires at 2011-12-31 09:00".to_owned()
            ),
            ("2012-01-05T19:00:00Z".to_owned(), "2012-01-06 09:00".to_owned(), String::new()),
        ]
    );
    assert_eq!(
        instants("0 9 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", 1),
        ["2011-12-30T19:00:00Z"]
    );
    // Both days at one instant count once, and Saturday is what the clock shows.
    let both = next("0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", 2);
    assert_eq!(
        both[0],
        (
            "2011-12-30T19:00:00Z".to_owned(),
            "2011-12-31 09:00".to_owned(),
            "also for 2011-12-30 09:00, which does not exist".to_owned()
        )
    );
    assert_eq!(both[1].0, "2011-12-31T19:00:00Z");
}

#[test]
fn rule_6_a_gap_moves_a_slot_by_the_offset_before_it() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 1),
        [(
            "2027-03-28T01:30:00Z".to_owned(),
            "2027-03-28 02:30".to_owned(),
            "2027-03-28 02:30 does not exist; it fires at 03:30".to_owned()
        )]
    );
    // 02:30 and 03:30 are one instant on that day.
    assert_eq!(
        instants("30 2,3 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 3),
        ["2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z", "2027-03-29T01:30:00Z"]
    );
    assert_eq!(
        instants("@hourly", "Europe/Berlin", "2027-03-28T00:00:00Z", 3),
        ["2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z", "2027-03-28T03:00:00Z"]
    );
    // Midnight is in the gap: the day begins at 01:00.
    assert_eq!(
        next("@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 1),
        [(
            "2018-11-04T03:00:00Z".to_owned(),
            "2018-11-04 00:00".to_owned(),
            "2018-11-04 00:00 does not exist; it fires at 01:00".to_owned()
        )]
    );
    // Two hours at once.
    assert_eq!(
        instants("30 1,2 * * *", "Antarctica/Troll", "2027-03-27T12:00:00Z", 3),
        ["2027-03-28T01:30:00Z", "2027-03-28T02:30:00Z", "2027-03-28T23:30:00Z"]
    );
}

#[test]
fn rule_6_a_fold_counts_its_first_pass() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2),
        [
            (
                "2027-10-31T00:30:00Z".to_owned(),
                "2027-10-31 02:30".to_owned(),
                "2027-10-31 02:30 comes twice; this is the first".to_owned()
            ),
            ("2027-11-01T01:30:00Z".to_owned(), "2027-11-01 02:30".to_owned(), String::new()),
        ]
    );
    for expression in ["*/30 * * * *", "0,30 * * * *"] {
        assert_eq!(
            instants(expression, "Europe/Berlin", "2027-10-31T00:00:00Z", 3),
            ["2027-10-31T00:30:00Z", "2027-10-31T02:00:00Z", "2027-10-31T02:30:00Z"],
            "{expression}"
        );
    }
    assert_eq!(
        instants("@hourly", "Europe/Berlin", "2027-10-30T23:30:00Z", 3),
        ["2027-10-31T00:00:00Z", "2027-10-31T02:00:00Z", "2027-10-31T03:00:00Z"]
    );
    assert_eq!(
        instants("* * * * *", "Europe/Berlin", "2027-10-31T00:58:30Z", 3),
        ["2027-10-31T00:59:00Z", "2027-10-31T02:00:00Z", "2027-10-31T02:01:00Z"]
    );
    // Asked within the second pass, whose civil times were all before.
    assert_eq!(
        instants("* * * * *", "Europe/Berlin", "2027-10-31T01:20:00Z", 1),
        ["2027-10-31T02:00:00Z"]
    );
}

#[test]
fn rule_7_the_order_is_that_of_instants() {
    // Lord Howe's gap is 30 minutes: 02:20 fires after 02:35.
    for after in ["2026-10-03T15:20:00Z", "2026-10-03T15:34:59.999999999Z"] {
        assert_eq!(
            instants("20,35 2 * * *", "Australia/Lord_Howe", after, 3),
            ["2026-10-03T15:35:00Z", "2026-10-03T15:50:00Z", "2026-10-04T15:20:00Z"]
        );
    }
    assert_eq!(
        instants("20,35 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:35:00Z", 1),
        ["2026-10-03T15:50:00Z"]
    );
    // A day was skipped: half a day later by the calendar, and earlier in time.
    assert_eq!(
        next("0 21 30 12 *", "Pacific/Apia", "2011-12-31T06:59:59Z", 1)[0].0,
        "2011-12-31T07:00:00Z"
    );
}

#[test]
fn rule_7_strictly_after_to_the_fraction() {
    for (after, first) in [
        ("2027-01-01T02:59:59.999999999Z", "2027-01-01T03:00:00Z"),
        ("2027-01-01T03:00:00Z", "2027-01-02T03:00:00Z"),
        ("2027-01-01T03:00:00.000000001Z", "2027-01-02T03:00:00Z"),
    ] {
        assert_eq!(instants("0 3 * * *", "UTC", after, 1), [first], "{after}");
    }
}

#[test]
fn rule_7_nobody_who_asks_again_loses_or_doubles_a_slot() {
    for (zone, from) in [
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T12:00:00Z"),
        ("Pacific/Apia", "2011-12-29T00:00:00Z"),
        ("Antarctica/Troll", "2027-03-27T20:00:00Z"),
    ] {
        let cron = Cron::parse("7,20,35,50 * * * *", None).expect("a schedule");
        let zone = zone::find(zone).expect(zone);
        let mut at: Timestamp = from.parse().expect(from);
        let at_once: Vec<Slot> = super::next(&cron, &zone, at).take(300).collect();
        assert!(at_once.is_sorted_by(|a, b| a.instant < b.instant));
        for slot in at_once {
            let again = super::next(&cron, &zone, at).next();
            assert_eq!(again.as_ref(), Some(&slot));
            at = slot.instant;
        }
    }
}

#[test]
fn rule_8_the_calendar_is_searched_to_its_end() {
    let cron = Cron::parse("0 0 29 2 1", Some(DayMatch::And)).expect("a schedule");
    let from: Timestamp = "2027-01-01T00:00:00Z".parse().expect("an instant");
    let years: Vec<i16> =
        super::next(&cron, &TimeZone::UTC, from).map(|s| s.civil.year()).collect();
    assert_eq!(years[..3], [2044, 2072, 2112]);
    assert_eq!(years.last(), Some(&9988));
    // jiff's last instant is 9999-12-30T22:00:00.999999999Z.
    assert_eq!(
        instants("0 * * * *", "UTC", "9999-12-30T20:00:00Z", 9),
        ["9999-12-30T21:00:00Z", "9999-12-30T22:00:00Z"]
    );
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let last = instants("* * * * *", zone, "9999-12-30T21:58:00Z", 9);
        assert_eq!(last.len(), 2, "{zone}");
    }
    assert_eq!(
        instants("0 0 * * *", "UTC", &Timestamp::MIN.to_string(), 1),
        ["-009999-01-03T00:00:00Z"]
    );
}

#[test]
fn offsets_with_seconds_are_kept() {
    // Monrovia was 44 minutes and 30 seconds behind until 1972-01-07.
    assert_eq!(
        next("30 0 * * *", "Africa/Monrovia", "1972-01-06T00:00:00Z", 3),
        [
            ("1972-01-06T01:14:30Z".to_owned(), "1972-01-06 00:30".to_owned(), String::new()),
            (
                "1972-01-07T01:14:30Z".to_owned(),
                "1972-01-07 00:30".to_owned(),
                "1972-01-07 00:30 does not exist; it fires at 01:14".to_owned()
            ),
            ("1972-01-08T00:30:00Z".to_owned(), "1972-01-08 00:30".to_owned(), String::new()),
        ]
    );
}
