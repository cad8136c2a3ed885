//! Destroying a droplet together with what belongs to it.

use serde_json::{Map, Value, json};

use super::state::State;
use super::{droplets, error, life, not_found, object, pending};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// The kinds of things that can go with a droplet, as the vendor lists them.
const KINDS: [&str; 4] = ["reserved_ips", "snapshots", "volumes", "volume_snapshots"];

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    Ok(Reply::json(200, Value::Object(belongings(&cx.world.digitalocean, id))))
}

pub(super) fn selective(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    let chosen = object(call)?;
    destroy(cx, id, |kind, thing| {
        let ids = chosen.get(kind).and_then(Value::as_array);
        ids.is_some_and(|ids| ids.contains(thing))
    })
}

pub(super) fn dangerous(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    if !call.dangerous {
        return Err(error(400, "the header X-Dangerous must be true"));
    }
    destroy(cx, id, |_, _| true)
}

pub(super) fn status(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id: u64 = call.param(0).parse().map_err(|_| not_found())?;
    let status = cx.world.digitalocean.destroyed.get(&id).ok_or_else(not_found)?;
    Ok(Reply::json(200, status.clone()))
}

/// Nothing that is destroyed here ever fails, so there is nothing left to retry.
pub(super) fn retry(cx: &mut Cx<'_>, call: &Call) -> Answer {
    status(cx, call).map(|_| Reply::empty(202))
}

fn belongings(state: &State, droplet: u64) -> Map<String, Value> {
    let ips = state.reserved_ips.iter().filter(|ip| ip.droplet == Some(droplet));
    let ips = ips.map(|ip| thing(&ip.ip.to_string(), &ip.ip.to_string(), "4.00"));
    let volumes = state.volumes.iter().filter(|volume| volume.droplet == Some(droplet));
    let snapshots =
        state.snapshots.iter().filter(|s| !s.of_volume && s.resource == droplet.to_string());
    let of_volumes = state.snapshots.iter().filter(|snapshot| {
        let volume = state.volumes.iter().find(|volume| volume.id == snapshot.resource);
        snapshot.of_volume && volume.is_some_and(|volume| volume.droplet == Some(droplet))
    });
    let lists: [Vec<Value>; 4] = [
        ips.collect(),
        snapshots.map(|s| thing(&s.id, &s.name, "0.05")).collect(),
        volumes.map(|volume| thing(&volume.id, &volume.name, "10.00")).collect(),
        of_volumes.map(|s| thing(&s.id, &s.name, "0.04")).collect(),
    ];
    let kinds = KINDS.into_iter().map(str::to_owned);
    kinds.zip(lists.into_iter().map(Value::Array)).collect()
}

fn thing(id: &str, name: &str, cost: &str) -> Value {
    json!({"id": id, "name": name, "cost": cost})
}

fn destroy(cx: &mut Cx<'_>, id: u64, chosen: impl Fn(&str, &Value) -> bool) -> Answer {
    let droplet = cx.world.digitalocean.droplets.get(&id).ok_or_else(not_found)?;
    if droplet.event.is_some() || droplet.leaving.is_some() {
        return Err(pending());
    }
    let (name, now) = (droplet.name.clone(), cx.now.to_seconds_text());
    let mut gone = Map::new();
    for (kind, things) in belongings(&cx.world.digitalocean, id) {
        let things = things.as_array().into_iter().flatten();
        let things: Vec<Value> =
            things.filter(|thing| chosen(&kind, &thing["id"])).cloned().collect();
        let shown = things
            .iter()
            .map(|thing| json!({"id": thing["id"], "name": thing["name"], "destroyed_at": now}));
        gone.insert(kind.clone(), Value::Array(shown.collect()));
        for thing in &things {
            remove(&mut cx.world.digitalocean, &kind, thing["id"].as_str().unwrap_or_default());
        }
    }
    let status = json!({
        "droplet": {"id": id.to_string(), "name": name, "destroyed_at": now},
        "resources": gone, "completed_at": now, "failures": 0,
    });
    cx.world.digitalocean.destroyed.insert(id, status);
    life::delete(cx, id);
    Ok(Reply::empty(202))
}

fn remove(state: &mut State, kind: &str, id: &str) {
    match kind {
        "reserved_ips" => state.reserved_ips.retain(|ip| ip.ip.to_string() != id),
        "volumes" => state.volumes.retain(|volume| volume.id != id),
        _ => state.snapshots.retain(|snapshot| snapshot.id != id),
    }
}
