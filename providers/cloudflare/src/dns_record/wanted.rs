//! From canonical attributes to what the API takes.

use ipai_core::{Attributes, SecretText, Value};
use serde_json::{Map, Value as Json, json};

use super::content::{self, BadContent};
use super::{RecordType, int, record_type, text};
use crate::txt;

/// Attributes that became known only during apply, in canonical form.
pub(crate) fn settled(attributes: &Attributes) -> Result<Attributes, BadContent> {
    let mut settled = attributes.clone();
    let parts = (record_type(attributes), text(attributes, "content"), text(attributes, "zone"));
    let (Some(kind), Some(written), Some(zone)) = parts else {
        let detail = "zone, type or content of the record is not known".to_owned();
        return Err(BadContent { detail, hint: None });
    };
    let content = content::canonical(kind, written, zone)?;
    let value = match attributes.get("content") {
        Some(Value::Secret(secret)) => {
            let keyed = secret.keyed.clone();
            Value::Secret(SecretText { text: ipai_core::Secret::new(content), keyed })
        }
        _ => Value::text(content),
    };
    settled.insert("content".to_owned(), value);
    Ok(settled)
}

/// A whole record, as `posts` of a batch take it.
pub(crate) fn post(attributes: &Attributes, comment: &str) -> Json {
    let mut body = Map::new();
    let plain = |name: &str| json!(text(attributes, name).unwrap_or_default());
    body.insert("type".into(), plain("type"));
    body.insert("name".into(), plain("name"));
    if let Some(kind) = record_type(attributes) {
        body.extend(substance(kind, attributes));
        body.insert("ttl".into(), json!(int(attributes, "ttl").unwrap_or(1)));
        if kind.proxiable() {
            body.insert("proxied".into(), json!(is_proxied(attributes)));
        }
    }
    body.insert("comment".into(), json!(comment));
    Json::Object(body)
}

/// Only what changes, and the marker, as `patches` of a batch take it.
pub(crate) fn patch(id: &str, live: &Attributes, wanted: &Attributes, comment: &str) -> Json {
    let mut body = Map::new();
    body.insert("id".into(), json!(id));
    let differs = |name: &str| !same(live.get(name), wanted.get(name));
    if let Some(kind) = record_type(wanted) {
        let parts = std::iter::once("content").chain(kind.extras().iter().copied());
        if kind.has_data() && parts.into_iter().any(differs) {
            // The parts of such a record are one value to the API, which tells by the type how to read them.
            body.insert("type".into(), json!(kind.name()));
            body.extend(substance(kind, wanted));
        } else if !kind.has_data() {
            body.extend(substance(kind, wanted).into_iter().filter(|(name, _)| differs(name)));
        }
        if differs("ttl") || differs("proxied") {
            body.insert("ttl".into(), json!(int(wanted, "ttl").unwrap_or(1)));
        }
        if kind.proxiable() && differs("proxied") {
            body.insert("proxied".into(), json!(is_proxied(wanted)));
        }
    }
    body.insert("comment".into(), json!(comment));
    Json::Object(body)
}

/// Compares two values; a secret equals the text that it holds.
pub(crate) fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::Text(text)), Some(Value::Secret(secret)))
        | (Some(Value::Secret(secret)), Some(Value::Text(text))) => text == secret.text.expose(),
        _ => one == other,
    }
}

fn is_proxied(attributes: &Attributes) -> bool {
    attributes.get("proxied").and_then(Value::as_bool).unwrap_or(false)
}

