//! From what the API shows to canonical attributes.

use ipai_core::{Attributes, Outputs, Value};
use serde_json::Value as Json;

use super::content;
use super::{RecordType, rules, text};
use crate::marker::Marker;
use crate::name;
use crate::wire::Record;

/// What one of our records lacks that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incomplete(pub(crate) &'static str);

/// The canonical attributes of a record of a type that ipai knows: equal to the desired ones when the record is as
/// desired. A content that somebody spoilt is shown as it is.
pub(crate) fn attributes(
    kind: RecordType,
    record: &Record,
    zone: &str,
) -> Result<Attributes, Incomplete> {
    let proxied = kind.proxiable() && record.proxied.as_bool() == Some(true);
    let ttl = if proxied { 1 } else { int(&record.ttl).ok_or(Incomplete("ttl"))? };
    let raw = raw_content(kind, record)?;
    let content = content::canonical(kind, &raw, zone).unwrap_or(raw);
    let mut attributes: Attributes = [
        ("zone", Value::text(zone)),
        ("name", Value::text(record_name(record))),
        ("type", Value::text(kind.name())),
        ("content", Value::text(content)),
        ("ttl", Value::Int(ttl)),
        ("proxied", Value::Bool(proxied)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for name in kind.extras() {
        attributes.insert((*name).to_owned(), extra(kind, record, name)?);
    }
    Ok(attributes)
}

/// The record's complete name in canonical form.
pub(crate) fn record_name(record: &Record) -> String {
    name::canonical(&record.name).unwrap_or_else(|_| record.name.to_lowercase())
}

fn raw_content(kind: RecordType, record: &Record) -> Result<String, Incomplete> {
    let content = match kind {
        RecordType::Srv => record.data.get("target").and_then(Json::as_str),
        RecordType::Caa => record.data.get("value").and_then(Json::as_str),
        _ => record.content.as_deref(),
    };
    content.map(str::to_owned).ok_or(Incomplete("content"))
}

fn extra(kind: RecordType, record: &Record, name: &'static str) -> Result<Value, Incomplete> {
    let json = if kind.has_data() { record.data.get(name) } else { Some(&record.priority) };
    let value = match name {
        "tag" => json.and_then(Json::as_str).map(Value::text),
        _ => json.and_then(int).map(Value::Int),
    };
    value.ok_or(Incomplete(name))
}

/// A whole number, however it is written: the API's document has `number` where integers are meant.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
fn int(json: &Json) -> Option<i64> {
    let whole = |f: &f64| f.fract() == 0.0 && f.abs() < 1e9;
    json.as_i64().or_else(|| json.as_f64().filter(whole).map(|f| f as i64))
}

/// What other resources may refer to.
pub(crate) fn outputs(record: &Record) -> Outputs {
    [("id", record.id.clone()), ("fqdn", record_name(record))]
        .map(|(name, text)| (name.to_owned(), Value::text(text)))
        .into()
}

/// What somebody remarked about the record: it gives way to our marker when the record is taken over.
pub(crate) fn remark(record: &Record) -> Option<&str> {
    let comment = record.comment.as_deref().filter(|text| !text.is_empty())?;
    Marker::parse(comment).is_none().then_some(comment)
}

/// What a person calls the record, and what makes it unique where that matters.
pub(crate) fn describe(record: &Record, zone: &str) -> (String, Option<String>) {
    let known =
        RecordType::parse(&record.kind).and_then(|kind| attributes(kind, record, zone).ok());
    let content = known
        .as_ref()
        .and_then(|attributes| text(attributes, "content"))
        .or(record.content.as_deref())
        .unwrap_or("(no content)");
    let short: String = content.chars().filter(|c| !c.is_control()).take(80).collect();
    let dots = if content.chars().count() > 80 { "…" } else { "" };
    let remark = remark(record).map(|text| {
        format!(" (comment: {})", text.chars().filter(|c| !c.is_control()).collect::<String>())
    });
    let title = format!(
        "{} {} → {short}{dots}{}",
        record.kind,
        record_name(record),
        remark.unwrap_or_default()
    );
    (title, known.as_ref().and_then(rules::identity))
}
