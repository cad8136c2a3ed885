//! The stack's lock as a TXT record: `STACK._ipai-lock.ZONE` with a fixed content, so that Cloudflare itself refuses a
//! second one (81058). Who holds it stands in the comment; its times are Cloudflare's.
//!
//! The name hangs below `_ipai-lock` rather than above it: while a name exists, a wildcard record answers neither for it
//! nor for the names above it, and `STACK.ZONE` may be served by one.

use std::time::Duration;

use chrono::DateTime;
use ipai_core::lock::{Found, LockStore, Made, Moment, Note, Renewed, Sight};
use ipai_core::{BoxFuture, Fault, RemoteError, StackId};
use serde_json::{Value as Json, json};

use crate::api::{ChangeRecord, CreateRecord, DeleteRecord, FindRecords};
use crate::connection::Connection;
use crate::dns_record::live;
use crate::failure::{Failure, Meaning};
use crate::patience::{Patience, Teller};
use crate::reader::Reader;
use crate::txt;
use crate::wire::{Record, Zone, is_id};
use crate::zones;

/// What every lock record says; equal contents are what makes Cloudflare refuse the second.
const CONTENT: &str = "ipai lock";
/// The name below which the locks of a zone's stacks stand.
const FAMILY: &str = "_ipai-lock";
/// The shortest time that resolvers may be told to remember it; nobody asks them.
const TTL: u32 = 60;
/// How long one call may take. A lock is no use when it takes a good part of its lease to get.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a call is made in all that may be repeated.
const TRIES: u32 = 3;

/// Keeps the lock of one stack in one zone.
#[derive(Clone)]
pub struct CloudflareLock {
    connection: Connection,
    reader: Reader,
    zone: String,
    name: String,
}

/// Lock keeping has no news.
const NOBODY: Teller<'_> = Teller::nobody();

impl CloudflareLock {
    /// The lock of `stack` in the zone of this name.
    #[must_use]
    pub fn new(connection: &Connection, stack: &StackId, zone: &str) -> Self {
        Self {
            connection: connection.clone(),
            reader: Reader::new(connection),
            zone: zone.to_owned(),
            name: name(stack, zone),
        }
    }

    async fn zone(&self) -> Result<Zone, RemoteError> {
        zones::find(&self.reader, &self.zone, NOBODY).await
    }

    fn body(&self, note: &Note) -> Json {
        let content = txt::quoted(CONTENT);
        json!({ "type": "TXT", "name": self.name, "content": content, "ttl": TTL, "comment": note.to_string() })
    }

    /// What is attempted, for people.
    fn attempted(&self, verb: &str) -> String {
        format!("{verb} the lock {}", self.name)
    }

    async fn look(&self) -> Result<Sight, RemoteError> {
        let zone = self.zone().await?;
        let attempted = self.attempted("look at");
        let call = FindRecords { zone: &zone.id, name: &self.name, kind: "TXT" };
        let mut patience = Patience::for_read(self.connection.limits());
        let dated = loop {
            match within(&attempted, self.connection.call_dated(&call, &attempted)).await {
                Ok(dated) => break dated,
                Err(failure) => patience.wait(failure, NOBODY).await.map_err(|f| f.error)?,
            }
        };
        let records = dated.envelope.result.map(|list| list.0).unwrap_or_default();
        let locks = records.iter().filter(|record| is_lock(record) && self.is_mine(record));
        Ok(Sight { now: dated.date.as_deref().and_then(date), locks: locks.map(found).collect() })
    }

    fn is_mine(&self, record: &Record) -> bool {
        live::record_name(record) == self.name && is_id(&record.id)
    }

