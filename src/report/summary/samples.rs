//! Runs as the journal would hold them, for golden files and property tests.

use std::collections::BTreeMap;

use crate::{
    clock::Mono,
    drill::{Goal, Objective, Outline, StepOutline, When},
    mark::Mark,
    run::event::{
        AbsentBy, Entry, Event, Evidence, Finding, Gate, Intent, Precondition, Reason, Settled,
        Severity, StepOutcome, Target, Trigger, Undo, UndoAction, UndoOutcome, Verb, Verdict, What,
    },
};

pub(crate) const RUN: &str = "0199a3c2-7f3e-7a10-8bcd-0242ac120002";
/// The instant of CLOCK_BOOTTIME at which every sample opens.
const OPENED: u64 = 1_000_000;

/// A stream that is being written.
pub(crate) struct Stream {
    pub(crate) entries: Vec<Entry>,
    boot: &'static str,
    process: &'static str,
    /// Milliseconds since the run opened.
    now: u64,
    /// Subtracted from the clock: another boot counts from elsewhere.
    rebooted: u64,
}

impl Stream {
    pub(crate) fn open(drill: &str, outline: Outline) -> Self {
        let mut stream =
            Self { entries: vec![], boot: "boot-a", process: "drills-1/4711", now: 0, rebooted: 0 };
        stream.push(Event::RunOpened {
            run: RUN.into(),
            drill: drill.into(),
            definition: "kind: Drill\n".into(),
            definition_hash: "5f3c".repeat(16),
            outline: Box::new(outline),
            trigger: Trigger::Slot("2026-11-23T03:00:00Z".into()),
            instance: "berlin".into(),
            clusters: vec!["production".into()],
            versions: BTreeMap::from([("firedrill".into(), "0.1.0".into())]),
        });
        stream
    }

    /// Moves the clock to this many milliseconds after the opening.
    pub(crate) fn at(&mut self, now: u64) -> &mut Self {
        self.now = now;
        self
    }

    /// Another process goes on, on another boot of the machine if `reboot`.
    pub(crate) fn crash(&mut self, reboot: bool) -> &mut Self {
        self.process = "drills-1/52";
        if reboot {
            self.boot = "boot-b";
            self.rebooted = OPENED;
        }
        let (process, last_seq) = (self.process.into(), self.entries.len() as u64 - 1);
        self.push(Event::RunRecovered { process, same_boot: !reboot, last_seq })
    }

    fn mono(&self, millis: u64) -> Mono {
        Mono(OPENED + millis - self.rebooted)
    }

    pub(crate) fn push(&mut self, event: Event) -> &mut Self {
        let opened: jiff::Timestamp = "2026-11-23T03:00:04Z".parse().expect("a timestamp");
        self.entries.push(Entry {
            stream: RUN.into(),
            seq: self.entries.len() as u64,
            prev: "0".repeat(64),
            wall: opened
                + jiff::SignedDuration::from_millis(i64::try_from(self.now).expect("short")),
            boot: self.boot.into(),
            mono: self.mono(self.now),
            process: self.process.into(),
            epoch: 3,
            event,
        });
        self
    }

    pub(crate) fn start(&mut self, step: &str) -> &mut Self {
        self.start_again(step, 1)
    }

    pub(crate) fn start_again(&mut self, step: &str, attempt: u32) -> &mut Self {
        self.push(Event::StepStarted { step: step.into(), attempt })
    }

    pub(crate) fn end(&mut self, step: &str, outcome: StepOutcome, why: Option<&str>) -> &mut Self {
        self.push(Event::StepEnded {
            step: step.into(),
            outcome,
            why: why.map(Into::into),
            measures: BTreeMap::new(),
        })
    }

    pub(crate) fn end_with(&mut self, step: &str, measures: serde_json::Value) -> &mut Self {
        self.push(Event::StepEnded {
            step: step.into(),
            outcome: StepOutcome::Passed,
            why: None,
            measures: serde_json::from_value(measures).expect("an object"),
        })
    }

    pub(crate) fn saw(&mut self, step: &str, what: What, at: u64) -> &mut Self {
        self.saw_from(step, what, at, None, None)
    }

