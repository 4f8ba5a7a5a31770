//! What must hold where a world ends.

use super::{
    super::{
        event::UndoOutcome,
        machine::{Effect, EffectState, Machine},
    },
    case::{LONG, Trouble},
    world::{ATTEMPTS, Key, Maker, World},
};

/// Leftovers at the end of a run that nothing excuses.
pub fn needless(machine: &Machine, world: &World, trouble: Trouble) -> Vec<String> {
    let mut all = Vec::new();
    if machine.leftovers() > 0 && !trouble.excuses() && !world.unforeseen {
        all.push("the run ended with a leftover that nothing excuses".to_owned());
    }
    let unseen = ATTEMPTS.iter().filter_map(|of| world.objects.get(&Key::Restore(*of)));
    let unseen = unseen.into_iter().any(|restore| !restore.picked_up);
    let troubled = matches!(trouble, Trouble::VeleroDead(_) | Trouble::SlowAndDead);
    if unseen && troubled && !world.unforeseen {
        all.push("a Restore that nobody has picked up was left".to_owned());
    }
    let lease = machine.effects.get(&0).map(|lease| &lease.state);
    let is_left = matches!(lease, Some(EffectState::Left { .. }));
    if is_left && !matches!(trouble, Trouble::Cut(LONG, _)) {
        all.push("the Lease was left though it could be deleted".to_owned());
    }
    all
}

/// Whatever is not as it was before the run and not named, or named without being there.
pub fn differences(world: &World, machine: &Machine, excused: bool) -> Vec<String> {
    let mut all = Vec::new();
    let first = World::new();
    for key in [Key::OtherNode, Key::OtherNamespace] {
        if world.objects.get(&key) != first.objects.get(&key) {
            all.push(format!("{} is not ours and was touched", key.target()));
        }
    }
    if !machine.is_ended() {
        all.push("the run did not end".to_owned());
    }
    let of_attempts =
        ATTEMPTS.iter().flat_map(|of| [Key::Sandbox(*of), Key::Policy(*of), Key::Restore(*of)]);
    for key in [Key::Lease, Key::Kept, Key::Node].into_iter().chain(of_attempts) {
        // A node is cordoned by each attempt: an effect for each, of which one may be the cause.
        let of_key = |effect: &&Effect| Key::of(&effect.intent.target) == key;
        let effects = machine.effects.values().filter(of_key);
        let states: Vec<&EffectState> = effects.map(|effect| &effect.state).collect();
        let any = |fits: fn(&EffectState) -> bool| states.iter().any(|state| fits(state));
        let object = world.objects.get(&key);
        let differs = match (key, object) {
            (Key::Node, Some(node)) => {
                let cordon = world.human_cordon.then_some(Maker::Human);
                node.cordon != cordon || node.mark.is_some() || node.fence
            }
            // It goes with its namespace, and the namespace is named.
            (Key::Policy(of), Some(_)) => !world.objects.contains_key(&Key::Sandbox(of)),
            (Key::Kept, Some(_)) => {
                !any(|state| matches!(state, EffectState::Kept | EffectState::Cleared))
            }
            (_, Some(object)) => object.maker != Maker::Human,
            (_, None) => false,
        };
        let humans = object.is_some_and(|object| object.maker == Maker::Human);
        let is_left = any(|state| matches!(state, EffectState::Left { .. }));
        // Who takes our mark off takes the object over; the journal says so.
        let not_ours = object.is_some_and(|object| object.stripped.is_some())
            && any(|state| {
                matches!(state, EffectState::Over(UndoOutcome::NotOurs(_)) | EffectState::Foreign)
            });
        let target = key.target();
        if differs && !is_left && !not_ours {
            all.push(format!("{target} stays and nothing names it: {states:?}"));
        } else if differs && !excused {
            all.push(format!("{target} was left without need"));
        } else if is_left && !differs && (key == Key::Node || !humans) {
            all.push(format!("{target} is named as a leftover and is not there"));
        }
    }
    for effect in machine.effects.values() {
        let over = matches!(effect.state, EffectState::Left { .. } | EffectState::Cleared);
        if effect.was_left && !over {
            let target = &effect.intent.target;
            all.push(format!("leftover {target} is neither left nor cleared: {:?}", effect.state));
        }
    }
    all
}
