//! What is asked of Velero, what its answer means, and when undo may go on. PURE.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{Backup, Restore, RestorePhase};
use crate::{
    clock::{Mono, millis},
    kind::words::{count, span},
    mark::{Mark, RUN, object_name},
};

/// Prefix of Velero's words when its server restarted under a running Restore.
const SERVER_RESTARTED: &str = "found a restore with status";

/// What a Restore asks for.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The effect's mark.
    pub mark: &'a Mark,
    /// Velero's namespace.
    pub velero_namespace: &'a str,
    /// The backup's name.
    pub backup: &'a str,
    /// Namespaces of the backup to their sandbox namespaces.
    pub mapping: &'a BTreeMap<String, String>,
    /// What may come back, from [`crate::sandbox::resources`].
    pub resources: &'a [String],
    /// How long Velero waits for asynchronous plugin operations.
    pub item_operation_timeout: Duration,
}

/// The name of the Restore that effect `effect` of `run` creates.
#[must_use]
pub fn restore_name(run: &str, effect: u32) -> String {
    object_name(run, effect, "restore")
}

/// The body of the Restore.
///
/// `includedNamespaces` are exactly the mapping's keys, because Velero puts an unmapped namespace
/// back under its own name. `includeClusterResources` stays unset, so that PVs come through their
/// claims and are renamed; with `false` a claim would come back naming production's PV.
/// `restoreStatus` stays unset, so that nothing claims to be ready before it is.
#[must_use]
pub fn restore_body(order: &Order<'_>) -> Value {
    let namespaces: Vec<&String> = order.mapping.keys().collect();
    json!({
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {
            "name": restore_name(&order.mark.run, order.mark.effect),
            "namespace": order.velero_namespace,
            "labels": order.mark.labels(),
            "annotations": order.mark.annotations(None),
        },
        "spec": {
            "backupName": order.backup,
            "includedNamespaces": namespaces,
            "namespaceMapping": order.mapping,
            "includedResources": order.resources,
            "existingResourcePolicy": "none",
            // Go's duration syntax.
            "itemOperationTimeout": format!("{}s", order.item_operation_timeout.as_secs()),
        },
    })
}

/// Where a Restore stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not at its end.
    Going {
        /// Velero's phase; empty if it has not picked the Restore up.
        phase: String,
        /// The phase says already that it will not be Completed.
        will_fail: bool,
    },
    /// Completed without an error.
    Passed {
        /// Something to tell: the warnings.
        finding: Option<String>,
    },
    /// At its end, and not Completed.
    Failed {
        /// The cause in one sentence.
        why: String,
        /// Velero itself broke off (its server restarted), which says nothing about the backup.
        infrastructure: bool,
    },
}

/// What a Restore's status means.
#[must_use]
pub fn judge(restore: &Restore) -> Standing {
    let name = &restore.metadata.name;
    let status = restore.status.clone().unwrap_or_default();
    let errors = status.errors.unwrap_or(0);
    let reason = status.failure_reason.as_deref().filter(|reason| !reason.is_empty());
    let failed = |why: String| Standing::Failed {
        why,
        infrastructure: reason.is_some_and(|reason| reason.starts_with(SERVER_RESTARTED)),
    };
    match restore.phase() {
        RestorePhase::Going(phase) => {
            let will_fail = phase.ends_with("PartiallyFailed");
            Standing::Going { phase, will_fail }
        }
        RestorePhase::Completed if errors > 0 => {
            failed(format!("restore {name} says Completed, but with {errors} errors"))
        }
        // Velero writes progress once more at the end, so an empty one means an empty restore.
        RestorePhase::Completed
            if status.progress.as_ref().is_some_and(|p| p.total_items.unwrap_or(0) == 0) =>
        {
            failed(format!("restore {name} says Completed, but restored nothing"))
        }
        RestorePhase::Completed => Standing::Passed {
            finding: status.warnings.filter(|&warnings| warnings > 0).map(|warnings| {
                let warnings = count(usize::try_from(warnings).unwrap_or(0), "warning");
                format!("restore {name} has {warnings}; existing objects are skipped")
            }),
        },
        RestorePhase::PartiallyFailed => failed(match reason {
            Some(reason) => format!("restore {name} is PartiallyFailed: {reason}"),
            None => format!("restore {name} is PartiallyFailed with {errors} errors"),
        }),
        RestorePhase::Failed => failed(match reason {
            Some(reason) => format!("restore {name} is Failed: {reason}"),
            None => format!("restore {name} is Failed, and Velero does not say why"),
        }),
        RestorePhase::FailedValidation => {
            let cause = status.validation_errors.unwrap_or_default().join("; ");
            let cause = if cause.is_empty() { "Velero does not say why" } else { &cause };
            failed(format!("Velero refused restore {name}: {cause}"))
        }
    }
}

