//! Reserved addresses.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::pages::page;
use super::state::{ReservedIp, Subject, Then};
use super::{actions, catalog, droplets, life, network, object, pending};
use super::{not_found, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::ids::uuid;
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let items = cx.world.digitalocean.reserved_ips.iter().map(|ip| render(cx, ip)).collect();
    Ok(page(cx, call, "reserved_ips", items))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let droplet = body.get("droplet_id").and_then(Value::as_u64);
    let region = match (droplet, body.get("region").and_then(Value::as_str)) {
        (Some(id), None) => free_droplet(cx, id)?,
        (None, Some(region)) if catalog::is_region(region) => region.to_owned(),
        _ => return Err(unprocessable("a droplet or a region must be specified")),
    };
    let ip = network::reserve(&mut cx.world.digitalocean);
    let reserved = ReservedIp { ip, region, droplet: None, event: None };
    cx.world.digitalocean.reserved_ips.push(reserved);
    let base = cx.setup.base.clone();
    let link = |id: u64, rel: &str, kind: &str| json!({"id": id, "rel": rel, "href": format!("{base}/v2/{kind}/{id}")});
    let links = match droplet {
        Some(id) => {
            let action = assign(cx, ip, id);
            let droplets = [link(id, "droplet", "droplets")];
            json!({"droplets": droplets, "actions": [link(action, "assign_ip", "actions")]})
        }
        None => json!({"droplets": [], "actions": []}),
    };
    cx.changed = true;
    let index = find(cx, &ip.to_string())?;
    let shown = render(cx, &cx.world.digitalocean.reserved_ips[index]);
    Ok(Reply::json(202, json!({"reserved_ip": shown, "links": links})))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    let event = cx.world.digitalocean.reserved_ips[index].event;
    if let Some(event) = event {
        life::poll(cx, event);
    }
    let shown = render(cx, &cx.world.digitalocean.reserved_ips[index]);
    Ok(Reply::json(200, json!({"reserved_ip": shown})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    if cx.world.digitalocean.reserved_ips[index].event.is_some() {
        return Err(unprocessable("The floating IP already has a pending event."));
    }
    cx.world.digitalocean.reserved_ips.remove(index);
    cx.changed = true;
    Ok(Reply::empty(204))
}

pub(super) fn actions(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let ip = address(cx, call)?;
    Ok(actions::page_of(cx, call, |on| is_about(on, ip)))
}

pub(super) fn action(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let ip = address(cx, call)?;
    actions::get_where(cx, call.param(1), |on| is_about(on, ip))
}

pub(super) fn act(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let ip = address(cx, call)?;
    let body = object(call)?;
    let index = find(cx, call.param(0))?;
    let reserved = cx.world.digitalocean.reserved_ips[index].clone();
    if reserved.event.is_some() {
        return Err(unprocessable("The floating IP already has a pending event."));
    }
    let id = match body.get("type").and_then(Value::as_str) {
        Some("assign") => {
            let droplet = body.get("droplet_id").and_then(Value::as_u64).unwrap_or(0);
            let region = free_droplet(cx, droplet)?;
            if region != reserved.region {
                return Err(unprocessable("The droplet is in another region."));
            }
            assign(cx, ip, droplet)
        }
        Some("unassign") => {
            if reserved.droplet.is_none() {
                return Err(unprocessable("The floating IP is not assigned."));
            }
            let on = Subject::ReservedIp { ip, droplet: reserved.droplet };
            life::begin(cx, "unassign_ip", on, cx.setup.pace.action_polls, Then::Unassign).id
        }
        _ => return Err(unprocessable("You specified an invalid action type.")),
    };
    let action = cx.world.digitalocean.actions.get(&id).ok_or_else(not_found)?;
    Ok(Reply::json(201, json!({"action": actions::render(action)})))
}

fn assign(cx: &mut Cx<'_>, ip: Ipv4Addr, droplet: u64) -> u64 {
    let on = Subject::ReservedIp { ip, droplet: Some(droplet) };
    life::begin(cx, "assign_ip", on, cx.setup.pace.action_polls, Then::Assign).id
}

/// Checks that a droplet can get an address now; gives its region.
fn free_droplet(cx: &Cx<'_>, id: u64) -> Result<String, Reply> {
    let droplet = cx.world.digitalocean.droplets.get(&id);
    let droplet = droplet.ok_or_else(|| unprocessable("The droplet could not be found."))?;
    if droplet.event.is_some() || droplet.leaving.is_some() {
        return Err(pending());
    }
    if !droplet.public {
        return Err(unprocessable("The droplet has no public network."));
    }
    Ok(droplet.region.clone())
}

fn is_about(on: &Subject, wanted: Ipv4Addr) -> bool {
    matches!(on, Subject::ReservedIp { ip, .. } if *ip == wanted)
}

fn address(cx: &Cx<'_>, call: &Call) -> Result<Ipv4Addr, Reply> {
    find(cx, call.param(0)).map(|index| cx.world.digitalocean.reserved_ips[index].ip)
}

fn find(cx: &Cx<'_>, ip: &str) -> Result<usize, Reply> {
    let ip: Ipv4Addr = ip.parse().map_err(|_| not_found())?;
    let found = cx.world.digitalocean.reserved_ips.iter().position(|r| r.ip == ip);
    found.ok_or_else(not_found)
}

fn render(cx: &Cx<'_>, reserved: &ReservedIp) -> Value {
    let droplet = reserved.droplet.and_then(|id| cx.world.digitalocean.droplets.get(&id));
    let droplet = droplet.map(|droplet| droplets::render(cx, droplet, true, &droplet.tags));
    json!({
        "ip": reserved.ip, "droplet": droplet, "region": catalog::region(&reserved.region),
        "locked": reserved.event.is_some(), "project_id": uuid("project", 1),
    })
}
