//! Observing: what stands in the zones of the desired records.

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{
    Address, BoxFuture, DesiredResource, DigestKey, Events, Fault, Foreign, LiveResource,
    LiveState, Observe, RemoteError, Scope, SecretText, StackId, Value,
};

use crate::PROVIDER;
use crate::connection::Connection;
use crate::dns_record::{self, RecordType, live, text, wanted};
use crate::elsewhere::{self, LeftBehind};
use crate::join::join_all;
use crate::lock::is_lock;
use crate::marker::Marker;
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::Record;
use crate::zones;

pub use recorded::{Reading, read_recorded};

/// Looks at the zones that the stack's records are in: one lookup and one list for each, side by side. It can send
/// nothing but reading calls.
#[derive(Clone)]
pub struct CloudflareObserver {
    reader: Reader,
}

impl CloudflareObserver {
    /// An observer over a connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { reader: Reader::new(connection) }
    }
}

impl Observe for CloudflareObserver {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn observe<'a>(
        &'a self,
        scope: &'a Scope,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<LiveState, RemoteError>> {
        Box::pin(async move {
            let zones = by_zone(&scope.desired);
            let looks = zones.iter().map(|(zone, desired)| async move {
                let teller = Teller { events, address: desired.first().map(|d| &d.address) };
                let records = fetch(&self.reader, zone, teller).await?;
                report(&scope.stack, zone, desired, &records)
            });
            let mut state = LiveState::default();
            for seen in join_all(looks).await {
                state.absorb(seen?);
            }
            if lacks_one(&zones, &state) {
                state.notes.extend(self.left_behind(scope, &zones, events).await);
            }
            Ok(state)
        })
    }
}

impl CloudflareObserver {
    /// Notes of records elsewhere that may be this stack's, and of not having been able to look.
    async fn left_behind(
        &self,
        scope: &Scope,
        zones: &ByZone<'_>,
        events: &dyn Events,
    ) -> Vec<String> {
        let address = zones.values().flatten().next().map(|record| &record.address);
        let named = zones.keys().copied().collect();
        let teller = Teller { events, address };
        let (found, failed) = elsewhere::look(&self.reader, &scope.stack, &named, teller).await;
        let failed = failed.as_ref().map(elsewhere::unseen);
        found.iter().map(LeftBehind::note).chain(failed).collect()
    }
}

/// Tells whether a record that is wanted is not there in any form: then the stack is new or has moved to another zone,
/// and it is worth a look at the others.
fn lacks_one(zones: &ByZone<'_>, state: &LiveState) -> bool {
    let found: BTreeSet<&Address> = state.resources.iter().map(|r| &r.address).collect();
    zones.values().flatten().any(|record| !found.contains(&record.address))
}

/// The desired records of each zone.
type ByZone<'a> = BTreeMap<&'a str, Vec<&'a DesiredResource>>;

fn by_zone(desired: &[DesiredResource]) -> ByZone<'_> {
    let mut zones = ByZone::new();
    let records = desired
        .iter()
        .filter(|d| d.address.provider == PROVIDER && d.address.kind == dns_record::NAME);
    for record in records {
        if let Some(zone) = record.text("zone") {
            zones.entry(zone).or_default().push(record);
        }
    }
    zones
}

async fn fetch(
    reader: &Reader,
    zone: &str,
    teller: Teller<'_>,
) -> Result<Vec<Record>, RemoteError> {
    let zone = zones::find(reader, zone, teller).await?;
    reader.records(&zone, teller).await.map_err(|failure| failure.error)
}

