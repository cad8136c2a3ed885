//! Parts of a firewall, added and removed: droplets, tags, rules.

use serde_json::Value;

use super::state::Firewall;
use super::{firewalls, object, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

pub(super) fn add_droplets(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let ids = firewalls::droplet_ids(cx, object(call)?.get("droplet_ids"))?;
    change(cx, call, |firewall| {
        let new: Vec<u64> = ids.into_iter().filter(|id| !firewall.droplets.contains(id)).collect();
        firewall.droplets.extend(&new);
        Ok(new.into_iter().map(|id| (id, false)).collect())
    })
}

pub(super) fn remove_droplets(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let ids = firewalls::droplet_ids(cx, object(call)?.get("droplet_ids"))?;
    change(cx, call, |firewall| {
        firewall.droplets.retain(|id| !ids.contains(id));
        Ok(ids.into_iter().map(|id| (id, true)).collect())
    })
}

pub(super) fn add_tags(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let tags = firewalls::existing_tags(cx, object(call)?.get("tags"))?;
    change(cx, call, |firewall| {
        let new: Vec<String> = tags.into_iter().filter(|t| !firewall.tags.contains(t)).collect();
        firewall.tags.extend(new);
        Ok(Vec::new())
    })
}

pub(super) fn remove_tags(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let tags = firewalls::existing_tags(cx, object(call)?.get("tags"))?;
    change(cx, call, |firewall| {
        firewall.tags.retain(|tag| !tags.contains(tag));
        Ok(Vec::new())
    })
}

pub(super) fn add_rules(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (inbound, outbound) = rules(cx, call)?;
    change(cx, call, |firewall| {
        add(&mut firewall.inbound, inbound);
        add(&mut firewall.outbound, outbound);
        Ok(everywhere(firewall))
    })
}

pub(super) fn remove_rules(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (inbound, outbound) = rules(cx, call)?;
    change(cx, call, |firewall| {
        let left = |have: &[Value], gone: &[Value]| -> Vec<Value> {
            have.iter().filter(|rule| !gone.contains(rule)).cloned().collect()
        };
        let kept = (left(&firewall.inbound, &inbound), left(&firewall.outbound, &outbound));
        if kept.0.is_empty() && kept.1.is_empty() {
            return Err(unprocessable("at least one rule must be specified"));
        }
        (firewall.inbound, firewall.outbound) = kept;
        Ok(everywhere(firewall))
    })
}

/// Changes the firewall in the path and sends what `edit` gives on its way to the droplets.
fn change(
    cx: &mut Cx<'_>,
    call: &Call,
    edit: impl FnOnce(&mut Firewall) -> Result<Vec<(u64, bool)>, Reply>,
) -> Answer {
    let index = firewalls::find(cx, call.param(0))?;
    let mut firewall = cx.world.digitalocean.firewalls[index].clone();
    let changes = edit(&mut firewall)?;
    firewalls::announce(cx, &mut firewall, changes);
    cx.world.digitalocean.firewalls[index] = firewall;
    Ok(Reply::empty(204))
}

fn rules(cx: &Cx<'_>, call: &Call) -> Result<(Vec<Value>, Vec<Value>), Reply> {
    let body = object(call)?;
    let inbound = firewalls::rules(cx, body.get("inbound_rules"), "sources")?;
    let outbound = firewalls::rules(cx, body.get("outbound_rules"), "destinations")?;
    Ok((inbound, outbound))
}

fn add(have: &mut Vec<Value>, new: Vec<Value>) {
    for rule in new {
        if !have.contains(&rule) {
            have.push(rule);
        }
    }
}

fn everywhere(firewall: &Firewall) -> Vec<(u64, bool)> {
    firewall.droplets.iter().map(|id| (*id, false)).collect()
}