/// Why to stop waiting for Velero to pick the Restore up: it was sent at `sent` and is still
/// untouched after `accept`.
#[must_use]
pub fn not_accepted(restore: &Restore, sent: Mono, now: Mono, accept: Duration) -> Option<String> {
    let waited = now.since(sent);
    (!picked_up(restore) && waited > accept).then(|| {
        format!(
            "Velero has not picked up restore {} for {}; is it running?",
            restore.metadata.name,
            span(jiff::SignedDuration::try_from(waited).unwrap_or(jiff::SignedDuration::MAX)),
        )
    })
}

/// Whether Velero has touched the Restore: it set a phase, or its finalizer. One that it has not
/// may be deleted pinned to UID and resourceVersion, without waiting.
#[must_use]
pub fn picked_up(restore: &Restore) -> bool {
    restore.phase() != RestorePhase::Going(String::new())
        || restore.metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty())
}

/// Whether Velero will not act on the Restore any more. An unknown phase is none of the ends.
#[must_use]
pub fn terminal(restore: &Restore) -> bool {
    !matches!(restore.phase(), RestorePhase::Going(_))
}

/// Whether a Restore of ours may still write into the sandbox: picked up and not at its end. The
/// gate of the sandbox's undo.
#[must_use]
pub fn may_still_act(restore: &Restore) -> bool {
    picked_up(restore) && !terminal(restore)
}

/// The age of what a restore brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryPoint {
    /// What came back is as old as this at T0.
    Age {
        /// Milliseconds.
        millis: u64,
        /// From what it was taken.
        note: String,
    },
    /// The figure would mean nothing, and why.
    NotApplicable(String),
    /// It could not be measured, and why. Never a success.
    Unproven(String),
}

impl RecoveryPoint {
    /// The age in milliseconds, if there is one.
    #[must_use]
    pub fn age_millis(&self) -> Option<u64> {
        match self {
            Self::Age { millis, .. } => Some(*millis),
            Self::NotApplicable(_) | Self::Unproven(_) => None,
        }
    }

    /// What a reader should know about the figure.
    #[must_use]
    pub fn note(&self) -> &str {
        match self {
            Self::Age { note, .. } | Self::NotApplicable(note) | Self::Unproven(note) => note,
        }
    }
}

