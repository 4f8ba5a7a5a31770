//! Which backup is restored, and whether Velero can be trusted to do it. PURE.

use jiff::{SignedDuration, Timestamp};

use sha2::{Digest, Sha256};

use super::{
    Spec,
    object::{Backup, BackupPhase, Location},
    spec::{Of, Source, Which},
};
use crate::kind::{
    drain_nodes::selector::Selector,
    words::{list, span},
};

/// The backup that is restored.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen<'a> {
    /// The backup.
    pub backup: &'a Backup,
    /// When Velero began to make it.
    pub started: Timestamp,
    /// One sentence for each thing that a reader should know: newer backups that were passed over,
    /// a filter that saves only part of a namespace.
    pub findings: Vec<String>,
}

/// Chooses among `backups`: the named one, or one of the Completed ones of a group by their own
/// start. A backup that expires before `needed_until` is passed over, because its expiry also
/// deletes every Restore that refers to it. `seed` is the run's id: the same run chooses the same
/// backup again.
///
/// # Errors
/// One sentence that says why none will do.
pub fn choose<'a>(
    backups: &'a [Backup],
    spec: &Spec,
    needed_until: Timestamp,
    seed: &str,
) -> Result<Chosen<'a>, String> {
    match &spec.backup {
        Source::Name(name) => {
            let backup = backups
                .iter()
                .find(|backup| backup.metadata.name == *name)
                .ok_or_else(|| format!("there is no backup {name}"))?;
            match unfit(backup, &spec.namespaces, needed_until) {
                Ok(started) => Ok(Chosen { backup, started, findings: partial(backup) }),
                Err(why) => Err(format!("backup {name} {why}")),
            }
        }
        Source::One { which, of } => one(backups, *which, of, spec, needed_until, seed),
        // Such a drill is refused before anybody asks.
        Source::Step(step) => Err(format!("this version makes no backup in step {step}")),
    }
}

fn one<'a>(
    backups: &'a [Backup],
    which: Which,
    of: &Of,
    spec: &Spec,
    needed_until: Timestamp,
    seed: &str,
) -> Result<Chosen<'a>, String> {
    let group = Group::of(of)?;
    let mut candidates: Vec<&Backup> = backups.iter().filter(|b| group.holds(b)).collect();
    order(&mut candidates, which, seed);
    let mut passed_over = Vec::new();
    for &backup in &candidates {
        match unfit(backup, &spec.namespaces, needed_until) {
            Ok(started) => {
                // Which of them a random choice would have met first says nothing.
                let told = match which {
                    Which::Newest => Some("newer"),
                    Which::Oldest => Some("older"),
                    Which::Random => None,
                };
                let mut findings: Vec<String> = told
                    .iter()
                    .flat_map(|order| {
                        passed_over.iter().map(move |(name, why)| {
                            format!("passed over: the {order} backup {name} {why}")
                        })
                    })
                    .collect();
                findings.extend(partial(backup));
                return Ok(Chosen { backup, started, findings });
            }
            Err(why) => passed_over.push((backup.metadata.name.as_str(), why)),
        }
    }
    let count = candidates.len();
    let Some((first, why)) = passed_over.first() else {
        return Err(format!("no backup {group}"));
    };
    let completed = candidates.iter().any(|b| b.phase() == BackupPhase::Completed);
    let wanted = if completed { "usable" } else { "Completed" };
    let first_of_all = match which {
        Which::Newest => "newest",
        Which::Oldest => "oldest",
        Which::Random => "one of them",
    };
    Err(if count == 1 {
        format!("no {wanted} backup {group}: its only backup {first} {why}")
    } else {
        // The first Completed one tells more than one before it that is still going.
        let (name, why, which) = candidates
            .iter()
            .position(|b| b.phase() == BackupPhase::Completed)
            .filter(|&at| at > 0 && which != Which::Random)
            .map_or((*first, why, first_of_all.to_owned()), |at| {
                (passed_over[at].0, &passed_over[at].1, format!("{first_of_all} Completed"))
            });
        format!("no {wanted} backup {group}: {count} backups, {which} {name} {why}")
    })
}

/// A group of backups, ready to be asked.
enum Group<'a> {
    Schedule(&'a str),
    Selector(Selector, &'a str),
}

impl<'a> Group<'a> {
    fn of(of: &'a Of) -> Result<Self, String> {
        Ok(match of {
            Of::Schedule(name) => Self::Schedule(name),
            Of::Selector(text) => {
                Self::Selector(Selector::parse(text).map_err(|error| error.to_string())?, text)
            }
        })
    }

    fn holds(&self, backup: &Backup) -> bool {
        match self {
            Self::Schedule(name) => backup.is_of(name),
            Self::Selector(selector, _) => selector.matches(backup.metadata.labels.as_ref()),
        }
    }
}

impl std::fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Schedule(name) => write!(f, "of schedule {name}"),
            Self::Selector(_, text) => write!(f, "with the labels {text}"),
        }
    }
}

/// Brings the candidates into the order in which they are asked. One without a start was never
/// begun or not yet: it is the newest there is.
fn order(candidates: &mut [&Backup], which: Which, seed: &str) {
    let by_start = |b: &&Backup| (b.started().unwrap_or(Timestamp::MAX), b.metadata.name.clone());
    match which {
        Which::Newest => candidates.sort_by_key(|b| std::cmp::Reverse(by_start(b))),
        Which::Oldest => candidates.sort_by_key(by_start),
        // By a hash of run and name: another run most likely chooses another, and none is
        // preferred.
        Which::Random => candidates.sort_by_key(|b| {
            let mut hash = Sha256::new();
            hash.update((seed.len() as u64).to_be_bytes());
            hash.update(seed.as_bytes());
            hash.update(b.metadata.name.as_bytes());
            hash.finalize().to_vec()
        }),
    }
}

