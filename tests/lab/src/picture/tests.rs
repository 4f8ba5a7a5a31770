//! A whole run that is clean, and everything that can be wrong with one, one at a time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::audit::FIREDRILL;

/// A log in the making.
#[derive(Default)]
struct Log(Vec<Entry>);

impl Log {
    /// A request of `actor`: `path` is `[group/]resource[/sub] [namespace/]name`.
    fn by(&mut self, actor: &str, verb: &str, path: &str, code: u16, body: Value, answer: Value) {
        let (resource, name) = path.split_once(' ').expect("resource and name");
        let (group, resource) = match resource.split_once(':') {
            Some((group, resource)) => (group, resource),
            None => ("", resource),
        };
        let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let namespace = if resource == "namespaces" { name } else { namespace };
        let second = self.0.len();
        let entry = json!({
            "stage": "ResponseComplete", "requestURI": "/", "verb": verb,
            "user": {"username": actor},
            "userAgent": if actor == "velero" { "velero-server/v1.18.3" } else { "firedrill/0" },
            "objectRef": {
                "apiGroup": group, "resource": resource, "subresource": sub,
                "namespace": namespace, "name": name,
            },
            "responseStatus": {"code": code},
            "requestObject": body, "responseObject": answer,
            "stageTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
        });
        self.0.push(serde_json::from_value(entry).expect("entry"));
    }

    fn ours(&mut self, verb: &str, path: &str, body: Value) {
        let answer = if verb == "create" {
            json!({"metadata": {"uid": format!("uid of {path}")}})
        } else {
            Value::Null
        };
        self.by(FIREDRILL, verb, path, 200, body, answer);
    }

    fn create(&mut self, path: &str) {
        self.ours("create", path, json!({"metadata": {"labels": {INSTANCE: "i"}}}));
    }

    fn delete(&mut self, path: &str) {
        let pin =
            json!({"preconditions": {"uid": format!("uid of {path}"), "resourceVersion": "7"}});
        self.ours("delete", path, pin);
    }

    fn evict(&mut self, uid: &str) {
        let body = json!({"deleteOptions": {"preconditions": {"uid": uid}}});
        self.ours("create", &format!("pods/eviction shop/{uid}"), body);
    }
}

fn cordon() -> Value {
    json!({
        "metadata": {
            "resourceVersion": "7", "labels": {INSTANCE: "i"},
            "annotations": {"firedrill.dev/effect": "1"},
        },
        "spec": {"unschedulable": true},
    })
}

fn uncordon() -> Value {
    json!({
        "metadata": {
            "resourceVersion": "8", "labels": {INSTANCE: null},
            "annotations": {"firedrill.dev/effect": null},
        },
        "spec": {"unschedulable": null},
    })
}

const SANDBOX: &str = "namespaces fd-abc";
const RESTORE: &str = "velero.io:restores velero/fd-abc";
const LEASE: &str = "coordination.k8s.io:leases firedrill/firedrill";

/// What one test hears; a clean run unless it is changed.
struct Scene {
    log: Log,
    before: Snapshot,
    after: Snapshot,
    seats: BTreeMap<String, Seat>,
    kept: Vec<Kept>,
}

fn key(resource: &str, namespace: &str, name: &str) -> Key {
    Key { resource: resource.into(), namespace: namespace.into(), name: name.into() }
}

fn object(uid: &str, marked: bool) -> ObjectState {
    let labels = if marked {
        BTreeMap::from([(INSTANCE.to_owned(), "i".to_owned())])
    } else {
        BTreeMap::new()
    };
    ObjectState { uid: uid.to_owned(), labels, ..ObjectState::default() }
}