/// Sorts a zone's records into ours, those in the way, and those that are merely there.
fn report(
    stack: &StackId,
    zone: &str,
    desired: &[&DesiredResource],
    records: &[Record],
) -> Result<LiveState, RemoteError> {
    let wanted: BTreeMap<&Address, &DesiredResource> =
        desired.iter().map(|d| (&d.address, *d)).collect();
    let names: BTreeSet<&str> = desired.iter().filter_map(|d| d.text("name")).collect();
    let identities: BTreeSet<String> =
        desired.iter().filter_map(|d| dns_record::identity(&d.attributes)).collect();
    let mut state = LiveState::default();
    let (mut strangers, mut neighbours) = (0, 0);
    // Locks come and go with the runs that hold them, and are no part of any plan.
    for record in records.iter().filter(|record| !is_lock(record)) {
        let marker = record.comment.as_deref().and_then(Marker::parse);
        let ours = marker.as_ref().filter(|m| m.stack == stack.as_str());
        let kind = RecordType::parse(&record.kind).filter(|_| !record.is_cloudflares());
        if let (Some(marker), Some(kind)) = (ours, kind) {
            let mut resource = own(zone, kind, record, marker)?;
            spell_as(&mut resource, &wanted);
            state.resources.push(resource);
            continue;
        }
        let counter = if marker.is_some() { &mut neighbours } else { &mut strangers };
        *counter += 1;
        if names.contains(live::record_name(record).as_str()) {
            let foreign = foreign(zone, record);
            // What is in the way is told as such, and does not stay as it is.
            let in_the_way = foreign.identity.as_ref().is_some_and(|id| identities.contains(id));
            *counter -= usize::from(in_the_way);
            state.notes.extend(desired.iter().find_map(|d| beside(d, record, &foreign)));
            state.foreign.push(foreign);
        }
    }
    state.notes.extend(note(strangers, zone, "not ipai's and stay", "not ipai's and stays"));
    let other = ("other ipai stacks' and stay", "another ipai stack's and stays");
    state.notes.extend(note(neighbours, zone, other.0, other.1));
    Ok(state)
}

fn own(
    zone: &str,
    kind: RecordType,
    record: &Record,
    marker: &Marker,
) -> Result<LiveResource, RemoteError> {
    let attributes = live::attributes(kind, record, zone).map_err(|missing| {
        let cause = format!("the record {} came without a usable `{}`", record.id, missing.0);
        RemoteError::new(Fault::BadAnswer, format!("list the records of {zone}"), cause)
    })?;
    Ok(LiveResource {
        address: Address::new(PROVIDER, dns_record::NAME, &marker.name),
        id: record.id.clone(),
        attributes,
        outputs: live::outputs(record),
        applied: Some(marker.version.clone()),
        created: record.created_on.as_deref().map(sortable),
        home: None,
    })
}