/// When the backup began, if it will do; else why not, to be read after its name.
fn unfit(
    backup: &Backup,
    namespaces: &[String],
    needed_until: Timestamp,
) -> Result<Timestamp, String> {
    match backup.phase() {
        BackupPhase::Completed => {}
        BackupPhase::Failed | BackupPhase::PartiallyFailed => {
            let status = backup.status.as_ref();
            let cause = status.and_then(|s| s.failure_reason.as_deref()).filter(|r| !r.is_empty());
            let errors = status.and_then(|s| s.errors).filter(|&n| n > 0);
            return Err(match (cause, errors) {
                (Some(cause), _) => format!("is {}: {cause}", backup.phase()),
                (None, Some(errors)) => format!("is {} with {errors} errors", backup.phase()),
                (None, None) => format!("is {}", backup.phase()),
            });
        }
        other => return Err(format!("is {other}")),
    }
    let started = backup.started().ok_or_else(|| "has no startTimestamp".to_owned())?;
    if let Some(expiry) = backup.status.as_ref().and_then(|status| status.expiration)
        && expiry <= needed_until
    {
        return Err(format!("expires at {expiry}, before this drill must end"));
    }
    let missing: Vec<&str> =
        namespaces.iter().map(String::as_str).filter(|name| !includes(backup, name)).collect();
    if missing.is_empty() {
        Ok(started)
    } else {
        Err(format!("does not include namespace {}", list(&missing)))
    }
}

/// Whether the backup's namespace filter takes `namespace` in.
#[must_use]
pub fn includes(backup: &Backup, namespace: &str) -> bool {
    let of = |list: &Option<Vec<String>>| {
        list.iter().flatten().any(|pattern| glob(pattern.as_bytes(), namespace.as_bytes()))
    };
    let all = backup.spec.included_namespaces.as_ref().is_none_or(Vec::is_empty);
    (all || of(&backup.spec.included_namespaces)) && !of(&backup.spec.excluded_namespaces)
}

/// A glob with `*` and `?`. Anything else that Velero's globs know stands for itself here, so that
/// a doubtful pattern refuses a backup and never accepts one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // The usual walk with one place to come back to: linear but for the retries after a star.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// What Velero's server excludes from every backup by itself: its CSI plugin saves them.
const EXCLUDED_BY_VELERO: &str = "volumesnapshots.snapshot.storage.k8s.io";

/// One sentence if the backup saves only part of its namespaces.
fn partial(backup: &Backup) -> Vec<String> {
    let spec = &backup.spec;
    let some = |list: &Option<Vec<String>>| list.iter().flatten().any(|name| name != "*");
    let any =
        |list: &Option<Vec<String>>| list.iter().flatten().any(|name| name != EXCLUDED_BY_VELERO);
    let filters: Vec<&str> = [
        ("labelSelector", spec.label_selector.is_some()),
        ("orLabelSelectors", spec.or_label_selectors.as_ref().is_some_and(|all| !all.is_empty())),
        ("includedResources", some(&spec.included_resources)),
        ("excludedResources", any(&spec.excluded_resources)),
        ("includedNamespaceScopedResources", some(&spec.included_namespace_scoped_resources)),
        ("excludedNamespaceScopedResources", any(&spec.excluded_namespace_scoped_resources)),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
    .collect();
    if filters.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "backup {} saves only part of its namespaces ({})",
            backup.metadata.name,
            list(&filters)
        )]
    }
}

/// The location that a backup lies in: the one it names, else the default one.
#[must_use]
pub fn location_of<'a>(backup: &Backup, locations: &'a [Location]) -> Option<&'a Location> {
    match backup.spec.storage_location.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => locations.iter().find(|location| location.metadata.name == name),
        None => locations.iter().find(|location| location.spec.is_default == Some(true)),
    }
}

/// Whether Velero is alive and can read the location. The phase alone proves nothing: it stays as
/// it was when Velero is down, so the last look must be younger than three of Velero's own
/// periods (and 30 s at least).
///
/// `Ok(Some(sentence))` = nothing speaks against it, but nothing proves it either: validation is
/// off.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn judge_location(location: &Location, now: Timestamp) -> Result<Option<String>, String> {
    let name = &location.metadata.name;
    let status = location.status.clone().unwrap_or_default();
    match status.phase.as_deref() {
        Some("Available") => {}
        phase => {
            let phase = phase.filter(|p| !p.is_empty()).unwrap_or("not validated yet");
            return Err(match status.message.as_deref().filter(|m| !m.is_empty()) {
                Some(message) => format!("location {name} is {phase}: {message}"),
                None => format!("location {name} is {phase}"),
            });
        }
    }
    let every = location.validation_frequency();
    if every.is_zero() {
        return Ok(Some(format!(
            "location {name} is never validated (validationFrequency 0), so nothing shows that \
             Velero runs"
        )));
    }
    let Some(last) = status.last_validation_time else {
        return Err(format!("Velero has never validated location {name}; is it running?"));
    };
    let limit = every.saturating_mul(3).max(SignedDuration::from_secs(30));
    let age = now.duration_since(last);
    if age > limit {
        return Err(format!(
            "Velero has not validated location {name} for {}; is it running?",
            span(age)
        ));
    }
    if -age > limit {
        return Err(format!(
            "Velero validated location {name} {} in the future; the clocks differ",
            span(-age)
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