    pub(crate) fn phase(&mut self, step: &str, name: &str, at: u64) -> &mut Self {
        self.saw(step, What::Phase(name.into()), at)
    }

    pub(crate) fn saw_from(
        &mut self,
        step: &str,
        what: What,
        at: u64,
        lower: Option<u64>,
        note: Option<&str>,
    ) -> &mut Self {
        let (at, lower) = (self.mono(at), lower.map(|lower| self.mono(lower)));
        let note = note.map(Into::into);
        self.push(Event::Observed { step: step.into(), what, at, lower, note })
    }

    pub(crate) fn intend(
        &mut self,
        n: u32,
        step: &str,
        verb: Verb,
        target: Target,
        undo: Undo,
    ) -> &mut Self {
        self.push(Event::EffectIntended(Box::new(Intent {
            n,
            attempt: 1,
            step: step.into(),
            verb,
            cluster: "production".into(),
            target,
            digest: "ab".repeat(32),
            precondition: Precondition::default(),
            prior: None,
            mark: Mark { instance: "berlin".into(), run: RUN.into(), effect: n, epoch: 3 },
            send_by: self.mono(self.now + 15_000),
            undo,
        })))
    }

    pub(crate) fn applied(&mut self, n: u32) -> &mut Self {
        let settled = Settled::Applied { uid: format!("uid-{n}"), by: Evidence::Answered };
        self.push(Event::EffectSettled { n, settled })
    }

    pub(crate) fn undo(&mut self, n: u32, action: UndoAction) -> &mut Self {
        let precondition = Precondition { uid: Some(format!("uid-{n}")), resource_version: None };
        self.push(Event::UndoIntended { n, attempt: 1, action, precondition });
        self.push(Event::UndoSettled { n, outcome: UndoOutcome::Undone })
    }

    pub(crate) fn close(&mut self, reason: Reason, why: Option<&str>) -> &mut Self {
        self.push(Event::RunClosing { reason, why: why.map(Into::into) })
    }

    /// Ends the run as the driver does: the summary is the fold of what stands before.
    pub(crate) fn finish(&mut self) -> Vec<Entry> {
        let summary = super::Summary::fold(&self.entries).expect("a run");
        // Later than what it sums up, as it is in the journal.
        self.now += 7;
        self.push(Event::RunEnded {
            verdict: summary.verdict.expect("closed"),
            leftovers: u32::try_from(summary.leftovers.len()).expect("few"),
            summary: serde_json::to_value(&summary).expect("json"),
            summary_version: super::SUMMARY_VERSION,
        });
        self.entries.clone()
    }
}

pub(crate) fn target(kind: &str, plural: &str, namespace: Option<&str>, name: &str) -> Target {
    Target {
        group: if kind == "Restore" { "velero.io".into() } else { String::new() },
        version: "v1".into(),
        kind: kind.into(),
        plural: plural.into(),
        namespace: namespace.map(Into::into),
        name: name.into(),
    }
}

pub(crate) fn deletes(gate: Option<Gate>, after: &[u32]) -> Undo {
    Undo::By { action: UndoAction::Delete, gate, after: after.to_vec() }
}

fn outline(steps: &[(&str, &str)], objectives: Vec<Objective>, checks: &[&str]) -> Outline {
    Outline {
        steps: steps
            .iter()
            .map(|(name, kind)| StepOutline {
                name: (*name).into(),
                kind: (*kind).into(),
                when: When::Passed,
                attempts: 1,
                reads: vec![],
            })
            .collect(),
        objectives,
        checks: checks.iter().map(|check| (*check).to_owned()).collect(),
        undo_patience_millis: 900_000,
        settle_millis: 30_000,
        ..Outline::default()
    }
}

fn recovery_time(limit_millis: u64) -> Objective {
    Objective {
        name: "shop-rto".into(),
        goal: Goal::RecoveryTime { limit_millis, from: "restore".into(), until: "ready".into() },
    }
}

pub(crate) fn shop_outline() -> Outline {
    let rpo = Goal::RecoveryPoint { limit_millis: 86_400_000, of: "restore".into() };
    outline(
        &[("restore", "veleroRestore"), ("ready", "workloadsReady")],
        vec![recovery_time(900_000), Objective { name: "shop-rpo".into(), goal: rpo }],
        &["shop-answers"],
    )
}

