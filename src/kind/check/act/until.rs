//! Checks that end a recovery: asked from T0 on, before their step begins and while others run.

use std::collections::BTreeSet;

use super::{super::Spec, Asked};
use crate::{
    clock::Mono,
    drill::{Drill, Goal, StepKind},
    run::step::Running,
};

/// The steps whose T0 begins what a check step ends: those of objectives that name it as `until`,
/// and the restore in whose sandbox it asks.
fn begins<'a>(drill: &'a Drill, step: &str, spec: &'a Spec) -> BTreeSet<&'a str> {
    let objectives = drill.objectives.iter().filter_map(|objective| match &objective.goal {
        Goal::RecoveryTime { from, until, .. } if until == step => Some(from.as_str()),
        _ => None,
    });
    objectives.chain(spec.question.within()).collect()
}

/// Begins to ask every check that ends a recovery which begins with step `from`; to be called just
/// before its T0. One that is asked already goes on: its window counts only from the end of the
/// damage on.
pub fn arm(run: &Running, from: &str) {
    for reader in &run.drill.steps {
        let StepKind::Check(spec) = &reader.kind else { continue };
        if !begins(&run.drill, &reader.name, spec).contains(from) {
            continue;
        }
        run.share(|shared| {
            shared.asked.entry(reader.name.clone()).or_insert_with(|| {
                let token = run.lever.token().child_token();
                let now = run.clock().mono();
                Asked::start(&run.asker, &reader.name, spec, now, token)
            });
        });
    }
}

/// From when on a window of the check step counts: when the damage was complete and the restore
/// over. Before that, what answers well may not have been lost yet, or be half of it. None if it
/// ends no recovery, or what begins it did not come so far.
pub(super) fn floor(run: &Running, step: &str, spec: &Spec) -> Option<Mono> {
    let begins = begins(&run.drill, step, spec);
    run.share(|shared| {
        let floors = begins.iter().map(|from| shared.floors.get(*from).copied());
        floors.collect::<Option<Vec<Mono>>>()?.into_iter().max()
    })
}
