use serde_json::json;

use super::*;

const STABLE: Duration = Duration::from_millis(10);

struct P {
    uid: &'static str,
    node: Option<&'static str>,
    ready: bool,
    going: bool,
}

fn p(uid: &'static str, node: &'static str, ready: bool) -> P {
    P { uid, node: Some(node), ready, going: false }
}

fn pod_of(kind: &str, p: &P) -> Pod {
    let mut object = json!({
        "metadata": {"name": format!("web-{}", p.uid), "namespace": "n", "uid": p.uid,
            "labels": {"pod-template-hash": "5d9"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": "web-5d9",
                                 "uid": "rs", "controller": true}]},
        "spec": {"containers": [], "nodeName": p.node},
        "status": {"conditions": [
            {"type": "Ready", "status": if p.ready { "True" } else { "False" }}]},
    });
    if p.going {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    serde_json::from_value(object).expect("pod")
}

fn web(p: P) -> Pod {
    pod_of("ReplicaSet", &p)
}

fn deployment() -> Workload {
    Workload { namespace: "n".into(), kind: "Deployment".into(), name: "web".into() }
}

/// Three ready pods of one Deployment, two of them (`a`, `b`) on the node that is drained.
fn start() -> Recovery {
    let pods =
        [web(p("a", "target", true)), web(p("b", "target", true)), web(p("c", "other", true))];
    Recovery::new(
        Owners::default(),
        BTreeSet::from(["target".to_owned()]),
        &pods,
        &BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        &BTreeMap::from([(deployment(), 3)]),
        Mono(0),
    )
}

fn going(uid: &'static str) -> Pod {
    web(P { uid, node: Some("target"), ready: true, going: true })
}

/// The whole course: both evicted, gone, replaced and ready at 60.
fn recovered() -> Recovery {
    let mut recovery = start();
    recovery.accepted("a", Mono(10));
    recovery.apply(&going("a"), Mono(11));
    recovery.apply(&web(P { uid: "d", node: None, ready: false, going: false }), Mono(12));
    recovery.apply(&web(p("d", "other", false)), Mono(14));
    recovery.removed("a", Mono(20));
    recovery.apply(&web(p("d", "other", true)), Mono(30));
    recovery.accepted("b", Mono(31));
    recovery.apply(&going("b"), Mono(32));
    recovery.removed("b", Mono(40));
    recovery.apply(&web(p("e", "other", false)), Mono(45));
    recovery.apply(&web(p("e", "other", true)), Mono(60));
    recovery
}

#[test]
fn the_slowest_echo_bounds_the_error() {
    let mut recovery = start();
    assert_eq!(recovery.echo(), None);
    recovery.accepted("a", Mono(10));
    recovery.apply(&going("a"), Mono(17));
    // Seen before the answer came, as it happens.
    recovery.apply(&going("b"), Mono(22));
    recovery.accepted("b", Mono(20));
    // Not an echo, but its end.
    recovery.removed("b", Mono(90));
    assert_eq!(recovery.echo(), Some(Duration::from_millis(7)));
}

#[test]
fn recovered_is_the_start_of_the_first_lasting_window() {
    let recovery = recovered();
    assert_eq!(recovery.t0(), Some(Mono(10)));
    assert_eq!(
        recovery.fleet(STABLE, Mono(69)),
        Fleet::NotRecovered(vec![
            "deployment n/web: 3 ready elsewhere, but not long enough".into()
        ])
    );
    assert_eq!(recovery.fleet(STABLE, Mono(70)), Fleet::Recovered(Bounds::exact(Mono(60))));
    assert_eq!(
        recovery.figures(&deployment(), Mono(70)),
        Some(Figures {
            desired: Some(3),
            ready_before: 3,
            minimum_ready: 2,
            // 11 to 30 and 32 to 60, one pod missing each time.
            lost_replica_millis: 19 + 28,
        })
    );
    assert_eq!(
        recovery.phases(Mono(60)),
        [("evicted", Mono(31)), ("gone", Mono(40)), ("scheduled", Mono(45)), ("ready", Mono(60))]
    );
    assert_eq!(recovery.echo(), Some(Duration::from_millis(1)));
    assert!(recovery.waiting_for().is_empty());
    assert!(recovery.confounders().is_empty());
}

#[test]
fn a_break_starts_anew() {
    let mut recovery = recovered();
    recovery.apply(&web(p("e", "other", false)), Mono(65));
    recovery.apply(&web(p("e", "other", true)), Mono(80));
    assert_eq!(recovery.fleet(STABLE, Mono(90)), Fleet::Recovered(Bounds::exact(Mono(80))));
}

#[test]
fn ready_pods_on_the_drained_node_do_not_count() {
    let mut recovery = start();
    recovery.accepted("a", Mono(10));
    recovery.accepted("b", Mono(10));
    recovery.removed("a", Mono(11));
    recovery.removed("b", Mono(11));
    // Something bounced back to the drained node.
    recovery.apply(&web(p("d", "target", true)), Mono(12));
    recovery.apply(&web(p("e", "other", true)), Mono(12));
    assert_eq!(
        recovery.outcome(&deployment(), STABLE, Mono(90)),
        Outcome::NotRecovered { ready: 2, of: 3 }
    );
}

