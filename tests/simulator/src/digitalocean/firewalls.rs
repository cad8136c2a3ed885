//! Firewalls.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::pages::page;
use super::state::Firewall;
use super::{droplets, error, not_found, object, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::{Cx, late};

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    Ok(page_of(cx, call, |_| true))
}

pub(super) fn of_droplet(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    let droplet = cx.world.digitalocean.droplets.get(&id);
    let tags = droplet.map(|droplet| droplet.tags.clone()).unwrap_or_default();
    let guards = |firewall: &Firewall| {
        firewall.droplets.contains(&id) || firewall.tags.iter().any(|tag| tags.contains(tag))
    };
    Ok(page_of(cx, call, guards))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let draft = draft(cx, &object(call)?)?;
    if cx.world.digitalocean.firewalls.iter().any(|firewall| firewall.name == draft.name) {
        return Err(error(409, "duplicate name"));
    }
    let id = cx.world.digitalocean.next_uuid("firewall");
    let mut firewall = Firewall { id, created_at: cx.now.to_seconds_text(), ..draft };
    let arriving = firewall.droplets.iter().map(|droplet| (*droplet, false)).collect();
    announce(cx, &mut firewall, arriving);
    let shown = render(cx, &firewall);
    cx.world.digitalocean.firewalls.push(firewall);
    Ok(Reply::json(202, json!({"firewall": shown})))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    let shown = look(cx, index);
    Ok(Reply::json(200, json!({"firewall": shown})))
}

/// Replaces everything; what the body leaves out becomes its default.
pub(super) fn replace(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    let draft = draft(cx, &object(call)?)?;
    let others = cx.world.digitalocean.firewalls.iter().enumerate();
    if others.filter(|(at, _)| *at != index).any(|(_, other)| other.name == draft.name) {
        return Err(error(409, "duplicate name"));
    }
    let old = cx.world.digitalocean.firewalls[index].clone();
    let leaving = old.droplets.iter().filter(|id| !draft.droplets.contains(id));
    let changes: Vec<(u64, bool)> =
        draft.droplets.iter().map(|id| (*id, false)).chain(leaving.map(|id| (*id, true))).collect();
    let mut firewall = Firewall { id: old.id, created_at: old.created_at, ..draft };
    announce(cx, &mut firewall, changes);
    let shown = render(cx, &firewall);
    cx.world.digitalocean.firewalls[index] = firewall;
    Ok(Reply::json(200, json!({"firewall": shown})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    cx.world.digitalocean.firewalls.remove(index);
    cx.changed = true;
    Ok(Reply::empty(204))
}

pub(super) fn find(cx: &Cx<'_>, id: &str) -> Result<usize, Reply> {
    let found = cx.world.digitalocean.firewalls.iter().position(|firewall| firewall.id == id);
    found.ok_or_else(not_found)
}

/// Sends changes on their way to the droplets.
pub(super) fn announce(cx: &mut Cx<'_>, firewall: &mut Firewall, changes: Vec<(u64, bool)>) {
    firewall.left = if changes.is_empty() { 0 } else { cx.setup.pace.firewall_lag };
    firewall.changes = if firewall.left > 0 { changes } else { Vec::new() };
    cx.changed = true;
}

fn page_of(cx: &mut Cx<'_>, call: &Call, here: impl Fn(&Firewall) -> bool) -> Reply {
    let firewalls = cx.world.digitalocean.firewalls.iter().enumerate();
    let indices: Vec<usize> = firewalls.filter(|(_, f)| here(f)).map(|(at, _)| at).collect();
    let items = indices.into_iter().map(|index| look(cx, index)).collect();
    page(cx, call, "firewalls", items)
}

/// Looks at a firewall, which brings its changes one read nearer.
fn look(cx: &mut Cx<'_>, index: usize) -> Value {
    let firewall = &mut cx.world.digitalocean.firewalls[index];
    cx.changed |= firewall.left > 0;
    if !late(&mut firewall.left) {
        firewall.changes.clear();
    }
    render(cx, &cx.world.digitalocean.firewalls[index])
}

fn render(cx: &Cx<'_>, firewall: &Firewall) -> Value {
    let changes: Vec<Value> = firewall
        .changes
        .iter()
        .map(|(id, removing)| json!({"droplet_id": id, "removing": removing, "status": "waiting"}))
        .collect();
    let (mut inbound, mut outbound) = (firewall.inbound.clone(), firewall.outbound.clone());
    if cx.setup.pace.shuffle {
        inbound.reverse();
        outbound.reverse();
    }
    json!({
        "id": firewall.id,
        "name": firewall.name,
        "status": if changes.is_empty() { "succeeded" } else { "waiting" },
        "inbound_rules": inbound,
        "outbound_rules": outbound,
        "created_at": firewall.created_at,
        "droplet_ids": firewall.droplets,
        "tags": firewall.tags,
        "pending_changes": changes,
    })
}

fn draft(cx: &Cx<'_>, body: &Map<String, Value>) -> Result<Firewall, Reply> {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name.len() < 2 || !begins || !name.chars().all(allowed) {
        return Err(unprocessable("name is invalid"));
    }
    let inbound = rules(cx, body.get("inbound_rules"), "sources")?;
    let outbound = rules(cx, body.get("outbound_rules"), "destinations")?;
    if inbound.is_empty() && outbound.is_empty() {
        return Err(unprocessable("at least one rule must be specified"));
    }
    Ok(Firewall {
        id: String::new(),
        name: name.to_owned(),
        inbound,
        outbound,
        droplets: droplet_ids(cx, body.get("droplet_ids"))?,
        tags: existing_tags(cx, body.get("tags"))?,
        created_at: String::new(),
        left: 0,
        changes: Vec::new(),
    })
}

pub(super) fn droplet_ids(cx: &Cx<'_>, value: Option<&Value>) -> Result<Vec<u64>, Reply> {
    let ids = value.and_then(Value::as_array).into_iter().flatten();
    let ids: Option<Vec<u64>> = ids.map(Value::as_u64).collect();
    let known =
        |ids: &Vec<u64>| ids.iter().all(|id| cx.world.digitalocean.droplets.contains_key(id));
    ids.filter(known).ok_or_else(|| unprocessable("one or more droplets could not be found"))
}

/// A firewall takes only tags that exist already; its create makes none.
pub(super) fn existing_tags(cx: &Cx<'_>, value: Option<&Value>) -> Result<Vec<String>, Reply> {
    let mut tags = Vec::new();
    for tag in value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !cx.world.digitalocean.tags.iter().any(|known| known == tag) {
            return Err(unprocessable(&format!("tag {tag} does not exist")));
        }
        tags.push(tag.to_owned());
    }
    Ok(tags)
}