/// Up to T0: the Lease is taken, the sandbox made, the Restore created.
pub(crate) fn shop_begun() -> Stream {
    shop_begun_with(shop_outline())
}

fn shop_begun_with(outline: Outline) -> Stream {
    let mut run = Stream::open("shop-comes-back", outline);
    let lease = target("Lease", "leases", Some("firedrill"), "firedrill");
    let sandbox = target("Namespace", "namespaces", None, "fd-k3v5q2mzx7ab-shop");
    let restore = target("Restore", "restores", Some("velero"), "fd-p7dn4w2hy6tc-shop");
    run.at(20).push(Event::PlanMade { foreseen: vec![], refusals: vec![] });
    run.at(40).intend(0, "run", Verb::Create, lease, deletes(Some(Gate::Last), &[]));
    run.at(55).applied(0).start("restore").saw("check:shop-answers", What::Green, 60);
    run.at(80).intend(
        1,
        "restore",
        Verb::Create,
        sandbox,
        deletes(Some(Gate::RestoresTerminal), &[]),
    );
    run.at(120).applied(1);
    run.at(1_410).intend(2, "restore", Verb::Create, restore, deletes(None, &[1]));
    run.saw("restore", What::T0, 1_412);
    run.at(1_450).applied(2);
    run
}

/// The restore is done; the pods come `later` milliseconds after T0.
fn shop_restored(run: &mut Stream, later: u64) {
    let ready = 1_412 + later;
    run.at(2_300).phase("restore", "queued", 1_952);
    run.at(5_400).saw_from(
        "restore",
        What::RecoveryPoint { age_millis: Some(25_924_000) },
        1_412,
        None,
        Some("from the startTimestamp 2026-11-22T19:48:01Z of backup shop-nightly-20261122194801"),
    );
    run.phase("restore", "restoring", 5_342);
    run.end_with("restore", serde_json::json!({"itemsRestored": 41, "sandboxMillis": 1_330}));
    run.at(5_420).start("ready").saw("ready", What::WatchLag { millis: 35 }, 5_420);
    run.at(ready).phase("ready", "scheduled", 6_260);
    run.at(ready + 10_000).saw("ready", What::Recovered, ready);
    run.end_with("ready", serde_json::json!({"watchedMillis": ready + 8_400}));
}

fn shop_undone(run: &mut Stream, at: u64) {
    run.at(at).saw("check:shop-answers", What::CheckEnded, at);
    for (after, n) in [(300, 1), (400, 2), (500, 0)] {
        run.at(at + after).undo(n, UndoAction::Delete);
    }
}

/// A restore that passes.
pub(crate) fn passed() -> Vec<Entry> {
    let mut run = shop_begun();
    shop_restored(&mut run, 14_230);
    run.at(25_700).close(Reason::Completed, None);
    shop_undone(&mut run, 25_710);
    run.finish()
}

/// Everything comes back, but not within its limit; the shop blinked meanwhile.
pub(crate) fn missed() -> Vec<Entry> {
    let mut run = shop_begun();
    run.saw("check:shop-answers", What::Red, 300_000);
    run.saw("check:shop-answers", What::Green, 304_200);
    run.saw("check:shop-answers", What::Red, 310_000);
    run.saw("check:shop-answers", What::Green, 311_000);
    shop_restored(&mut run, 963_100);
    run.at(975_000).push(Event::FindingMade(Finding {
        severity: Severity::Warning,
        code: "restore.imageSlow".into(),
        text: "pod web-6b9f pulled its image for 14m 02s".into(),
        evidence: Some("Event Pulled on pod fd-k3v5q2mzx7ab-shop/web-6b9f".into()),
    }));
    run.close(Reason::Completed, None);
    shop_undone(&mut run, 975_010);
    run.finish()
}

/// Refused before anything was changed, with a message that attacks the terminal.
pub(crate) fn refused() -> Vec<Entry> {
    let mut run = Stream::open("shop-comes-back", shop_outline());
    let refusal = "backup \u{1b}[2J\u{1b}[31mshop-nightly\r\nPASSED\u{202e} is PartiallyFailed: \
                   2 items of namespace shop were not saved";
    run.at(80).push(Event::PlanMade { foreseen: vec![], refusals: vec![refusal.into()] });
    run.at(90).close(Reason::Refused, None);
    run.finish()
}

