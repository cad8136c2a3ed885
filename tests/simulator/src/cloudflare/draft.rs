//! From a request's body to a record in canonical form.

use serde_json::{Map, Value, json};

use super::check;
use super::envelope::invalid;
use super::state::{Draft, Record};
use crate::call::Reply;

/// The most characters of a comment on the free plan.
const LONGEST_COMMENT: usize = 100;

/// The most characters of all TXT records of one name.
const LONGEST_CONTENT: usize = 8192;

/// Reads a whole record; what the body leaves out becomes its default.
pub(super) fn read(zone: &str, body: &Map<String, Value>) -> Result<Draft, Reply> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let kind = text("type").filter(|kind| check::KINDS.contains(kind));
    let kind = kind.ok_or_else(|| invalid(9000, "Invalid or missing record type."))?;
    let name = text("name").and_then(|name| check::complete_name(zone, name));
    let name = name.ok_or_else(|| invalid(9000, "DNS name is invalid."))?;
    let flagged = body.get("proxied").and_then(Value::as_bool).unwrap_or(false);
    let ttl = ttl(body.get("ttl"))?;
    let data = body.get("data").filter(|data| !data.is_null()).cloned();
    let (content, data) = if check::is_structured(kind) {
        let data = data.ok_or_else(|| invalid(9101, "data is a required field."))?;
        (check::formatted(kind, &data)?, Some(data))
    } else {
        (check::content(kind, &name, text("content").unwrap_or_default())?, None)
    };
    let draft = Draft {
        priority: priority(kind, body, data.as_ref())?,
        name,
        kind: kind.to_owned(),
        content,
        proxied: flagged,
        // A proxied record always reads 1, whatever was sent.
        ttl: if flagged { 1 } else { ttl },
        comment: comment(body.get("comment"))?,
        data,
        settings: settings(kind, body),
    };
    tags(body.get("tags"))?;
    proxy(&draft)?;
    Ok(draft)
}

/// Reads a change: what the body leaves out stays as it is.
pub(super) fn read_change(
    zone: &str,
    record: &Record,
    body: &Map<String, Value>,
) -> Result<Draft, Reply> {
    let mut whole = as_body(&record.draft);
    // Data and content say the same thing twice; a new type makes the old ones meaningless.
    if body.get("type").is_some_and(|kind| *kind != json!(record.draft.kind)) {
        whole.retain(|name, _| {
            !["content", "data", "priority", "settings"].contains(&name.as_str())
        });
    }
    for (name, value) in body {
        whole.insert(name.clone(), value.clone());
    }
    read(zone, &whole)
}

/// Refuses what together would be too long for one name and type.
pub(super) fn fits(draft: &Draft, others: &[&Record]) -> Result<(), Reply> {
    if draft.kind != "TXT" {
        return Ok(());
    }
    let same = others
        .iter()
        .filter(|other| other.draft.kind == draft.kind && other.draft.name == draft.name);
    let length: usize = same.map(|other| other.draft.content.chars().count()).sum();
    if length + draft.content.chars().count() > LONGEST_CONTENT {
        return Err(invalid(9207, "The content of these TXT records is too long."));
    }
    Ok(())
}

fn as_body(draft: &Draft) -> Map<String, Value> {
    match serde_json::to_value(draft) {
        Ok(Value::Object(body)) => body,
        _ => Map::new(),
    }
}

fn ttl(value: Option<&Value>) -> Result<u64, Reply> {
    let text = "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.";
    let ttl = match value {
        None | Some(Value::Null) => 1,
        Some(value) => value.as_u64().ok_or_else(|| invalid(9021, text))?,
    };
    if ttl == 1 || (60..=86_400).contains(&ttl) { Ok(ttl) } else { Err(invalid(9021, text)) }
}

/// The codes for a comment that is too long or broken over lines are not documented.
fn comment(value: Option<&Value>) -> Result<Option<String>, Reply> {
    let Some(comment) = value.and_then(Value::as_str).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if comment.chars().count() > LONGEST_COMMENT {
        let text = "DNS record has a comment exceeding the character limit of 100.";
        return Err(invalid(9313, text));
    }
    if comment.contains(['\n', '\r']) {
        return Err(invalid(9314, "DNS record has a comment with a line break."));
    }
    Ok(Some(comment.to_owned()))
}

/// Tags are for paid plans; every zone here is on the free one.
fn tags(value: Option<&Value>) -> Result<(), Reply> {
    let count = value.and_then(Value::as_array).map_or(0, Vec::len);
    if count == 0 {
        return Ok(());
    }
    Err(invalid(9300, &format!("DNS record has {count} tags, exceeding the quota of 0.")))
}

fn proxy(draft: &Draft) -> Result<(), Reply> {
    if !draft.proxied || draft.proxiable() {
        return Ok(());
    }
    Err(match draft.kind.as_str() {
        "A" | "AAAA" => {
            let text = format!("Target {} is not allowed for a proxied record.", draft.content);
            invalid(9003, &text)
        }
        _ => invalid(9004, "This record type cannot be proxied."),
    })
}

/// MX and URI carry their priority beside the content; SRV shows the one in its data there too.
fn priority(
    kind: &str,
    body: &Map<String, Value>,
    data: Option<&Value>,
) -> Result<Option<u64>, Reply> {
    let given = match kind {
        "MX" | "URI" => body.get("priority").cloned(),
        "SRV" => data.and_then(|data| data.get("priority")).cloned(),
        _ => return Ok(None),
    };
    let priority = given.as_ref().and_then(Value::as_u64).filter(|number| *number <= 65_535);
    match priority {
        Some(priority) => Ok(Some(priority)),
        None => Err(invalid(9101, "priority is a required data field.")),
    }
}

fn settings(kind: &str, body: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = Map::new();
    if kind == "CNAME" {
        settings.insert("flatten_cname".to_owned(), json!(false));
    }
    if let Some(Value::Object(given)) = body.get("settings") {
        settings.extend(given.clone());
    }
    settings
}
