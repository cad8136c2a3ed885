//! DNS records, one at a time.

use serde_json::{Map, Value, json};

use super::envelope::{error, no_route, page, success};
use super::state::{Draft, Lingering, Record, State, Zone};
use super::{conflict, draft, filter, zones};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// A zone that is being changed: what the change needs to know beside it.
pub(super) struct Desk<'a> {
    pub(super) zone: &'a mut Zone,
    pub(super) ids: &'a mut State,
    pub(super) now: String,
    pub(super) quota: usize,
}

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let zone = &cx.world.cloudflare.zones[zones::find(cx, call)?];
    let per_page = call.number("per_page").unwrap_or(100).clamp(1, 5_000_000);
    let number = call.number("page").unwrap_or(1).max(1);
    let mut shown: Vec<&Record> =
        zone.records.iter().filter(|record| filter::passes(record, call)).collect();
    filter::sort(&mut shown, call);
    if cx.setup.pace.shuffle && call.query("order").is_none() {
        shown.reverse();
    }
    Ok(page(shown.into_iter().map(render).collect(), number, per_page))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    on_desk(cx, call, |desk| add(desk, &body).map(|record| success(render(&record))))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let zone = &cx.world.cloudflare.zones[zones::find(cx, call)?];
    let id = record_id(call)?;
    let record = zone.records.iter().find(|record| record.id == id).ok_or_else(gone)?;
    Ok(success(render(record)))
}

pub(super) fn patch(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (id, body) = (record_id(call)?, object(call)?);
    on_desk(cx, call, |desk| change(desk, id, &body, true).map(|record| success(render(&record))))
}

pub(super) fn put(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let (id, body) = (record_id(call)?, object(call)?);
    on_desk(cx, call, |desk| change(desk, id, &body, false).map(|record| success(render(&record))))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = record_id(call)?;
    let linger = cx.setup.pace.dns_linger;
    on_desk(cx, call, |desk| {
        let record = remove(desk, id)?;
        if linger > 0 {
            let Draft { name, kind, .. } = record.draft;
            desk.zone.lingering.push(Lingering { name, kind, left: linger });
        }
        Ok(success(json!({"id": id})))
    })
}

