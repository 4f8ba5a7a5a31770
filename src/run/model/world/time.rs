//! What happens in the world while time passes: late calls arrive, Velero works, people act, and
//! what is being deleted goes.

use super::{ATTEMPTS, Act, Coming, Key, Maker, Work, World};

/// Velero picks a Restore up after this.
const PICKS_UP: u64 = 1000;
/// It is terminal this long after it was picked up.
const WORKS: u64 = 3000;

impl World {
    /// Lets time pass.
    pub fn advance(&mut self, to: u64) {
        while let Some(at) = self.due().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            self.happen();
        }
        self.now = self.now.max(to);
    }

    /// When the next thing happens by itself.
    fn due(&self) -> Option<u64> {
        let alive_from =
            |at: u64| if self.velero_dead.has(at) { self.velero_dead.until } else { at };
        let mut due: Vec<u64> = self.coming.iter().map(|(at, _)| *at).collect();
        for (key, object) in &self.objects {
            if let Some(at) = object.gone_at {
                due.push(if object.picked_up { alive_from(at.max(self.now)) } else { at });
            } else if matches!(key, Key::Restore(_)) && !object.picked_up {
                due.push(alive_from((object.created + PICKS_UP).max(self.now)));
            }
            if matches!(key, Key::Restore(_)) && object.picked_up && !object.terminal {
                // Dies, or finds at its start a Restore that it had worked on.
                if self.works.iter().all(|work| work.uid != object.uid) {
                    due.push(alive_from(self.now));
                } else if self.velero_dead.has(self.now) {
                    due.push(self.now);
                } else if self.velero_dead.from > self.now {
                    due.push(self.velero_dead.from);
                }
            }
        }
        due.extend(self.works.iter().map(|work| work.until));
        due.into_iter().filter(|at| *at != u64::MAX).min()
    }

    fn happen(&mut self) {
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.coming).into_iter().partition(|c| c.0 <= now);
        self.coming = later;
        let due: Vec<(u64, Coming)> = due;
        for (_, coming) in due {
            match coming {
                Coming::Call(call) => drop(self.land(&call)),
                Coming::Held(call) if self.denies(&call) => {}
                Coming::Held(call) => {
                    self.unforeseen = true;
                    self.land(&call);
                }
                Coming::Act(act) => self.act(act),
            }
        }
        if self.velero_dead.has(now) {
            self.works.clear();
        } else {
            self.velero();
        }
        for of in ATTEMPTS {
            let sandbox = self.objects.get(&Key::Sandbox(of));
            if sandbox.is_some_and(|s| s.gone_at.is_some_and(|at| at <= now)) {
                self.objects.remove(&Key::Sandbox(of));
                self.objects.remove(&Key::Policy(of));
            }
            if self.objects.get(&Key::Restore(of)).is_some_and(|restore| {
                restore.gone_at.is_some_and(|at| at <= now)
                    && !(restore.picked_up && self.velero_dead.has(now))
            }) {
                self.objects.remove(&Key::Restore(of));
            }
            // A Restore at work makes the namespace that it maps to, and knows nothing of marks.
            let works = self.works.iter().any(|work| work.of == of);
            if works && !self.objects.contains_key(&Key::Sandbox(of)) {
                self.make(Key::Sandbox(of), Maker::Velero, None);
            }
        }
    }

    fn velero(&mut self) {
        let now = self.now;
        self.works.retain(|work| work.until > now);
        for of in ATTEMPTS {
            let key = Key::Restore(of);
            let Some(restore) = self.objects.get(&key).copied() else { continue };
            if !restore.picked_up && restore.gone_at.is_none() && restore.created + PICKS_UP <= now
            {
                self.works.push(Work { of, uid: restore.uid, until: now + WORKS });
                self.change(key, |restore| restore.picked_up = true);
            } else if restore.picked_up
                && !restore.terminal
                && self.works.iter().all(|work| work.uid != restore.uid)
            {
                // Completed, or failed because Velero started anew.
                self.change(key, |restore| restore.terminal = true);
            }
        }
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        match act {
            Act::Uncordon => self.change(Key::Node, |node| node.cordon = None),
            Act::CordonAgain => {
                self.change(Key::Node, |node| node.cordon = Some(Maker::Human));
                self.human_cordon = true;
            }
            Act::RemakeNode => {
                self.make(Key::Node, Maker::Human, None);
                self.node_remade = true;
            }
            Act::RemakeSandbox => {
                for of in ATTEMPTS {
                    if self.objects.remove(&Key::Sandbox(of)).is_some() {
                        self.objects.remove(&Key::Policy(of));
                        self.make(Key::Sandbox(of), Maker::Human, None);
                    }
                }
            }
            Act::StripMarks => {
                let marked: Vec<Key> = self
                    .objects
                    .iter()
                    .filter(|(_, o)| o.mark.is_some())
                    .map(|(k, _)| *k)
                    .collect();
                for key in marked {
                    self.change(key, |object| {
                        object.mark = None;
                        object.stripped = Some(now);
                    });
                }
            }
        }
    }
}
