//! Zone files, out and in.

use serde_json::{Map, Value, json};

use super::envelope::{error, success};
use super::{bind, records, zones};
use crate::call::{Answer, Body, Call, Reply};
use crate::world::Cx;

/// The largest zone file that is taken, in bytes.
const LARGEST_FILE: usize = 256 * 1024;

pub(super) fn export(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let zone = &cx.world.cloudflare.zones[zones::find(cx, call)?];
    let text = bind::write(zone, &cx.now.to_seconds_text());
    Ok(Reply { status: 200, headers: Vec::new(), body: Body::Text(text) })
}

/// Adds the records of a zone file, all or none. A record that is there already is passed over.
pub(super) fn import(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let parts = parts(call).ok_or_else(|| error(400, 1004, "The form could not be read."))?;
    let text = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, text)| text);
    let file = text("file").ok_or_else(|| error(400, 1004, "The form has no file."))?;
    if file.len() > LARGEST_FILE {
        return Err(error(400, 1004, "The file is too large."));
    }
    let proxied = text("proxied").is_some_and(|text| text.trim() == "true");
    records::on_desk(cx, call, |desk| {
        let bodies = bind::read(&desk.zone.name, file).map_err(|why| error(400, 1004, &why))?;
        let mut added = 0;
        for body in &bodies {
            match records::add(desk, &with_proxy(body, proxied)) {
                Ok(_) => added += 1,
                Err(reply) if is_duplicate(&reply) => {}
                Err(reply) => return Err(reply),
            }
        }
        Ok(success(json!({"recs_added": added, "total_records_parsed": bodies.len()})))
    })
}

fn with_proxy(body: &Map<String, Value>, proxied: bool) -> Map<String, Value> {
    let mut body = body.clone();
    let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
    if proxied && ["A", "AAAA", "CNAME"].contains(&kind) {
        body.insert("proxied".to_owned(), json!(true));
    }
    body
}

fn is_duplicate(reply: &Reply) -> bool {
    matches!(&reply.body, Body::Json(body) if body["errors"][0]["code"] == 81058)
}

/// Reads a multipart form: pairs of name and text.
fn parts(call: &Call) -> Option<Vec<(String, String)>> {
    let (_, boundary) = call.content_type.split_once("boundary=")?;
    let boundary = format!("--{}", boundary.split(';').next()?.trim().trim_matches('"'));
    let body = String::from_utf8_lossy(&call.body).into_owned();
    let mut found = Vec::new();
    for part in body.split(boundary.as_str()).skip(1) {
        let Some((head, text)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"'));
        let text = text.strip_suffix("\r\n").unwrap_or(text);
        found.extend(name.map(|(name, _)| (name.to_owned(), text.to_owned())));
    }
    Some(found)
}
