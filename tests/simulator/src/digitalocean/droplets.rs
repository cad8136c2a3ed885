//! Reading and deleting droplets.

use serde_json::{Value, json};

use super::pages::page;
use super::state::{Droplet, Status};
use super::{catalog, error, life, network, not_found, pending, snapshots};
use crate::call::{Answer, Call, Reply};
use crate::world::{Cx, late};

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (tag, name) = (call.query("tag_name"), call.query("name"));
    if tag.is_some() && (name.is_some() || call.query("type").is_some()) {
        return Err(error(400, "tag_name cannot be combined with name or type"));
    }
    // None of this world's droplets has a GPU.
    if call.query("type") == Some("gpus") {
        return Ok(page(cx, call, "droplets", Vec::new()));
    }
    let ids: Vec<u64> = cx.world.digitalocean.droplets.keys().copied().collect();
    let mut shown = Vec::new();
    for id in &ids {
        let Some(droplet) = read(cx, *id, Read::List) else { continue };
        let tagged =
            |tag: &str| droplet["tags"].as_array().is_some_and(|t| t.contains(&json!(tag)));
        let named =
            |name: &str| droplet["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
        if tag.is_none_or(tagged) && name.is_none_or(named) {
            shown.push(droplet);
        }
    }
    life::leave(cx, &ids);
    Ok(page(cx, call, "droplets", shown))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = find(cx, call)?;
    let shown = read(cx, id, Read::One).ok_or_else(not_found)?;
    life::leave(cx, &[id]);
    Ok(Reply::json(200, json!({"droplet": shown})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = find(cx, call)?;
    let droplet = cx.world.digitalocean.droplets.get(&id);
    if droplet.is_some_and(|droplet| droplet.event.is_some() || droplet.leaving.is_some()) {
        return Err(pending());
    }
    life::delete(cx, id);
    Ok(Reply::empty(204))
}

pub(super) fn delete_by_tag(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let Some(tag) = call.query("tag_name") else {
        return Err(error(400, "tag_name is required"));
    };
    let matches = |droplet: &&Droplet| droplet.tags.iter().any(|own| own == tag);
    let ids: Vec<u64> =
        cx.world.digitalocean.droplets.values().filter(matches).map(|d| d.id).collect();
    if ids.is_empty() {
        return Err(not_found());
    }
    for id in ids {
        life::delete(cx, id);
    }
    Ok(Reply::empty(204))
}

/// Reads the id in the path; the droplet may be one that GETs do not show yet.
pub(super) fn find(cx: &Cx<'_>, call: &Call) -> Result<u64, Reply> {
    let id: u64 = call.param(0).parse().map_err(|_| not_found())?;
    if cx.world.digitalocean.droplets.contains_key(&id) { Ok(id) } else { Err(not_found()) }
}

/// How a droplet is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    List,
    One,
}

/// Looks at a droplet, which is what time means to it; `None` while it does not show.
fn read(cx: &mut Cx<'_>, id: u64, how: Read) -> Option<Value> {
    let droplet = cx.world.digitalocean.droplets.get_mut(&id)?;
    let unseen = match how {
        Read::List => &mut droplet.late.list,
        Read::One => &mut droplet.late.get,
    };
    let waited = *unseen > 0;
    let hidden = late(unseen);
    cx.changed |= waited;
    // A list that hides a droplet still moves its create on: nobody has to GET it first.
    if !hidden || how == Read::List {
        life::poll_droplet(cx, id);
    }
    if hidden {
        return None;
    }
    let droplet = cx.world.digitalocean.droplets.get_mut(&id)?;
    let waiting = droplet.late.address > 0 || !droplet.late.tags.is_empty();
    cx.changed |= waiting;
    let addressed = droplet.status != Status::New && !late(&mut droplet.late.address);
    let mut tags = droplet.tags.clone();
    tags.retain(|tag| !droplet.late.tags.contains_key(tag));
    droplet.late.tags.retain(|_, left| {
        *left = left.saturating_sub(1);
        *left > 0
    });
    if cx.setup.pace.shuffle {
        tags.reverse();
    }
    let droplet = cx.world.digitalocean.droplets.get(&id)?;
    Some(render(cx, droplet, addressed, &tags))
}

/// The droplet as answers show it.
pub(super) fn render(cx: &Cx<'_>, droplet: &Droplet, addressed: bool, tags: &[String]) -> Value {
    let state = &cx.world.digitalocean;
    let size = catalog::find_size(&droplet.size);
    let image = snapshots::image(state, &droplet.image);
    let volumes = state.volumes.iter().filter(|volume| volume.droplet == Some(droplet.id));
    let volumes: Vec<&str> = volumes.map(|volume| volume.id.as_str()).collect();
    let mine = |s: &&super::state::Snapshot| !s.of_volume && s.resource == droplet.id.to_string();
    let snapshots: Vec<u64> =
        state.snapshots.iter().filter(mine).filter_map(|s| s.id.parse().ok()).collect();
    json!({
        "id": droplet.id,
        "name": droplet.name,
        "memory": size.map_or(0, |size| size.memory),
        "vcpus": size.map_or(0, |size| size.vcpus),
        "disk": droplet.disk,
        "disk_info": [{"type": "local", "size": {"amount": droplet.disk, "unit": "gib"}}],
        "locked": droplet.event.is_some() || droplet.leaving.is_some(),
        "status": droplet.status,
        "kernel": null,
        "created_at": droplet.created_at,
        "features": features(droplet),
        "backup_ids": [],
        "next_backup_window": null,
        "snapshot_ids": snapshots,
        "image": image,
        "volume_ids": volumes,
        "size": size.map(catalog::render_size),
        "size_slug": droplet.size,
        "networks": network::render(cx, droplet, addressed),
        "region": catalog::region(&droplet.region),
        "tags": tags,
        "vpc_uuid": droplet.vpc,
    })
}

fn features(droplet: &Droplet) -> Vec<&'static str> {
    let known = [
        (droplet.backups, "backups"),
        (droplet.ipv6, "ipv6"),
        (droplet.monitoring, "monitoring"),
        (true, "droplet_agent"),
        (true, "private_networking"),
    ];
    known.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}
