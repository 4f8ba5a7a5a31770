//! The judgement, entry by entry. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Evidence, FENCE, Fate, INSTANCE, Kept, Key, NAME_PREFIX, Picture, Write,
    body::Change,
    node::{self, Cordons},
    snapshot::{full_name, is_listed},
};
use crate::audit::{Entry, FIREDRILL};

/// Judges every write of firedrill's account, and what Velero did on its behalf.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> Picture {
    let mut entries: Vec<&Entry> = evidence
        .entries
        .iter()
        .filter(|entry| entry.is_write() && entry.object_ref.is_some())
        .collect();
    // The log is in this order but for requests that ended at the same instant.
    entries.sort_by_key(|entry| entry.stage_timestamp);
    let cordons = Cordons::before(evidence.before, FIREDRILL);
    let mut judge = Judge {
        evidence: *evidence,
        end: at_end(cordons.clone(), &entries),
        cordons,
        created: BTreeMap::new(),
        picture: Picture::default(),
    };
    for entry in entries {
        judge.hear(entry);
    }
    judge.look_around();
    judge.picture
}

/// The cordons as they stand when everything has been heard.
fn at_end(mut cordons: Cordons, entries: &[&Entry]) -> Cordons {
    for entry in entries.iter().filter(|entry| succeeded(entry)) {
        let key = key(entry);
        let node = key.resource == "nodes" && sub(entry).is_empty();
        if let Some(change) = change(entry).filter(|_| node) {
            cordons.apply(&key.name, entry.actor(), FIREDRILL, &change);
        }
    }
    cordons
}

fn succeeded(entry: &Entry) -> bool {
    (200..300).contains(&entry.code()) && !entry.is_dry_run()
}

fn sub(entry: &Entry) -> &str {
    entry.object_ref.as_ref().map_or("", |object| object.subresource.as_str())
}

struct Judge<'a> {
    evidence: Evidence<'a>,
    end: Cordons,
    cordons: Cordons,
    /// What our account created, with the UIDs that the answers named.
    created: BTreeMap<Key, Vec<String>>,
    picture: Picture,
}

fn key(entry: &Entry) -> Key {
    let object = entry.object_ref.clone().unwrap_or_default();
    let answered = entry.response_object.as_ref().and_then(|o| o["metadata"]["name"].as_str());
    Key {
        resource: full_name(&object.resource, &object.api_group),
        // A namespace names itself as its namespace in the log.
        namespace: if object.resource == "namespaces" { String::new() } else { object.namespace },
        name: if object.name.is_empty() {
            answered.unwrap_or_default().to_owned()
        } else {
            object.name
        },
    }
}

fn is_marked(object: &Value) -> bool {
    object["metadata"]["labels"][INSTANCE].is_string()
}