/// Changes the zone in the path. The change works on a copy, which takes the zone's place only
/// when all of it went well.
pub(super) fn on_desk(
    cx: &mut Cx<'_>,
    call: &Call,
    run: impl FnOnce(&mut Desk<'_>) -> Answer,
) -> Answer {
    let index = zones::find(cx, call)?;
    let mut zone = cx.world.cloudflare.zones[index].clone();
    let mut desk = Desk {
        zone: &mut zone,
        now: cx.now.to_fraction_text(),
        quota: cx.setup.limits.records,
        ids: &mut cx.world.cloudflare,
    };
    let answer = run(&mut desk);
    cx.changed = true;
    match answer {
        Ok(_) => cx.world.cloudflare.zones[index] = zone,
        // A refused create is one that a lingering record will not refuse again.
        Err(_) => cx.world.cloudflare.zones[index].lingering = zone.lingering,
    }
    answer
}

pub(super) fn add(desk: &mut Desk<'_>, body: &Map<String, Value>) -> Result<Record, Reply> {
    let draft = draft::read(&desk.zone.name, body)?;
    if desk.zone.records.len() >= desk.quota {
        return Err(error(400, 81045, "Record quota exceeded."));
    }
    conflict::linger(&draft, &mut desk.zone.lingering)?;
    let others: Vec<&Record> = desk.zone.records.iter().collect();
    conflict::check(&desk.zone.name, &draft, &others)?;
    draft::fits(&draft, &others)?;
    let record = Record {
        id: desk.ids.next_record(),
        comment_modified_on: draft.comment.as_ref().map(|_| desk.now.clone()),
        draft,
        meta: Map::new(),
        created_on: desk.now.clone(),
        modified_on: desk.now.clone(),
    };
    desk.zone.records.push(record.clone());
    Ok(record)
}

/// Changes a record: in part, or as a whole, when what is left out becomes its default.
pub(super) fn change(
    desk: &mut Desk<'_>,
    id: &str,
    body: &Map<String, Value>,
    in_part: bool,
) -> Result<Record, Reply> {
    let index = desk.zone.records.iter().position(|record| record.id == id).ok_or_else(gone)?;
    let old = desk.zone.records[index].clone();
    refuse_if_managed(&old)?;
    let draft = match in_part {
        true => draft::read_change(&desk.zone.name, &old, body)?,
        false => draft::read(&desk.zone.name, body)?,
    };
    let others: Vec<&Record> = desk.zone.records.iter().filter(|other| other.id != id).collect();
    conflict::check(&desk.zone.name, &draft, &others)?;
    draft::fits(&draft, &others)?;
    let comment_modified_on = match draft.comment == old.draft.comment {
        true => old.comment_modified_on,
        false => Some(desk.now.clone()),
    };
    let record = Record { draft, modified_on: desk.now.clone(), comment_modified_on, ..old };
    desk.zone.records[index] = record.clone();
    Ok(record)
}

pub(super) fn remove(desk: &mut Desk<'_>, id: &str) -> Result<Record, Reply> {
    let index = desk.zone.records.iter().position(|record| record.id == id).ok_or_else(gone)?;
    refuse_if_managed(&desk.zone.records[index])?;
    Ok(desk.zone.records.remove(index))
}

/// The record as answers show it. The service leaves `data` out where the content says it all,
/// and sends null where there is no comment.
pub(crate) fn render(record: &Record) -> Value {
    let Draft { name, kind, content, proxied, ttl, comment, priority, data, settings } =
        &record.draft;
    let mut shown = json!({
        "id": record.id, "name": name, "type": kind, "content": content,
        "proxiable": record.draft.proxiable(), "proxied": proxied, "ttl": ttl,
        "settings": settings, "meta": record.meta, "comment": comment, "tags": [],
        "created_on": record.created_on, "modified_on": record.modified_on,
    });
    if let Some(priority) = priority {
        shown["priority"] = json!(priority);
    }
    if let Some(data) = data {
        shown["data"] = data.clone();
    }
    if let Some(time) = &record.comment_modified_on {
        shown["comment_modified_on"] = json!(time);
    }
    shown
}

pub(super) fn gone() -> Reply {
    error(404, 81044, "Record does not exist.")
}

pub(super) fn object(call: &Call) -> Result<Map<String, Value>, Reply> {
    call.object().ok_or_else(|| error(400, 9207, "Request body is invalid."))
}

fn record_id(call: &Call) -> Result<&str, Reply> {
    let id = call.param(1);
    if zones::is_identifier(id) { Ok(id) } else { Err(no_route(&call.path)) }
}

/// The vendor's own records can be looked at only. The code is not documented.
fn refuse_if_managed(record: &Record) -> Result<(), Reply> {
    if record.meta.get("read_only") == Some(&json!(true)) {
        return Err(error(400, 1043, "This record is managed by another product."));
    }
    Ok(())
}

/// Adds a record without a request; `meta` marks one of the vendor's own.
pub(crate) fn add_directly(
    cx: &mut Cx<'_>,
    zone: &str,
    body: &Map<String, Value>,
) -> Result<String, String> {
    directly(cx, zone, |desk| {
        let record = add(desk, body)?;
        let meta = body.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
        for own in desk.zone.records.iter_mut().filter(|own| own.id == record.id) {
            own.meta.clone_from(&meta);
        }
        Ok(record.id)
    })
}

/// Changes a record without a request.
pub(crate) fn change_directly(
    cx: &mut Cx<'_>,
    zone: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Result<(), String> {
    directly(cx, zone, |desk| change(desk, id, body, true).map(drop))
}

/// Deletes a record without a request.
pub(crate) fn remove_directly(cx: &mut Cx<'_>, zone: &str, id: &str) -> Result<(), String> {
    directly(cx, zone, |desk| remove(desk, id).map(drop))
}

/// Works on the zone of that name or id; a refusal becomes its text.
fn directly<T>(
    cx: &mut Cx<'_>,
    zone: &str,
    run: impl FnOnce(&mut Desk<'_>) -> Result<T, Reply>,
) -> Result<T, String> {
    let zones = &mut cx.world.cloudflare.zones;
    let index = zones.iter().position(|own| own.name == zone || own.id == zone);
    let index = index.ok_or_else(|| format!("there is no zone {zone}"))?;
    let mut copy = zones[index].clone();
    let mut desk = Desk {
        zone: &mut copy,
        now: cx.now.to_fraction_text(),
        quota: usize::MAX,
        ids: &mut cx.world.cloudflare,
    };
    let refusal = |reply: Reply| String::from_utf8_lossy(&reply.bytes().0).into_owned();
    let outcome = run(&mut desk).map_err(refusal)?;
    cx.world.cloudflare.zones[index] = copy;
    cx.changed = true;
    Ok(outcome)
}
