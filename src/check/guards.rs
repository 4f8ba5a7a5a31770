//! Guards: conditions without which nothing may start. All are asked at once, before anything is
//! changed. ACT.

use std::{collections::BTreeMap, sync::Arc};

use super::ask::{Answer, Asker};
use crate::{
    clock::Mono,
    drill::{Drill, Guard},
    run::house::House,
};

/// What a guard came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The guard's name.
    pub guard: String,
    /// Since when that is known: the instant at which its last question was asked.
    pub asked: Mono,
    /// Why it is not green, in one sentence; none = it is.
    pub why: Option<String>,
}

impl Told {
    /// Why nothing may start, if it may not.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("guard {} is not green: {why}", self.guard))
    }
}

/// Asks all guards, beside each other. Each is green once it had its `successes` good answers in a
/// row; its first other answer makes it red, because a guard that had to be asked again is no
/// reason to start.
pub async fn ask(asker: &Asker, guards: &[Guard]) -> Vec<Told> {
    futures::future::join_all(guards.iter().map(|guard| one(asker, guard))).await
}

/// Asks all guards of a drill for which no run is open yet, as a schedule does before it opens one.
/// A cluster that cannot be logged in to makes the guards red that look into it.
///
/// # Errors
/// If TLS cannot be set up.
pub async fn before(house: &House, drill: &Drill) -> Result<Vec<Told>, String> {
    let mut names: Vec<String> = drill
        .guards
        .iter()
        .filter_map(|guard| guard.question.cluster(&drill.cluster))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    let (clusters, failed) = house.connect(&names).await;
    let failed: BTreeMap<String, String> =
        failed.into_iter().map(|(name, error)| (name, error.to_string())).collect();
    let (config, clock) = (Arc::clone(&house.config), Arc::clone(&house.clock));
    let asker = Asker::new(config, clock, Arc::new(clusters), &drill.cluster)?;
    let mut told = ask(&asker, &drill.guards).await;
    for (told, guard) in told.iter_mut().zip(&drill.guards) {
        let cluster = guard.question.cluster(&drill.cluster);
        if let Some(why) = cluster.and_then(|name| failed.get(name)) {
            told.why = Some(why.clone());
        }
    }
    Ok(told)
}

async fn one(asker: &Asker, guard: &Guard) -> Told {
    let Guard { name, question, every, timeout, successes } = guard;
    let mut left = (*successes).max(1);
    loop {
        let asked = asker.clock().mono();
        let Answer { green, why, .. } = asker.ask(question, *timeout).await;
        left -= 1;
        if !green || left == 0 {
            let why = (!green).then(|| why.unwrap_or_else(|| "no answer".to_owned()));
            return Told { guard: name.clone(), asked, why };
        }
        let next = asked.plus(*every);
        tokio::time::sleep(next.since(asker.clock().mono())).await;
    }
}
