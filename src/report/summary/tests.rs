use proptest::prelude::*;

use crate::{
    clock::Mono,
    run::event::{Reason, StepOutcome, UndoAction, UndoOutcome, Verdict, What},
};

use super::{samples::*, *};

fn fold(entries: &[Entry]) -> Summary {
    Summary::fold(entries).expect("a run")
}

#[test]
fn verdicts_and_exit_codes_of_the_samples() {
    for (name, entries, verdict, code) in all() {
        let summary = fold(&entries);
        assert_eq!(summary.verdict, Some(verdict), "{name}");
        assert_eq!(summary.exit_code, code, "{name}");
        assert_eq!(summary.why.is_none(), verdict == Verdict::Passed, "{name}");
    }
}

#[test]
fn the_end_changes_nothing_and_is_verified() {
    for (name, entries, ..) in all() {
        assert_eq!(fold(&entries[..entries.len() - 1]), fold(&entries), "{name}");
        assert_eq!(Summary::stored_is_true(&entries), Ok(Some(true)), "{name}");
        let mut forged = entries.clone();
        if let Some(Event::RunEnded { summary, .. }) = forged.last_mut().map(|it| &mut it.event) {
            summary["exitCode"] = 9.into();
        }
        assert_eq!(Summary::stored_is_true(&forged), Ok(Some(false)), "{name}");
        assert_eq!(Summary::stored_is_true(&entries[..1]), Ok(None));
    }
}

#[test]
fn it_is_read_back_from_the_journal() {
    for (name, entries, ..) in all() {
        let summary = fold(&entries);
        let stored = serde_json::to_value(&summary).expect("json");
        assert_eq!(
            serde_json::from_value::<Summary>(stored).expect("a summary"),
            summary,
            "{name}"
        );
    }
}

#[test]
fn figures_of_the_passed_restore() {
    let summary = fold(&passed());
    let recovery = &summary.recoveries[0];
    assert_eq!(recovery.total_millis, Some(14_230));
    // The watches' echo of 35 ms is the only source of error.
    assert_eq!(recovery.lower_millis, Some(14_195));
    assert_eq!(recovery.preparing_millis, Some(1_357));
    let phases: Vec<_> = recovery.phases.iter().map(|it| (&*it.name, it.millis)).collect();
    assert_eq!(
        phases,
        [("queued", 540), ("restoring", 3_390), ("scheduled", 918), ("recovered", 9_382)]
    );
    assert_eq!(summary.recovery_points[0].age_millis, Some(25_924_000));
    assert_eq!(summary.effect_counts, EffectCounts { undone: 3, ..EffectCounts::default() });
    assert_eq!(summary.availability[0].red_millis, 0);
    assert!(summary.availability[0].complete);
}

#[test]
fn an_earlier_attempt_counts_and_brings_nothing_back() {
    let summary = fold(&retried());
    let recovery = &summary.recoveries[0];
    // From the first T0 to the second attempt's readiness.
    assert_eq!(recovery.total_millis, Some(27_500));
    assert_eq!(recovery.preparing_millis, Some(1_357), "the first attempt's own");
    let phases: Vec<_> = recovery.phases.iter().map(|it| (&*it.name, it.millis)).collect();
    let expected = [
        ("earlier attempts", 18_088),
        ("preparing", 1_402),
        ("queued", 500),
        ("restoring", 3_410),
        ("scheduled", 888),
        ("recovered", 3_212),
    ];
    assert_eq!(phases, expected);
    // What the failed attempt would have brought back is gone.
    assert_eq!(summary.recovery_points.len(), 1);
    assert_eq!(summary.recovery_points[0].age_millis, Some(25_943_490));
    let step = &summary.steps[0];
    assert_eq!((step.attempts, step.took_millis), (2, Some(5_400)));
    assert_eq!((step.outcome, step.why.as_deref()), (Some(StepOutcome::Passed), None));
    let [first] = step.earlier_attempts.as_slice() else { panic!("{step:?}") };
    assert_eq!((first.attempt, first.outcome), (1, Some(StepOutcome::Failed)));
    assert_eq!(first.took_millis, Some(8_957));
    assert!(first.why.as_ref().is_some_and(|why| why.contains("PartiallyFailed")));
}