/// A time that sorts by age: Cloudflare drops trailing zeros of the fraction.
fn sortable(time: &str) -> String {
    let Some(bare) = time.strip_suffix('Z') else { return time.to_owned() };
    let (seconds, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    format!("{seconds}.{fraction:0<9}Z")
}

/// Shows a live content the way the desired one is written, where both mean the same, and as a secret where the
/// desired one is secret.
fn spell_as(resource: &mut LiveResource, wanted: &BTreeMap<&Address, &DesiredResource>) {
    let Some(desired) = wanted.get(&resource.address) else { return };
    let Some(content) = text(&resource.attributes, "content").map(str::to_owned) else { return };
    let shown = match desired.attributes.get("content") {
        Some(Value::Secret(secret)) if secret.text.expose() == content => {
            Value::Secret(secret.clone())
        }
        // Whatever stands where a secret should be may be an older one: it is shown as one, under a key that only
        // those can have who know the new one.
        Some(Value::Secret(secret)) => {
            let key = DigestKey::new(secret.text.expose().as_bytes().to_vec());
            Value::Secret(SecretText::new(content, &key))
        }
        Some(Value::Text(written)) => match wanted::settled(&desired.attributes) {
            Ok(settled) if text(&settled, "content") == Some(&*content) => Value::text(written),
            _ => return,
        },
        _ => return,
    };
    resource.attributes.insert("content".to_owned(), shown);
}

fn foreign(zone: &str, record: &Record) -> Foreign {
    let (title, identity) = live::describe(record, zone);
    Foreign {
        provider: PROVIDER.to_owned(),
        kind: dns_record::NAME.to_owned(),
        id: record.id.clone(),
        title,
        identity,
    }
}

/// A warning where a foreign address answers beside a desired one, as after a move by hand.
fn beside(desired: &DesiredResource, record: &Record, foreign: &Foreign) -> Option<String> {
    let kind = RecordType::parse(&record.kind)?;
    let answers = matches!(kind, RecordType::A | RecordType::Aaaa)
        && desired.text("type") == Some(kind.name())
        && desired.text("name") == Some(&live::record_name(record));
    let same = dns_record::identity(&desired.attributes) == foreign.identity;
    (answers && !same).then(|| {
        format!(
            "{} is not ipai's and stays; resolvers give it out beside `{}` until it is deleted; to keep both, give it a resource of its own and adopt it",
            foreign.title, desired.address
        )
    })
}

fn note(count: usize, zone: &str, many: &str, one: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 record in {zone} is {one} as it is")),
        _ => Some(format!("{count} records in {zone} are {many} as they are")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "ipai ops chat 0123456789abcdef";

    fn record(id: &str, comment: &str) -> serde_json::Value {
        json!({
            "id": id, "type": "A", "name": "Chat.example.com", "content": "203.0.113.7", "ttl": 300,
            "proxied": false, "comment": comment, "created_on": "2026-01-01T00:00:00Z", "meta": {}, "tags": [],
        })
    }

    fn desired(content: Value) -> DesiredResource {
        let attributes = [
            ("zone", Value::text("example.com")),
            ("name", Value::text("chat.example.com")),
            ("type", Value::text("A")),
            ("content", content),
        ];
        DesiredResource {
            address: "cloudflare.dns_record.chat".parse().unwrap(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
            after: BTreeSet::new(),
            home: None,
            span: ipai_core::Span::new(&"stack.toml".into(), 0..0),
            spans: BTreeMap::new(),
        }
    }

    fn look(records: serde_json::Value, content: Value) -> Result<LiveState, RemoteError> {
        let records: Vec<Record> = serde_json::from_value(records).unwrap();
        let desired = desired(content);
        report(&StackId::new("ops", None), "example.com", &[&desired], &records)
    }

    #[test]
    fn a_record_is_ours_by_its_exact_marker_alone() {
        let mut kept = record("6", OURS);
        kept["meta"] = json!({"email_routing": true, "read_only": true});
        let mut unknown = record("7", OURS);
        unknown["type"] = json!("HTTPS");
        let records = json!([
            record("1", OURS),
            record("2", OURS),
            record("3", ""),
            record("4", "ipai ops--staging chat 0123456789abcdef"),
            record("5", "ipai ops chat"),
            kept,
            unknown,
        ]);
        let state = look(records, Value::text("203.0.113.7")).unwrap();
        let ids = |ids: Vec<&String>| ids.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(ids(state.resources.iter().map(|r| &r.id).collect()), ["1", "2"]);
        assert_eq!(ids(state.foreign.iter().map(|f| &f.id).collect()), ["3", "4", "5", "6", "7"]);
        assert_eq!(state.foreign[0].title, "A chat.example.com → 203.0.113.7");
    }

    #[test]
    fn foreign_records_of_other_names_are_counted_only() {
        let mut elsewhere = record("2", "");
        elsewhere["name"] = json!("www.example.com");
        let state = look(json!([elsewhere, elsewhere]), Value::text("203.0.113.7")).unwrap();
        assert!(state.foreign.is_empty());
        assert_eq!(state.notes, ["2 records in example.com are not ipai's and stay as they are"]);
    }

    #[test]
    fn live_contents_are_spelt_as_the_desired_ones() {
        let content = |wanted: &Value| {
            look(json!([record("1", OURS)]), wanted.clone()).unwrap().resources[0].attributes["content"].clone()
        };
        let key = DigestKey::new(vec![1]);
        let padded = Value::text(" 203.0.113.7");
        let secret = Value::Secret(SecretText::new("203.0.113.7".into(), &key));
        let other = Value::Secret(SecretText::new("203.0.113.8".into(), &key));
        assert_eq!(content(&padded), padded);
        assert_eq!(content(&secret), secret);
        assert!(content(&other).is_sensitive() && content(&other) != other);
        assert_eq!(content(&Value::text("203.0.113.8")), Value::text("203.0.113.7"));
    }

    #[test]
    fn times_sort_by_age_whatever_their_length() {
        let times = [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.45Z",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:00.5001Z",
        ];
        assert!(times.map(sortable).is_sorted());
    }

    #[test]
    fn our_own_record_without_a_needed_field_is_a_bad_answer() {
        let mut odd = record("1", OURS);
        odd["ttl"] = json!("soon");
        assert_eq!(look(json!([odd]), Value::text("x")).unwrap_err().fault, Fault::BadAnswer);
        odd["comment"] = json!(null);
        assert_eq!(look(json!([odd]), Value::text("x")).unwrap().foreign.len(), 1);
    }
}