impl Scene {
    /// An empty log between two snapshots that are alike.
    fn quiet() -> Self {
        let mut before = Snapshot::default();
        for name in ["n1", "n2"] {
            let uid = format!("uid of {name}");
            before.nodes.insert(name.into(), NodeState { uid, ..NodeState::default() });
        }
        before.objects.insert(key("namespaces", "", "shop"), object("shop", false));
        before.objects.insert(key("namespaces", "", "velero"), object("velero", false));
        before.objects.insert(key("backups.velero.io", "velero", "nightly"), object("b", false));
        for (uid, node) in [("p1", "n1"), ("p2", "n2")] {
            let seat = Seat { namespace: "shop".into(), name: uid.into(), node: Some(node.into()) };
            before.pods.insert(uid.into(), seat);
        }
        let after = before.clone();
        Self { log: Log::default(), before, after, seats: BTreeMap::new(), kept: Vec::new() }
    }

    /// Everything that a run does, undone.
    fn run() -> Self {
        let mut scene = Self::quiet();
        let log = &mut scene.log;
        log.ours("create", "authorization.k8s.io:selfsubjectaccessreviews -", json!({}));
        log.ours("patch", "configmaps firedrill/firedrill-epoch", json!({"data": {"i": "2"}}));
        log.create(LEASE);
        log.create(SANDBOX);
        log.create("networking.k8s.io:networkpolicies fd-abc/fd-closed");
        log.create(RESTORE);
        log.ours("update", LEASE, json!({}));
        log.by(FIREDRILL, "patch", "nodes n1", 409, cordon(), Value::Null);
        log.ours("patch", "nodes n1", cordon());
        log.ours("create", "events default/fd-abc", json!({}));
        log.evict("p1");
        log.ours("patch", "nodes n1", uncordon());
        let fence = |value: Value| json!({"metadata": {"resourceVersion": "9", "annotations": {FENCE: value}}});
        log.ours("patch", "nodes n2", fence(json!("1")));
        log.ours("patch", "nodes n2", fence(Value::Null));
        log.by("velero", "create", "pods fd-abc/web", 201, Value::Null, Value::Null);
        log.by(
            "velero",
            "patch",
            "velero.io:restores velero/fd-abc",
            200,
            Value::Null,
            Value::Null,
        );
        log.delete(SANDBOX);
        log.delete(RESTORE);
        log.delete(LEASE);
        scene
    }

    fn judge(&self) -> Picture {
        judge(&Evidence {
            entries: &self.log.0,
            before: &self.before,
            after: &self.after,
            seats: &self.seats,
            kept: &self.kept,
        })
    }

    /// The picture is not clean and says these words.
    #[track_caller]
    fn says(&self, words: &str) {
        let text = self.judge().to_string();
        assert!(text.starts_with("NOT CLEAN") && text.contains(words), "{words}: {text}");
    }

    #[track_caller]
    fn is_clean(&self) -> Picture {
        let picture = self.judge();
        assert!(picture.is_clean(), "{picture:#}");
        picture
    }
}

#[test]
fn a_run_that_undid_everything_is_clean() {
    let picture = Scene::run().is_clean();
    assert_eq!(picture.writes.len(), 17);
    let summary = picture.to_string();
    assert_eq!(summary, "clean: 17 writes: 9 undone, 0 kept, 0 left, 1 refused, 7 exempt\n");
    let all = format!("{picture:#}");
    assert!(all.contains("create pods/eviction shop/p1 (200): exempt: eviction"), "{all}");
    assert!(all.contains("patch nodes n1 (409): refused"), "{all}");
}

#[test]
fn what_is_left_is_named() {
    let mut scene = Scene::run();
    scene
        .after
        .objects
        .insert(key("namespaces", "", "fd-abc"), object("uid of namespaces fd-abc", true));
    scene.says("namespaces fd-abc still exists");
    scene.says("leftover: namespaces fd-abc (uid of namespaces fd-abc) bears the mark of i");
    // Another object of the same name is not what we made, but it bears our mark.
    scene.after.objects.insert(key("namespaces", "", "fd-abc"), object("other", true));
    assert_eq!(scene.judge().left().count(), 0);
    scene.says("leftover: namespaces fd-abc (other)");
}

#[test]
fn a_namespace_that_velero_made_under_our_name_is_left() {
    let mut scene = Scene::run();
    scene.after.objects.insert(key("namespaces", "", "fd-abc"), object("late", false));
    scene.says("Velero made it");
    let mut volume = object("pv", false);
    volume.labels.insert("velero.io/restore-name".into(), "fd-abc".into());
    let mut scene = Scene::run();
    scene.after.objects.insert(key("persistentvolumes", "", "pv"), volume);
    scene.says("came back by a Restore of ours");
}

