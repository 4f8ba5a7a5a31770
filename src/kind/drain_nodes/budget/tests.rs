use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn budget(spec: Value, status: Value) -> PodDisruptionBudget {
    let object = json!({
        "metadata": {"name": "web", "namespace": "n", "generation": 2},
        "spec": spec,
        "status": status,
    });
    serde_json::from_value(object).expect("budget")
}

/// A status of 6 pods, all seen.
fn status(allowed: i32, healthy: i32, desired: i32) -> Value {
    json!({"observedGeneration": 2, "disruptionsAllowed": allowed, "currentHealthy": healthy,
           "desiredHealthy": desired, "expectedPods": 6})
}

fn web_spec() -> Value {
    json!({"minAvailable": 5, "selector": {"matchLabels": {"app": "web"}}})
}

fn pod(name: &str, uid: &str, ready: bool) -> Pod {
    let object = json!({
        "metadata": {"name": name, "namespace": "n", "uid": uid, "labels": {"app": "web"}},
        "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    });
    serde_json::from_value(object).expect("pod")
}

#[test]
fn a_budget_that_never_allows_is_known_beforehand() {
    let selector = json!({"matchLabels": {"app": "web"}});
    let with = |key: &str, value: Value| json!({"selector": selector, key: value});
    let never = |text: &str| Structure::Never(format!("budget n/web allows no eviction: {text}"));
    for (spec, status, want) in [
        (with("maxUnavailable", json!(0)), json!(null), never("maxUnavailable is 0")),
        (with("maxUnavailable", json!("0%")), json!(null), never("maxUnavailable is 0")),
        (with("minAvailable", json!("100%")), json!(null), never("minAvailable is 100%")),
        (
            with("minAvailable", json!(6)),
            status(0, 6, 6),
            never("it needs 6 healthy pods and covers 6"),
        ),
        // 90% of 6 is rounded up to 6.
        (
            with("minAvailable", json!("90%")),
            status(0, 6, 6),
            never("it needs 6 healthy pods and covers 6"),
        ),
        (with("minAvailable", json!(5)), status(1, 6, 5), Structure::Open),
        // Zero now is not zero for ever.
        (with("minAvailable", json!(5)), status(0, 5, 5), Structure::Open),
        (with("maxUnavailable", json!("1%")), status(1, 6, 5), Structure::Open),
        (
            with("minAvailable", json!(5)),
            json!({"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 6,
                   "desiredHealthy": 5, "expectedPods": 6}),
            Structure::Unknown("budget n/web has not been processed yet".into()),
        ),
        (
            with("minAvailable", json!(5)),
            json!(null),
            Structure::Unknown("budget n/web has not been processed yet".into()),
        ),
        (
            with("maxUnavailable", json!(1)),
            json!({"observedGeneration": 2, "disruptionsAllowed": 0, "currentHealthy": 0,
                   "desiredHealthy": 0, "expectedPods": 0, "conditions": [
                {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed",
                 "message": "no scale", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
            Structure::Unknown("budget n/web cannot be computed: no scale".into()),
        ),
    ] {
        assert_eq!(structure(&budget(spec.clone(), status.clone())), want, "{spec} {status}");
    }
}

#[test]
fn the_right_budgets_cover_a_pod() {
    let ok = budget(web_spec(), status(1, 6, 5));
    let all = budget(json!({"selector": {}}), status(1, 6, 5));
    let none = budget(json!({"minAvailable": 1}), status(1, 6, 5));
    let odd = budget(
        json!({"selector": {"matchExpressions": [{"key": "a", "operator": "Newer"}]}}),
        status(1, 6, 5),
    );
    let mut elsewhere = ok.clone();
    elsewhere.metadata.namespace = Some("other".into());
    let budgets = [ok, all, none, odd, elsewhere];
    let covering = covering(&pod("web-1", "1", true), &budgets);
    assert_eq!(covering, [&budgets[0], &budgets[1], &budgets[3]]);
    assert_eq!(
        too_many(&pod("web-1", "1", true), &covering[..2]).as_deref(),
        Some("pod n/web-1 is under more than one budget (web and web), which no eviction can pass")
    );
}

#[test]
fn no_more_than_allowed_less_what_is_in_flight() {
    let mut gate = Gate::default();
    gate.observe(budget(web_spec(), status(2, 6, 4)));
    assert_eq!(gate.turn(&pod("web-1", "1", true)), Turn::Go);
    assert_eq!(gate.turn(&pod("web-2", "2", true)), Turn::Go);
    assert_eq!(
        gate.turn(&pod("web-3", "3", true)),
        Turn::Wait("web-3 waits: budget web allows 2 now, and 2 are under way".into())
    );
    // The status shows the first; the second is still to come.
    let mut shown = status(1, 6, 4);
    shown["disruptedPods"] = json!({"web-1": "2026-01-01T00:00:00Z"});
    gate.observe(budget(web_spec(), shown));
    assert!(matches!(gate.turn(&pod("web-3", "3", true)), Turn::Wait(_)));
    // The second was refused after all.
    gate.release("2");
    assert_eq!(gate.turn(&pod("web-3", "3", true)), Turn::Go);
    gate.observe(budget(web_spec(), status(0, 5, 6)));
    assert_eq!(
        gate.turn(&pod("web-2", "2", true)),
        Turn::Wait("web-2 waits: budget web allows 0 now (5 of 6 ready, needs 6)".into())
    );
}

#[test]
fn an_old_entry_of_the_same_name_is_not_ours() {
    let entry = |when: &str| {
        let mut status = status(1, 6, 5);
        status["disruptedPods"] = json!({"web-1": when});
        budget(web_spec(), status)
    };
    let mut gate = Gate::default();
    gate.observe(entry("2026-01-01T00:00:00Z"));
    assert_eq!(gate.turn(&pod("web-1", "new", true)), Turn::Go);
    gate.observe(entry("2026-01-01T00:00:00Z"));
    assert!(matches!(gate.turn(&pod("web-2", "2", true)), Turn::Wait(_)));
    gate.observe(entry("2026-01-01T00:00:09Z"));
    assert_eq!(gate.turn(&pod("web-2", "2", true)), Turn::Go);
}

#[test]
fn what_the_gate_does_not_know_it_does_not_allow() {
    let mut gate = Gate::default();
    assert_eq!(gate.turn(&pod("free", "f", true)), Turn::Go, "no budget covers it");
    let mut stale = status(3, 6, 3);
    stale["observedGeneration"] = json!(1);
    gate.observe(budget(web_spec(), stale));
    assert_eq!(
        gate.turn(&pod("web-1", "1", true)),
        Turn::Wait("web-1 waits: budget web is still being processed".into())
    );
    gate.observe(budget(web_spec(), json!(null)));
    assert!(matches!(gate.turn(&pod("web-1", "1", true)), Turn::Wait(_)));
    let mut second = budget(web_spec(), status(1, 6, 5));
    second.metadata.name = Some("also".into());
    gate.observe(second);
    assert!(matches!(gate.turn(&pod("web-1", "1", true)), Turn::Blocked(_)));
    gate.forget("n", "web");
    assert_eq!(gate.turn(&pod("web-1", "1", true)), Turn::Go);
}

#[test]
fn a_pod_that_is_not_ready_needs_no_room() {
    let closed = |policy: Value, healthy: i32| {
        let mut spec = web_spec();
        spec["unhealthyPodEvictionPolicy"] = policy;
        let mut gate = Gate::default();
        gate.observe(budget(spec, status(0, healthy, 5)));
        gate
    };
    let sick = pod("web-1", "1", false);
    assert_eq!(closed(json!(null), 5).turn(&sick), Turn::Go);
    assert!(matches!(closed(json!(null), 4).turn(&sick), Turn::Wait(_)));
    assert_eq!(closed(json!("AlwaysAllow"), 4).turn(&sick), Turn::Go);
    assert!(matches!(closed(json!("AlwaysAllow"), 4).turn(&pod("b", "b", true)), Turn::Wait(_)));
}

#[test]
fn a_new_list_accounts_for_the_pods_that_left() {
    let mut gate = Gate::default();
    gate.observe(budget(web_spec(), status(1, 6, 5)));
    assert_eq!(gate.turn(&pod("web-1", "1", true)), Turn::Go);
    gate.relisted("n", vec![budget(web_spec(), status(1, 6, 5))]);
    assert_eq!(gate.room(&("n".into(), "web".into())), 0, "it may still arrive");
    gate.left("1");
    gate.relisted("n", vec![budget(web_spec(), status(1, 6, 5))]);
    assert_eq!(gate.room(&("n".into(), "web".into())), 1);
    gate.relisted("n", Vec::new());
    assert_eq!(gate.room(&("n".into(), "web".into())), 0);
}

/// The server's side: it decrements and records in one write, and the watch delivers its writes in
/// order, however late.
struct Server {
    allowed: i32,
    disrupted: BTreeSet<String>,
    undelivered: VecDeque<PodDisruptionBudget>,
    clock: u32,
}

impl Server {
    fn write(&mut self) {
        let mut status = status(self.allowed, 6, 3);
        status["disruptedPods"] = self
            .disrupted
            .iter()
            .map(|name| (name.clone(), json!("2026-01-01T00:00:00Z")))
            .collect();
        self.undelivered.push_back(budget(web_spec(), status));
    }
}

proptest! {
    /// However writes, answers and watch events interleave, no eviction is sent that the budget
    /// does not allow.
    #[test]
    fn the_gate_never_exceeds_what_is_allowed(
        start in 0..4_i32,
        ops in proptest::collection::vec((0..5_u8, 0..6_usize), 1..60),
    ) {
        let mut server = Server {
            allowed: start, disrupted: BTreeSet::new(), undelivered: VecDeque::new(), clock: 0,
        };
        let mut gate = Gate::default();
        server.write();
        let mut sent: Vec<String> = Vec::new();
        for (op, n) in ops {
            match op {
                // We ask for a turn, with a new pod each time.
                0 => {
                    server.clock += 1;
                    let name = format!("web-{}", server.clock);
                    if gate.turn(&pod(&name, &name, true)) == Turn::Go
                        && !gate.budgets.is_empty()
                    {
                        sent.push(name);
                    }
                }
                // A sent eviction reaches the server.
                1 if !sent.is_empty() => {
                    let name = sent.remove(n % sent.len());
                    prop_assert!(server.allowed > 0, "{name} was sent in vain");
                    server.allowed -= 1;
                    server.disrupted.insert(name);
                    server.write();
                }
                // The watch delivers.
                2 => {
                    if let Some(budget) = server.undelivered.pop_front() {
                        gate.observe(budget);
                    }
                }
                // A replacement is ready: the controller counts anew.
                3 => {
                    if let Some(name) = server.disrupted.pop_first() {
                        gate.left(&name);
                        server.allowed += 1;
                        server.write();
                    }
                }
                // A sent eviction is refused for another reason.
                4 if !sent.is_empty() => {
                    let name = sent.remove(n % sent.len());
                    gate.release(&name);
                }
                _ => {}
            }
        }
    }
}
