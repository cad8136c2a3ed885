//! Attributes of resources. Whatever is no table and no array may be a template, or be written as a string.

use ipai_core::resource::{Default, Kind};
use ipai_core::{Attribute, Change};
use serde_json::{Value as Json, json};

use super::super::explain::cost;
use super::{ADDRESS, TEMPLATE, default, described, form};

pub(super) fn describe(attribute: &Attribute) -> Json {
    let mut value = described(takes(&attribute.kind), &in_full(attribute));
    let written = match (&attribute.kind, attribute.default) {
        (Kind::Duration, Default::Int(seconds)) => Some(json!(format!("{seconds}s"))),
        (_, other) => default(other),
    };
    if let Some(written) = written {
        value["default"] = written;
    }
    value
}

/// The key that every resource takes.
pub(super) fn after() -> Json {
    described(
        takes(&Kind::List(&Kind::Address)),
        "Addresses of this stack that must be done before.",
    )
}

fn in_full(attribute: &Attribute) -> String {
    let note = match attribute.change {
        Change::Update => return attribute.doc.to_owned(),
        other => cost(other),
    };
    let (first, rest) = note.split_at(1);
    format!("{} {}{rest}.", attribute.doc, first.to_uppercase())
}

fn takes(kind: &Kind) -> Json {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Bool => or_text(json!({ "type": "boolean" }), "^(true|false)$"),
        Kind::Int(low, high) => {
            let number = json!({ "type": "integer", "minimum": low, "maximum": high });
            or_text(number, "^[+-]?[0-9]+$")
        }
        Kind::Choice(choices) => json!({ "anyOf": [{ "enum": choices }, form(TEMPLATE)] }),
        Kind::List(inner) => json!({ "type": "array", "items": takes(inner) }),
        Kind::Map(inner) => json!({ "type": "object", "additionalProperties": takes(inner) }),
        Kind::Address => text_or_template(ADDRESS),
        Kind::Content => content(),
        Kind::Duration => text_or_template("^[+]?[0-9]+[smh]$"),
    }
}

/// A value, the same as a string, or a template that makes it.
fn or_text(value: Json, same: &str) -> Json {
    json!({ "anyOf": [value, text_or_template(same)] })
}

fn text_or_template(pattern: &str) -> Json {
    form(&format!("{pattern}|{TEMPLATE}"))
}

fn content() -> Json {
    json!({ "anyOf": [
        { "type": "string" },
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
            "properties": {
                "template": { "type": "string", "description": "A file of the stack that is rendered." },
                "file": { "type": "string", "description": "A file of the stack as it is." },
            },
        },
    ] })
}
