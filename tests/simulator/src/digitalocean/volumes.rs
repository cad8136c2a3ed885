//! Volumes.

use serde_json::{Map, Value, json};

use super::pages::page;
use super::state::{Then, Volume};
use super::{catalog, error, not_found, object, tags, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// The largest volume, in GiB.
pub(super) const LARGEST: u64 = 16_384;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (name, region) = (call.query("name"), call.query("region"));
    let volumes = cx.world.digitalocean.volumes.iter().enumerate();
    let indices: Vec<usize> = volumes
        .filter(|(_, volume)| name.is_none_or(|name| volume.name == name))
        .filter(|(_, volume)| region.is_none_or(|region| volume.region == region))
        .map(|(index, _)| index)
        .collect();
    let items = indices.into_iter().map(|index| look(cx, index)).collect();
    Ok(page(cx, call, "volumes", items))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let volume = draft(cx, &object(call)?)?;
    let taken = |have: &Volume| have.name == volume.name && have.region == volume.region;
    if cx.world.digitalocean.volumes.iter().any(taken) {
        return Err(error(409, "volume with that name already exists"));
    }
    let state = &mut cx.world.digitalocean;
    let id = state.next_uuid("volume");
    let tags = tags::adopt(state, &volume.tags);
    let volume = Volume { id, tags, created_at: cx.now.to_seconds_text(), ..volume };
    let shown = render(&volume, true);
    cx.world.digitalocean.volumes.push(volume);
    cx.changed = true;
    Ok(Reply::json(201, json!({"volume": shown})))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    let shown = look(cx, index);
    Ok(Reply::json(200, json!({"volume": shown})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call.param(0))?;
    remove(cx, index)
}

pub(super) fn delete_by_name(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let named = |volume: &Volume| {
        call.query("name") == Some(&volume.name) && call.query("region") == Some(&volume.region)
    };
    let index = cx.world.digitalocean.volumes.iter().position(named).ok_or_else(not_found)?;
    remove(cx, index)
}

pub(super) fn find(cx: &Cx<'_>, id: &str) -> Result<usize, Reply> {
    cx.world.digitalocean.volumes.iter().position(|v| v.id == id).ok_or_else(not_found)
}

/// Ends an action on a volume.
pub(super) fn finish(cx: &mut Cx<'_>, id: &str, droplet: Option<u64>, then: &Then) {
    let Ok(index) = find(cx, id) else { return };
    let state = &mut cx.world.digitalocean;
    match then {
        Then::Attach(wanted) => {
            let tags = tags::adopt(state, wanted);
            let volume = &mut state.volumes[index];
            volume.droplet = droplet;
            volume.tags.extend(tags);
            volume.tags.dedup();
        }
        Then::Detach => state.volumes[index].droplet = None,
        Then::Grow(size) => state.volumes[index].size = *size,
        _ => {}
    }
}

fn remove(cx: &mut Cx<'_>, index: usize) -> Answer {
    if cx.world.digitalocean.volumes[index].droplet.is_some() {
        let text = "A volume that's attached to a Droplet cannot be deleted. \
                    Please detach it first before deleting.";
        return Err(error(409, text));
    }
    cx.world.digitalocean.volumes.remove(index);
    cx.changed = true;
    Ok(Reply::empty(204))
}

/// Looks at a volume, which brings it nearer to forgetting a droplet that is gone.
fn look(cx: &mut Cx<'_>, index: usize) -> Value {
    let named = !cx.setup.pace.filesystem_fades;
    let volume = &mut cx.world.digitalocean.volumes[index];
    let shown = render(volume, named);
    if let Some((id, left)) = volume.ghost {
        volume.ghost = (left > 1).then(|| (id, left - 1));
        cx.changed = true;
    }
    shown
}

fn render(volume: &Volume, named: bool) -> Value {
    let shown = volume.droplet.or(volume.ghost.map(|(id, _)| id));
    json!({
        "id": volume.id,
        "region": catalog::region(&volume.region),
        "droplet_ids": shown.into_iter().collect::<Vec<u64>>(),
        "name": volume.name,
        "description": volume.description,
        "size_gigabytes": volume.size,
        "filesystem_type": if named { volume.filesystem_type.as_str() } else { "" },
        "filesystem_label": if named { volume.filesystem_label.as_str() } else { "" },
        "created_at": volume.created_at,
        "tags": volume.tags,
    })
}

fn draft(cx: &Cx<'_>, body: &Map<String, Value>) -> Result<Volume, Reply> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if name.len() > 64 || !begins || !name.chars().all(allowed) {
        return Err(unprocessable("invalid volume name"));
    }
    let snapshots = &cx.world.digitalocean.snapshots;
    let snapshot = text("snapshot_id");
    let source = snapshots.iter().find(|s| s.of_volume && s.id == snapshot);
    if !snapshot.is_empty() && source.is_none() {
        return Err(not_found());
    }
    let region = source.map_or(text("region"), |source| source.region.as_str());
    if !catalog::is_region(region) {
        return Err(unprocessable("region not found"));
    }
    let size = body.get("size_gigabytes").and_then(Value::as_u64).unwrap_or(0);
    let least = source.map_or(1, |source| source.min_disk_size);
    if !(least..=LARGEST).contains(&size) {
        return Err(unprocessable("invalid size_gigabytes"));
    }
    let (filesystem, label) = (text("filesystem_type"), text("filesystem_label"));
    let longest = match filesystem {
        "ext4" => 16,
        "xfs" => 12,
        "" => 0,
        _ => return Err(unprocessable("invalid filesystem_type")),
    };
    if label.len() > longest {
        return Err(unprocessable("invalid filesystem_label"));
    }
    let tags = body.get("tags").and_then(Value::as_array).into_iter().flatten();
    let tags: Vec<String> = tags.filter_map(Value::as_str).map(str::to_owned).collect();
    tags::check(&tags)?;
    Ok(Volume {
        id: String::new(),
        name: name.to_owned(),
        region: region.to_owned(),
        size,
        description: text("description").to_owned(),
        filesystem_type: filesystem.to_owned(),
        filesystem_label: label.to_owned(),
        tags,
        created_at: String::new(),
        droplet: None,
        ghost: None,
    })
}