    async fn acquire(&self, note: &Note) -> Result<Made, RemoteError> {
        let zone = self.zone().await?;
        let attempted = self.attempted("make");
        let call = CreateRecord { zone: &zone.id, record: &self.body(note) };
        let mut patience = Patience::for_change(self.connection.limits());
        let failure = loop {
            match within(&attempted, self.connection.call(&call, &attempted, &[])).await {
                Ok(envelope) => match envelope.result.filter(|record| is_id(&record.id)) {
                    Some(record) => return Ok(Made::Made(record.id)),
                    None => break garbled(&attempted, "the answer names no record"),
                },
                Err(failure) if matches!(failure.meaning, Meaning::Throttled(_)) => {
                    patience.wait(failure, NOBODY).await.map_err(|failure| failure.error)?;
                }
                Err(failure) => break failure,
            }
        };
        match failure.meaning {
            Meaning::Lost | Meaning::Garbled => Ok(Made::Unsure(failure.error)),
            _ if failure.may_be_done() => Ok(Made::Exists),
            _ => Err(failure.error),
        }
    }

    async fn renew(&self, id: &str, note: &Note) -> Result<Renewed, RemoteError> {
        check(id)?;
        let zone = self.zone().await?;
        let attempted = self.attempted("renew");
        let call = ChangeRecord { zone: &zone.id, id, change: &self.body(note) };
        match within(&attempted, self.connection.call(&call, &attempted, &[])).await {
            Ok(envelope) => {
                let written = note.to_string();
                let ours = |r: &Record| r.id == id && r.comment.as_deref() == Some(&written);
                match envelope.result.is_some_and(|record| ours(&record)) {
                    true => Ok(Renewed::Yes),
                    false => Err(garbled(&attempted, "the answer shows another record").error),
                }
            }
            Err(failure) if failure.error.fault == Fault::NotFound => Ok(Renewed::Gone),
            Err(failure) => Err(failure.error),
        }
    }

    /// Removing what is gone is no error, so this may be repeated.
    async fn release(&self, id: &str) -> Result<(), RemoteError> {
        check(id)?;
        let zone = self.zone().await?;
        let attempted = self.attempted("remove");
        let call = DeleteRecord { zone: &zone.id, id };
        let mut tries = 0;
        loop {
            tries += 1;
            let failure =
                match within(&attempted, self.connection.call(&call, &attempted, &[])).await {
                    Ok(_) => return Ok(()),
                    Err(failure) => failure,
                };
            let lost = matches!(failure.meaning, Meaning::Lost | Meaning::Garbled);
            if failure.error.fault == Fault::NotFound {
                return Ok(());
            }
            if !lost || tries == TRIES {
                return Err(failure.error);
            }
        }
    }
}

impl LockStore for CloudflareLock {
    fn place(&self) -> String {
        format!("the zone {}", self.zone)
    }

    fn look(&self) -> BoxFuture<'_, Result<Sight, RemoteError>> {
        Box::pin(self.look())
    }

    fn acquire<'a>(&'a self, note: &'a Note) -> BoxFuture<'a, Result<Made, RemoteError>> {
        Box::pin(self.acquire(note))
    }

    fn renew<'a>(
        &'a self,
        id: &'a str,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<Renewed, RemoteError>> {
        Box::pin(self.renew(id, note))
    }

    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.release(id))
    }
}

/// The lock's name. A stack's environment is a label of its own, because a label has room for 63 characters only and
/// `--` in its third place has a meaning to DNS.
fn name(stack: &StackId, zone: &str) -> String {
    let labels = match stack.as_str().split_once("--") {
        Some((name, environment)) => format!("{environment}.{name}"),
        None => stack.as_str().to_owned(),
    };
    format!("{labels}.{FAMILY}.{zone}")
}

/// Tells whether a record is the lock of any stack; such a record is nobody's clutter.
pub(crate) fn is_lock(record: &Record) -> bool {
    let name = live::record_name(record);
    record.kind == "TXT"
        && name.split('.').skip(1).take(2).any(|label| label == FAMILY)
        && record.content.as_deref().map(txt::canonical).as_deref() == Some(CONTENT)
}

/// What a record that is a lock says.
pub(crate) fn found(record: &Record) -> Found {
    let changed = [&record.created_on, &record.modified_on, &record.comment_modified_on];
    let times: Option<Vec<Moment>> =
        changed.into_iter().flatten().map(|text| moment(text)).collect();
    Found {
        id: record.id.clone(),
        note: record.comment.as_deref().unwrap_or_default().parse(),
        since: record.created_on.as_deref().and_then(moment).unwrap_or_default(),
        // Whether a change of the comment alone counts as a modification is not documented: the latest is the sign.
        beat: times.and_then(|times| times.into_iter().max()),
    }
}

