//! The model's world: a few objects, Velero, people, and a clock that only the model moves.
//!
//! It behaves like an API server in what matters here: create-only names, UIDs and
//! resourceVersions that never come again, preconditions that answer 409, namespaces that take
//! their content with them, finalizers. What no request may ever do is recorded in `broken` the
//! moment it happens.

mod time;

use std::collections::BTreeMap;

use super::super::event::Target;

/// How long a namespace takes to go, in milliseconds.
const NAMESPACE_GOES: u64 = 400;

/// The attempts of a step that is tried again, each with names of its own.
pub const ATTEMPTS: [u8; 2] = [0, 1];

/// An object of the world. What a restore makes is numbered by its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Lease,
    Sandbox(u8),
    Policy(u8),
    Kept,
    Restore(u8),
    Node,
    Pod(u8),
    OtherNode,
    OtherNamespace,
}

impl Key {
    /// The object of a target; all of them have names of their own.
    pub fn of(target: &Target) -> Self {
        match (target.name.as_str(), target.namespace.as_deref()) {
            ("firedrill", _) => Self::Lease,
            ("fd-shop", _) => Self::Sandbox(0),
            ("fd-again", _) => Self::Sandbox(1),
            ("fd-deny", Some("fd-shop")) => Self::Policy(0),
            ("fd-deny", _) => Self::Policy(1),
            ("fd-kept", _) => Self::Kept,
            ("fd-restore", _) => Self::Restore(0),
            ("fd-restore-again", _) => Self::Restore(1),
            ("node-1", _) => Self::Node,
            ("web-0", _) => Self::Pod(0),
            ("web-1", _) => Self::Pod(1),
            ("node-2", _) => Self::OtherNode,
            _ => Self::OtherNamespace,
        }
    }

    pub fn target(self) -> Target {
        let (group, version, kind, namespace, name) = match self {
            Self::Lease => ("coordination.k8s.io", "v1", "Lease", Some("firedrill"), "firedrill"),
            Self::Sandbox(0) => ("", "v1", "Namespace", None, "fd-shop"),
            Self::Sandbox(_) => ("", "v1", "Namespace", None, "fd-again"),
            Self::Policy(0) => {
                ("networking.k8s.io", "v1", "NetworkPolicy", Some("fd-shop"), "fd-deny")
            }
            Self::Policy(_) => {
                ("networking.k8s.io", "v1", "NetworkPolicy", Some("fd-again"), "fd-deny")
            }
            Self::Kept => ("", "v1", "ConfigMap", Some("firedrill"), "fd-kept"),
            Self::Restore(0) => ("velero.io", "v1", "Restore", Some("velero"), "fd-restore"),
            Self::Restore(_) => ("velero.io", "v1", "Restore", Some("velero"), "fd-restore-again"),
            Self::Node => ("", "v1", "Node", None, "node-1"),
            Self::Pod(0) => ("", "v1", "Pod", Some("shop"), "web-0"),
            Self::Pod(_) => ("", "v1", "Pod", Some("shop"), "web-1"),
            Self::OtherNode => ("", "v1", "Node", None, "node-2"),
            Self::OtherNamespace => ("", "v1", "Namespace", None, "shop"),
        };
        Target {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: format!("{}s", kind.to_ascii_lowercase()),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }
}

/// Who made an object, or set a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Us,
    Velero,
    Human,
}

/// What an object says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    pub uid: u64,
    pub version: u64,
    pub maker: Maker,
    /// The effect that marked it.
    pub mark: Option<u32>,
    /// When somebody removed our mark.
    pub stripped: Option<u64>,
    pub created: u64,
    /// Terminating; gone at this instant, or once Velero takes its finalizer off.
    pub gone_at: Option<u64>,
    /// Who cordoned it, as managedFields tell.
    pub cordon: Option<Maker>,
    pub fence: bool,
    pub picked_up: bool,
    pub terminal: bool,
}

/// A write of ours, on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub key: Key,
    pub effect: u32,
    pub what: What,
    pub uid: Option<u64>,
    pub version: Option<u64>,
    pub epoch: u64,
    pub sent: u64,
    /// The server has dropped it by this instant, unless a proxy holds it.
    pub deadline: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Create,
    Cordon,
    Evict,
    /// A fence patch: written and cleared.
    Bump,
    /// A fence patch whose process died before it was cleared.
    HalfBump,
    Delete,
    Uncordon,
    Strip,
}

impl What {
    /// Whether it is an effect, not the undo or the fence of one.
    pub fn is_forward(self) -> bool {
        matches!(self, Self::Create | Self::Cordon | Self::Evict)
    }
}

