//! The list of kinds: what a step can do.
//!
//! PURE but for each kind's `act` file. Adding a kind is one folder here, one entry in [`KINDS`],
//! one arm of [`crate::drill::StepKind`], and one sample drill.

pub mod backup_freshness;
pub mod check;
pub mod drain_nodes;
pub mod etcd_snapshot;
pub mod owner;
pub mod velero_backup;
pub mod velero_restore;
pub mod window;
mod words;
pub mod workloads_ready;

/// What firedrill says about a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The key that it is written under.
    pub name: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Said while it runs.
    pub running: &'static str,
    /// Said when it has passed.
    pub done: &'static str,
    /// How what it does is undone, in one line; none for a kind that changes nothing.
    pub undo: Option<&'static str>,
}

/// All kinds, in the order in which people read about them.
pub const KINDS: [Kind; 7] = [
    Kind {
        name: "veleroRestore",
        doc: "Restores a Velero backup into closed sandbox namespaces, beside the original.",
        running: "restoring",
        done: "restored",
        undo: Some("waits until Velero is done with the Restore, then deletes the sandbox"),
    },
    Kind {
        name: "workloadsReady",
        doc: "Waits until every workload of a restore's sandbox is ready, and stays so.",
        running: "waiting for workloads",
        done: "ready",
        undo: None,
    },
    Kind {
        name: "drainNodes",
        doc: "Cordons nodes, evicts their pods under disruption budgets, and measures recovery.",
        running: "draining",
        done: "recovered elsewhere",
        undo: Some("uncordons the nodes at once; evicted pods stay where they went"),
    },
    Kind {
        name: "check",
        doc: "Asks a question until it is answered well often enough.",
        running: "checking",
        done: "answered",
        undo: None,
    },
    Kind {
        name: "veleroBackup",
        doc: "Makes a Velero backup, and proves that it holds what it should.",
        running: "backing up",
        done: "backed up",
        undo: Some("deletes the backup through Velero, unless the drill keeps it"),
    },
    Kind {
        name: "backupFreshness",
        doc: "Judges the age, the gaps and the size of Velero's backups, and changes nothing.",
        running: "judging backups",
        done: "fresh",
        undo: None,
    },
    Kind {
        name: "etcdSnapshot",
        doc: "Verifies the newest etcd snapshot of a store, as far as it is told to.",
        running: "verifying the snapshot",
        done: "verified",
        undo: None,
    },
];

/// The kind that is written under `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path, time::Duration};

    use super::*;
    use crate::{
        check::{HttpAt, HttpCheck, Question},
        drill::StepKind,
    };

    /// One step of each kind. The match makes a new kind fail to compile until it is listed.
    fn steps() -> Vec<StepKind> {
        let at = HttpAt::Target("t".into());
        let question =
            Question::Http(HttpCheck { at, path: "/".into(), status: 200, contains: None });
        let all = vec![
            StepKind::VeleroRestore(velero_restore::Spec {
                backup: velero_restore::spec::Source::Name("b".into()),
                namespaces: vec!["n".into()],
                also_restore: Vec::new(),
                into: None,
            }),
            StepKind::WorkloadsReady(workloads_ready::Spec {
                within: "restore".into(),
                stable_for: Duration::ZERO,
            }),
            StepKind::DrainNodes(drain_nodes::Spec {
                of: drain_nodes::spec::Candidates::Zone("a".into()),
                count: drain_nodes::spec::Amount::Count(1),
                pick: drain_nodes::spec::Pick::First,
                stable_for: Duration::ZERO,
                hold_until_end: false,
            }),
            StepKind::Check(check::Spec {
                question,
                successes: 1,
                every: Duration::ZERO,
                timeout: Duration::ZERO,
            }),
            StepKind::VeleroBackup(velero_backup::Spec {
                what: velero_backup::spec::What::Template { schedule: "s".into() },
                ttl: Duration::ZERO,
                keep: velero_backup::spec::Keep::Never,
                accept_within: None,
            }),
            StepKind::BackupFreshness(backup_freshness::Spec {
                of: velero_restore::spec::Of::Schedule("s".into()),
                max_age: Duration::ZERO,
                max_gap: None,
                window: Duration::ZERO,
                kept_for: None,
                max_shrink: None,
            }),
            StepKind::EtcdSnapshot(etcd_snapshot::Spec {
                store: "s".into(),
                max_age: Duration::ZERO,
                level: etcd_snapshot::spec::Level::Listed,
                window: Duration::ZERO,
                max_gap: None,
                prefix: None,
                pattern: None,
            }),
        ];
        for step in &all {
            match step {
                StepKind::VeleroRestore(_)
                | StepKind::WorkloadsReady(_)
                | StepKind::DrainNodes(_)
                | StepKind::Check(_)
                | StepKind::VeleroBackup(_)
                | StepKind::BackupFreshness(_)
                | StepKind::EtcdSnapshot(_) => {}
            }
        }
        all
    }

    #[test]
    fn the_list_and_the_steps_are_the_same_kinds() {
        let listed: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        let steps: BTreeSet<_> = steps().iter().map(StepKind::name).collect();
        assert_eq!(listed, steps);
        assert_eq!(listed.len(), KINDS.len(), "no name twice");
        assert!(KINDS.iter().all(|kind| find(kind.name) == Some(kind)));
    }

    #[test]
    fn every_kind_says_what_it_does_and_how_it_is_undone() {
        for kind in KINDS {
            assert!(kind.doc.ends_with('.') && kind.doc.len() > 20, "{}", kind.name);
            assert!(!kind.doc.contains('\n'), "{}", kind.name);
            for phrase in [kind.running, kind.done] {
                assert!(!phrase.is_empty(), "{}", kind.name);
                assert_eq!(phrase.to_lowercase(), phrase, "{}", kind.name);
            }
            assert!(kind.undo.is_none_or(|undo| undo.len() > 20), "{}", kind.name);
        }
    }

    #[test]
    fn every_kind_has_a_sample() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("drills");
        let text: String = fs::read_dir(&folder)
            .expect("drills/")
            .map(|file| file.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
            .map(|path| fs::read_to_string(path).expect("sample"))
            .collect();
        for kind in KINDS {
            let key = format!("{}:", kind.name);
            // As a key: at the start of a line, of a list's item or of a flow mapping.
            let found = text.lines().any(|line| {
                let line = line.trim_start().trim_start_matches("- ").trim_start_matches('{');
                line.starts_with(&key)
            });
            assert!(found, "no sample drill in drills/ has a step {}", kind.name);
        }
    }
}