/// A time such as `2025-08-27T20:36:24.9667Z`.
fn moment(text: &str) -> Option<Moment> {
    let micros = DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros();
    u64::try_from(micros).ok().map(Moment)
}

/// The time in an answer's `Date`, whole seconds (RFC 9110, section 5.6.7).
fn date(text: &str) -> Option<Moment> {
    let micros = DateTime::parse_from_rfc2822(text).ok()?.timestamp_micros();
    u64::try_from(micros).ok().map(Moment)
}

/// Only plain ids may stand in a path.
fn check(id: &str) -> Result<(), RemoteError> {
    if is_id(id) {
        Ok(())
    } else {
        Err(garbled("change the lock", "it has an impossible id").error)
    }
}

fn garbled(attempted: &str, cause: &str) -> Failure {
    Failure::new(Meaning::Garbled, RemoteError::new(Fault::BadAnswer, attempted, cause))
}

async fn within<T>(
    attempted: &str,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(LIMIT, call).await.unwrap_or_else(|_| {
        let cause = format!("no answer within {} s", LIMIT.as_secs());
        Err(Failure::new(Meaning::Lost, RemoteError::new(Fault::TimedOut, attempted, cause)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, name: &str, content: &str) -> Record {
        serde_json::from_value(json!({ "id": "1", "type": kind, "name": name, "content": content }))
            .unwrap()
    }

    #[test]
    fn a_lock_hangs_below_a_name_of_its_own() {
        for (stack, environment, expected) in [
            ("ops", None, "ops._ipai-lock.example.com"),
            ("ops", Some("staging"), "staging.ops._ipai-lock.example.com"),
            ("op", Some("x"), "x.op._ipai-lock.example.com"),
        ] {
            let name = name(&StackId::new(stack, environment), "example.com");
            assert_eq!(name, expected);
            assert!(is_lock(&record("TXT", &name, "\"ipai lock\"")), "{name}");
        }
    }

    #[test]
    fn only_a_lock_is_one() {
        for (kind, name, content) in [
            ("A", "ops._ipai-lock.example.com", "ipai lock"),
            ("TXT", "ops._ipai-lock.example.com", "ipai lock 2"),
            ("TXT", "_ipai-lock.example.com", "ipai lock"),
            ("TXT", "ops.example.com", "ipai lock"),
            ("TXT", "a.b.c._ipai-lock.example.com", "ipai lock"),
        ] {
            assert!(!is_lock(&record(kind, name, content)), "{kind} {name} {content}");
        }
    }

    #[test]
    fn the_latest_change_is_the_sign_of_life() {
        let mut shown = record("TXT", "ops._ipai-lock.example.com", "ipai lock");
        shown.created_on = Some("2026-01-01T00:00:00Z".into());
        shown.modified_on = Some("2026-01-01T00:00:00.5Z".into());
        let at = |text: &str| moment(text).unwrap();
        assert_eq!(found(&shown).beat, Some(at("2026-01-01T00:00:00.5Z")));
        shown.comment_modified_on = Some("2026-01-01T00:00:15.123456Z".into());
        assert_eq!(found(&shown).beat, Some(at("2026-01-01T00:00:15.123456Z")));
        assert_eq!(found(&shown).since, at("2026-01-01T00:00:00Z"));
        shown.modified_on = Some("yesterday".into());
        assert_eq!(found(&shown).beat, None, "what cannot be read never lapses");
    }

    #[test]
    fn both_spellings_of_time_mean_the_same() {
        assert_eq!(date("Thu, 01 Jan 2026 00:00:15 GMT"), moment("2026-01-01T00:00:15Z"));
        for text in ["", "now", "2026-01-01T00:00:15Z", "Thu, 01 Jan 2026"] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