#[test]
fn enough_pods_elsewhere_are_no_recovery_before_the_last_eviction() {
    let mut recovery = start();
    recovery.accepted("a", Mono(10));
    // Scaled up meanwhile, before `b` was sent away.
    recovery.apply(&web(p("d", "other", true)), Mono(15));
    recovery.apply(&web(p("e", "other", true)), Mono(15));
    recovery.asks_for(&deployment(), 5);
    assert!(matches!(recovery.fleet(STABLE, Mono(90)), Fleet::NotRecovered(_)));
    recovery.accepted("b", Mono(100));
    assert_eq!(recovery.fleet(STABLE, Mono(110)), Fleet::Recovered(Bounds::exact(Mono(100))));
    assert_eq!(recovery.confounders(), ["deployment n/web was scaled from 3 to 5"]);
}

#[test]
fn a_workload_that_misses_nothing_has_recovered_with_the_eviction() {
    let pods = [web(p("a", "target", false)), web(p("c", "other", true))];
    let mut recovery = Recovery::new(
        Owners::default(),
        BTreeSet::from(["target".to_owned()]),
        &pods,
        &BTreeSet::from(["a".to_owned()]),
        &BTreeMap::new(),
        Mono(0),
    );
    recovery.accepted("a", Mono(10));
    assert_eq!(recovery.fleet(STABLE, Mono(20)), Fleet::Recovered(Bounds::exact(Mono(10))));
}

#[test]
fn a_pod_that_somebody_else_took_is_told() {
    let mut recovery = start();
    recovery.accepted("a", Mono(10));
    recovery.removed("a", Mono(11));
    recovery.removed("b", Mono(12));
    recovery.removed("a", Mono(13));
    assert_eq!(
        recovery.confounders(),
        ["1 pod left the drained nodes without an eviction of ours"]
    );
    recovery.apply(&web(p("d", "other", true)), Mono(20));
    recovery.apply(&web(p("e", "other", true)), Mono(21));
    assert_eq!(recovery.fleet(STABLE, Mono(31)), Fleet::Recovered(Bounds::exact(Mono(21))));
}

#[test]
fn a_cut_watch_widens_the_answer() {
    let mut recovery = start();
    recovery.accepted("a", Mono(10));
    recovery.accepted("b", Mono(10));
    let pods = [web(p("c", "other", true)), web(p("d", "other", true)), web(p("e", "other", true))];
    recovery.relisted("n", &pods, Mono(15), Mono(40));
    assert!(recovery.waiting_for().is_empty(), "what the list does not hold is gone");
    assert_eq!(
        recovery.fleet(STABLE, Mono(50)),
        Fleet::Recovered(Bounds { lower: Mono(15), upper: Mono(40) })
    );
}

#[test]
fn outcomes_other_than_recovery() {
    let run = |pod: Pod| {
        let mut recovery = Recovery::new(
            Owners::default(),
            BTreeSet::from(["target".to_owned()]),
            std::slice::from_ref(&pod),
            &BTreeSet::from(["a".to_owned()]),
            &BTreeMap::new(),
            Mono(0),
        );
        recovery.accepted("a", Mono(1));
        recovery.removed("a", Mono(2));
        let workload = recovery.workloads().next().expect("one").clone();
        (recovery.outcome(&workload, STABLE, Mono(99)), recovery.fleet(STABLE, Mono(99)))
    };
    let (outcome, fleet) = run(pod_of("Job", &p("a", "target", true)));
    assert!(matches!(outcome, Outcome::NotApplicable(_)));
    assert_eq!(fleet, Fleet::NotApplicable);
    let (outcome, _) = run(web(p("a", "target", false)));
    assert_eq!(outcome, Outcome::NotApplicable("it had no ready pod before"));
    let mut bare = web(p("a", "target", true));
    bare.metadata.owner_references = None;
    let (outcome, fleet) = run(bare);
    assert_eq!(outcome, Outcome::Lost);
    assert_eq!(
        fleet,
        Fleet::NotRecovered(vec!["pod n/web-a: lost, nothing brings it back".into()])
    );
    let (outcome, fleet) = run(web(p("a", "target", true)));
    assert_eq!(outcome, Outcome::NotRecovered { ready: 0, of: 1 });
    assert_eq!(fleet, Fleet::NotRecovered(vec!["deployment n/web: 0 of 1 ready elsewhere".into()]));
}

#[test]
fn a_learned_replica_set_says_who_made_it() {
    let set = |owners: serde_json::Value| -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {"name": "web-5d9", "namespace": "n", "uid": "rs",
                         "ownerReferences": owners},
        }))
        .expect("replica set")
    };
    let pod = web(p("a", "target", true));
    let top = |owners: &Owners| owners.top(&pod).to_string();
    let mut owners = Owners::default();
    assert_eq!(top(&owners), "deployment n/web");
    owners.learn(&set(json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                              "name": "front", "uid": "1", "controller": true}])));
    assert_eq!(top(&owners), "rollout n/front");
    owners.learn(&set(json!([])));
    assert_eq!(top(&owners), "replicaset n/web-5d9");
}