/// What others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Uncordon,
    CordonAgain,
    RemakeNode,
    RemakeSandbox,
    StripMarks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coming {
    Call(Call),
    /// Longer on its way than the server's time-out allows; the policy may stop it.
    Held(Call),
    Act(Act),
}

/// From an instant until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub until: u64,
}

impl Span {
    pub const NEVER: Self = Self { from: u64::MAX, until: u64::MAX };

    pub fn has(self, at: u64) -> bool {
        self.from <= at && at < self.until
    }
}

/// The server's answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done(u64),
    Gone,
    Moved,
    Denied,
}

/// Velero at work on the Restore of an attempt.
#[derive(Clone, Copy, Debug)]
struct Work {
    of: u8,
    uid: u64,
    until: u64,
}

#[derive(Clone, Debug)]
pub struct World {
    pub now: u64,
    pub objects: BTreeMap<Key, Object>,
    serial: u64,
    /// Creates and patches with an older epoch than the newest leader's are denied.
    pub policy: bool,
    pub epoch: u64,
    /// While Velero is dead.
    pub velero_dead: Span,
    /// Restores that Velero works on.
    works: Vec<Work>,
    /// While firedrill does not reach the cluster; whether its writes arrive all the same.
    pub cut: Span,
    pub cut_lands: bool,
    /// A request reaches the server after this, and its answer comes after twice as long.
    pub way: u64,
    /// A write arrived after the settle time, while the run was still closing.
    pub unforeseen: bool,
    pub coming: Vec<(u64, Coming)>,
    /// A human has cordoned the node, and nobody may clear that.
    pub human_cordon: bool,
    /// The node is another one by the same name.
    pub node_remade: bool,
    pub broken: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            now: 10_000,
            objects: BTreeMap::new(),
            serial: 100,
            policy: true,
            epoch: 1,
            velero_dead: Span::NEVER,
            works: Vec::new(),
            cut: Span::NEVER,
            cut_lands: false,
            way: 5,
            unforeseen: false,
            coming: Vec::new(),
            human_cordon: false,
            node_remade: false,
            broken: Vec::new(),
        };
        for key in [Key::Node, Key::OtherNode, Key::OtherNamespace, Key::Pod(0), Key::Pod(1)] {
            world.make(key, Maker::Human, None);
        }
        world
    }

    fn make(&mut self, key: Key, maker: Maker, mark: Option<u32>) -> u64 {
        self.serial += 2;
        let object = Object {
            uid: self.serial - 1,
            version: self.serial,
            maker,
            mark,
            stripped: None,
            created: self.now,
            gone_at: None,
            cordon: None,
            fence: false,
            picked_up: false,
            terminal: false,
        };
        self.objects.insert(key, object);
        object.uid
    }

    fn change(&mut self, key: Key, change: impl FnOnce(&mut Object)) {
        self.serial += 1;
        if let Some(object) = self.objects.get_mut(&key) {
            change(object);
            object.version = self.serial;
        }
    }

    /// Whether the Restore of an attempt can still make objects.
    pub fn restore_can_act(&self, of: u8) -> bool {
        let key = Key::Restore(of);
        self.works.iter().any(|work| work.of == of)
            || self.objects.get(&key).is_some_and(|restore| !restore.terminal)
            || self.coming.iter().any(|(_, coming)| {
                matches!(coming, Coming::Call(call) if call.key == key && call.what == What::Create)
            })
    }

    /// What of these effects, and of ours, is in the world or still on its way: none of it may be
    /// when a further attempt begins. What a human has taken over is not ours, and what a proxy
    /// holds for longer than the server's time-out nobody can know of.
    pub fn left_of(&self, effects: &[(u32, Key)]) -> Option<String> {
        if self.unforeseen {
            return None;
        }
        for (n, key) in effects {
            let object = self.objects.get(key);
            let taken = |key: Key| {
                let object = self.objects.get(&key);
                object.is_some_and(|it| it.stripped.is_some() || it.maker == Maker::Human)
            };
            let taken_over = match key {
                Key::Policy(of) => taken(Key::Sandbox(*of)) || taken(*key),
                Key::Node => object.is_some_and(|node| node.stripped.is_some()),
                _ => taken(*key),
            };
            if taken_over {
                continue;
            }
            let there = object.is_some_and(|object| match key {
                Key::Node => object.cordon == Some(Maker::Us),
                _ => object.maker != Maker::Human,
            });
            let coming = self.coming.iter().any(|(_, coming)| match coming {
                // What it is pinned to may have moved on: then the server refuses it.
                Coming::Call(call) if call.effect == *n && call.what.is_forward() => {
                    let fits = |pin: Option<u64>, is: Option<u64>| pin.is_none() || pin == is;
                    fits(call.uid, object.map(|it| it.uid))
                        && fits(call.version, object.map(|it| it.version))
                }
                Coming::Call(_) => false,
                Coming::Held(_) | Coming::Act(_) => false,
            });
            let acts = matches!(key, Key::Restore(of) if self.restore_can_act(*of));
            if there || coming || acts {
                let how = if there { "there" } else { "on its way" };
                return Some(format!("{} was still {how}", key.target()));
            }
        }
        None
    }

    /// Whether the policy stops this call.
    pub fn denies(&self, call: &Call) -> bool {
        let guarded = matches!(call.what, What::Create | What::Cordon);
        self.policy && guarded && call.epoch < self.epoch
    }

    /// A write of ours arrives.
    pub fn land(&mut self, call: &Call) -> Answer {
        let key = call.key;
        let found = self.objects.get(&key).copied();
        if call.what == What::Create {
            return self.create(call, found);
        }
        let Some(object) = found else { return Answer::Gone };
        let moved = |pin: Option<u64>, is: u64| pin.is_some_and(|pin| pin != is);
        if call.uid.is_none() {
            self.broken.push(format!("{:?} of {} without a UID", call.what, key.target()));
        }
        if moved(call.uid, object.uid) || moved(call.version, object.version) {
            return Answer::Moved;
        }
        // A further attempt may well cordon the new one.
        if key == Key::Node && call.what == What::Cordon {
            self.node_remade = false;
        }
        if key == Key::Node && self.node_remade {
            self.broken.push(format!("{:?} of a node that is not the one we cordoned", call.what));
        }
        match call.what {
            What::Delete => self.delete(call, object),
            What::Evict => {
                self.make(key, Maker::Human, None);
            }
            What::Cordon => self.change(key, |node| {
                node.cordon = Some(Maker::Us);
                node.mark = Some(call.effect);
            }),
            What::Bump => {
                self.change(key, |_| {});
                self.change(key, |node| node.fence = false);
            }
            What::HalfBump => self.change(key, |node| node.fence = true),
            What::Uncordon | What::Strip => {
                if call.what == What::Uncordon && object.cordon == Some(Maker::Human) {
                    self.broken.push("a human's cordon was cleared".to_owned());
                }
                self.change(key, |node| {
                    node.mark = None;
                    node.fence = false;
                    if call.what == What::Uncordon {
                        node.cordon = None;
                    }
                });
            }
            What::Create => {}
        }
        Answer::Done(object.uid)
    }

    fn create(&mut self, call: &Call, found: Option<Object>) -> Answer {
        if found.is_some() {
            return Answer::Moved;
        }
        if let Key::Policy(of) = call.key {
            let sandbox = self.objects.get(&Key::Sandbox(of));
            if sandbox.is_none_or(|sandbox| sandbox.gone_at.is_some()) {
                return Answer::Denied;
            }
        }
        Answer::Done(self.make(call.key, Maker::Us, Some(call.effect)))
    }

    fn delete(&mut self, call: &Call, object: Object) {
        let key = call.key;
        let target = key.target();
        if object.maker != Maker::Us {
            self.broken.push(format!("{target} was deleted, which {:?} made", object.maker));
        }
        // 200 ms: who strips a mark between our look and our delete cannot be noticed by a pin to
        // the UID alone.
        if object.stripped.is_some_and(|at| call.sent > at + 200 + 2 * self.way) {
            self.broken.push(format!("{target} was deleted without our mark on it"));
        }
        let acts = match key {
            Key::Sandbox(of) => self.restore_can_act(of),
            Key::Restore(_) => object.picked_up && !object.terminal,
            _ => false,
        };
        if acts && !self.unforeseen {
            self.broken.push(format!("{target} was deleted while a Restore could still act"));
        }
        let now = self.now;
        match key {
            Key::Sandbox(_) => {
                self.change(key, |o| o.gone_at = o.gone_at.or(Some(now + NAMESPACE_GOES)))
            }
            Key::Restore(_) if object.picked_up => {
                self.change(key, |o| o.gone_at = o.gone_at.or(Some(now + 300)));
            }
            _ => {
                self.objects.remove(&key);
            }
        }
    }
}

#[test]
fn every_key_is_found_by_its_target() {
    let of_attempts =
        ATTEMPTS.iter().flat_map(|of| [Key::Sandbox(*of), Key::Policy(*of), Key::Restore(*of)]);
    let others = [Key::Lease, Key::Kept, Key::Node, Key::Pod(0), Key::Pod(1), Key::OtherNode];
    for key in of_attempts.chain(others).chain([Key::OtherNamespace]) {
        assert_eq!(Key::of(&key.target()), key);
    }
}
