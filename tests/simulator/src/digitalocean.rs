//! DigitalOcean's API, version 2.

mod account;
mod actions;
mod associated;
mod catalog;
mod create;
mod droplet_actions;
pub(crate) mod droplets;
mod firewall_parts;
mod firewalls;
mod foreign;
mod images;
mod keys;
pub(crate) mod life;
mod network;
mod pages;
mod reserved_ips;
mod snapshots;
mod state;
mod tags;
mod volume_actions;
mod volumes;

use serde_json::json;

use crate::call::{Call, Reply};
use crate::clock::Time;
use crate::limit::Windows;
use crate::options::Limits;
use crate::route::{Route, route};
pub(crate) use state::{Droplet, State};

/// Every operation, fixed path segments before variable ones.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/v2/account", account::get),
    route("GET", "/v2/account/keys", keys::list),
    route("POST", "/v2/account/keys", keys::create),
    route("GET", "/v2/account/keys/{ssh_key_identifier}", keys::get),
    route("PUT", "/v2/account/keys/{ssh_key_identifier}", keys::rename),
    route("DELETE", "/v2/account/keys/{ssh_key_identifier}", keys::delete),
    route("GET", "/v2/actions", actions::list),
    route("GET", "/v2/actions/{action_id}", actions::get),
    route("GET", "/v2/droplets", droplets::list),
    route("POST", "/v2/droplets", create::create),
    route("DELETE", "/v2/droplets", droplets::delete_by_tag),
    route("POST", "/v2/droplets/actions", droplet_actions::create_by_tag),
    route("GET", "/v2/droplets/{droplet_id}", droplets::get),
    route("DELETE", "/v2/droplets/{droplet_id}", droplets::delete),
    route("GET", "/v2/droplets/{droplet_id}/actions", droplet_actions::list),
    route("POST", "/v2/droplets/{droplet_id}/actions", droplet_actions::create),
    route("GET", "/v2/droplets/{droplet_id}/actions/{action_id}", droplet_actions::get),
    route("GET", "/v2/droplets/{droplet_id}/backups", snapshots::of_droplet_backups),
    route("GET", "/v2/droplets/{droplet_id}/snapshots", snapshots::of_droplet),
    route("GET", "/v2/droplets/{droplet_id}/firewalls", firewalls::of_droplet),
    route("GET", "/v2/droplets/{droplet_id}/destroy_with_associated_resources", associated::list),
    route(
        "DELETE",
        "/v2/droplets/{droplet_id}/destroy_with_associated_resources/selective",
        associated::selective,
    ),
    route(
        "DELETE",
        "/v2/droplets/{droplet_id}/destroy_with_associated_resources/dangerous",
        associated::dangerous,
    ),
    route(
        "GET",
        "/v2/droplets/{droplet_id}/destroy_with_associated_resources/status",
        associated::status,
    ),
    route(
        "POST",
        "/v2/droplets/{droplet_id}/destroy_with_associated_resources/retry",
        associated::retry,
    ),
    route("GET", "/v2/firewalls", firewalls::list),
    route("POST", "/v2/firewalls", firewalls::create),
    route("GET", "/v2/firewalls/{firewall_id}", firewalls::get),
    route("PUT", "/v2/firewalls/{firewall_id}", firewalls::replace),
    route("DELETE", "/v2/firewalls/{firewall_id}", firewalls::delete),
    route("POST", "/v2/firewalls/{firewall_id}/droplets", firewall_parts::add_droplets),
    route("DELETE", "/v2/firewalls/{firewall_id}/droplets", firewall_parts::remove_droplets),
    route("POST", "/v2/firewalls/{firewall_id}/tags", firewall_parts::add_tags),
    route("DELETE", "/v2/firewalls/{firewall_id}/tags", firewall_parts::remove_tags),
    route("POST", "/v2/firewalls/{firewall_id}/rules", firewall_parts::add_rules),
    route("DELETE", "/v2/firewalls/{firewall_id}/rules", firewall_parts::remove_rules),
    route("GET", "/v2/images", images::list),
    route("GET", "/v2/images/{image_id}", images::get),
    route("DELETE", "/v2/images/{image_id}", images::delete),
    route("GET", "/v2/regions", catalog::regions),
    route("GET", "/v2/sizes", catalog::sizes),
    route("GET", "/v2/reserved_ips", reserved_ips::list),
    route("POST", "/v2/reserved_ips", reserved_ips::create),
    route("GET", "/v2/reserved_ips/{reserved_ip}", reserved_ips::get),
    route("DELETE", "/v2/reserved_ips/{reserved_ip}", reserved_ips::delete),
    route("GET", "/v2/reserved_ips/{reserved_ip}/actions", reserved_ips::actions),
    route("POST", "/v2/reserved_ips/{reserved_ip}/actions", reserved_ips::act),
    route("GET", "/v2/reserved_ips/{reserved_ip}/actions/{action_id}", reserved_ips::action),
    route("GET", "/v2/snapshots", snapshots::list),
    route("GET", "/v2/snapshots/{snapshot_id}", snapshots::get),
    route("DELETE", "/v2/snapshots/{snapshot_id}", snapshots::delete),
    route("GET", "/v2/tags", tags::list),
    route("POST", "/v2/tags", tags::create),
    route("GET", "/v2/tags/{tag_id}", tags::get),
    route("DELETE", "/v2/tags/{tag_id}", tags::delete),
    route("POST", "/v2/tags/{tag_id}/resources", tags::tag),
    route("DELETE", "/v2/tags/{tag_id}/resources", tags::untag),
    route("GET", "/v2/volumes", volumes::list),
    route("POST", "/v2/volumes", volumes::create),
    route("DELETE", "/v2/volumes", volumes::delete_by_name),
    route("POST", "/v2/volumes/actions", volume_actions::create_by_name),
    route("GET", "/v2/volumes/snapshots/{snapshot_id}", snapshots::get_of_volume),
    route("DELETE", "/v2/volumes/snapshots/{snapshot_id}", snapshots::delete_of_volume),
    route("GET", "/v2/volumes/{volume_id}", volumes::get),
    route("DELETE", "/v2/volumes/{volume_id}", volumes::delete),
    route("GET", "/v2/volumes/{volume_id}/actions", volume_actions::list),
    route("POST", "/v2/volumes/{volume_id}/actions", volume_actions::create),
    route("GET", "/v2/volumes/{volume_id}/actions/{action_id}", volume_actions::get),
    route("GET", "/v2/volumes/{volume_id}/snapshots", snapshots::of_volume),
    route("POST", "/v2/volumes/{volume_id}/snapshots", snapshots::create_of_volume),
];

