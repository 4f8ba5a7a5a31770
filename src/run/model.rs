//! The model test of crashes: a world where each call happens never, early, late or too late, and
//! a process that dies after every event of its journal, and dies again while it recovers.
//!
//! PURE. It runs [`super::closing::Closing`] against a model of what Kubernetes, Velero and people
//! do to it, with a clock of its own. What must hold in each world is in `explore`: the journal
//! is legal, the world is as it was or every difference is named, nothing of others was touched.

mod case;
mod explore;
mod sample;
mod shell;
mod world;

use explore::{Found, explore};
use sample::{both, node, shop};

use super::closing::Rules;

/// All samples, with these rules.
fn model(rules: Rules, first_only: bool) -> Found {
    let mut all = Found::default();
    for sample in [shop(), node(), both()] {
        let found = explore(&sample, rules, first_only);
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
    }
    all
}

#[test]
fn every_crash_leaves_the_world_as_it_was_or_says_what_it_left() {
    let found = model(Rules::SOUND, false);
    for (words, (times, story)) in &found.words {
        println!("- {words} ({times} times; {story})");
    }
    println!(
        "model: {} worlds, {} recoveries, {} violations",
        found.worlds, found.recoveries, found.violations
    );
    assert_eq!(found.violations, 0);
}

/// Whether the model notices that a rule is missing.
fn is_noticed(rules: Rules) {
    let found = model(rules, true);
    let first = found.words.first_key_value();
    let (words, (_, story)) =
        first.unwrap_or_else(|| panic!("the model does not notice that {rules:?} is unsound"));
    println!("noticed: {words} ({story})");
}

#[test]
fn without_the_settle_time_it_is_noticed() {
    is_noticed(Rules { settle_time: false, ..Rules::SOUND });
}

#[test]
fn taking_an_absence_for_a_proof_is_noticed() {
    is_noticed(Rules { absence_is_no_proof: false, ..Rules::SOUND });
}

#[test]
fn without_the_pin_to_the_uid_it_is_noticed() {
    is_noticed(Rules { pin_uid: false, ..Rules::SOUND });
}

#[test]
fn undo_as_a_stack_is_noticed() {
    is_noticed(Rules { gates: false, ..Rules::SOUND });
}
