//! Snapshots of droplets and of volumes.

use serde_json::{Value, json};

use super::pages::page;
use super::state::{Snapshot, State};
use super::{catalog, droplets, error, not_found, object, tags, volumes};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let wanted = call.query("resource_type").map(|kind| kind == "volume");
    let snapshots = cx.world.digitalocean.snapshots.iter();
    let shown =
        snapshots.filter(|snapshot| wanted.is_none_or(|volume| snapshot.of_volume == volume));
    let items = shown.map(render).collect();
    Ok(page(cx, call, "snapshots", items))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0), |_| true)?;
    Ok(Reply::json(200, json!({"snapshot": render(&cx.world.digitalocean.snapshots[index])})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    remove(cx, call.param(0), |_| true)
}

pub(super) fn get_of_volume(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0), |snapshot| snapshot.of_volume)?;
    Ok(Reply::json(200, json!({"snapshot": render(&cx.world.digitalocean.snapshots[index])})))
}

pub(super) fn delete_of_volume(cx: &mut Cx<'_>, call: &Call) -> Answer {
    remove(cx, call.param(0), |snapshot| snapshot.of_volume)
}

pub(super) fn of_droplet(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?.to_string();
    let snapshots = cx.world.digitalocean.snapshots.iter();
    let own = snapshots.filter(|snapshot| !snapshot.of_volume && snapshot.resource == id);
    let items = own.map(numbered).collect();
    Ok(page(cx, call, "snapshots", items))
}

/// This world's droplets are never backed up by their cloud.
pub(super) fn of_droplet_backups(cx: &mut Cx<'_>, call: &Call) -> Answer {
    droplets::find(cx, call)?;
    Ok(page(cx, call, "backups", Vec::new()))
}

pub(super) fn of_volume(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = volumes::find(cx, call.param(0))?;
    let id = &cx.world.digitalocean.volumes[index].id;
    let snapshots = cx.world.digitalocean.snapshots.iter();
    let items = snapshots.filter(|s| s.of_volume && s.resource == *id).map(render).collect();
    Ok(page(cx, call, "snapshots", items))
}

pub(super) fn create_of_volume(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let volume = cx.world.digitalocean.volumes[volumes::find(cx, call.param(0))?].clone();
    let body = object(call)?;
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| error(400, "name is required"))?;
    let wanted = body.get("tags").and_then(Value::as_array).into_iter().flatten();
    let wanted: Vec<String> = wanted.filter_map(Value::as_str).map(str::to_owned).collect();
    tags::check(&wanted)?;
    let state = &mut cx.world.digitalocean;
    let snapshot = Snapshot {
        id: state.next_uuid("volume_snapshot"),
        name: name.to_owned(),
        of_volume: true,
        resource: volume.id,
        region: volume.region,
        min_disk_size: volume.size,
        distribution: String::new(),
        tags: tags::adopt(state, &wanted),
        created_at: cx.now.to_seconds_text(),
    };
    let shown = render(&snapshot);
    state.snapshots.push(snapshot);
    cx.changed = true;
    Ok(Reply::json(201, json!({"snapshot": shown})))
}

/// Takes a snapshot of a droplet, at the end of the action that asked for it.
pub(super) fn take_of_droplet(cx: &mut Cx<'_>, id: u64, name: &str) {
    let state = &mut cx.world.digitalocean;
    let Some(droplet) = state.droplets.get(&id).cloned() else { return };
    let image = image(state, &droplet.image);
    let snapshot = Snapshot {
        id: state.next("snapshot").to_string(),
        name: name.to_owned(),
        of_volume: false,
        resource: id.to_string(),
        region: droplet.region,
        min_disk_size: droplet.disk,
        distribution: image["distribution"].as_str().unwrap_or("Unknown").to_owned(),
        tags: Vec::new(),
        created_at: cx.now.to_seconds_text(),
    };
    state.snapshots.push(snapshot);
}

/// The image of that id or slug as answers show it, public or private; null where there is none.
pub(super) fn image(state: &State, wanted: &Value) -> Value {
    if let Some(public) = catalog::public_image(wanted) {
        return catalog::render_image(public);
    }
    let id = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
    let own = state.snapshots.iter().find(|snapshot| !snapshot.of_volume && snapshot.id == id);
    own.map_or(Value::Null, as_image)
}

/// A droplet's snapshot as the private image that it also is.
pub(super) fn as_image(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id.parse::<u64>().unwrap_or(0), "name": snapshot.name,
        "distribution": snapshot.distribution, "slug": null, "public": false,
        "regions": [snapshot.region], "created_at": snapshot.created_at, "type": "snapshot",
        "min_disk_size": snapshot.min_disk_size, "size_gigabytes": 2.34, "description": "",
        "tags": snapshot.tags, "status": "available",
    })
}

fn render(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id, "name": snapshot.name, "created_at": snapshot.created_at,
        "regions": [snapshot.region], "resource_id": snapshot.resource,
        "resource_type": if snapshot.of_volume { "volume" } else { "droplet" },
        "min_disk_size": snapshot.min_disk_size, "size_gigabytes": 2.34, "tags": snapshot.tags,
    })
}

/// A droplet's own list shows numbers as ids, and a `type`.
fn numbered(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id.parse::<u64>().unwrap_or(0), "name": snapshot.name,
        "created_at": snapshot.created_at, "regions": [snapshot.region],
        "min_disk_size": snapshot.min_disk_size, "size_gigabytes": 2.34, "type": "snapshot",
    })
}

/// Finds a snapshot. The id of a public image leads to an image that is no snapshot.
fn find(cx: &Cx<'_>, id: &str, here: impl Fn(&Snapshot) -> bool) -> Result<usize, Reply> {
    if catalog::public_image(&json!(id)).is_some() {
        return Err(error(400, "the resource is not a snapshot"));
    }
    let snapshots = &cx.world.digitalocean.snapshots;
    snapshots.iter().position(|s| s.id == id && here(s)).ok_or_else(not_found)
}

fn remove(cx: &mut Cx<'_>, id: &str, here: impl Fn(&Snapshot) -> bool) -> Answer {
    let index = find(cx, id, here)?;
    cx.world.digitalocean.snapshots.remove(index);
    cx.changed = true;
    Ok(Reply::empty(204))
}
