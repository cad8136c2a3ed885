//! The account's SSH keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::pages::page;
use super::state::{Key, State};
use super::{not_found, object, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::world::{Cx, late};

pub(super) fn list(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let items = cx.world.digitalocean.keys.values().map(render).collect();
    Ok(page(cx, call, "ssh_keys", items))
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim);
    let (Some(name), Some(public_key)) = (text("name"), text("public_key")) else {
        return Err(unprocessable("Name and public key cannot be blank."));
    };
    let Some(fingerprint) = fingerprint(public_key) else {
        return Err(unprocessable("Key invalid, key should be in OpenSSH format"));
    };
    let state = &mut cx.world.digitalocean;
    if state.keys.values().any(|key| key.fingerprint == fingerprint) {
        return Err(unprocessable("SSH Key is already in use on your account"));
    }
    let key = Key {
        id: state.next("key"),
        name: name.to_owned(),
        public_key: public_key.to_owned(),
        fingerprint,
        late: cx.setup.pace.key_lag,
        unknown: cx.setup.pace.key_lag,
    };
    let shown = render(&key);
    state.keys.insert(key.id, key);
    cx.changed = true;
    Ok(Reply::json(201, json!({"ssh_key": shown})))
}

pub(super) fn get(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let key = one(&mut cx.world.digitalocean, call.param(0))?;
    if key.late > 0 {
        cx.changed = true;
    }
    if late(&mut key.late) {
        return Err(not_found());
    }
    Ok(Reply::json(200, json!({"ssh_key": render(key)})))
}

pub(super) fn rename(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let key = one(&mut cx.world.digitalocean, call.param(0))?;
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        key.name = name.to_owned();
    }
    cx.changed = true;
    Ok(Reply::json(200, json!({"ssh_key": render(key)})))
}

pub(super) fn delete(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = one(&mut cx.world.digitalocean, call.param(0))?.id;
    cx.world.digitalocean.keys.remove(&id);
    cx.changed = true;
    Ok(Reply::empty(204))
}

/// Turns the ids and fingerprints of a droplet create into public keys.
pub(super) fn resolve(state: &mut State, wanted: &[Value]) -> Result<Vec<String>, Reply> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for value in wanted {
        let name = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let key = one(state, &name).ok().filter(|key| key.unknown == 0);
        match key {
            Some(key) => found.push(key.public_key.clone()),
            None => missing.push(name),
        }
    }
    // A create is what brings new keys nearer to being known.
    for key in state.keys.values_mut() {
        late(&mut key.unknown);
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let names = missing.join(", ");
    Err(unprocessable(&format!("{names} are invalid key identifiers for Droplet creation.")))
}

fn one<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Key, Reply> {
    let matches = |key: &&mut Key| key.fingerprint == name || key.id.to_string() == name;
    state.keys.values_mut().find(matches).ok_or_else(not_found)
}

fn render(key: &Key) -> Value {
    json!({
        "id": key.id, "fingerprint": key.fingerprint, "public_key": key.public_key,
        "name": key.name,
    })
}

/// The MD5 of the key's bytes in colon-separated hexadecimal, as the vendor identifies keys.
fn fingerprint(public_key: &str) -> Option<String> {
    let mut words = public_key.split_whitespace();
    let kind = words.next()?;
    let bytes = STANDARD.decode(words.next()?).ok()?;
    // The bytes begin with the kind's name and its length.
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    if bytes.get(4..4 + usize::try_from(length).ok()?)? != kind.as_bytes() {
        return None;
    }
    let pairs: Vec<String> = md5::compute(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    Some(pairs.join(":"))
}
