use serde_json::{Value, json};

use super::*;

const STABLE: Duration = Duration::from_millis(10);

fn deployment(name: &str, wanted: Value, ready: i32, generation: (i64, i64)) -> Seen {
    let object = json!({
        "metadata": {"name": name, "namespace": "n", "generation": generation.0},
        "spec": {"replicas": wanted, "selector": {}, "template": {}},
        "status": {"observedGeneration": generation.1, "readyReplicas": ready,
                   "updatedReplicas": ready},
    });
    Seen::Deployment(Box::new(serde_json::from_value(object).expect("deployment")))
}

fn stateful_set(name: &str, wanted: i32, status: Value, strategy: Value) -> Seen {
    let object = json!({
        "metadata": {"name": name, "namespace": "n", "generation": 1},
        "spec": {"replicas": wanted, "selector": {}, "template": {}, "serviceName": name,
                 "updateStrategy": strategy},
        "status": status,
    });
    Seen::StatefulSet(Box::new(serde_json::from_value(object).expect("stateful set")))
}

struct P {
    name: &'static str,
    owner: Value,
    status: Value,
    node: Option<&'static str>,
    deleting: bool,
}

fn pod_in(namespace: &str, p: P) -> Seen {
    let mut object = json!({
        "metadata": {"name": p.name, "namespace": namespace, "uid": format!("uid-{}", p.name),
                     "ownerReferences": p.owner, "labels": {"pod-template-hash": "5d9"}},
        "spec": {"containers": [], "nodeName": p.node},
        "status": p.status,
    });
    if p.deleting {
        object["metadata"]["deletionTimestamp"] = json!("2026-08-10T03:00:00Z");
    }
    Seen::Pod(Box::new(serde_json::from_value(object).expect("pod")))
}

fn bare(name: &'static str, status: Value) -> Seen {
    pod_in("n", P { name, owner: json!([]), status, node: Some("node-1"), deleting: false })
}

fn owned(name: &'static str, kind: &str, owner: &str, status: Value) -> Seen {
    let owner = json!([{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "1",
                        "controller": true}]);
    pod_in("n", P { name, owner, status, node: None, deleting: false })
}

fn is_ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

fn unready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]})
}

fn gone(kind: Watched, name: &str) -> Seen {
    Seen::Gone { kind, namespace: "n".into(), name: name.into() }
}

/// One namespace, listed empty at 0.
fn empty() -> Readiness {
    let mut readiness = Readiness::new(["n"]);
    for kind in Watched::ALL {
        readiness.listed(kind, "n", Vec::new(), None, Mono(0));
    }
    readiness
}

fn after(seen: Vec<Seen>) -> Readiness {
    let mut readiness = empty();
    for (at, one) in seen.into_iter().enumerate() {
        readiness.apply(one, Mono(at as u64 + 1));
    }
    readiness
}

