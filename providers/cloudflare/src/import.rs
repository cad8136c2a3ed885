//! What stands in a zone, as attributes that a stack can hold.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{
    Address, Attributes, DesiredResource, DigestKey, Draft, Kind, RemoteError, ResourceType, Span,
    StackId, Value,
};

use crate::connection::Connection;
use crate::dns_record::{DnsRecord, NAME, RecordType, SCHEMA, live};
use crate::lock::is_lock;
use crate::marker::Marker;
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::Record;
use crate::zones;

/// A record of a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneRecord {
    /// What a person calls it: type, name, content.
    pub title: String,
    /// The ipai stack whose marker it carries, with its environment: `ops`, `ops--staging`.
    pub stack: Option<String>,
    /// What somebody remarked about it; ipai's marker takes its place when the record is taken over.
    pub remark: Option<String>,
    /// The canonical attributes, or why a stack cannot hold it.
    pub attributes: Result<Attributes, String>,
}

/// Lists a zone's records by name, type and content, without the locks of ipai's own runs. Sends reading calls alone.
///
/// # Errors
/// The zone is not there or is not served, or Cloudflare does not answer.
pub async fn zone_records(
    connection: &Connection,
    zone: &str,
) -> Result<Vec<ZoneRecord>, RemoteError> {
    let reader = Reader::new(connection);
    let found = zones::find(&reader, zone, Teller::nobody()).await?;
    let records = reader.records(&found, Teller::nobody()).await;
    let mut records = records.map_err(|failure| failure.error)?;
    records.retain(|record| !is_lock(record));
    records
        .sort_by_cached_key(|one| (live::record_name(one), one.kind.clone(), one.content.clone()));
    Ok(records.iter().map(|record| read(record, zone)).collect())
}

fn read(record: &Record, zone: &str) -> ZoneRecord {
    let marker = record.comment.as_deref().and_then(Marker::parse);
    ZoneRecord {
        remark: live::remark(record).map(str::to_owned),
        title: live::describe(record, zone).0,
        stack: marker.map(|marker| marker.stack),
        attributes: attributes(record, zone),
    }
}

fn attributes(record: &Record, zone: &str) -> Result<Attributes, String> {
    if record.is_cloudflares() {
        return Err("Cloudflare keeps it itself".to_owned());
    }
    let Some(kind) = RecordType::parse(&record.kind) else {
        return Err(format!("ipai knows no {} records", record.kind));
    };
    let attributes = live::attributes(kind, record, zone)
        .map_err(|missing| format!("it came without a usable `{}`", missing.0))?;
    match outside(&attributes).or_else(|| objection(&attributes)) {
        None => Ok(attributes),
        Some(why) => Err(why),
    }
}

/// An attribute that is not one of those that the schema takes.
fn outside(attributes: &Attributes) -> Option<String> {
    SCHEMA.iter().find_map(|attribute| {
        let is_outside = match (attribute.kind, attributes.get(attribute.name)?) {
            (Kind::Int(from, to), Value::Int(number)) => !(from..=to).contains(number),
            (Kind::Choice(all), Value::Text(text)) => !all.contains(&text.as_str()),
            _ => false,
        };
        is_outside.then(|| format!("ipai takes no such `{}`", attribute.name))
    })
}

/// What a stack that held this record would be told.
fn objection(attributes: &Attributes) -> Option<String> {
    let mut resource = DesiredResource {
        address: Address::new(crate::PROVIDER, NAME, "record"),
        attributes: attributes.clone(),
        after: BTreeSet::new(),
        home: None,
        span: Span::new(&"zone".into(), 0..0),
        spans: BTreeMap::new(),
    };
    let (stack, key) = (StackId::new("stack", None), DigestKey::new(Vec::new()));
    let mut problems = Vec::new();
    DnsRecord.check(&mut Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images: None,
        problems: &mut problems,
    });
    problems.into_iter().next().map(|problem| problem.detail.unwrap_or(problem.summary))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(record: serde_json::Value) -> ZoneRecord {
        read(&serde_json::from_value(record).unwrap(), "example.com")
    }

    #[test]
    fn what_a_stack_can_hold_comes_with_its_attributes_and_its_stack() {
        let record = of(json!({
            "id": "1", "type": "MX", "name": "example.com", "content": "Mail.example.com", "priority": 10, "ttl": 300,
            "comment": "ipai ops--staging mail 0123456789abcdef", "meta": {},
        }));
        assert_eq!(record.stack.as_deref(), Some("ops--staging"));
        let attributes = record.attributes.unwrap();
        assert_eq!(attributes["content"], Value::text("mail.example.com"));
        assert_eq!(attributes["priority"], Value::Int(10));
    }

    #[test]
    fn what_a_stack_cannot_hold_comes_with_the_reason() {
        let with = |more: serde_json::Value| {
            let mut record = json!({"id": "1", "type": "A", "name": "a.example.com", "content": "203.0.113.7", "ttl": 1});
            record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            of(record).attributes.unwrap_err()
        };
        for (more, why) in [
            (json!({"type": "HTTPS"}), "no HTTPS records"),
            (json!({"meta": {"read_only": true}}), "Cloudflare keeps it"),
            (json!({"ttl": "soon"}), "a usable `ttl`"),
            (json!({"content": "not an address"}), "not an IPv4 address"),
            (json!({"name": "a b.example.com"}), "contains ` `"),
            (json!({"ttl": 99_999}), "no such `ttl`"),
        ] {
            let told = with(more);
            assert!(told.contains(why), "{told}");
        }
    }
}
