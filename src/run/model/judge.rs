//! What must hold where a world ends.

use super::{
    super::{
        event::UndoOutcome,
        machine::{EffectState, Machine},
    },
    case::{LONG, Trouble},
    sample::Sample,
    world::{Key, Maker, World},
};

/// Leftovers at the end of a run that nothing excuses.
pub fn needless(machine: &Machine, world: &World, trouble: Trouble) -> Vec<String> {
    let mut all = Vec::new();
    if machine.leftovers() > 0 && !trouble.excuses() && !world.unforeseen {
        all.push("the run ended with a leftover that nothing excuses".to_owned());
    }
    let unseen = world.objects.get(&Key::Restore).is_some_and(|restore| !restore.picked_up);
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
pub fn differences(
    sample: &Sample,
    world: &World,
    machine: &Machine,
    excused: bool,
) -> Vec<String> {
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
    for key in [Key::Lease, Key::Sandbox, Key::Policy, Key::Kept, Key::Restore, Key::Node] {
        let n = sample.keys.iter().position(|one| *one == key);
        let n = n.and_then(|n| u32::try_from(n).ok());
        let state = n.and_then(|n| machine.effects.get(&n)).map(|effect| &effect.state);
        let object = world.objects.get(&key);
        let differs = match (key, object) {
            (Key::Node, Some(node)) => {
                let cordon = world.human_cordon.then_some(Maker::Human);
                node.cordon != cordon || node.mark.is_some() || node.fence
            }
            // It goes with its namespace, and the namespace is named.
            (Key::Policy, Some(_)) => !world.objects.contains_key(&Key::Sandbox),
            (Key::Kept, Some(_)) => {
                !matches!(state, Some(EffectState::Kept | EffectState::Cleared))
            }
            (_, Some(object)) => object.maker != Maker::Human,
            (_, None) => false,
        };
        let humans = object.is_some_and(|object| object.maker == Maker::Human);
        let is_left = matches!(state, Some(EffectState::Left { .. }));
        // Who takes our mark off takes the object over; the journal says so.
        let not_ours = object.is_some_and(|object| object.stripped.is_some())
            && matches!(
                state,
                Some(EffectState::Over(UndoOutcome::NotOurs(_)) | EffectState::Foreign)
            );
        let target = key.target();
        if differs && !is_left && !not_ours {
            all.push(format!("{target} stays and nothing names it: {state:?}"));
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