#[test]
fn what_is_ready_and_what_is_not() {
    let web = || deployment("web", json!(2), 2, (1, 1));
    let done = json!({"phase": "Succeeded"});
    let failed = json!({"phase": "Failed", "reason": "Evicted"});
    let rolled = json!({"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 1,
                        "currentRevision": "a", "updateRevision": "b"});
    let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    for (seen, why) in [
        (vec![], "namespace n: nothing to be ready came back"),
        (vec![web()], ""),
        (vec![deployment("web", json!(null), 1, (1, 1))], ""),
        (vec![deployment("web", json!(6), 2, (1, 1))], "deployment web: 2 of 6 ready"),
        (
            vec![deployment("web", json!(2), 2, (3, 2))],
            "deployment web: not seen by its controller yet",
        ),
        (
            vec![deployment("web", json!(0), 0, (1, 1))],
            "namespace n: nothing to be ready came back",
        ),
        (vec![web(), deployment("idle", json!(0), 0, (1, 1))], ""),
        (
            vec![stateful_set("db", 3, json!({"observedGeneration": 1}), json!({}))],
            "statefulset db: 0 of 3 ready",
        ),
        (
            vec![stateful_set("db", 3, json!({}), json!({}))],
            "statefulset db: not seen by its controller yet",
        ),
        (vec![stateful_set("db", 3, rolled.clone(), json!({}))], "statefulset db: 1 of 3 updated"),
        (vec![stateful_set("db", 3, rolled.clone(), partition)], ""),
        (vec![stateful_set("db", 3, rolled, json!({"type": "OnDelete"}))], ""),
        // Bare pods count for themselves.
        (vec![bare("tool", is_ready())], ""),
        (vec![web(), bare("tool", unready())], "pod tool: not ready"),
        (vec![web(), bare("tool", json!({}))], "pod tool: Pending"),
        (vec![web(), bare("seed", done.clone())], ""),
        (vec![bare("seed", done)], "namespace n: nothing to be ready came back"),
        (vec![web(), bare("tool", failed.clone())], "pod tool: Failed: Evicted"),
        // Owned ones only while their controller is not known.
        (vec![web(), owned("web-5d9-x", "ReplicaSet", "web-5d9", unready())], ""),
        (vec![web(), owned("web-5d9-x", "ReplicaSet", "web-5d9", failed)], ""),
        (
            vec![web(), owned("api-5d9-x", "ReplicaSet", "api-5d9", unready())],
            "pod api-5d9-x: not ready",
        ),
        (vec![web(), owned("lone-x", "ReplicaSet", "lone", unready())], "pod lone-x: not ready"),
        (vec![web(), owned("job-x", "Job", "job", json!({"phase": "Running"}))], ""),
        (
            vec![web(), gone(Watched::Deployment, "web")],
            "namespace n: nothing to be ready came back",
        ),
    ] {
        let text = format!("{seen:?}");
        let readiness = after(seen);
        assert_eq!(readiness.why_not(), why, "{text}");
        assert_eq!(readiness.ready(), why.is_empty(), "{text}");
    }
}

#[test]
fn the_sentence_tells_the_worst_and_why() {
    let image = json!({"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff",
            "message": "Back-off pulling image \"web:none\""}}}]});
    let unschedulable = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
         "message": "0/6 nodes are available: 6 Insufficient cpu.\nmore"}]});
    let readiness = after(vec![
        deployment("api", json!(4), 3, (1, 1)),
        deployment("web", json!(6), 2, (1, 1)),
        owned("web-5d9-a", "ReplicaSet", "web-5d9", image.clone()),
        owned("web-5d9-b", "ReplicaSet", "web-5d9", image),
        owned("api-5d9-c", "ReplicaSet", "api-5d9", unschedulable),
        owned("api-5d9-d", "ReplicaSet", "api-5d9", unready()),
    ]);
    assert_eq!(
        readiness.why_not(),
        "deployment web: 2 of 6 ready; deployment api: 3 of 4 ready; \
         pod web-5d9-a: ImagePullBackOff: Back-off pulling image \"web:none\"; \
         pod api-5d9-c: Pending: 0/6 nodes are available: 6 Insufficient cpu"
    );
    let many = (0..9).map(|n| deployment(&format!("d{n}"), json!(2), 0, (1, 1))).collect();
    let sentence = after(many).why_not();
    assert!(sentence.ends_with("deployment d3: 0 of 2 ready; and 5 more"), "{sentence}");
}

#[test]
fn nothing_is_ready_before_everything_was_listed() {
    let mut readiness = Readiness::new(["n"]);
    readiness.listed(
        Watched::Deployment,
        "n",
        vec![deployment("web", json!(2), 2, (1, 1))],
        None,
        Mono(1),
    );
    readiness.listed(Watched::Pod, "n", Vec::new(), None, Mono(2));
    assert!(!readiness.ready());
    assert_eq!(readiness.why_not(), "the namespaces are not listed yet");
    readiness.listed(Watched::StatefulSet, "n", Vec::new(), None, Mono(3));
    assert!(readiness.ready());
    assert_eq!(
        readiness.window(Mono(0), STABLE, Mono(13)),
        Some(Bounds::exact(Mono(3))),
        "the window starts when all was known"
    );
}