#[test]
fn what_only_an_earlier_attempt_saw_is_no_figure() {
    // The first attempt came as far as a recovery; what the last one did, nobody saw.
    let mut run = shop_begun();
    run.saw("restore", What::RecoveryPoint { age_millis: Some(1_000) }, 1_412);
    run.phase("restore", "restoring", 5_000).saw("restore", What::Recovered, 5_000);
    run.end("restore", StepOutcome::Failed, Some("first")).at(20_000);
    run.start_again("restore", 2).saw("restore", What::T0, 20_500);
    run.end("restore", StepOutcome::Passed, None).start("ready");
    run.saw("ready", What::Recovered, 30_000).end("ready", StepOutcome::Passed, None);
    let summary = fold(&run.entries);
    let recovery = &summary.recoveries[0];
    assert_eq!(recovery.total_millis, None, "{recovery:?}");
    assert!(recovery.why.as_ref().is_some_and(|why| why.contains("end of the restore")));
    assert_eq!(summary.recovery_points, []);
    assert!(summary.objectives.iter().all(|it| it.standing == Standing::Unproven));
}

#[test]
fn an_attempt_that_failed_before_its_t0_is_preparation_of_nothing() {
    let mut run = Stream::open("shop-comes-back", shop_outline());
    run.at(50).start("restore").at(900).end("restore", StepOutcome::Failed, Some("no sandbox"));
    run.at(11_000).start_again("restore", 2).saw("restore", What::T0, 12_000);
    run.phase("restore", "restoring", 15_000).end("restore", StepOutcome::Passed, None);
    run.start("ready").saw("ready", What::Recovered, 16_000);
    let recovery = &fold(&run.end("ready", StepOutcome::Passed, None).entries).recoveries[0];
    assert_eq!(recovery.total_millis, Some(4_000));
    assert_eq!(recovery.preparing_millis, Some(1_000), "of the attempt that T0 is of");
    assert!(recovery.phases.iter().all(|phase| phase.name != EARLIER), "{recovery:?}");
}

#[test]
fn a_second_end_of_an_attempt_says_why_there_is_no_other() {
    let mut run = shop_begun();
    run.at(5_055).end("restore", StepOutcome::Failed, Some("first"));
    run.at(9_000).end("restore", StepOutcome::Failed, Some("first; no further attempt: it stays"));
    let step = &fold(&run.entries).steps[0];
    assert_eq!(step.why.as_deref(), Some("first; no further attempt: it stays"));
    assert_eq!((step.attempts, step.took_millis), (1, Some(5_000)));
    assert_eq!(step.earlier_attempts, []);
}

#[test]
fn a_crash_between_two_attempts_and_in_the_second_is_an_interruption() {
    let whole = retried();
    let begins = |attempt: u32| {
        let begins = |it: &Entry| matches!(&it.event, Event::StepStarted { attempt: a, .. } if *a == attempt);
        whole.iter().position(begins).expect("it begins")
    };
    for (cut, outcome) in
        [(begins(2), Some(StepOutcome::Failed)), (begins(2) + 3, Some(StepOutcome::Aborted))]
    {
        let mut run = shop_begun();
        run.entries = whole[..cut].to_vec();
        run.at(60_000).crash(false).close(Reason::Interrupted, None);
        if outcome == Some(StepOutcome::Aborted) {
            run.end("restore", StepOutcome::Aborted, Some("the run closed"));
        }
        let summary = fold(&run.entries);
        assert_eq!(summary.verdict, Some(Verdict::Interrupted));
        assert_eq!(summary.steps[0].outcome, outcome);
        assert_eq!(summary.recoveries[0].total_millis, None);
        assert_eq!(summary.objectives[0].standing, Standing::Unproven);
        check_figures(&summary);
        check_forms(&summary);
    }
}

#[test]
fn a_summary_from_before_there_were_attempts_is_still_true() {
    let entries = passed();
    let Some(Event::RunEnded { summary, .. }) = entries.last().map(|it| &it.event) else {
        panic!("it ended")
    };
    // What an older firedrill stored has none of the new keys, and neither has this one where a
    // step was tried once.
    assert!(!summary.to_string().contains("earlierAttempts"));
    let mut old = serde_json::to_value(&entries).expect("json");
    for step in old[0]["event"]["body"]["outline"]["steps"].as_array_mut().expect("steps") {
        assert!(step.as_object_mut().expect("a step").remove("attempts").is_some());
    }
    let old: Vec<Entry> = serde_json::from_value(old).expect("an old journal");
    assert_eq!(Summary::stored_is_true(&old), Ok(Some(true)));
    assert!(crate::run::machine::Machine::replay(&old).is_ok());
}