#[test]
fn kept_by_policy_is_not_left() {
    let mut scene = Scene::run();
    scene.log.create("velero.io:backups velero/fd-new");
    let made = key("backups.velero.io", "velero", "fd-new");
    scene.after.objects.insert(made, object("uid of velero.io:backups velero/fd-new", true));
    scene.says("still exists");
    scene.kept.push(Kept {
        resource: "backups.velero.io".into(),
        namespace: "velero".into(),
        name_prefix: "fd-".into(),
        policy: "keep: 24h".into(),
    });
    let picture = scene.is_clean();
    assert!(picture.writes.iter().any(|w| w.fate == Fate::Kept("keep: 24h".into())));
}

#[test]
fn a_node_that_stays_cordoned_or_marked_is_left() {
    let mut scene = Scene::run();
    let node = scene.after.nodes.get_mut("n1").expect("node");
    node.unschedulable = true;
    node.cordon_manager = Some(FIELD_MANAGER.into());
    scene.says("leftover: nodes n1 is cordoned by us");
    scene.says("LEFT: it is still cordoned by us");
    let mut scene = Scene::run();
    let node = scene.after.nodes.get_mut("n2").expect("node");
    node.ours.insert(FENCE.into(), "1".into());
    scene.says("LEFT: it bears firedrill.dev/fence");
}

#[test]
fn a_cordon_that_a_human_renewed_is_not_ours() {
    let mut scene = Scene::quiet();
    scene.log.ours("patch", "nodes n1", cordon());
    let spec = |on: bool| json!({"spec": {"unschedulable": on}});
    scene.log.by("human", "patch", "nodes n1", 200, spec(false), Value::Null);
    scene.log.by("human", "patch", "nodes n1", 200, spec(true), Value::Null);
    let strip = json!({"metadata": {"labels": {INSTANCE: null}, "annotations": {"firedrill.dev/effect": null}}});
    scene.log.ours("patch", "nodes n1", strip);
    let node = scene.after.nodes.get_mut("n1").expect("node");
    node.unschedulable = true;
    node.cordon_manager = Some("kubectl-cordon".into());
    let picture = scene.is_clean();
    assert!(picture.to_string().contains("2 exempt"), "{picture:#}");
    // Had we taken it away, it would be theirs that we took.
    scene.log.ours("patch", "nodes n1", uncordon());
    *scene.after.nodes.get_mut("n1").expect("node") = scene.before.nodes["n1"].clone();
    scene.says("uncordoned node n1, which human had cordoned");
}

#[test]
fn a_cordon_from_before_the_run_stays() {
    let mut scene = Scene::quiet();
    scene.before.nodes.get_mut("n2").expect("node").unschedulable = true;
    scene.log.ours("patch", "nodes n2", uncordon());
    scene.says("uncordoned node n2, which was cordoned before the run");
}

#[test]
fn a_patch_of_a_node_that_writes_more_than_ours() {
    let mut scene = Scene::run();
    scene.log.ours("patch", "nodes n1", json!({"metadata": {"labels": {"zone": "b"}}}));
    scene.says("patch of nodes n1: metadata.labels.zone");
    let mut scene = Scene::run();
    scene.log.ours("patch", "nodes n1", Value::Null);
    scene.says("the log does not show its body");
}

#[test]
fn an_eviction_needs_a_cordon_of_ours_and_a_uid() {
    let mut scene = Scene::run();
    scene.log.evict("p2");
    scene.says("eviction of pods shop/p2 from node n2, which we had not cordoned");
    let mut scene = Scene::run();
    scene.log.evict("p9");
    scene.says("neither a snapshot nor an observer saw its node");
    let seat = Seat { namespace: "shop".into(), name: "p9".into(), node: Some("n1".into()) };
    scene.seats.insert("p9".into(), seat);
    scene.is_clean();
    scene.log.ours("create", "pods/eviction shop/p1", json!({}));
    scene.says("without a UID");
}

