//! Tags.

use serde_json::{Map, Value, json};

use super::pages::page;
use super::state::State;
use super::{error, not_found, object};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let items = cx.world.digitalocean.tags.iter().map(|tag| render(cx, tag)).collect();
    Ok(page(cx, call, "tags", items))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    check(std::slice::from_ref(&name))?;
    let names = adopt(&mut cx.world.digitalocean, &[name]);
    cx.changed = true;
    let shown = names.first().map(|name| render(cx, name));
    Ok(Reply::json(201, json!({"tag": shown})))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let name = known(cx, call)?;
    Ok(Reply::json(200, json!({"tag": render(cx, &name)})))
}

/// Deleting a tag untags everything and deletes nothing else.
pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let name = known(cx, call)?;
    let state = &mut cx.world.digitalocean;
    state.tags.retain(|tag| *tag != name);
    for tags in everything(state) {
        tags.retain(|tag| *tag != name);
    }
    cx.changed = true;
    Ok(Reply::empty(204))
}

pub(super) fn tag(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let name = known(cx, call)?;
    let lag = cx.setup.pace.tag_lag;
    for (kind, id) in resources(call)? {
        let state = &mut cx.world.digitalocean;
        let tags = tags_of(state, &kind, &id).ok_or_else(not_found)?;
        if tags.contains(&name) {
            continue;
        }
        tags.push(name.clone());
        let droplet = id.parse().ok().and_then(|id: u64| state.droplets.get_mut(&id));
        if let (true, "droplet", Some(droplet)) = (lag > 0, kind.as_str(), droplet) {
            droplet.late.tags.insert(name.clone(), lag);
        }
    }
    cx.changed = true;
    Ok(Reply::empty(204))
}

pub(super) fn untag(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let name = known(cx, call)?;
    for (kind, id) in resources(call)? {
        let tags = tags_of(&mut cx.world.digitalocean, &kind, &id).ok_or_else(not_found)?;
        tags.retain(|tag| *tag != name);
    }
    cx.changed = true;
    Ok(Reply::empty(204))
}

/// Refuses what is no tag, in the shape that only tags are refused in.
pub(super) fn check(names: &[String]) -> Result<(), Reply> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    let good = |name: &String| (1..=255).contains(&name.len()) && name.chars().all(allowed);
    let Some(bad) = names.iter().find(|name| !good(name)) else { return Ok(()) };
    let text =
        format!("Error validating resource tag: tag-name {bad:?} contains invalid characters");
    let cause = format!("rpc error: code = InvalidArgument desc = {text}");
    Err(Reply::json(400, json!({"error": text, "messages": null, "root_causes": [cause]})))
}

/// Makes the tags that are missing; gives all in their first spelling, each once.
pub(super) fn adopt(state: &mut State, names: &[String]) -> Vec<String> {
    let mut own: Vec<String> = Vec::new();
    for name in names {
        let known = state.tags.iter().find(|tag| tag.eq_ignore_ascii_case(name)).cloned();
        let spelling = known.unwrap_or_else(|| {
            state.tags.push(name.clone());
            name.clone()
        });
        if !own.contains(&spelling) {
            own.push(spelling);
        }
    }
    own
}

/// Reads the tag in the path: only its first spelling leads there.
fn known(cx: &Cx<'_>, call: &Call) -> Result<String, Reply> {
    let name = call.param(0);
    let known = cx.world.digitalocean.tags.iter().find(|tag| *tag == name);
    known.cloned().ok_or_else(not_found)
}

fn resources(call: &Call) -> Result<Vec<(String, String)>, Reply> {
    let body = object(call)?;
    let items = body.get("resources").and_then(Value::as_array);
    let items = items.ok_or_else(|| error(400, "resources is required"))?;
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    Ok(items.iter().map(|item| (text(item, "resource_type"), text(item, "resource_id"))).collect())
}

/// The tags of one object: droplets, volumes and their snapshots have some, images through theirs.
fn tags_of<'a>(state: &'a mut State, kind: &str, id: &str) -> Option<&'a mut Vec<String>> {
    match kind {
        "droplet" => state.droplets.get_mut(&id.parse().ok()?).map(|droplet| &mut droplet.tags),
        "volume" => state.volumes.iter_mut().find(|v| v.id == id).map(|v| &mut v.tags),
        "image" | "volume_snapshot" => {
            let of_volume = kind == "volume_snapshot";
            let mut snapshots = state.snapshots.iter_mut();
            snapshots.find(|s| s.of_volume == of_volume && s.id == id).map(|s| &mut s.tags)
        }
        _ => None,
    }
}

fn everything(state: &mut State) -> impl Iterator<Item = &mut Vec<String>> {
    let droplets = state.droplets.values_mut().map(|droplet| &mut droplet.tags);
    let volumes = state.volumes.iter_mut().map(|volume| &mut volume.tags);
    let snapshots = state.snapshots.iter_mut().map(|snapshot| &mut snapshot.tags);
    let firewalls = state.firewalls.iter_mut().map(|firewall| &mut firewall.tags);
    droplets.chain(volumes).chain(snapshots).chain(firewalls)
}

/// The tag as answers show it. The vendor counts images as `images`, which its own specification
/// misspells.
fn render(cx: &Cx<'_>, name: &str) -> Value {
    let (state, base) = (&cx.world.digitalocean, &cx.setup.base);
    let has = |tags: &[String]| tags.iter().any(|tag| tag == name);
    let tagged = |of_volume: bool| {
        state.snapshots.iter().filter(move |s| s.of_volume == of_volume && has(&s.tags))
    };
    let droplets: Vec<String> = state
        .droplets
        .values()
        .filter(|droplet| has(&droplet.tags))
        .map(|droplet| format!("{base}/v2/droplets/{}", droplet.id))
        .collect();
    let volumes: Vec<String> = state
        .volumes
        .iter()
        .filter(|volume| has(&volume.tags))
        .map(|volume| format!("{base}/v2/volumes/{}", volume.id))
        .collect();
    let images: Vec<String> = tagged(false).map(|s| format!("{base}/v2/images/{}", s.id)).collect();
    let volume_snapshots: Vec<String> =
        tagged(true).map(|s| format!("{base}/v2/snapshots/{}", s.id)).collect();
    let all = [droplets.as_slice(), &images, &volumes, &volume_snapshots].concat();
    let mut resources = count(&all);
    resources.insert("droplets".to_owned(), Value::Object(count(&droplets)));
    resources.insert("images".to_owned(), Value::Object(count(&images)));
    resources.insert("volumes".to_owned(), Value::Object(count(&volumes)));
    resources.insert("volume_snapshots".to_owned(), Value::Object(count(&volume_snapshots)));
    resources.insert("databases".to_owned(), Value::Object(count(&[])));
    json!({"name": name, "resources": resources})
}

fn count(addresses: &[String]) -> Map<String, Value> {
    let mut counted = Map::new();
    counted.insert("count".to_owned(), json!(addresses.len()));
    if let Some(last) = addresses.last() {
        counted.insert("last_tagged_uri".to_owned(), json!(last));
    }
    counted
}