#[test]
fn the_restore_holds_the_recovery_up_although_the_pods_are_ready() {
    let mut run = shop_begun();
    run.phase("ready", "ready", 2_412).phase("restore", "restoring", 9_412);
    run.end("restore", StepOutcome::Passed, None).start("ready");
    run.saw("ready", What::Recovered, 2_412).end("ready", StepOutcome::Passed, None);
    let recovery = &fold(&run.entries).recoveries[0];
    assert_eq!(recovery.total_millis, Some(8_000));
    let phases: Vec<_> = recovery.phases.iter().map(|it| (&*it.name, it.millis)).collect();
    assert_eq!(phases, [("restoring", 8_000), ("ready", 0)]);
    assert_eq!(recovery.lower_millis, None, "nothing bounds the error");
}

#[test]
fn a_restore_whose_end_was_not_seen_gives_no_figure() {
    let mut run = shop_begun();
    run.end("restore", StepOutcome::Passed, None).start("ready");
    run.saw("ready", What::Recovered, 2_412).end("ready", StepOutcome::Passed, None);
    let summary = fold(run.close(Reason::Completed, None).entries.as_slice());
    assert_eq!(summary.recoveries[0].total_millis, None);
    assert_eq!(summary.objectives[0].standing, Standing::Unproven);
    assert_eq!(summary.verdict, Some(Verdict::Failed));
}

#[test]
fn nothing_is_reported_that_nobody_saw() {
    // Recovered is noted by the process that found the run open: it did not see T0.
    for reboot in [false, true] {
        let mut run = shop_begun();
        run.phase("restore", "restoring", 5_000).end("restore", StepOutcome::Passed, None);
        run.start("ready").at(1_100_000).crash(reboot).saw("ready", What::Recovered, 1_100_000);
        run.close(Reason::Interrupted, None).end("ready", StepOutcome::Passed, None);
        let summary = fold(&run.entries);
        assert_eq!(summary.recoveries[0].total_millis, None);
        assert_eq!(summary.objectives[0].value_millis, None);
        assert_eq!(summary.objectives[0].standing, Standing::Unproven);
        assert_eq!(summary.steps[1].took_millis, None);
        assert!(!summary.availability[0].complete);
        assert_eq!(summary.verdict, Some(Verdict::Interrupted));
    }
    assert_eq!(fold(&interrupted()).duration_millis, None, "two boots");
    assert_eq!(fold(&passed()).duration_millis, Some(26_210));
}

#[test]
fn an_objective_stands_by_its_error_bound() {
    let standing = |limit: u64, outcome: StepOutcome| {
        let mut run = Stream::open("node-lost", {
            let mut outline = drain_outline();
            if let Goal::RecoveryTime { limit_millis, .. } = &mut outline.objectives[0].goal {
                *limit_millis = limit;
            }
            outline
        });
        run.start("node").saw("node", What::T0, 0);
        run.saw_from("node", What::Recovered, 10_000, Some(9_000), None);
        let objective = fold(&run.end("node", outcome, None).entries).objectives[0].clone();
        assert_eq!(objective.upper_millis, Some(10_000));
        assert_eq!(objective.lower_millis, Some(9_000));
        objective.standing
    };
    assert_eq!(standing(10_000, StepOutcome::Passed), Standing::Met);
    assert_eq!(standing(9_999, StepOutcome::Passed), Standing::Unproven);
    assert_eq!(standing(9_000, StepOutcome::Passed), Standing::Unproven);
    assert_eq!(standing(8_999, StepOutcome::Passed), Standing::Missed);
    assert_eq!(standing(60_000, StepOutcome::Failed), Standing::Unproven);
}

#[test]
fn waiting_longer_than_the_limit_is_a_miss() {
    for (end, expected) in [(901_413, Standing::Missed), (901_412, Standing::Unproven)] {
        let mut run = shop_begun();
        run.phase("restore", "restoring", 5_000).end("restore", StepOutcome::Passed, None);
        run.start("ready").at(end).end("ready", StepOutcome::Failed, Some("timed out"));
        assert_eq!(fold(&run.entries).objectives[0].standing, expected);
    }
}

