//! What the observer makes of an answer that was recorded: the same steps as over the wire, without the wire.

use cloudflare::endpoints::account::user::GetUserTokenStatus;
use cloudflare::framework::endpoint::spec::EndpointSpec;
use ipai_core::{DesiredResource, LiveState, RemoteError, Scope};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::{by_zone, report};
use crate::answer::{Answer, judge};
use crate::lock;
use crate::reader::check;
use crate::wire::{BatchAnswer, Deleted, Record, RecordList, ZoneList};
use crate::zones;

/// What one answer shows, and why it is no answer to the rest of what the provider asks.
#[derive(Debug)]
pub struct Reading {
    /// The live state, as far as the answer shows any.
    pub live: LiveState,
    /// One failure for each kind of request that the answer does not fit.
    pub failures: Vec<RemoteError>,
}

/// Reads one answer as the answer to every request that the provider makes. Nobody is contacted.
///
/// `status` is HTTP's, `headers` are names and values, `body` is the body as it came, `token` what must not appear in
/// any failure.
#[must_use]
pub fn read_recorded(
    scope: &Scope,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    token: &str,
) -> Reading {
    let header = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers: HeaderMap = headers.iter().filter_map(header).collect();
    let mut attempt = Attempt {
        answer: Answer { status, headers, body: body.to_vec() },
        token,
        failures: Vec::new(),
    };
    attempt.changes();
    attempt.zones();
    let records = attempt.records();
    let mut live = LiveState::default();
    for (zone, desired) in by_zone(&scope.desired) {
        attempt.report(scope, zone, &desired, &records, &mut live);
    }
    Reading { live, failures: attempt.failures }
}

struct Attempt<'a> {
    answer: Answer,
    token: &'a str,
    failures: Vec<RemoteError>,
}

impl Attempt<'_> {
    fn read<T: DeserializeOwned>(&mut self, attempted: &str) -> Option<T> {
        match judge::<T>(&self.answer, attempted, &[self.token]) {
            Ok(envelope) => envelope.result,
            Err(failure) => {
                self.failures.push(failure.error);
                None
            }
        }
    }

    fn changes(&mut self) {
        self.read::<<GetUserTokenStatus as EndpointSpec>::JsonResponse>("verify the token");
        self.read::<Record>("make a record");
        self.read::<Deleted>("delete a record");
        self.read::<BatchAnswer>("change records");
    }

    fn zones(&mut self) {
        let zones = self.read::<ZoneList>("find the zone");
        let zones = zones.map(|list| list.0).unwrap_or_default();
        self.failures.extend(zones::choose(&zones, "find the zone".to_owned()).err());
    }

    fn records(&mut self) -> Vec<Record> {
        let records = self.read::<RecordList>("list the records");
        let mut records = records.map(|list| list.0).unwrap_or_default();
        records.retain(|record| match check(record, "list the records") {
            Ok(()) => true,
            Err(failure) => {
                self.failures.push(failure.error);
                false
            }
        });
        for record in records.iter().filter(|record| lock::is_lock(record)) {
            let _lock = lock::found(record);
        }
        records
    }

    fn report(
        &mut self,
        scope: &Scope,
        zone: &str,
        desired: &[&DesiredResource],
        records: &[Record],
        live: &mut LiveState,
    ) {
        match report(&scope.stack, zone, desired, records) {
            Ok(state) => live.absorb(state),
            Err(error) => self.failures.push(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::StackId;

    use super::*;

    fn read(status: u16, body: &str) -> Reading {
        let stack = StackId::new("ops", None);
        let (desired, homes) = (Vec::new(), [].into());
        let scope = Scope { stack, desired, homes, wanted_homes: Vec::new() };
        read_recorded(&scope, status, &[("cf-ray", "1")], body.as_bytes(), "secret-token")
    }

    #[test]
    fn an_answer_is_judged_as_over_the_wire() {
        let reading = read(200, r#"{"success":true,"errors":[],"result":[]}"#);
        assert!(reading.failures.iter().any(|failure| failure.attempted == "find the zone"));
        assert!(!reading.failures.iter().any(|failure| failure.attempted == "list the records"));
    }

    #[test]
    fn no_failure_repeats_the_token() {
        let text = format!("{:?}", read(403, "secret-token is not known").failures);
        assert!(text.contains("is not known") && !text.contains("secret-token"), "{text}");
    }
}
