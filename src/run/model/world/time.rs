//! What happens in the world while time passes: late calls arrive, Velero works, people act, and
//! what is being deleted goes.

use super::{Act, Coming, Key, Maker, World};

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
            } else if *key == Key::Restore && !object.picked_up {
                due.push(alive_from((object.created + PICKS_UP).max(self.now)));
            }
            if *key == Key::Restore && object.picked_up && !object.terminal {
                // Dies, or finds at its start a Restore that it had worked on.
                if self.works.is_empty() {
                    due.push(alive_from(self.now));
                } else if self.velero_dead.has(self.now) {
                    due.push(self.now);
                } else if self.velero_dead.from > self.now {
                    due.push(self.velero_dead.from);
                }
            }
        }
        due.extend(self.works.iter().map(|(_, until)| *until));
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
        if self.objects.get(&Key::Sandbox).is_some_and(|s| s.gone_at.is_some_and(|at| at <= now)) {
            self.objects.remove(&Key::Sandbox);
            self.objects.remove(&Key::Policy);
        }
        if self.objects.get(&Key::Restore).is_some_and(|restore| {
            restore.gone_at.is_some_and(|at| at <= now)
                && !(restore.picked_up && self.velero_dead.has(now))
        }) {
            self.objects.remove(&Key::Restore);
        }
        // A Restore at work makes the namespace that it maps to, and knows nothing of marks.
        if !self.works.is_empty() && !self.objects.contains_key(&Key::Sandbox) {
            self.make(Key::Sandbox, Maker::Velero, None);
        }
    }

    fn velero(&mut self) {
        let now = self.now;
        let over: Vec<u64> = self.works.iter().filter(|w| w.1 <= now).map(|w| w.0).collect();
        self.works.retain(|work| work.1 > now);
        let Some(restore) = self.objects.get(&Key::Restore).copied() else { return };
        if !restore.picked_up && restore.gone_at.is_none() && restore.created + PICKS_UP <= now {
            self.works.push((restore.uid, now + WORKS));
            self.change(Key::Restore, |restore| restore.picked_up = true);
        } else if restore.picked_up
            && !restore.terminal
            && (over.contains(&restore.uid) || self.works.iter().all(|w| w.0 != restore.uid))
        {
            // Completed, or failed because Velero started anew.
            self.change(Key::Restore, |restore| restore.terminal = true);
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
                if self.objects.remove(&Key::Sandbox).is_some() {
                    self.objects.remove(&Key::Policy);
                    self.make(Key::Sandbox, Maker::Human, None);
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
