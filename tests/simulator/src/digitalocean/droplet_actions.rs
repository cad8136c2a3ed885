//! What can be done to a droplet.

use serde_json::{Map, Value, json};

use super::state::{Droplet, Status, Subject, Then};
use super::{actions, catalog, create, droplets, error, life, object, pending, snapshots};
use super::{not_found, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// What may be done to all droplets of a tag at once.
const BY_TAG: &[&str] = &[
    "power_cycle",
    "power_on",
    "power_off",
    "shutdown",
    "enable_ipv6",
    "enable_backups",
    "disable_backups",
    "snapshot",
];

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    Ok(actions::page_of(cx, call, |on| *on == Subject::Droplet(id)))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    actions::get_where(cx, call.param(1), |on| *on == Subject::Droplet(id))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = droplets::find(cx, call)?;
    let body = object(call)?;
    let action = act(cx, id, &body)?;
    Ok(Reply::json(201, json!({"action": action})))
}

pub(super) fn create_by_tag(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
    if !BY_TAG.contains(&kind) {
        return Err(unprocessable("this action cannot be done by tag"));
    }
    let tag = call.query("tag_name").ok_or_else(|| error(400, "tag_name is required"))?;
    let tagged = |droplet: &&Droplet| droplet.tags.iter().any(|own| own == tag);
    let ids: Vec<u64> =
        cx.world.digitalocean.droplets.values().filter(tagged).map(|d| d.id).collect();
    let begun: Vec<Value> = ids.into_iter().filter_map(|id| act(cx, id, &body).ok()).collect();
    Ok(Reply::json(201, json!({"actions": begun})))
}

/// Begins an action, unless the droplet's one event is taken or it makes no sense.
fn act(cx: &mut Cx<'_>, id: u64, body: &Map<String, Value>) -> Result<Value, Reply> {
    let droplet = cx.world.digitalocean.droplets.get(&id).ok_or_else(not_found)?;
    if droplet.event.is_some() || droplet.leaving.is_some() {
        return Err(pending());
    }
    let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
    let then = outcome(cx, droplet, kind, body)?;
    let kind = kind.to_owned();
    let polls = cx.setup.pace.action_polls;
    let action = life::begin(cx, &kind, Subject::Droplet(id), polls, then);
    Ok(actions::render(&action))
}

fn outcome(
    cx: &Cx<'_>,
    droplet: &Droplet,
    kind: &str,
    body: &Map<String, Value>,
) -> Result<Then, Reply> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let off = droplet.status == Status::Off;
    match kind {
        "power_on" if !off => Err(unprocessable("Droplet is already powered on.")),
        "power_off" | "shutdown" if off => Err(unprocessable("Droplet is already powered off.")),
        "power_on" | "reboot" | "power_cycle" => Ok(Then::Boot),
        "power_off" | "shutdown" => Ok(Then::PowerOff),
        "rename" => match text("name") {
            Some(name) if create::is_hostname(name) => Ok(Then::Rename(name.to_owned())),
            _ => Err(unprocessable(
                "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)",
            )),
        },
        "resize" => resize(droplet, text("size"), body),
        "rebuild" | "restore" => {
            let image = body.get("image").cloned().unwrap_or(Value::Null);
            match snapshots::image(&cx.world.digitalocean, &image) {
                Value::Null => Err(unprocessable("You specified an invalid image.")),
                _ => Ok(Then::Rebuild(image)),
            }
        }
        "snapshot" => {
            let name =
                text("name").map_or_else(|| format!("{}-snapshot", droplet.name), str::to_owned);
            Ok(Then::Snapshot(name))
        }
        "enable_ipv6" => Ok(Then::EnableIpv6),
        "enable_backups" | "disable_backups" => Ok(Then::Backups(kind == "enable_backups")),
        "password_reset" | "change_kernel" | "change_backup_policy" => Ok(Then::Nothing),
        _ => Err(unprocessable("You specified an invalid action type.")),
    }
}

/// A size with a smaller disk than the droplet has cannot be had: disks never shrink.
fn resize(droplet: &Droplet, slug: Option<&str>, body: &Map<String, Value>) -> Result<Then, Reply> {
    let size = slug.and_then(catalog::find_size);
    let size = size.ok_or_else(|| unprocessable("You specified an invalid size."))?;
    if !catalog::offers(&droplet.region, size) {
        return Err(unprocessable("Size is not available in this region."));
    }
    if size.disk < droplet.disk {
        return Err(unprocessable("This size is not available because it has a smaller disk."));
    }
    if droplet.status != Status::Off {
        return Err(unprocessable("Droplet must be powered off to be resized."));
    }
    let disk = body.get("disk").and_then(Value::as_bool).unwrap_or(false);
    Ok(Then::Resize { size: size.slug.to_owned(), disk })
}
