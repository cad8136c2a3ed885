//! Where Cloudflare's service is known to break its own document, as recordings of it show. A
//! faithful answer breaks it there too; nothing else is tolerated.

use serde_json::{Value, json};

use super::document::Document;
use crate::log::{Exchange, Vendor};

/// Bends the document to what the service really does.
pub(super) fn apply(document: &mut Document) {
    let schemas = &mut document.0["components"]["schemas"];
    response(schemas);
    zone(schemas);
    changes(schemas);
    codes(schemas);
}

/// The failure that an error body must be. The document joins it with a success, which no body
/// can be at once.
pub(super) fn failure(exchange: &Exchange, status: u16) -> Option<Value> {
    if exchange.vendor != Vendor::Cloudflare || !(400..500).contains(&status) {
        return None;
    }
    let name = match exchange.template.as_str() {
        "/user/tokens/verify" => "iam_api-response-common-failure",
        path if path.contains("dns_records") => "dns-records_api-response-common-failure",
        _ => "zones_api-response-common-failure",
    };
    Some(json!({"$ref": format!("#/components/schemas/{name}")}))
}

/// A body is marked as required where an empty one is common: on a record's deletion.
pub(super) fn may_be_empty(exchange: &Exchange) -> bool {
    exchange.vendor == Vendor::Cloudflare && exchange.method == "DELETE"
}

/// `data` is required and yet left out of A, AAAA, CNAME, MX, NS and TXT; a comment that is not
/// there is null, and so is it in a request that takes one away.
fn response(schemas: &mut Value) {
    if let Some(required) = schemas["dns-records_dns-record-response"]["required"].as_array_mut() {
        required.retain(|name| name != "data");
    }
    schemas["dns-records_comment"]["nullable"] = json!(true);
}

/// An owner and a tenant that are nobody's are null.
fn zone(schemas: &mut Value) {
    let zone = &mut schemas["zones_zone"]["properties"];
    for (part, name) in
        [("owner", "id"), ("tenant", "id"), ("tenant", "name"), ("tenant_unit", "id")]
    {
        zone[part]["properties"][name] = json!({"type": "string", "nullable": true});
    }
}

/// A change without `type` fits many record types and so none, though the service takes it: it is
/// checked member by member.
fn changes(schemas: &mut Value) {
    let mut members = schemas["dns-records_dns-record-shared-fields"]["properties"].clone();
    let reference =
        |name: &str| json!({"$ref": format!("#/components/schemas/dns-records_{name}")});
    members["type"] = reference("type");
    members["priority"] = reference("priority");
    members["content"] = json!({"type": "string"});
    members["data"] = json!({"type": "object"});
    schemas["dns-records_dns-record-patch"] = json!({"type": "object", "properties": members});
    // Stricter than the document, as all requests are here: what it does not know is refused.
    for name in ["delete", "patch", "put", "post"] {
        schemas[format!("dns-records_dns-record-batch-{name}")]["unevaluatedProperties"] =
            json!(false);
    }
}

/// Codes begin at 1000, says the document; 0 has been seen.
fn codes(schemas: &mut Value) {
    for name in ["dns-records_messages", "zones_messages", "iam_messages"] {
        schemas[name]["items"]["properties"]["code"]["minimum"] = json!(0);
    }
}
