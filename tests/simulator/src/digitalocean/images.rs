//! Images: the public ones, and the account's snapshots, which are private images.

use serde_json::{Value, json};

use super::pages::page;
use super::{catalog, not_found, snapshots};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let state = &cx.world.digitalocean;
    let tag = call.query("tag_name");
    let own = state.snapshots.iter().filter(|snapshot| !snapshot.of_volume);
    let own = own.filter(|snapshot| tag.is_none_or(|tag| snapshot.tags.iter().any(|t| t == tag)));
    let own = own.map(snapshots::as_image);
    let private = call.query("private") == Some("true") || tag.is_some();
    // The filter `type` is not the field `type`.
    let items: Vec<Value> = match (private, call.query("type")) {
        (true, _) => own.collect(),
        (false, Some("application")) => Vec::new(),
        (false, Some("distribution")) => catalog::public_images().collect(),
        (false, _) => own.chain(catalog::public_images()).collect(),
    };
    Ok(page(cx, call, "images", items))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    match snapshots::image(&cx.world.digitalocean, &json!(call.param(0))) {
        Value::Null => Err(not_found()),
        image => Ok(Reply::json(200, json!({"image": image}))),
    }
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let snapshots = &mut cx.world.digitalocean.snapshots;
    let id = call.param(0);
    let index = snapshots.iter().position(|s| !s.of_volume && s.id == id).ok_or_else(not_found)?;
    snapshots.remove(index);
    cx.changed = true;
    Ok(Reply::empty(204))
}
