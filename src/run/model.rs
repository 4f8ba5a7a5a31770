//! The model test of crashes: a world where each call happens never, early, late or too late, and
//! a process that dies after every event of its journal, and dies again while it recovers.
//!
//! PURE. It runs [`super::closing::Closing`] against a model of what Kubernetes, Velero and people
//! do to it, with a clock of its own. What must hold in each world is in `explore`: the journal
//! is legal, the world is as it was or every difference is named, nothing of others was touched.

mod case;
mod explore;
mod judge;
mod random;
mod recovery;
mod sample;
mod shell;
mod world;

use explore::{Found, explore};
use sample::{Sample, again, both, node, node_again, shop};

use super::closing::Rules;

/// These samples with these rules, or until a violation says `until`.
fn model(rules: Rules, samples: &[Sample], until: Option<&str>) -> Found {
    let mut all = Found::default();
    for sample in samples {
        let found = explore(sample, rules, until);
        println!(
            "  {}: {} worlds, {} recoveries, {} violations",
            sample.name, found.worlds, found.recoveries, found.violations
        );
        all.worlds += found.worlds;
        all.recoveries += found.recoveries;
        all.violations += found.violations;
        for (words, (times, story)) in found.words {
            all.words.entry(words).or_insert((0, story)).0 += times;
        }
        if until.is_some_and(|words| all.words.keys().any(|kind| kind.contains(words))) {
            break;
        }
    }
    all
}

#[test]
fn every_crash_leaves_the_world_as_it_was_or_says_what_it_left() {
    let found = model(Rules::SOUND, &[shop(), node(), both(), again(), node_again()], None);
    for (words, (times, story)) in &found.words {
        println!("- {words} ({times} times; {story})");
    }
    println!(
        "model: {} worlds, {} recoveries, {} violations",
        found.worlds, found.recoveries, found.violations
    );
    assert_eq!(found.violations, 0);
    assert!(found.worlds >= 50_000, "pruned too far");
}

/// The model notices that a rule is missing, and sees what its absence is known to do.
fn notices(rules: Rules, samples: &[Sample], harm: &str) {
    let found = model(rules, samples, Some(harm));
    let seen = found.words.iter().find(|(words, _)| words.contains(harm));
    let (words, (_, story)) =
        seen.unwrap_or_else(|| panic!("{rules:?} is unsound, and the model sees no {harm:?}"));
    println!("noticed: {words} ({story})");
}

#[test]
fn without_the_settle_time_a_late_restore_outlives_its_sandbox() {
    let rules = Rules { settle_time: false, ..Rules::SOUND };
    notices(rules, &[shop()], "namespace fd-shop was deleted while a Restore could still act");
}

#[test]
fn taking_an_absence_for_a_proof_leaves_a_restore_without_its_sandbox() {
    let rules = Rules { absence_is_no_proof: false, ..Rules::SOUND };
    notices(rules, &[shop()], "namespace fd-shop was deleted while a Restore could still act");
}

#[test]
fn without_the_pin_to_the_uid_a_foreign_namespace_is_deleted() {
    let rules = Rules { pin_uid: false, ..Rules::SOUND };
    notices(rules, &[shop()], "namespace fd-shop was deleted, which Human made");
}

#[test]
fn undo_as_a_stack_pulls_the_sandbox_from_under_a_restore() {
    let rules = Rules { gates: false, ..Rules::SOUND };
    notices(rules, &[shop()], "was deleted while a Restore could still act");
}

#[test]
fn undo_as_a_stack_makes_a_node_wait() {
    let rules = Rules { gates: false, ..Rules::SOUND };
    notices(rules, &[node(), both()], "the node waited for something else");
}

#[test]
fn a_hasty_second_attempt_begins_beside_the_first() {
    let rules = Rules { attempts_apart: false, ..Rules::SOUND };
    notices(rules, &[again()], "attempt 2 began while namespace fd-shop was still on its way");
    notices(rules, &[again()], "attempt 2 began while restore velero/fd-restore was still");
    notices(rules, &[node_again()], "attempt 2 began while node node-1 was still");
}