#[test]
fn a_fresh_backup_has_no_recovery_point() {
    let mut run = shop_begun();
    run.saw("restore", What::RecoveryPoint { age_millis: None }, 1_412);
    run.end("restore", StepOutcome::Passed, None);
    assert_eq!(fold(&run.entries).objectives[1].standing, Standing::NotApplicable);
    // What failed brought nothing back, however young its backup is.
    run.end("restore", StepOutcome::Failed, None);
    assert_eq!(fold(&run.entries).objectives[1].standing, Standing::Unproven);
}

#[test]
fn a_recovery_is_reported_although_nothing_asks() {
    let mut outline = shop_outline();
    outline.objectives.clear();
    let mut run = Stream::open("shop", outline);
    run.start("restore").saw("restore", What::T0, 100).phase("restore", "restoring", 200);
    run.end("restore", StepOutcome::Passed, None).saw("ready", What::Recovered, 900);
    let recoveries = fold(&run.entries).recoveries;
    assert_eq!(recoveries.len(), 1);
    assert_eq!((&*recoveries[0].until, recoveries[0].total_millis), ("ready", Some(800)));
}

#[test]
fn red_spans_are_summed() {
    let check = &fold(&missed()).availability[0];
    assert_eq!((check.red_spans, check.red_millis, check.longest_red_millis), (2, 5_200, 4_200));
    // Red until the end counts to the end; a span repeated without a break is one span.
    let mut run = shop_begun();
    run.saw("check:shop-answers", What::Red, 1_060).saw("check:shop-answers", What::Red, 2_060);
    run.saw("check:shop-answers", What::CheckEnded, 4_060);
    let check = &fold(&run.entries).availability[0];
    assert_eq!((check.red_spans, check.red_millis, check.longest_red_millis), (1, 3_000, 3_000));
    assert_eq!(check.seen_millis, 4_000);
}

#[test]
fn a_sweep_clears_leftovers_and_nothing_else() {
    let ended = interrupted();
    let before = fold(&ended);
    assert_eq!(before.leftovers.len(), 2);
    let mut run = shop_begun();
    run.entries = ended;
    run.crash(true).push(Event::UndoIntended {
        n: 1,
        attempt: 2,
        action: UndoAction::Delete,
        precondition: Default::default(),
    });
    assert_eq!(fold(&run.entries).leftovers, before.leftovers, "not before it is known");
    run.push(Event::UndoSettled { n: 1, outcome: UndoOutcome::Undone });
    run.push(Event::LeftoverCleared { n: 1, how: "deleted".into() });
    run.push(Event::LeftoverCleared { n: 2, how: "gone".into() });
    let after = fold(&run.entries);
    assert_eq!(after.leftovers, []);
    assert_eq!(after.exit_code, 3);
    assert_eq!(after.interruptions, before.interruptions);
    assert_eq!((after.ended, after.duration_millis), (before.ended, before.duration_millis));
    assert_eq!(after.verdict, before.verdict);
    assert_eq!(Summary::stored_is_true(&run.entries), Ok(Some(true)));
}

#[test]
fn the_first_reason_decides() {
    let mut run = shop_begun();
    run.close(Reason::Halt, None).crash(false).close(Reason::Interrupted, None);
    let summary = fold(&run.entries);
    assert_eq!(summary.reason, Some(Reason::Halt));
    assert_eq!(summary.verdict, Some(Verdict::Aborted));
    assert_eq!(summary.interruptions.len(), 1);
}

#[test]
fn what_is_no_run_is_refused() {
    let entries = passed();
    assert_eq!(Summary::fold(&[]), Err(FoldError::Empty));
    assert_eq!(Summary::fold(&entries[1..]), Err(FoldError::NotOpened("PlanMade")));
    let mut other = entries.clone();
    other[2].stream = "daemon".into();
    assert_eq!(Summary::fold(&other), Err(FoldError::OtherStream(2)));
    let mut twice = entries.clone();
    twice[3].event = entries[0].event.clone();
    assert_eq!(Summary::fold(&twice), Err(FoldError::OpenedTwice(3)));
}

