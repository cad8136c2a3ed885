//! Attaching, detaching and growing volumes.

use serde_json::{Map, Value, json};

use super::state::{Subject, Then, Volume};
use super::{actions, life, object, pending, volumes};
use super::{not_found, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// The most volumes of one droplet.
const MOST_PER_DROPLET: usize = 15;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    volumes::find(cx, call.param(0))?;
    Ok(actions::page_of(cx, call, |on| is_about(on, call.param(0))))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    volumes::find(cx, call.param(0))?;
    actions::get_where(cx, call.param(1), |on| is_about(on, call.param(0)))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = volumes::find(cx, call.param(0))?;
    act(cx, index, &object(call)?)
}

pub(super) fn create_by_name(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let named = |volume: &Volume| {
        text("volume_name") == Some(&volume.name)
            && text("region").is_none_or(|region| region == volume.region)
    };
    let index = cx.world.digitalocean.volumes.iter().position(named).ok_or_else(not_found)?;
    act(cx, index, &body)
}

fn act(cx: &mut Cx<'_>, index: usize, body: &Map<String, Value>) -> Answer {
    let volume = cx.world.digitalocean.volumes[index].clone();
    let droplet = body.get("droplet_id").and_then(Value::as_u64);
    let region = body.get("region").and_then(Value::as_str);
    if region.is_some_and(|region| region != volume.region) {
        return Err(unprocessable("the volume is in another region"));
    }
    let (kind, then) = match body.get("type").and_then(Value::as_str) {
        Some("attach") => ("attach_volume", attach(cx, &volume, droplet, body)?),
        Some("detach") => {
            if volume.droplet.is_none() || volume.droplet != droplet {
                return Err(unprocessable("the volume is not attached to that droplet"));
            }
            ("detach_volume", Then::Detach)
        }
        Some("resize") => ("resize", grow(&volume, body)?),
        _ => return Err(unprocessable("You specified an invalid action type.")),
    };
    if droplet.is_some_and(|id| is_held(cx, id)) {
        return Err(pending());
    }
    let on = Subject::Volume { id: volume.id, droplet };
    let action = life::begin(cx, kind, on, cx.setup.pace.action_polls, then);
    Ok(Reply::json(202, json!({"action": actions::render(&action)})))
}

fn attach(
    cx: &Cx<'_>,
    volume: &Volume,
    droplet: Option<u64>,
    body: &Map<String, Value>,
) -> Result<Then, Reply> {
    let found = droplet.and_then(|id| cx.world.digitalocean.droplets.get(&id));
    let droplet = found.ok_or_else(not_found)?;
    if volume.droplet.is_some() || droplet.region != volume.region {
        return Err(unprocessable("the volume is attached already or in another region"));
    }
    let have = cx.world.digitalocean.volumes.iter().filter(|v| v.droplet == Some(droplet.id));
    if have.count() >= MOST_PER_DROPLET {
        return Err(unprocessable("the droplet has as many volumes as it can have"));
    }
    let tags = body.get("tags").and_then(Value::as_array).into_iter().flatten();
    Ok(Then::Attach(tags.filter_map(Value::as_str).map(str::to_owned).collect()))
}

/// That a volume only grows is a careful guess.
fn grow(volume: &Volume, body: &Map<String, Value>) -> Result<Then, Reply> {
    let size = body.get("size_gigabytes").and_then(Value::as_u64).unwrap_or(0);
    if size <= volume.size || size > volumes::LARGEST {
        return Err(unprocessable("a volume can only grow, to at most 16384 GiB"));
    }
    Ok(Then::Grow(size))
}

fn is_held(cx: &Cx<'_>, id: u64) -> bool {
    let droplet = cx.world.digitalocean.droplets.get(&id);
    droplet.is_some_and(|droplet| droplet.event.is_some() || droplet.leaving.is_some())
}

fn is_about(on: &Subject, wanted: &str) -> bool {
    matches!(on, Subject::Volume { id, .. } if id == wanted)
}