impl Judge<'_> {
    fn hear(&mut self, entry: &Entry) {
        let key = key(entry);
        let ours = entry.actor() == FIREDRILL;
        if !ours {
            if succeeded(entry) {
                self.hear_other(entry, &key);
            }
            return;
        }
        let sub = sub(entry);
        let fate = if entry.code() == 0 {
            Fate::Left("the server never answered, so nothing is known of it".to_owned())
        } else if !(200..300).contains(&entry.code()) {
            Fate::Refused
        } else if entry.is_dry_run() {
            Fate::Exempt("dry run".to_owned())
        } else {
            self.weigh(entry, &key, sub)
        };
        let target = if sub.is_empty() {
            key.to_string()
        } else {
            key.to_string().replacen(' ', &format!("/{sub} "), 1)
        };
        let (at, verb, code) = (entry.stage_timestamp, entry.verb.clone(), entry.code());
        self.picture.writes.push(Write { at, verb, target, code, fate });
    }

    /// Somebody else's write: cordons matter, and what Velero does because we asked it to.
    fn hear_other(&mut self, entry: &Entry, key: &Key) {
        let sub = sub(entry);
        if key.resource == "nodes" && sub.is_empty() {
            if let Some(change) = change(entry) {
                // What others do to each other's cordons, or to ours, is their business.
                let _ = self.cordons.apply(&key.name, entry.actor(), FIREDRILL, &change);
            }
            return;
        }
        if !entry.user_agent.starts_with("velero") || key.resource == "events" {
            return;
        }
        let home = if key.resource == "namespaces" { &key.name } else { &key.namespace };
        let stood = if home.is_empty() {
            entry.verb != "create" && self.evidence.before.objects.contains_key(key)
        } else {
            let home = Key {
                resource: "namespaces".to_owned(),
                namespace: String::new(),
                name: home.clone(),
            };
            self.evidence.before.objects.contains_key(&home) && home.name != "velero"
        };
        if stood {
            self.picture.touched_others.push(format!(
                "Velero wrote where production was: {} {} {}",
                entry.verb,
                entry.resource(),
                key
            ));
        }
    }

    /// A successful write of ours.
    fn weigh(&mut self, entry: &Entry, key: &Key, sub: &str) -> Fate {
        let exempt = |what: &str| Fate::Exempt(what.to_owned());
        match (key.resource.as_str(), sub, entry.verb.as_str()) {
            (_, _, "deletecollection") => {
                self.unguarded(entry, key, "deletes name one object by UID");
                Fate::Left("what it deleted cannot be told".to_owned())
            }
            ("pods", "eviction", "create") => {
                self.eviction(entry, key);
                exempt("eviction")
            }
            (_, sub, _) if !sub.is_empty() => {
                self.touched(format!("{} of the subresource {sub} of {key}", entry.verb));
                Fate::Left("no subresource but eviction is ours to write".to_owned())
            }
            (
                "selfsubjectaccessreviews.authorization.k8s.io"
                | "selfsubjectrulesreviews.authorization.k8s.io"
                | "selfsubjectreviews.authentication.k8s.io",
                _,
                "create",
            ) => exempt("access review"),
            ("events" | "events.events.k8s.io", _, "create") => exempt("Event"),
            ("configmaps", _, "create" | "update" | "patch")
                if key.namespace == "firedrill" && key.name == "firedrill-epoch" =>
            {
                exempt("epoch")
            }
            ("nodes", _, "patch" | "update") => self.node(entry, key),
            (_, _, "create") => self.create(entry, key),
            // A patch that made its object (server-side apply).
            (_, _, "patch") if entry.code() == 201 => self.create(entry, key),
            ("leases.coordination.k8s.io", _, "update" | "patch")
                if key.namespace == "firedrill" && key.name == "firedrill" =>
            {
                if !self.is_ours(key) {
                    self.touched(format!("{} of {key}, a Lease that is not ours", entry.verb));
                }
                exempt("Lease renewal")
            }
            (_, _, "update" | "patch") => self.change(entry, key),
            (_, _, "delete") => self.delete(entry, key),
            (_, _, verb) => Fate::Left(format!("the judge does not know the verb {verb}")),
        }
    }

    fn touched(&mut self, what: String) {
        self.picture.touched_others.push(what);
    }

    fn unguarded(&mut self, entry: &Entry, key: &Key, why: &str) {
        self.picture.unguarded.push(format!("{} {key}: {why}", entry.verb));
    }

    /// Whether an object is ours: made by our account in this time, or marked before it.
    fn is_ours(&self, key: &Key) -> bool {
        self.created.contains_key(key)
            || self.evidence.before.objects.get(key).is_some_and(super::ObjectState::is_marked)
    }

    fn eviction(&mut self, entry: &Entry, key: &Key) {
        let uid = entry
            .request_object
            .as_ref()
            .and_then(|body| body.pointer("/deleteOptions/preconditions/uid"))
            .and_then(Value::as_str);
        let Some(uid) = uid else {
            self.unguarded(entry, key, "without a UID it may hit a pod of the same name");
            return;
        };
        let Evidence { before, after, seats, .. } = self.evidence;
        let seat = [&before.pods, seats, &after.pods]
            .into_iter()
            .filter_map(|pods| pods.get(uid))
            .find_map(|seat| seat.node.clone());
        match seat {
            None => self.touched(format!(
                "eviction of {key} ({uid}), and neither a snapshot nor an observer saw its node"
            )),
            Some(node) if !self.cordons.had_by_us(&node) => {
                self.touched(format!(
                    "eviction of {key} from node {node}, which we had not cordoned"
                ));
            }
            Some(_) => {}
        }
    }

    fn node(&mut self, entry: &Entry, key: &Key) -> Fate {
        let Some(change) = change(entry) else {
            self.unguarded(entry, key, "the log does not show its body");
            return self.node_fate(key);
        };
        if !change.others.is_empty() {
            let what = change.others.join(", ");
            self.touched(format!("{} of {key}: {what}", entry.verb));
        }
        if let Some(what) = self.cordons.apply(&key.name, FIREDRILL, FIREDRILL, &change) {
            self.touched(what);
        }
        let fate = self.node_fate(key);
        // A fence that was not cleared again is left, like any key of ours.
        if change.is_fence() && fate == Fate::Undone {
            Fate::Exempt("fence patch".to_owned())
        } else {
            fate
        }
    }

    fn node_fate(&self, key: &Key) -> Fate {
        let Evidence { before, after, .. } = self.evidence;
        node::fate(&key.name, (before, after), &self.end, FIREDRILL)
    }

    fn create(&mut self, entry: &Entry, key: &Key) -> Fate {
        let answer = entry.response_object.as_ref();
        let uid = answer.and_then(|o| o["metadata"]["uid"].as_str()).map(str::to_owned);
        self.created.entry(key.clone()).or_default().extend(uid.clone());
        match entry.request_object.as_ref().or(answer) {
            None => self.unguarded(entry, key, "the log does not show its body"),
            Some(body) if !is_marked(body) => {
                self.unguarded(entry, key, "created without our mark, so no sweep finds it");
            }
            Some(_) => {}
        }
        self.whereabouts(key, uid.as_deref())
    }

    /// What became of an object that we made.
    fn whereabouts(&self, key: &Key, uid: Option<&str>) -> Fate {
        let Evidence { after, kept, .. } = self.evidence;
        if let Some(now) = after.objects.get(key) {
            if uid.is_some_and(|uid| uid != now.uid) {
                return Fate::Undone;
            }
            return match policy(kept, key) {
                Some(policy) => Fate::Kept(policy),
                None if now.terminating => Fate::Left(format!("{key} is still terminating")),
                None => Fate::Left(format!("{key} still exists ({})", now.uid)),
            };
        }
        if is_listed(&key.resource) {
            return Fate::Undone;
        }
        let home = Key {
            resource: "namespaces".to_owned(),
            namespace: String::new(),
            name: key.namespace.clone(),
        };
        if !key.namespace.is_empty() && !after.objects.contains_key(&home) {
            return Fate::Undone;
        }
        Fate::Left(format!("snapshots do not list {}, so nobody knows", key.resource))
    }

    fn change(&mut self, entry: &Entry, key: &Key) -> Fate {
        if !self.is_ours(key) {
            self.touched(format!("{} of {key}, which does not bear our mark", entry.verb));
        }
        let fence = change(entry).is_some_and(|change| change.is_fence());
        let now = self.evidence.after.objects.get(key);
        match now {
            Some(now) if now.annotations.contains_key(FENCE) => {
                Fate::Left(format!("{key} bears {FENCE}"))
            }
            _ if fence => Fate::Exempt("fence patch".to_owned()),
            _ => {
                let uid = self.created.get(key).and_then(|uids| uids.last()).cloned();
                self.whereabouts(key, uid.as_deref())
            }
        }
    }

    fn delete(&mut self, entry: &Entry, key: &Key) -> Fate {
        let pin = |field: &str| {
            let options = entry.request_object.as_ref()?;
            options.get("preconditions")?.get(field)?.as_str().map(str::to_owned)
        };
        let uid = pin("uid");
        if uid.is_none() {
            self.unguarded(entry, key, "it carries no UID");
        } else if key.resource == "namespaces" && pin("resourceVersion").is_none() {
            self.unguarded(entry, key, "the delete of a namespace carries no resourceVersion");
        }
        let made = self
            .created
            .get(key)
            .is_some_and(|uids| uids.is_empty() || uid.as_ref().is_none_or(|u| uids.contains(u)));
        let before = self.evidence.before.objects.get(key);
        let stood = before.filter(|b| uid.as_ref().is_none_or(|uid| *uid == b.uid));
        let restored = matches!(
            key.resource.as_str(),
            "persistentvolumes" | "volumesnapshotcontents.snapshot.storage.k8s.io"
        ) && entry.response_object.as_ref().is_some_and(|object| {
            let restore = object["metadata"]["labels"]["velero.io/restore-name"].as_str();
            restore.is_some_and(|name| name.starts_with(NAME_PREFIX))
        });
        match stood {
            Some(stood) if !stood.is_marked() && !made => {
                self.touched(format!(
                    "delete of {key} ({}), which stood before the run",
                    stood.uid
                ));
            }
            None if !made && !restored => {
                self.touched(format!("delete of {key}, which we did not make"));
            }
            _ => {}
        }
        Fate::Undone
    }

    /// What is there afterwards, whoever wrote it.
    fn look_around(&mut self) {
        let Evidence { before, after, kept, .. } = self.evidence;
        for (key, now) in &after.objects {
            let epoch = key.namespace == "firedrill" && key.name == "firedrill-epoch";
            let old = before.objects.get(key).is_some_and(|then| then.uid == now.uid);
            if old || epoch || policy(kept, key).is_some() {
                continue;
            }
            let state = if now.terminating { ", terminating" } else { "" };
            let restore = now.labels.get("velero.io/restore-name");
            let why = if let Some(instance) = now.labels.get(INSTANCE) {
                format!("bears the mark of {instance}")
            } else if key.resource == "namespaces" && key.name.starts_with(NAME_PREFIX) {
                "has a name of ours and no mark: Velero made it".to_owned()
            } else if restore.is_some_and(|name| name.starts_with(NAME_PREFIX))
                && key.namespace.is_empty()
            {
                "came back by a Restore of ours".to_owned()
            } else {
                continue;
            };
            self.picture.leftovers.push(format!("{key} ({}{state}) {why}", now.uid));
        }
        for (name, now) in &after.nodes {
            let then = before.nodes.get(name);
            if !now.ours.is_empty() && then.is_none_or(|then| then.ours != now.ours) {
                let keys: Vec<&str> = now.ours.keys().map(String::as_str).collect();
                self.picture.leftovers.push(format!("nodes {name} bears {}", keys.join(", ")));
            }
            let ours = node::is_ours(name, now, &self.end, FIREDRILL);
            if ours && then.is_none_or(|then| !then.unschedulable) {
                self.picture.leftovers.push(format!("nodes {name} is cordoned by us"));
            }
        }
    }
}

fn policy(kept: &[Kept], key: &Key) -> Option<String> {
    kept.iter()
        .find(|kept| {
            kept.resource == key.resource
                && kept.namespace == key.namespace
                && key.name.starts_with(&kept.name_prefix)
        })
        .map(|kept| kept.policy.clone())
}

/// What an entry's body changes; none if the log does not show it.
fn change(entry: &Entry) -> Option<Change> {
    let body = entry.request_object.as_ref()?;
    Some(if entry.verb == "update" { Change::of_update(body) } else { Change::of_patch(body) })
}