/// Lets a call through when its token may do it.
pub(crate) fn admit(call: &Call) -> Result<(), Reply> {
    if call.token.text().is_empty() || call.token.begins("invalid") {
        return Err(error(401, "Unable to authenticate you"));
    }
    if call.token.begins("readonly") && !call.reads() {
        return Err(error(403, "You are not authorized to perform this operation"));
    }
    Ok(())
}

/// An error body; its `id` follows the status.
pub(crate) fn error(status: u16, message: &str) -> Reply {
    let id = match status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        412 => "precondition_failed",
        422 => "unprocessable_entity",
        429 => "too_many_requests",
        _ => "server_error",
    };
    Reply::json(status, json!({"id": id, "message": message}))
}

pub(crate) fn not_found() -> Reply {
    error(404, "The resource you were accessing could not be found.")
}

fn unprocessable(message: &str) -> Reply {
    error(422, message)
}

/// What a droplet answers while an event holds it.
fn pending() -> Reply {
    unprocessable("Droplet already has a pending event.")
}

/// Reads the call's body as a JSON object.
fn object(call: &Call) -> Result<serde_json::Map<String, serde_json::Value>, Reply> {
    call.object().ok_or_else(|| error(400, "error parsing request body"))
}

/// Counts a call; gives the refusal, if it is one too many, and the headers that tell.
pub(crate) fn limit(
    windows: &mut Windows,
    limits: &Limits,
    token: &str,
    key_list: bool,
    now: Time,
) -> (Option<Reply>, Vec<(String, String)>) {
    let now = now.seconds();
    let hour = windows.hour.count(token, now, limits.hourly);
    let minute = windows.minute.count(token, now, limits.minutely);
    let keys = key_list.then(|| windows.key_lists.count(token, now, limits.key_lists));
    let burst = [Some(minute), keys].into_iter().flatten().find(|verdict| !verdict.allowed);
    let over = !hour.allowed || burst.is_some();
    let mut headers = vec![
        ("ratelimit-limit".to_owned(), limits.hourly.to_string()),
        ("ratelimit-remaining".to_owned(), if over { 0 } else { hour.left }.to_string()),
        ("ratelimit-reset".to_owned(), hour.reset.to_string()),
    ];
    // Only a burst says when to come back; over the hour's limit a client must read the reset.
    if let Some(burst) = burst {
        headers.push(("retry-after".to_owned(), burst.reset.saturating_sub(now).to_string()));
    }
    (over.then(|| error(429, "API Rate limit exceeded.")), headers)
}