/// An event of the samples, its instants anywhere.
fn any_entry() -> impl Strategy<Value = Entry> {
    let pool: Vec<Entry> = all().into_iter().flat_map(|(_, run, ..)| run).collect();
    let steps = prop::sample::select(vec!["restore", "ready", "check:shop-answers", "elsewhere"]);
    let what = prop_oneof![
        Just(What::T0),
        Just(What::Recovered),
        Just(What::Red),
        Just(What::Green),
        Just(What::CheckEnded),
        any::<u64>().prop_map(|millis| What::WatchLag { millis }),
        any::<Option<u64>>().prop_map(|age_millis| What::RecoveryPoint { age_millis }),
        prop::sample::select(vec!["queued", "restoring", "scheduled", "ready"])
            .prop_map(|name| What::Phase(name.to_owned())),
    ];
    let instant = || prop_oneof![0u64..50_000, any::<u64>()].prop_map(Mono);
    let observed = (steps, what, instant(), prop::option::of(instant())).prop_map(
        |(step, what, at, lower)| {
            let note = Some("a note\u{7}".to_owned());
            Event::Observed { step: step.to_owned(), what, at, lower, note }
        },
    );
    let known = prop::sample::select(pool).prop_map(|entry| entry.event);
    let event = prop_oneof![2 => observed, 3 => known]
        .prop_filter("opens once", |event| !matches!(event, Event::RunOpened { .. }));
    let process = prop::sample::select(vec!["drills-1/4711", "drills-1/4711", "drills-1/52"]);
    let boot = prop::sample::select(vec!["boot-a", "boot-a", "boot-a", "boot-b"]);
    let first = passed().swap_remove(0);
    (event, process, boot, instant()).prop_map(move |(event, process, boot, mono)| {
        let mut entry = first.clone();
        (entry.event, entry.mono) = (event, mono);
        (entry.process, entry.boot) = (process.to_owned(), boot.to_owned());
        entry
    })
}

fn check_figures(summary: &Summary) {
    for recovery in &summary.recoveries {
        let phases: u64 = recovery.phases.iter().map(|phase| phase.millis).sum();
        if let Some(total) = recovery.total_millis {
            assert_eq!(phases, total, "{recovery:?}");
            assert!(recovery.lower_millis.is_none_or(|lower| lower <= total), "{recovery:?}");
        } else {
            assert!(recovery.why.is_some(), "{recovery:?}");
        }
    }
    for check in &summary.availability {
        assert!(check.longest_red_millis <= check.red_millis, "{check:?}");
        assert!(check.red_millis <= check.seen_millis, "{check:?}");
    }
    let EffectCounts { undone, nothing_to_undo, not_ours, kept, left, open } =
        summary.effect_counts;
    let counted = undone + nothing_to_undo + not_ours + kept + left + open;
    assert_eq!(counted as usize, summary.effects.len());
}

/// Every form of the report, for the sake of not panicking, and its width.
fn check_forms(summary: &Summary) {
    let text = crate::report::text::render(summary);
    for line in text.lines() {
        assert!(crate::report::words::width(line) <= 80, "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    crate::report::json::render(summary).expect("json");
}

#[test]
fn every_prefix_of_every_sample_folds() {
    for (_, entries, ..) in all() {
        for end in 1..=entries.len() {
            let summary = fold(&entries[..end]);
            check_figures(&summary);
            check_forms(&summary);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Phases of both steps, seen in any order and at any time, before T0 and after the end too.
    #[test]
    fn phases_sum_to_the_recovery_time(
        phases in prop::collection::vec(
            (prop::bool::ANY, prop::sample::select(vec!["a", "b", "c", "d"]), 0u64..20_000),
            0..12,
        ),
        restored in 0u64..20_000,
        recovered in prop::collection::vec((0u64..20_000, prop::option::of(0u64..20_000)), 1..4),
    ) {
        let mut run = shop_begun();
        for (restore, name, at) in phases {
            run.phase(if restore { "restore" } else { "ready" }, name, at);
        }
        run.phase("restore", "restoring", restored);
        for (at, lower) in &recovered {
            run.saw_from("ready", What::Recovered, *at, *lower, None);
        }
        let summary = fold(&run.entries);
        check_figures(&summary);
        let end = recovered.iter().map(|(at, _)| *at).max().unwrap_or(0).max(restored);
        prop_assert_eq!(summary.recoveries[0].total_millis, Some(end.saturating_sub(1_412)));
    }

    #[test]
    fn whatever_the_journal_holds_folds(tail in prop::collection::vec(any_entry(), 0..60)) {
        let mut entries = vec![passed().swap_remove(0)];
        entries.extend(tail);
        let summary = fold(&entries);
        check_figures(&summary);
        check_forms(&summary);
    }
}