/// Closed by a background check, in the middle of the restore.
pub(crate) fn checked() -> Vec<Entry> {
    let mut run = shop_begun();
    run.at(2_300).phase("restore", "queued", 1_952);
    run.at(3_100).saw("check:shop-answers", What::Red, 3_050);
    let why = "check shop-answers was red for 30s without a break: connection refused";
    run.at(33_080).close(Reason::Check, Some(why));
    run.end("restore", StepOutcome::Aborted, Some("the run closed"));
    run.at(33_100).push(Event::UndoWaits {
        n: 1,
        reason: "Restore velero/fd-p7dn4w2hy6tc-shop is InProgress".into(),
        until: Mono(OPENED + 933_000),
    });
    shop_undone(&mut run, 36_000);
    run.finish()
}

/// Killed while Velero restores; the machine is started again, and Velero never ends.
pub(crate) fn interrupted() -> Vec<Entry> {
    let mut run = shop_begun();
    run.at(2_300).phase("restore", "queued", 1_952);
    run.at(1_060_000).crash(true);
    run.close(Reason::Interrupted, None);
    run.end("restore", StepOutcome::Aborted, Some("the process that ran it died"));
    run.at(1_061_000).push(Event::UndoWaits {
        n: 1,
        reason: "Restore velero/fd-p7dn4w2hy6tc-shop is InProgress".into(),
        until: Mono(961_000),
    });
    for (n, object, why) in [
        (
            1,
            "namespace fd-k3v5q2mzx7ab-shop on cluster production",
            "the Restore was not terminal after 15m",
        ),
        (
            2,
            "restore velero/fd-p7dn4w2hy6tc-shop on cluster production",
            "it is still InProgress after 15m",
        ),
    ] {
        let (object, why) = (object.into(), why.into());
        run.at(1_961_000).push(Event::LeftoverNamed { n, object, why });
    }
    run.at(1_961_200).undo(0, UndoAction::Delete);
    run.finish()
}

pub(crate) fn drain_outline() -> Outline {
    let rto =
        Goal::RecoveryTime { limit_millis: 120_000, from: "node".into(), until: "node".into() };
    outline(
        &[("node", "drainNodes")],
        vec![Objective { name: "node-rto".into(), goal: rto }],
        &["shop-answers", "shop-checkout"],
    )
}

/// A node is drained; a human takes the node over meanwhile.
pub(crate) fn drained() -> Vec<Entry> {
    let mut run = Stream::open("node-lost", drain_outline());
    let node = target("Node", "nodes", None, "node-4");
    let undo = Undo::By { action: UndoAction::Uncordon, gate: None, after: vec![] };
    run.at(60).start("node").saw("check:shop-answers", What::Green, 70);
    run.at(100).intend(0, "node", Verb::Patch, node, undo);
    run.at(130).applied(0);
    for (n, pod) in [(1, "web-6b9f-x2"), (2, "cart-0"), (3, "web-6b9f-x9")] {
        let none = Undo::None("its controller makes another".into());
        let pod = target("Pod", "pods", Some("shop"), pod);
        run.at(140 + u64::from(n) * 10).intend(n, "node", Verb::Evict, pod, none);
        if n == 3 {
            let why = Some("pod is gone already".into());
            let settled = Settled::Absent { by: AbsentBy::Refused, why };
            run.push(Event::EffectSettled { n, settled });
        } else {
            run.applied(n);
        }
    }
    run.saw("node", What::T0, 155);
    run.at(4_000).saw("check:shop-answers", What::Red, 2_000);
    run.saw("check:shop-answers", What::Green, 2_900);
    run.at(31_400).saw("node", What::WatchLag { millis: 25 }, 31_400);
    run.phase("node", "evicted", 8_155).phase("node", "gone", 9_190);
    run.phase("node", "scheduled", 8_160).phase("node", "ready", 21_320);
    run.saw_from("node", What::Recovered, 21_340, Some(20_900), Some("statefulset shop/cart"));
    run.end_with(
        "node",
        serde_json::json!({"sinceFirstEvictionMillis": 31_245, "workloads": [
            {"desired": 3, "lostReplicaMillis": 13_185, "minimumReady": 2, "readyBefore": 3,
             "workload": "Deployment shop/web"},
            {"desired": 1, "lostReplicaMillis": 21_185, "minimumReady": 0, "readyBefore": 1,
             "workload": "StatefulSet shop/cart"},
        ]}),
    );
    run.push(Event::UndoSettled {
        n: 0,
        outcome: UndoOutcome::NotOurs("kubectl uncordoned and cordoned it".into()),
    });
    run.push(Event::FindingMade(Finding {
        severity: Severity::Info,
        code: "drain.notOurs".into(),
        text: "node-4 was cordoned by somebody else during the drill and stays cordoned".into(),
        evidence: None,
    }));
    run.at(31_500).close(Reason::Completed, None);
    run.at(31_510).saw("check:shop-answers", What::CheckEnded, 31_505);
    run.finish()
}