/// Reads rules and gives them their canonical form: ports of ICMP, and `all`, become `0`.
pub(super) fn rules(cx: &Cx<'_>, value: Option<&Value>, end: &str) -> Result<Vec<Value>, Reply> {
    let given = value.and_then(Value::as_array).into_iter().flatten();
    given.map(|given| rule(cx, given, end)).collect()
}

fn rule(cx: &Cx<'_>, given: &Value, end: &str) -> Result<Value, Reply> {
    let bad = |what: &str| unprocessable(&format!("{what} is invalid"));
    let protocol = given["protocol"].as_str().unwrap_or_default();
    if !["tcp", "udp", "icmp"].contains(&protocol) {
        return Err(bad("protocol"));
    }
    let ports = match given["ports"].as_str() {
        _ if protocol == "icmp" => "0",
        Some("all" | "0") => "0",
        Some(ports) if are_ports(ports) => ports,
        _ => return Err(bad("ports")),
    };
    let target = given[end].as_object().filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| bad(end))?;
    let addresses = target.get("addresses").and_then(Value::as_array).into_iter().flatten();
    if !addresses.filter_map(Value::as_str).all(is_network) {
        return Err(bad("address"));
    }
    existing_tags(cx, target.get("tags"))?;
    droplet_ids(cx, target.get("droplet_ids"))?;
    Ok(json!({"protocol": protocol, "ports": ports, end: target}))
}

fn are_ports(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once('-') {
        Some((first, last)) => {
            port(first).zip(port(last)).is_some_and(|(first, last)| first <= last)
        }
        None => port(text).is_some(),
    }
}

fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}
