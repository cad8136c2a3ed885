//! What must hold of the plan on every world, and the smallest world on which it does not.

use std::collections::BTreeSet;

use ipai_core::plan::Proposal;
use ipai_core::{LiveState, Plan, Reason, Verb};

use super::Scene;
use crate::toy::{Setting, World, show, soundness};

/// Why the scene fails, if it does.
pub(crate) fn failure(scene: &Scene) -> Option<String> {
    judge(scene).err()
}

fn judge(scene: &Scene) -> Result<(), String> {
    let (mut setting, mut world) = scene.stage()?;
    let mut proposal = sound(&setting, &world.live)?;
    check_deletions(&setting, &world.live, &proposal).map_err(|why| shown(&why, &proposal.plan))?;
    if !proposal.plan.conflicts.is_empty() {
        // A person settles what stands in the way, and plans again.
        let in_the_way = |f: &_| proposal.plan.conflicts.iter().any(|c| c.foreign == *f);
        world.live.foreign.retain(|foreign| !in_the_way(foreign));
        proposal = sound(&setting, &world.live)?;
    }
    let (strangers, ours) = (world.live.foreign.clone(), ours(&world));
    world.apply(&mut setting, &proposal).map_err(|why| shown(&why, &proposal.plan))?;
    let plan = proposal.plan;
    if world.live.foreign != strangers {
        return Err(shown("something foreign was touched", &plan));
    }
    check_bystanders(&plan, &ours, &world).map_err(|why| shown(&why, &plan))?;
    setting.options.replace.clear();
    let rest = setting.propose(&world.live).plan;
    if rest.is_empty() {
        return Ok(());
    }
    Err(format!("the plan\n{}\nleaves\n{}", show(&plan), show(&rest)))
}

fn shown(why: &str, plan: &Plan) -> String {
    format!("{why}\n{}", show(plan))
}

fn sound(setting: &Setting, live: &LiveState) -> Result<Proposal, String> {
    let proposal = setting.propose(live);
    match soundness(setting, live, &proposal) {
        Some(why) => Err(shown(&why, &proposal.plan)),
        None => Ok(proposal),
    }
}

/// Only what the stack no longer wants, what is there twice, and what is being destroyed may go.
fn check_deletions(setting: &Setting, live: &LiveState, proposal: &Proposal) -> Result<(), String> {
    for action in proposal.plan.actions.iter().filter(|action| action.verb == Verb::Delete) {
        let id = action.id.as_deref();
        let object = live.resources.iter().find(|r| Some(&*r.id) == id);
        let object = object.ok_or("something is deleted that is not ours")?;
        let wanted = proposal.desired.resources.iter().find(|r| r.address == object.address);
        let allowed = match &action.reason {
            Reason::DuplicateOf(kept) => *kept != object.id && older(live, kept, object),
            Reason::NoLongerDesired => wanted.is_none_or(|w| w.home != object.home),
            Reason::Destroyed => setting.options.destroy,
            _ => false,
        };
        if !allowed {
            return Err(format!("{} may not be deleted", action.address));
        }
    }
    Ok(())
}

fn older(live: &LiveState, kept: &str, gone: &ipai_core::LiveResource) -> bool {
    let kept = live.resources.iter().find(|r| r.id == kept);
    kept.is_some_and(|kept| kept.address == gone.address && kept.created <= gone.created)
}

fn ours(world: &World) -> BTreeSet<String> {
    world.live.resources.iter().map(|r| r.id.clone()).collect()
}

/// What no action names is still there, unless its home went.
fn check_bystanders(plan: &Plan, before: &BTreeSet<String>, world: &World) -> Result<(), String> {
    let after = ours(world);
    let homes_went = |a: &&ipai_core::Action| matches!(a.verb, Verb::Replace | Verb::Delete);
    if plan.actions.iter().filter(homes_went).any(|a| a.address.kind == "box") {
        return Ok(());
    }
    let named: BTreeSet<&str> = plan.effective().filter_map(|a| a.id.as_deref()).collect();
    match before.iter().find(|id| !after.contains(*id) && !named.contains(&***id)) {
        Some(id) => Err(format!("the object {id} went, and no action names it")),
        None => Ok(()),
    }
}

/// The names of everything that the scene's first plan shows.
pub(crate) fn met(scene: &Scene) -> BTreeSet<String> {
    let Ok((setting, world)) = scene.stage() else { return BTreeSet::new() };
    let plan = setting.propose(&world.live).plan;
    let reason = |a: &ipai_core::Action| {
        let text = format!("{:?}", a.reason);
        text.split('(').next().unwrap_or_default().to_owned()
    };
    let mut met: BTreeSet<String> = plan.actions.iter().map(reason).collect();
    met.extend(plan.conflicts.iter().map(|_| "Conflict".to_owned()));
    met.extend(plan.notes.iter().map(|_| "Note".to_owned()));
    met
}

/// The smallest scene that still fails.
pub(crate) fn shrink(scene: Scene) -> Scene {
    shrink_while(scene, |scene| failure(scene).is_some())
}

/// Takes parts out of a scene for as long as `guilty` holds.
pub(crate) fn shrink_while(mut scene: Scene, guilty: impl Fn(&Scene) -> bool) -> Scene {
    loop {
        let smaller = parts(&scene).into_iter().find(|smaller| guilty(smaller));
        match smaller {
            Some(smaller) => scene = smaller,
            None => return scene,
        }
    }
}

/// The scene without each of its parts.
fn parts(scene: &Scene) -> Vec<Scene> {
    let mut smaller = Vec::new();
    let mut without = |take: &dyn Fn(&mut Scene)| {
        let mut copy = scene.clone();
        take(&mut copy);
        smaller.push(copy);
    };
    for name in scene.before.keys() {
        without(&|scene| drop(scene.before.remove(name)));
    }
    for name in scene.now.keys() {
        without(&|scene| drop(scene.now.remove(name)));
    }
    for index in 0..scene.accidents.len() {
        without(&|scene| drop(scene.accidents.remove(index)));
    }
    for index in 0..scene.wishes.len() {
        without(&|scene| drop(scene.wishes.remove(index)));
    }
    smaller
}