#[test]
fn a_delete_of_what_stood_before() {
    let mut scene = Scene::run();
    let pin = json!({"preconditions": {"uid": "b"}});
    scene.log.ours("delete", "velero.io:backups velero/nightly", pin);
    scene.says("delete of backups.velero.io velero/nightly (b), which stood before the run");
    let mut scene = Scene::run();
    scene.log.ours("delete", "configmaps shop/x", json!({"preconditions": {"uid": "x"}}));
    scene.says("delete of configmaps shop/x, which we did not make");
    // Left by a crash before: marked, so ours to delete.
    let mut scene = Scene::run();
    scene
        .before
        .objects
        .insert(key("namespaces", "", "fd-old"), object("uid of namespaces fd-old", true));
    scene.log.delete("namespaces fd-old");
    scene.is_clean();
}

#[test]
fn a_delete_without_its_pins() {
    for (pins, words) in [
        (json!({}), "it carries no UID"),
        (json!({"preconditions": {"uid": "uid of namespaces fd-abc"}}), "no resourceVersion"),
    ] {
        let mut scene = Scene::run();
        scene.log.ours("delete", SANDBOX, pins);
        scene.says(words);
    }
    let mut scene = Scene::run();
    scene.log.ours("deletecollection", "configmaps shop/", Value::Null);
    scene.says("deletes name one object by UID");
}

#[test]
fn a_write_to_what_is_not_ours() {
    let mut scene = Scene::run();
    scene.log.ours("patch", "namespaces shop", json!({"metadata": {"annotations": {FENCE: "1"}}}));
    scene.says("patch of namespaces shop, which does not bear our mark");
    let mut scene = Scene::run();
    scene.log.ours("patch", "nodes/status n1", json!({}));
    scene.says("subresource status");
    let mut scene = Scene::run();
    scene.log.ours("create", "configmaps fd-abc/x", json!({"metadata": {}}));
    scene.says("created without our mark");
    let mut scene = Scene::quiet();
    scene.log.ours("update", LEASE, json!({}));
    scene.says("a Lease that is not ours");
    let mut scene = Scene::run();
    scene.log.create("example.com:things shop/x");
    scene.says("snapshots do not list things.example.com");
}

#[test]
fn velero_on_our_behalf_keeps_to_the_sandbox() {
    let mut scene = Scene::run();
    scene.log.by("velero", "patch", "apps:deployments shop/web", 200, Value::Null, Value::Null);
    scene.says("Velero wrote where production was: patch deployments deployments.apps shop/web");
}

#[test]
fn refused_and_dry_run_change_nothing() {
    let mut scene = Scene::quiet();
    scene.log.by(FIREDRILL, "delete", "namespaces shop", 422, Value::Null, Value::Null);
    scene.log.evict("p2");
    scene.log.0[1].request_uri = "/x?dryRun=All".into();
    let picture = scene.is_clean();
    assert_eq!(picture.writes[0].fate, Fate::Refused);
    assert_eq!(picture.writes[1].fate, Fate::Exempt("dry run".into()));
}

#[test]
fn a_write_without_an_answer_is_not_clean() {
    let mut scene = Scene::quiet();
    scene.log.by(FIREDRILL, "create", RESTORE, 0, Value::Null, Value::Null);
    scene.says("the server never answered");
}

#[test]
fn a_node_without_managed_fields_is_judged_by_the_log() {
    let mut scene = Scene::quiet();
    scene.log.ours("patch", "nodes n1", cordon());
    scene.after.nodes.get_mut("n1").expect("node").unschedulable = true;
    scene.says("LEFT: it is still cordoned by us");
    scene.says("leftover: nodes n1 is cordoned by us");
    let spec = |on: bool| json!({"spec": {"unschedulable": on}});
    scene.log.by("human", "patch", "nodes n1", 200, spec(false), Value::Null);
    scene.log.by("human", "patch", "nodes n1", 200, spec(true), Value::Null);
    scene.is_clean();
}
