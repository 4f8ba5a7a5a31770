//! The grammar, accepted and refused. Numbers in names of tests are lines of the rule in
//! docs/schedule.md.

use std::fmt::Write as _;

use jiff::civil::{Date, date};

use super::*;

fn parse(expression: &str) -> Cron {
    Cron::parse(expression, None).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn with(expression: &str, how: DayMatch) -> Cron {
    Cron::parse(expression, Some(how)).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

/// The days of a month that an expression names.
fn days(cron: &Cron, first: Date) -> Vec<i8> {
    first
        .series(jiff::Span::new().days(1))
        .take_while(|date| date.month() == first.month())
        .filter(|date| cron.is_on(*date))
        .map(Date::day)
        .collect()
}

/// The days of week from Sunday, 0.
fn weekdays(field: &str) -> Vec<u32> {
    let cron = parse(&format!("0 0 * * {field}"));
    (0..7).filter(|n| cron.weekdays >> n & 1 == 1).collect()
}

#[test]
fn rule_1_blanks_and_macros() {
    for (expression, same) in [
        ("  */5\t*  \t * * *\t", "*/5 * * * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        (" @midnight\t", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ] {
        let expected = Cron { expression: expression.to_owned(), ..parse(same) };
        assert_eq!(parse(expression), expected, "{expression}");
    }
    let longest = format!("0 0 * * *{}", " ".repeat(MAX_BYTES - 9));
    assert_eq!(longest.len(), MAX_BYTES);
    assert_eq!(parse(&longest).hours(), [0]);
    let full = format!("{}1 * * * *", "1,".repeat((MAX_BYTES - 10) / 2));
    assert_eq!(parse(&full).minutes(), [1]);
}

#[test]
fn rule_2_lists_ranges_and_steps() {
    for (field, minutes) in [
        ("5", vec![5]),
        ("05", vec![5]),
        ("007", vec![7]),
        ("00", vec![0]),
        (&"0".repeat(900), vec![0]),
        ("30,10,20,10", vec![10, 20, 30]),
        ("8-12,10-14,12", vec![8, 9, 10, 11, 12, 13, 14]),
        ("7-7", vec![7]),
        ("7-7/3", vec![7]),
        ("*/20", vec![0, 20, 40]),
        ("*/020", vec![0, 20, 40]),
        ("10-30/10", vec![10, 20, 30]),
        ("10-29/10", vec![10, 20]),
        ("10-20/11", vec![10]),
        ("10-20/10", vec![10, 20]),
        ("*/59", vec![0, 59]),
        ("*/60", vec![0]),
        ("*/99999999999999999999999999", vec![0]),
        ("59,*/30", vec![0, 30, 59]),
        ("*/30,59", vec![0, 30, 59]),
        ("5-59/15", vec![5, 20, 35, 50]),
    ] {
        assert_eq!(parse(&format!("{field} * * * *")).minutes(), minutes, "{field}");
    }
    assert_eq!(parse("* * * * *").minutes().len(), 60);
    assert_eq!(parse("*,1 * * * *").minutes().len(), 60);
    assert_eq!(parse("0 */7 * * *").hours(), [0, 7, 14, 21]);
    assert_eq!(parse("0 0-23/23 * * *").hours(), [0, 23]);
    assert_eq!(days(&parse("0 0 */10 * *"), date(2027, 1, 1)), [1, 11, 21, 31]);
    assert_eq!(days(&parse("0 0 */31 * *"), date(2027, 1, 1)), [1]);
    let months = |field: &str| parse(&format!("0 0 1 {field} *")).months;
    assert_eq!(months("*/5"), 1 << 1 | 1 << 6 | 1 << 11);
    assert_eq!(months("*/12"), 1 << 1);
    assert_eq!(months("jan,12,Mar-may"), 1 << 1 | 1 << 12 | 1 << 3 | 1 << 4 | 1 << 5);
    assert_eq!(months("FEB-12/5"), 1 << 2 | 1 << 7 | 1 << 12);
}

#[test]
fn rule_3_days_of_week() {
    for (field, expected) in [
        ("0", vec![0]),
        ("7", vec![0]),
        ("07", vec![0]),
        ("sun", vec![0]),
        ("SUN-SUN", vec![0]),
        ("7-7", vec![0]),
        ("1", vec![1]),
        ("Sat", vec![6]),
        ("5-7", vec![0, 5, 6]),
        ("SAT-7", vec![0, 6]),
        ("fRi-7/2", vec![0, 5]),
        ("0-7", vec![0, 1, 2, 3, 4, 5, 6]),
        ("SUN-7", vec![0, 1, 2, 3, 4, 5, 6]),
        ("0-7/7", vec![0]),
        ("1-7/3", vec![0, 1, 4]),
        ("1-7/2", vec![0, 1, 3, 5]),
        ("*", vec![0, 1, 2, 3, 4, 5, 6]),
        ("*/2", vec![0, 2, 4, 6]),
        ("*/3", vec![0, 3, 6]),
        ("*/7", vec![0]),
        ("*/5", vec![0, 5]),
        ("mon-5", vec![1, 2, 3, 4, 5]),
        ("1-FRI/2", vec![1, 3, 5]),
        ("mon,WED,5", vec![1, 3, 5]),
    ] {
        assert_eq!(weekdays(field), expected, "{field}");
    }
}

#[test]
fn rule_4_day_fields() {
    let month = date(2027, 2, 1); // A Monday.
    for (expression, how, expected) in [
        ("0 0 * * 1", None, vec![1, 8, 15, 22]),
        ("0 0 13 * *", None, vec![13]),
        // A field that starts with `*` restricts nothing, and both must match.
        ("0 0 */7 * mon", None, vec![1, 8, 15, 22]),
        ("0 0 */2 * mon", None, vec![1, 15]),
        ("0 0 1-14 * */3", None, vec![3, 6, 7, 10, 13, 14]),
        ("0 0 */2 * */6", None, vec![7, 13, 21, 27]),
        ("0 0 *,1 * mon", None, vec![1, 8, 15, 22]),
        ("0 0 */10,2 * mon", None, vec![1]),
        // A dayMatch that is not needed changes nothing.
        ("0 0 * * 1", Some(DayMatch::Or), vec![1, 8, 15, 22]),
        ("0 0 */2 * mon", Some(DayMatch::Or), vec![1, 15]),
        ("0 0 13 * *", Some(DayMatch::Or), vec![13]),
        ("0 0 13 * *", Some(DayMatch::And), vec![13]),
        // Both restricted.
        ("0 0 13 * mon", Some(DayMatch::Or), vec![1, 8, 13, 15, 22]),
        ("0 0 8-14 * mon", Some(DayMatch::And), vec![8]),
        ("0 0 1-31 * mon", Some(DayMatch::And), vec![1, 8, 15, 22]),
        ("0 0 13 * 0-7", Some(DayMatch::And), vec![13]),
        ("0 0 2,*/10 * mon", Some(DayMatch::And), vec![1]),
        ("0 0 2,*/10 * mon", Some(DayMatch::Or), vec![1, 2, 8, 11, 15, 21, 22]),
    ] {
        let cron = Cron::parse(expression, how).expect(expression);
        assert_eq!(days(&cron, month), expected, "{expression} {how:?}");
    }
    assert_eq!(days(&with("0 0 1-31 * mon", DayMatch::Or), month).len(), 28);
    for expression in [
        "0 0 13 * 5",
        "0 0 1-31 * 5",
        "0 0 13 * 0-7",
        "0 0 1,* * 5",
        "0 0 13 * 5,*",
        "0 0 01 * sun",
    ] {
        let error = Cron::parse(expression, None).expect_err(expression);
        assert!(error.message.contains("both restricted"), "{expression}: {error}");
    }
}

#[test]
fn rule_8_what_never_fires() {
    let refused = |expression: &str, how: Option<DayMatch>| {
        Cron::parse(expression, how).is_err_and(|error| error.message.starts_with("it never fires"))
    };
    for expression in
        ["0 0 30 2 *", "0 0 31 4,6,9,11,feb *", "0 0 30,31 2 */2", "0 0 30 2 *,1", "* * 31 sep *"]
    {
        for how in [None, Some(DayMatch::Or), Some(DayMatch::And)] {
            assert!(refused(expression, how), "{expression} {how:?}");
        }
    }
    assert!(refused("0 0 30 2 1", Some(DayMatch::And)));
    // With `or` the day of week is enough.
    assert!(Cron::parse("0 0 30 2 1", Some(DayMatch::Or)).is_ok());
    assert!(Cron::parse("0 0 29 2 1", Some(DayMatch::And)).is_ok());
    for expression in ["0 0 29 2 *", "0 0 29 2 */7", "0 0 31 2-3 *", "0 0 30 * *"] {
        assert!(Cron::parse(expression, None).is_ok(), "{expression}");
    }
}

/// Each of these is refused; the golden file says where and why.
const REFUSED: &[&str] = &[
    // Rule 1.
    "",
    " \t ",
    "0 3 * *",
    "0",
    "0 0 3 * * 1",
    "0 3 * * 1 2027",
    "0 0 3 * * 1 2027",
    "0 3 * * * * * *",
    "@reboot",
    "@every 5m",
    "@every5m",
    "@dayly",
    "@Daily",
    "@",
    "@daily @daily",
    "@hourly * * * *",
    "0 3 @daily * *",
    "0 3 * * * @daily",
    "TZ=Europe/Berlin 0 3 * * *",
    "CRON_TZ=UTC 0 3 * * *",
    "0 3 * * möp",
    "0\u{a0}3 * * *",
    "0 3 * * *\n",
    "0 3 * *\u{b} *",
    "０ 3 * * *",
    "0 3 * * \u{1b}[2J",
    // Rule 2.
    "*/0 * * * *",
    "*/000 * * * *",
    "1-5/0 * * * *",
    "5/15 * * * *",
    "0 3 * * mon/2",
    "*/ * * * *",
    "*/x * * * *",
    "*/-5 * * * *",
    "*/2/3 * * * *",
    "/5 * * * *",
    "/ * * * *",
    "0 22-6 * * *",
    "50-10/5 * * * *",
    "0 0 28-3 * *",
    "0 0 1 nov-feb *",
    "1- * * * *",
    "0 0 * * mon-",
    "-5 * * * *",
    "- * * * *",
    "1-2-3 * * * *",
    "1--2 * * * *",
    "+5 * * * *",
    "1-+5 * * * *",
    "1,,2 * * * *",
    ",1 * * * *",
    "1, * * * *",
    ", * * * *",
    "** * * * *",
    "*5 * * * *",
    "*-5 * * * *",
    "1-* * * * *",
    "1.5 * * * *",
    "60 * * * *",
    "0 24 * * *",
    "0 99-3 * * *",
    "0 0 0 * *",
    "0 0 32 * *",
    "0 0 1 0 *",
    "0 0 1 13 *",
    "256 * * * *",
    "99999999999999999999 * * * *",
    "0x5 * * * *",
    "mon 3 * * *",
    "0 3 mon * *",
    "0 3 * mon *",
    "0 3 * * jan",
    // Rule 3.
    "0 3 * * 8",
    "0 3 * * FRI-SUN",
    "0 3 * * sat-mon",
    "0 3 * * 7-0",
    "0 3 * * 7-SUN",
    "0 3 * * 6-0",
    "0 3 * * Monday",
    "0 3 * sept *",
    "0 3 * * mno",
    "0 3 * * mo",
    "0 3 * * xyz",
    // Rule 4.
    "0 3 13 * 5",
    "0 3 1-31 * 0-7",
    // Rule 8.
    "0 0 30 2 *",
    "0 0 31 2,4,6,9,11 *",
    // Other dialects.
    "0 3 L * *",
    "0 3 L-3 * *",
    "0 3 * * 5L",
    "0 3 * * friL",
    "0 3 15W * *",
    "0 3 LW * *",
    "0 3 ? * 1",
    "0 3 * * ?",
    "0 3 * * fri#2",
    "0 3 * * 5#5",
    "0 3 * * #2",
    "H 3 * * *",
    "H/15 3 * * *",
    "H(0-7) 3 * * *",
    "0~59 * * * *",
    "0 3 * * mon!",
    "0 3 * * (1)",
    "%5 * * * *",
];

#[test]
fn what_is_refused_has_a_place_a_reason_and_a_help() {
    let mut golden = String::new();
    for expression in REFUSED {
        let error = Cron::parse(expression, None).expect_err(expression);
        let CronError { span, message, help } = &error;
        let marked = expression.get(span.clone()).expect("a place in the expression");
        assert!(!marked.is_empty() || expression.is_empty(), "{expression}: empty place");
        assert!(!message.is_empty() && !help.is_empty(), "{expression}");
        let marked = marked.escape_debug();
        let _ = writeln!(
            golden,
            "{}\n  at `{marked}` ({}): {message}\n  help: {help}",
            expression.escape_debug(),
            span.start
        );
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn what_is_too_long_is_refused_at_the_first_byte_too_many() {
    for blank in [" ", "\t"] {
        let long = format!("0 0 * * *{}", blank.repeat(MAX_BYTES - 8));
        let error = Cron::parse(&long, None).expect_err("too long");
        assert_eq!(error.span, MAX_BYTES..MAX_BYTES + 1);
        assert_eq!(error.message, "the schedule has 1025 bytes, more than 1024");
    }
    let wide = format!("{}ä", "1".repeat(MAX_BYTES - 1));
    assert_eq!(Cron::parse(&wide, None).expect_err("too long").span, MAX_BYTES - 1..MAX_BYTES + 1);
}

#[test]
fn help_that_shows_an_expression_shows_a_good_one() {
    for expression in REFUSED {
        let error = Cron::parse(expression, None).expect_err(expression);
        for shown in error.help.split('`').skip(1).step_by(2) {
            if shown.split(' ').count() == 5 || shown.starts_with('@') {
                assert!(Cron::parse(shown, None).is_ok(), "{expression}: {shown}");
            }
        }
    }
}

proptest::proptest! {
    /// Whatever is written, the answer has a place within it.
    #[test]
    fn any_text_is_answered(text in "[ -~\t]{0,40}|[*/,0-9a-zA-Z\\-]{1,12}( [*/,0-9\\-]{1,8}){4}|\\PC{0,30}") {
        for how in [None, Some(DayMatch::Or), Some(DayMatch::And)] {
            if let Err(error) = Cron::parse(&text, how) {
                proptest::prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            }
        }
    }
}
