//! Zones.

use serde_json::{Value, json};

use super::envelope::{error, no_route, page, success};
use super::state::Zone;
use crate::call::{Answer, Call, Reply};
use crate::ids::hex;
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let per_page = call.number("per_page").unwrap_or(20).clamp(5, 100);
    let number = call.number("page").unwrap_or(1).max(1);
    // A token without rights on any zone is told of none.
    if call.token.begins("norights") {
        return Ok(page(Vec::new(), number, per_page));
    }
    let zones = cx.world.cloudflare.zones.iter();
    let mut shown: Vec<&Zone> = zones.filter(|zone| passes(zone, call)).collect();
    if call.query("order") == Some("name") {
        shown.sort_by(|one, other| one.name.cmp(&other.name));
    }
    if call.query("direction") == Some("desc") {
        shown.reverse();
    }
    let items = shown.into_iter().map(|zone| render(zone, call)).collect();
    Ok(page(items, number, per_page))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let index = find(cx, call)?;
    Ok(success(render(&cx.world.cloudflare.zones[index], call)))
}

/// Makes an active zone of that name unless there is one; gives its id.
pub(crate) fn ensure(cx: &mut Cx<'_>, name: &str) -> String {
    if let Some(zone) = cx.world.cloudflare.zones.iter().find(|zone| zone.name == name) {
        return zone.id.clone();
    }
    add(cx, name, "active", "full")
}

/// Makes a zone, whether one of that name exists or not; gives its id.
pub(crate) fn add(cx: &mut Cx<'_>, name: &str, status: &str, kind: &str) -> String {
    let id = cx.world.cloudflare.next_zone();
    cx.world.cloudflare.zones.push(Zone {
        id: id.clone(),
        name: name.to_owned(),
        status: status.to_owned(),
        kind: kind.to_owned(),
        created_on: cx.now.to_fraction_text(),
        records: Vec::new(),
        lingering: Vec::new(),
    });
    cx.changed = true;
    id
}

/// Finds the zone in the path.
pub(super) fn find(cx: &Cx<'_>, call: &Call) -> Result<usize, Reply> {
    let id = call.param(0);
    if !is_identifier(id) {
        return Err(no_route(&call.path));
    }
    let found = cx.world.cloudflare.zones.iter().position(|zone| zone.id == id);
    found.ok_or_else(|| {
        error(404, 7003, "Could not route to that zone, perhaps your object identifier is invalid?")
    })
}

/// Says whether a text is shaped like an id: anything else has no route.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn passes(zone: &Zone, call: &Call) -> bool {
    let account = account();
    let mut tests = Vec::new();
    if let Some(name) = call.query("name") {
        tests.push(is_named(&zone.name, name));
    }
    if let Some(status) = call.query("status") {
        tests.push(zone.status == status);
    }
    if let Some(kinds) = call.query("type") {
        tests.push(kinds.split(',').any(|kind| kind == zone.kind));
    }
    if let Some(id) = call.query("account.id") {
        tests.push(account["id"] == id);
    }
    if let Some(name) = call.query("account.name") {
        tests.push(is_named(account["name"].as_str().unwrap_or_default(), name));
    }
    let internal_is_wanted = zone.kind != "internal" || call.query("type").is_some();
    let pass = match call.query("match") {
        Some("any") => tests.is_empty() || tests.contains(&true),
        _ => !tests.contains(&false),
    };
    internal_is_wanted && pass
}

/// Compares a name with a filter, which may begin with an operator.
fn is_named(name: &str, filter: &str) -> bool {
    let Some((operator, wanted)) = filter.split_once(':') else {
        return name.eq_ignore_ascii_case(filter);
    };
    let (folded, folded_wanted) = (name.to_lowercase(), wanted.to_lowercase());
    match operator {
        "equal" => folded == folded_wanted,
        "not_equal" => folded != folded_wanted,
        "starts_with" => folded.starts_with(&folded_wanted),
        "ends_with" => folded.ends_with(&folded_wanted),
        "contains" => folded.contains(&folded_wanted),
        "starts_with_case_sensitive" => name.starts_with(wanted),
        "ends_with_case_sensitive" => name.ends_with(wanted),
        "contains_case_sensitive" => name.contains(wanted),
        _ => name.eq_ignore_ascii_case(filter),
    }
}

fn account() -> Value {
    json!({"id": hex("account/1"), "name": "Sandbox"})
}

fn permissions(call: &Call) -> Vec<&'static str> {
    let all = ["#dns_records:edit", "#dns_records:read", "#zone:read"];
    let reads = call.token.begins("readonly");
    all.into_iter().filter(|name| !reads || name.ends_with("read")).collect()
}

fn render(zone: &Zone, call: &Call) -> Value {
    let activated = (zone.status == "active").then_some(&zone.created_on);
    json!({
        "id": zone.id,
        "name": zone.name,
        "status": zone.status,
        "paused": false,
        "type": zone.kind,
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": null,
        "original_registrar": null,
        "original_dnshost": null,
        "modified_on": zone.created_on,
        "created_on": zone.created_on,
        "activated_on": activated,
        "vanity_name_servers": [],
        "vanity_name_servers_ips": null,
        "meta": {
            "step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3,
            "phishing_detected": false,
        },
        "owner": {"id": null, "type": "user", "email": null},
        "account": account(),
        "tenant": {"id": null, "name": null},
        "tenant_unit": {"id": null},
        "permissions": permissions(call),
        "plan": {
            "id": hex("plan/free"), "name": "Free Website", "price": 0, "currency": "USD",
            "frequency": "", "is_subscribed": false, "can_subscribe": false,
            "legacy_id": "free", "legacy_discount": false, "externally_managed": false,
        },
    })
}