/// What the record says, in the fields that its type has.
fn substance(kind: RecordType, attributes: &Attributes) -> Vec<(String, Json)> {
    let content = text(attributes, "content").unwrap_or_default();
    let number = |name: &str| json!(int(attributes, name).unwrap_or_default());
    match kind {
        RecordType::Srv => {
            let data = json!({
                "priority": number("priority"), "weight": number("weight"),
                "port": number("port"), "target": content,
            });
            vec![("data".into(), data)]
        }
        RecordType::Caa => {
            let tag = text(attributes, "tag").unwrap_or_default();
            vec![("data".into(), json!({ "flags": number("flags"), "tag": tag, "value": content }))]
        }
        RecordType::Mx => {
            vec![("content".into(), json!(content)), ("priority".into(), number("priority"))]
        }
        RecordType::Txt => vec![("content".into(), json!(txt::quoted(content)))],
        _ => vec![("content".into(), json!(content))],
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::DigestKey;

    use super::*;

    fn record(kind: &str, content: &str, extra: &[(&str, Value)]) -> Attributes {
        let mut attributes: Attributes = [
            ("zone", Value::text("example.com")),
            ("name", Value::text("a.example.com")),
            ("type", Value::text(kind)),
            ("content", Value::text(content)),
            ("ttl", Value::Int(300)),
            ("proxied", Value::Bool(false)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        attributes.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        attributes
    }

    #[test]
    fn records_have_their_exact_wire_form() {
        let number = Value::Int;
        let srv = [("priority", number(10)), ("weight", number(5)), ("port", number(5060))];
        let caa = [("flags", number(0)), ("tag", Value::text("issue"))];
        for (attributes, expected) in [
            (
                record("A", "203.0.113.7", &[]),
                json!({"content": "203.0.113.7", "ttl": 300, "proxied": false}),
            ),
            (
                record(
                    "CNAME",
                    "b.example.com",
                    &[("proxied", Value::Bool(true)), ("ttl", number(1))],
                ),
                json!({"content": "b.example.com", "ttl": 1, "proxied": true}),
            ),
            (record("TXT", "v=spf1 -all", &[]), json!({"content": "\"v=spf1 -all\"", "ttl": 300})),
            (
                record("MX", "mail.example.com", &[("priority", number(10))]),
                json!({"content": "mail.example.com", "priority": 10, "ttl": 300}),
            ),
            (
                record("SRV", "b.example.com", &srv),
                json!({"data": {"priority": 10, "weight": 5, "port": 5060, "target": "b.example.com"}, "ttl": 300}),
            ),
            (
                record("CAA", "ca.example", &caa),
                json!({"data": {"flags": 0, "tag": "issue", "value": "ca.example"}, "ttl": 300}),
            ),
        ] {
            let mut whole = json!({
                "type": text(&attributes, "type"), "name": "a.example.com", "comment": "ipai s a 0123456789abcdef"
            });
            whole.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
            assert_eq!(post(&attributes, "ipai s a 0123456789abcdef"), whole);
        }
    }

    #[test]
    fn a_patch_holds_what_changes_and_the_marker() {
        let live = record("A", "203.0.113.7", &[]);
        let patched = |wanted: &Attributes| patch("r1", &live, wanted, "m");
        assert_eq!(patched(&live), json!({"id": "r1", "comment": "m"}));
        let moved = record("A", "203.0.113.8", &[]);
        assert_eq!(patched(&moved), json!({"id": "r1", "content": "203.0.113.8", "comment": "m"}));
        let proxied =
            record("A", "203.0.113.7", &[("proxied", Value::Bool(true)), ("ttl", Value::Int(1))]);
        assert_eq!(
            patched(&proxied),
            json!({"id": "r1", "ttl": 1, "proxied": true, "comment": "m"})
        );
    }

    #[test]
    fn parts_of_a_record_with_data_are_patched_together() {
        let caa = |tag: &str| {
            record("CAA", "ca.example", &[("flags", Value::Int(0)), ("tag", Value::text(tag))])
        };
        let body = patch("r1", &caa("issue"), &caa("issuewild"), "m");
        let data = json!({"flags": 0, "tag": "issuewild", "value": "ca.example"});
        assert_eq!(body, json!({"id": "r1", "type": "CAA", "data": data, "comment": "m"}));
        assert_eq!(
            patch("r1", &caa("issue"), &caa("issue"), "m"),
            json!({"id": "r1", "comment": "m"})
        );
    }

    #[test]
    fn a_secret_text_equals_the_text_it_holds() {
        let secret = SecretText::new("token".into(), &DigestKey::new(vec![1]));
        let mut wanted = record("TXT", "", &[]);
        wanted.insert("content".into(), Value::Secret(secret));
        let live = record("TXT", "token", &[]);
        assert_eq!(patch("r1", &live, &wanted, "m"), json!({"id": "r1", "comment": "m"}));
        assert_eq!(post(&wanted, "m")["content"], json!("\"token\""));
    }
}