/// The recovery point of a restore that began at `t0` (wall time) by run `run`: `t0` minus the
/// start of the backup. The start, not the end: what was written while the backup ran may be
/// missing from it.
#[must_use]
pub fn recovery_point(backup: &Backup, t0: Timestamp, run: &str) -> RecoveryPoint {
    let name = &backup.metadata.name;
    let by = backup.metadata.labels.as_ref().and_then(|labels| labels.get(RUN));
    if by.is_some_and(|by| by == run) {
        return RecoveryPoint::NotApplicable(format!("backup {name} was made by this run"));
    }
    let Some(started) = backup.started() else {
        return RecoveryPoint::Unproven(format!("backup {name} has no startTimestamp"));
    };
    let age = t0.duration_since(started);
    match Duration::try_from(age) {
        Ok(age) => RecoveryPoint::Age {
            millis: millis(age),
            note: format!("from the startTimestamp {started} of backup {name}"),
        },
        Err(_) => RecoveryPoint::Unproven(format!(
            "backup {name} started {} after T0; the clocks differ",
            span(-age)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(meta: Value, status: Value) -> Restore {
        let mut object = json!({"metadata": {"name": "fd-x"}, "status": status});
        for (key, value) in meta.as_object().expect("object") {
            object["metadata"][key] = value.clone();
        }
        Restore::parse(&object).expect("readable")
    }

    #[test]
    fn the_body_maps_every_namespace_and_leaves_the_rest_unset() {
        let mark = Mark { instance: "lab".into(), run: "r".into(), effect: 3, epoch: 1 };
        let mapping = BTreeMap::from([
            ("db".to_owned(), "fd-b-db".to_owned()),
            ("shop".to_owned(), "fd-a-shop".to_owned()),
        ]);
        let resources = crate::sandbox::resources(&[], &[]).expect("allowed");
        let body = restore_body(&Order {
            mark: &mark,
            velero_namespace: "velero",
            backup: "shop-1",
            mapping: &mapping,
            resources: &resources,
            item_operation_timeout: Duration::from_secs(3600),
        });
        assert_eq!(body["metadata"]["name"], restore_name("r", 3));
        assert_eq!(body["metadata"]["labels"][RUN], "r");
        assert_eq!(body["metadata"]["annotations"][crate::mark::EFFECT], "3");
        let spec = body["spec"].as_object().expect("spec");
        assert_eq!(spec["includedNamespaces"], json!(["db", "shop"]));
        assert_eq!(spec["namespaceMapping"], json!({"db": "fd-b-db", "shop": "fd-a-shop"}));
        assert_eq!(spec["includedResources"], json!(crate::sandbox::RESTORABLE));
        assert_eq!(spec["existingResourcePolicy"], "none");
        assert_eq!(spec["itemOperationTimeout"], "3600s");
        for unset in ["includeClusterResources", "restoreStatus", "scheduleName"] {
            assert!(!spec.contains_key(unset), "{unset}");
        }
    }

    #[test]
    fn each_end_has_one_sentence() {
        for (status, want) in [
            (json!({"phase": "Completed"}), Ok(None)),
            (
                json!({"phase": "Completed", "warnings": 3,
                       "progress": {"totalItems": 9, "itemsRestored": 9}}),
                Ok(Some("restore fd-x has 3 warnings; existing objects are skipped")),
            ),
            (
                json!({"phase": "Completed", "errors": 1}),
                Err("restore fd-x says Completed, but with 1 errors"),
            ),
            (
                json!({"phase": "Completed", "progress": {}}),
                Err("restore fd-x says Completed, but restored nothing"),
            ),
            (
                json!({"phase": "PartiallyFailed", "errors": 2}),
                Err("restore fd-x is PartiallyFailed with 2 errors"),
            ),
            (
                json!({"phase": "Failed", "failureReason": "boom"}),
                Err("restore fd-x is Failed: boom"),
            ),
            (
                json!({"phase": "FailedValidation",
                       "validationErrors": ["no such backup", "bad mapping"]}),
                Err("Velero refused restore fd-x: no such backup; bad mapping"),
            ),
        ] {
            let standing = judge(&restore(json!({}), status.clone()));
            let got = match &standing {
                Standing::Passed { finding } => Ok(finding.as_deref()),
                Standing::Failed { why, .. } => Err(why.as_str()),
                Standing::Going { .. } => panic!("{status} is an end"),
            };
            assert_eq!(got, want, "{status}");
        }
    }

    #[test]
    fn a_restarted_server_is_told_from_a_bad_backup() {
        let restarted = json!({"phase": "Failed",
            "failureReason": "found a restore with status \"InProgress\" during the server \
                              starting, mark it as \"Failed\""});
        assert!(matches!(
            judge(&restore(json!({}), restarted)),
            Standing::Failed { infrastructure: true, .. }
        ));
        assert!(matches!(
            judge(&restore(json!({}), json!({"phase": "Failed", "failureReason": "boom"}))),
            Standing::Failed { infrastructure: false, .. }
        ));
    }

    #[test]
    fn what_is_not_an_end_goes_on() {
        for (phase, will_fail) in [
            ("New", false),
            ("InProgress", false),
            ("Finalizing", false),
            ("WaitingForPluginOperations", false),
            ("WaitingForPluginOperationsPartiallyFailed", true),
            ("FinalizingPartiallyFailed", true),
            ("Teleporting", false),
        ] {
            let restore = restore(json!({}), json!({"phase": phase}));
            assert_eq!(judge(&restore), Standing::Going { phase: phase.into(), will_fail });
            assert!(picked_up(&restore) && !terminal(&restore) && may_still_act(&restore));
        }
    }

    #[test]
    fn undo_knows_what_velero_has_touched() {
        let fresh = restore(json!({}), json!({}));
        assert!(!picked_up(&fresh) && !terminal(&fresh) && !may_still_act(&fresh));
        let finalizer = json!({
            "finalizers": ["restores.velero.io/external-resources-finalizer"],
        });
        let held = restore(finalizer.clone(), json!({}));
        assert!(picked_up(&held) && may_still_act(&held));
        let done = restore(finalizer, json!({"phase": "PartiallyFailed"}));
        assert!(picked_up(&done) && terminal(&done) && !may_still_act(&done));
    }

    #[test]
    fn an_untouched_restore_is_given_up_after_a_while() {
        let fresh = restore(json!({}), json!({}));
        let accept = Duration::from_secs(60);
        assert_eq!(not_accepted(&fresh, Mono(0), Mono(60_000), accept), None);
        assert_eq!(
            not_accepted(&fresh, Mono(0), Mono(61_000), accept).as_deref(),
            Some("Velero has not picked up restore fd-x for 61 s; is it running?")
        );
        let taken = restore(json!({}), json!({"phase": "InProgress"}));
        assert_eq!(not_accepted(&taken, Mono(0), Mono(9_000_000), accept), None);
    }

    #[test]
    fn the_recovery_point_is_the_age_of_the_backups_start() {
        let t0: Timestamp = "2026-08-10T04:00:00Z".parse().expect("timestamp");
        let backup = |labels: Value, started: Value| {
            Backup::parse(&json!({
                "metadata": {"name": "b", "labels": labels,
                             "creationTimestamp": "2026-08-10T03:59:00Z"},
                "status": {"phase": "Completed", "startTimestamp": started,
                           "completionTimestamp": "2026-08-10T03:30:00Z"},
            }))
            .expect("readable")
        };
        let at = json!("2026-08-10T03:00:00Z");
        assert_eq!(
            recovery_point(&backup(json!({}), at.clone()), t0, "r").age_millis(),
            Some(3_600_000)
        );
        let others = backup(json!({RUN: "another"}), at.clone());
        assert_eq!(recovery_point(&others, t0, "r").age_millis(), Some(3_600_000));
        assert!(matches!(
            recovery_point(&backup(json!({RUN: "r"}), at), t0, "r"),
            RecoveryPoint::NotApplicable(_)
        ));
        assert!(matches!(
            recovery_point(&backup(json!({}), json!(null)), t0, "r"),
            RecoveryPoint::Unproven(_)
        ));
        let late = recovery_point(&backup(json!({}), json!("2026-08-10T04:00:05Z")), t0, "r");
        assert_eq!(
            late,
            RecoveryPoint::Unproven("backup b started 5 s after T0; the clocks differ".into())
        );
    }
}