/// The first attempt fails 7.6 s after T0; the second begins 10 s after that, and passes.
pub(crate) fn retried() -> Vec<Entry> {
    let mut outline = shop_outline();
    outline.steps[0].attempts = 2;
    let mut run = shop_begun_with(outline);
    run.saw("restore", What::RecoveryPoint { age_millis: Some(25_924_000) }, 1_412);
    run.at(2_300).phase("restore", "queued", 1_952);
    let why = "restore fd-p7dn4w2hy6tc-shop is PartiallyFailed: 2 errors";
    run.at(9_012).end("restore", StepOutcome::Failed, Some(why));
    run.at(9_300).undo(1, UndoAction::Delete).at(9_500).undo(2, UndoAction::Delete);
    let sandbox = target("Namespace", "namespaces", None, "fd-h2c9r5xq4wta-shop");
    let restore = target("Restore", "restores", Some("velero"), "fd-b8ks1m7vz3pe-shop");
    run.at(19_500).start_again("restore", 2);
    let gate = Some(Gate::RestoresTerminal);
    run.at(19_520).intend(3, "restore", Verb::Create, sandbox, deletes(gate, &[]));
    run.at(19_600).applied(3);
    run.at(20_900).intend(4, "restore", Verb::Create, restore, deletes(None, &[3]));
    run.saw("restore", What::T0, 20_902).at(20_940).applied(4);
    run.saw_from(
        "restore",
        What::RecoveryPoint { age_millis: Some(25_943_490) },
        20_902,
        None,
        Some("from the startTimestamp 2026-11-22T19:48:01Z of backup shop-nightly-20261122194801"),
    );
    run.at(21_700).phase("restore", "queued", 21_402);
    run.at(24_900).phase("restore", "restoring", 24_812);
    run.end_with("restore", serde_json::json!({"itemsRestored": 41, "sandboxMillis": 1_330}));
    run.at(24_950).start("ready").saw("ready", What::WatchLag { millis: 35 }, 24_950);
    run.at(29_000).phase("ready", "scheduled", 25_700);
    run.at(39_000).saw("ready", What::Recovered, 28_912);
    run.end_with("ready", serde_json::json!({"watchedMillis": 14_050}));
    run.at(39_020).close(Reason::Completed, None);
    run.at(39_040).saw("check:shop-answers", What::CheckEnded, 39_040);
    for (after, n) in [(300, 3), (400, 4), (500, 0)] {
        run.at(39_040 + after).undo(n, UndoAction::Delete);
    }
    run.finish()
}

pub(crate) fn all() -> Vec<(&'static str, Vec<Entry>, Verdict, u8)> {
    vec![
        ("passed", passed(), Verdict::Passed, 0),
        ("missed", missed(), Verdict::Failed, 1),
        ("refused", refused(), Verdict::Aborted, 3),
        ("checked", checked(), Verdict::Aborted, 3),
        ("interrupted", interrupted(), Verdict::Interrupted, 4),
        ("drained", drained(), Verdict::Passed, 0),
        ("retried", retried(), Verdict::Passed, 0),
    ]
}