#[test]
fn every_namespace_must_have_something() {
    let mut readiness = Readiness::new(["n", "other"]);
    for (kind, namespace) in Watched::ALL.iter().flat_map(|k| [(*k, "n"), (*k, "other")]) {
        readiness.listed(kind, namespace, Vec::new(), None, Mono(0));
    }
    readiness.apply(deployment("web", json!(1), 0, (1, 1)), Mono(1));
    assert_eq!(
        readiness.why_not(),
        "namespace other: nothing to be ready came back; deployment n/web: 0 of 1 ready"
    );
    assert!(readiness.nothing_to_be_ready());
    let stranger =
        P { name: "x", owner: json!([]), status: is_ready(), node: None, deleting: false };
    readiness.apply(pod_in("elsewhere", stranger), Mono(2));
    assert!(readiness.nothing_to_be_ready());
}

#[test]
fn a_workload_that_comes_later_starts_the_window_anew() {
    let mut readiness = empty();
    readiness.apply(deployment("web", json!(2), 2, (1, 1)), Mono(5));
    readiness.apply(deployment("api", json!(1), 0, (1, 1)), Mono(14));
    assert_eq!(readiness.window(Mono(0), STABLE, Mono(40)), None);
    readiness.apply(deployment("api", json!(1), 1, (1, 1)), Mono(30));
    assert_eq!(readiness.window(Mono(0), STABLE, Mono(40)), Some(Bounds::exact(Mono(30))));
}

#[test]
fn a_cut_watch_widens_the_window_and_finds_what_is_gone() {
    let mut readiness = empty();
    readiness.apply(deployment("web", json!(2), 2, (1, 1)), Mono(5));
    readiness.apply(bare("tool", unready()), Mono(6));
    // The pods' watch was blind from 8 to 20; the list no longer holds the pod.
    readiness.listed(Watched::Pod, "n", Vec::new(), Some(Mono(8)), Mono(20));
    assert!(readiness.ready());
    assert_eq!(readiness.window(Mono(0), STABLE, Mono(29)), None);
    assert_eq!(
        readiness.window(Mono(0), STABLE, Mono(30)),
        Some(Bounds { lower: Mono(8), upper: Mono(20) })
    );
}

#[test]
fn the_last_pod_bound_ends_scheduling() {
    let at = |name: &'static str, node: Option<&'static str>, status: Value| {
        pod_in("n", P { name, owner: json!([]), status, node, deleting: false })
    };
    let mut readiness = empty();
    assert_eq!(readiness.scheduled(Mono(99)), None);
    readiness.apply(at("a", Some("node-1"), unready()), Mono(3));
    readiness.apply(at("b", None, json!({})), Mono(4));
    readiness.apply(at("b", Some("node-2"), json!({})), Mono(7));
    readiness.apply(at("a", Some("node-1"), is_ready()), Mono(9));
    readiness.apply(at("done", Some("node-1"), json!({"phase": "Succeeded"})), Mono(10));
    assert_eq!(readiness.scheduled(Mono(99)), Some(Bounds::exact(Mono(7))));
    assert_eq!(readiness.scheduled(Mono(6)), Some(Bounds::exact(Mono(3))));
    let listed = vec![at("a", Some("node-1"), is_ready()), at("c", Some("node-1"), is_ready())];
    readiness.listed(Watched::Pod, "n", listed, Some(Mono(12)), Mono(20));
    assert_eq!(
        readiness.scheduled(Mono(99)),
        Some(Bounds { lower: Mono(12), upper: Mono(20) }),
        "a pod keeps its instant, a new one has the gap's bounds"
    );
}

#[test]
fn a_pod_that_goes_away_is_not_waited_for() {
    let going = P { name: "old", owner: json!([]), status: unready(), node: None, deleting: true };
    let readiness = after(vec![deployment("web", json!(2), 2, (1, 1)), pod_in("n", going)]);
    assert!(readiness.ready());
}
