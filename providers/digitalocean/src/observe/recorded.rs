//! What the observer makes of an answer that was recorded: the same steps as over the wire, without the wire.

use ipai_core::{LiveState, RemoteError, Scope};

use super::{Sight, Storage};
use crate::api::{
    Action, ApiError, Created, Droplet, Firewall, Get, One, Recorded, ReservedIp, Snapshot, Tag,
    Volume,
};
use crate::marker::Claims;

/// What one answer shows, and why it is no answer to the rest of what the provider asks.
#[derive(Debug)]
pub struct Reading {
    /// The live state, as far as the answer shows any.
    pub live: LiveState,
    /// The snapshots, as far as the answer shows any.
    pub snapshots: Vec<ipai_core::snapshot::Snapshot>,
    /// One failure for each kind of request that the answer does not fit.
    pub failures: Vec<RemoteError>,
}

/// Reads one answer as the answer to every request that the provider makes. Nobody is contacted.
///
/// `status` is HTTP's, `headers` are names and values, `body` is the body as it came. `now` is the clock that counts
/// when the headers bring none, in seconds since 1970.
#[must_use]
pub fn read_recorded(
    scope: &Scope,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    now: i64,
) -> Reading {
    let answer = Recorded::new(status, headers, body);
    let mut failures = Vec::new();
    single_objects(&answer, &mut failures);
    let droplets = list(answer.list::<Droplet>(&Get::droplets_tagged("ipai")), &mut failures);
    let firewalls = list(answer.list::<Firewall>(&Get::firewalls()), &mut failures);
    let reserved = list(answer.list::<ReservedIp>(&Get::reserved_ips()), &mut failures);
    let volumes = list(answer.list::<Volume>(&Get::volumes()), &mut failures);
    let tags = list(answer.list::<Tag>(&Get::tags()), &mut failures);
    let snapshots = list(answer.list::<Snapshot>(&Get::snapshots()), &mut failures);
    let mut sight = Sight::new(scope, answer.now().unwrap_or(now));
    droplets.iter().cloned().for_each(|droplet| sight.tagged(droplet));
    for wanted in &scope.desired {
        let name = wanted.text("name").filter(|_| sight.misses(wanted));
        let same = |d: &&Droplet| name.is_some_and(|name| d.name.eq_ignore_ascii_case(name));
        droplets.iter().filter(same).cloned().for_each(|d| sight.named(&wanted.address, d));
    }
    let claims = Claims::read(&scope.stack, tags.iter().map(|tag| &*tag.name));
    let storage = Storage { claims, volumes, reserved: Some(reserved), ..Storage::default() };
    let addresses = storage.addresses().unwrap_or_default();
    let kept = crate::snapshots::read(&scope.stack, &[], snapshots);
    Reading { live: sight.into_state(&firewalls, &addresses, &storage), snapshots: kept, failures }
}

fn list<T>(read: Result<Vec<T>, ApiError>, failures: &mut Vec<RemoteError>) -> Vec<T> {
    read.unwrap_or_else(|error| {
        failures.push(error.into());
        Vec::new()
    })
}

fn single_objects(answer: &Recorded, failures: &mut Vec<RemoteError>) {
    let reads = [
        answer.one::<One<Droplet>>(&Get::droplet(1)).err(),
        answer.one::<Created>(&Get::droplet(1)).map(|created| created.action()).err(),
        answer.one::<One<Action>>(&Get::action(1)).err(),
        answer.one::<One<Tag>>(&Get::tag("ipai")).err(),
        answer.one::<One<Firewall>>(&Get::firewalls()).err(),
        answer.one::<One<Volume>>(&Get::volumes()).err(),
        answer.one::<One<ReservedIp>>(&Get::reserved_ips()).err(),
        answer.one::<One<Snapshot>>(&Get::snapshots()).err(),
    ];
    failures.extend(reads.into_iter().flatten().map(RemoteError::from));
}

#[cfg(test)]
mod tests {
    use ipai_core::StackId;

    use super::*;

    fn read(status: u16, body: &str) -> Reading {
        let stack = StackId::new("ops", None);
        let (desired, homes) = (Vec::new(), [].into());
        let scope = Scope { stack, desired, homes, wanted_homes: Vec::new() };
        read_recorded(&scope, status, &[("date", "no date")], body.as_bytes(), 0)
    }

    #[test]
    fn a_list_is_read_as_over_the_wire_and_fits_nothing_else() {
        let firewall = r#"{"id":"1-a","name":"ipai-ops-web","created_at":"2026-01-01T00:00:00Z"}"#;
        let body = format!(r#"{{"firewalls":[{firewall}],"meta":{{"total":1}}}}"#);
        let reading = read(200, &body);
        assert_eq!(reading.live.resources.len(), 1);
        assert_eq!(reading.failures.len(), 13, "{:?}", reading.failures);
        assert!(read(500, &body).live.resources.is_empty());
    }
}
