//! Jitter is the same for everyone, and spreads.

use std::collections::BTreeSet;

use super::*;

fn slot(text: &str) -> Timestamp {
    text.parse().expect(text)
}

#[test]
fn the_formula_is_kept() {
    let at = slot("2027-03-27T01:30:00Z");
    let max = Duration::from_secs(600);
    // printf 'firedrill jitter\nprod\nshop-comes-back\n1806111000000\n' | sha256sum
    // The first 16 digits as a number, times 600001, by 2^64.
    assert_eq!(jitter("prod", "shop-comes-back", at, max), Duration::from_millis(141_654));
}

#[test]
fn no_spread_is_none_and_all_of_it_is_used() {
    let at = slot("2027-03-27T01:30:00Z");
    assert_eq!(jitter("prod", "a", at, Duration::ZERO), Duration::ZERO);
    assert_eq!(jitter("prod", "a", at, Duration::from_nanos(999_999)), Duration::ZERO);
    // Three choices of a maximum of two milliseconds, each about as often.
    let mut counts = [0_u32; 3];
    for n in 0..3000 {
        let drawn = jitter("prod", &format!("drill-{n}"), at, Duration::from_millis(2));
        counts[usize::try_from(drawn.as_millis()).expect("at most 2")] += 1;
    }
    assert!(counts.iter().all(|count| (880..=1120).contains(count)), "{counts:?}");
}

#[test]
fn drills_slots_and_instances_differ() {
    let max = Duration::from_secs(3600);
    let slots = [slot("2027-03-27T01:30:00Z"), slot("2027-03-28T01:30:00Z")];
    let mut all = BTreeSet::new();
    for instance in ["prod", "stage"] {
        for drill in ["a", "b"] {
            all.extend(slots.map(|slot| jitter(instance, drill, slot, max)));
        }
    }
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|drawn| *drawn <= max));
}
