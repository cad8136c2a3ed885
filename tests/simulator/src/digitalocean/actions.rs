//! Actions of the account, whatever they are about.

use serde_json::{Value, json};

use super::pages::page;
use super::state::{Action, Subject};
use super::{catalog, life, not_found};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    Ok(page_of(cx, call, |_| true))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    get_where(cx, call.param(0), |_| true)
}

/// Answers the action of that id when it is one that belongs here; reading it moves it on.
pub(super) fn get_where(cx: &mut Cx<'_>, id: &str, here: impl Fn(&Subject) -> bool) -> Answer {
    let id: u64 = id.parse().map_err(|_| not_found())?;
    let known = cx.world.digitalocean.actions.get(&id).is_some_and(|action| here(&action.on));
    if !known {
        return Err(not_found());
    }
    life::poll(cx, id);
    let action = cx.world.digitalocean.actions.get(&id).ok_or_else(not_found)?;
    Ok(Reply::json(200, json!({"action": render(action)})))
}

/// Answers a page of the actions that belong here, newest first.
pub(super) fn page_of(cx: &Cx<'_>, call: &Call, here: impl Fn(&Subject) -> bool) -> Reply {
    let actions = cx.world.digitalocean.actions.values().rev();
    let items = actions.filter(|action| here(&action.on)).map(render).collect();
    page(cx, call, "actions", items)
}

/// The action as answers show it.
pub(super) fn render(action: &Action) -> Value {
    let (kind, id) = match &action.on {
        Subject::Droplet(id) => ("droplet", Some(*id)),
        // A volume's id is no number, and an address counts as one.
        Subject::Volume { .. } => ("volume", None),
        Subject::ReservedIp { ip, .. } => ("reserved_ip", Some(u64::from(ip.to_bits()))),
    };
    json!({
        "id": action.id,
        "status": if action.completed_at.is_some() { "completed" } else { "in-progress" },
        "type": action.kind,
        "started_at": action.started_at,
        "completed_at": action.completed_at,
        "resource_id": id,
        "resource_type": kind,
        "region": catalog::region(&action.region),
        "region_slug": action.region,
    })
}
