//! Where a schedule's problems stand in the file, however the file writes it.

use std::path::Path;

use jiff::{Timestamp, civil::date};

use crate::{
    drill::{Drill, OnInterrupted, load, problem::Problem},
    schedule::{DayMatch, slots},
};

/// A drill with these lines under `schedule:`.
fn drill(schedule: &str) -> (Option<Drill>, Vec<Problem>, String) {
    let text = format!(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Drill\nmetadata: {{name: a}}\nspec:\n  \
         cluster: lab\n  schedule:\n{schedule}\n  steps:\n    - name: a\n      check: {{http: \
         {{url: \"http://a/\"}}}}\n"
    );
    let mut loaded = load(Path::new("a.yaml"), &text);
    (loaded.drills.pop(), loaded.problems, text)
}

/// The problems, each as the marked text and the message.
fn marked(schedule: &str) -> Vec<(String, String)> {
    let (_, problems, text) = drill(schedule);
    problems
        .into_iter()
        .map(|problem| (text[problem.place.span].to_owned(), problem.message))
        .collect()
}

#[test]
fn a_problem_is_marked_within_the_expression() {
    for (schedule, mark) in [
        ("    cron: 0 3 * * 8", "8"),
        ("    cron: \"0 3 * * 8\"", "8"),
        ("    cron: '0 3 * * 8'", "8"),
        ("    cron: '0 3 13 * 1'", "13 * 1"),
        ("    cron: '0 3 30 2 *' # never", "30 2"),
        ("    cron: '@dayly'", "@dayly"),
        ("    cron: '0 3 * * möp'", "ö"),
        ("    cron: '0 ä3 * * 8'", "ä"),
        ("    cron: |-\n      0 3 * * 8", "8"),
        ("    cron: |\n      0 3 * * 8", "\n"),
        // What the file has is not what it means: all of it is marked.
        ("    cron: \"0 3\\t* * 8\"", "\"0 3\\t* * 8\""),
        ("    cron: \"\\u0030 3 * * 8\"", "\"\\u0030 3 * * 8\""),
        ("    cron: ''", "''"),
    ] {
        let problems = marked(schedule);
        assert_eq!(problems.len(), 1, "{schedule}: {problems:?}");
        assert_eq!(problems[0].0, mark, "{schedule}: {problems:?}");
    }
    let folded = marked("    cron: 0 3\n      * * 8");
    assert_eq!(folded.len(), 1);
    assert!(folded[0].1.contains("day of week `8`"), "{folded:?}");
}

#[test]
fn a_wrong_word_is_not_told_as_a_missing_one_too() {
    let both = "    cron: 0 3 13 * fri\n";
    assert!(marked(both)[0].1.contains("both restricted"));
    let problems = marked(&format!("{both}    dayMatch: xor"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, "xor");
}

#[test]
fn other_types_are_no_schedules() {
    for (schedule, mark) in [
        ("    cron: 5", "5"),
        ("    cron: [\"@daily\"]", "[\"@daily\"]"),
        ("    cron: '@daily'\n    timeZone: 2", "2"),
        ("    cron: '@daily'\n    timeZone: Local", "Local"),
        ("    cron: '@daily'\n    onInterrupted: again", "again"),
    ] {
        let problems = marked(schedule);
        assert_eq!(problems.len(), 1, "{schedule}: {problems:?}");
        assert!(mark.starts_with(&problems[0].0), "{schedule}: {problems:?}");
    }
    let problems = marked("    cron: ~");
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn marks_of_yaml_need_quotes() {
    for schedule in ["    cron: * * * * *", "    cron: */5 * * * *", "    cron: @daily"] {
        let (_, problems, _) = drill(schedule);
        let help = problems[0].help.as_deref().unwrap_or_default();
        assert!(help.contains("needs quotes"), "{schedule}: {problems:?}");
    }
}

#[test]
fn a_schedule_is_ready_for_use() {
    let (read, problems, _) = drill(
        "    cron: 30 2 8-14 * sat\n    dayMatch: and\n    timeZone: Europe/Berlin\n    \
         onInterrupted: runOnce",
    );
    assert_eq!(problems, []);
    let schedule = read.expect("a drill").schedule.expect("a schedule");
    assert_eq!(schedule.on_interrupted, OnInterrupted::RunOnce);
    assert_eq!(schedule.cron.day_match(), Some(DayMatch::And));
    assert!(schedule.cron.is_on(date(2027, 2, 13)) && !schedule.cron.is_on(date(2027, 2, 14)));
    let from: Timestamp = "2027-02-01T00:00:00Z".parse().expect("an instant");
    let first = slots::next(&schedule.cron, &schedule.time_zone, from).next().expect("a slot");
    assert_eq!(first.instant.to_string(), "2027-02-13T01:30:00Z");

    let (read, _, _) = drill("    cron: '@daily'");
    let schedule = read.expect("a drill").schedule.expect("a schedule");
    assert_eq!(schedule.time_zone.iana_name(), Some("UTC"));
    assert_eq!(schedule.on_interrupted, OnInterrupted::Skip);
}
