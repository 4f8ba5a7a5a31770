//! Which backup is restored, and whether Velero can be trusted to do it. PURE.

use jiff::{SignedDuration, Timestamp};

use super::{
    Spec,
    object::{Backup, BackupPhase, Location},
    spec::Source,
};
use crate::kind::words::{list, span};

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

/// Chooses among `backups`: the named one, or the newest Completed one of the schedule by its own
/// start. A backup that expires before `needed_until` is passed over, because its expiry also
/// deletes every Restore that refers to it.
///
/// # Errors
/// One sentence that says why none will do.
pub fn choose<'a>(
    backups: &'a [Backup],
    spec: &Spec,
    needed_until: Timestamp,
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
        Source::NewestOf { schedule } => newest(backups, schedule, spec, needed_until),
    }
}

fn newest<'a>(
    backups: &'a [Backup],
    schedule: &str,
    spec: &Spec,
    needed_until: Timestamp,
) -> Result<Chosen<'a>, String> {
    let mut of_schedule: Vec<&Backup> = backups.iter().filter(|b| b.is_of(schedule)).collect();
    // Newest first. One without a start was never begun or not yet: it is the newest there is.
    of_schedule.sort_by_key(|b| {
        std::cmp::Reverse((b.started().unwrap_or(Timestamp::MAX), b.metadata.name.clone()))
    });
    let mut passed_over = Vec::new();
    for &backup in &of_schedule {
        match unfit(backup, &spec.namespaces, needed_until) {
            Ok(started) => {
                let mut findings: Vec<String> = passed_over
                    .iter()
                    .map(|(name, why)| format!("passed over: the newer backup {name} {why}"))
                    .collect();
                findings.extend(partial(backup));
                return Ok(Chosen { backup, started, findings });
            }
            Err(why) => passed_over.push((backup.metadata.name.as_str(), why)),
        }
    }
    let count = of_schedule.len();
    let Some((newest, why)) = passed_over.first() else {
        return Err(format!("no backup of schedule {schedule}"));
    };
    let completed = of_schedule.iter().any(|b| b.phase() == BackupPhase::Completed);
    let wanted = if completed { "usable" } else { "Completed" };
    Err(if count == 1 {
        format!("no {wanted} backup of schedule {schedule}: its only backup {newest} {why}")
    } else {
        // The newest Completed one tells more than a newer one that is still going.
        let (name, why, which) = of_schedule
            .iter()
            .position(|b| b.phase() == BackupPhase::Completed)
            .filter(|&at| at > 0)
            .map_or((*newest, why, "newest"), |at| {
                (passed_over[at].0, &passed_over[at].1, "newest Completed")
            });
        format!("no {wanted} backup of schedule {schedule}: {count} backups, {which} {name} {why}")
    })
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
