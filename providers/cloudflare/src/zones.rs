//! Finding the zone of a record.

use cloudflare::endpoints::account::user::GetUserTokenStatus;
use ipai_core::{Fault, RemoteError};

use crate::api::FindZone;
use crate::failure::{Failure, RIGHTS};
use crate::name;
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::{Zone, is_id};

/// Looks a zone up by name, once for each process. It must be one that Cloudflare serves: the same name can exist as
/// `moved` or `pending` elsewhere, and records written there are never seen by anybody.
pub(crate) async fn find(
    reader: &Reader,
    name: &str,
    teller: Teller<'_>,
) -> Result<Zone, RemoteError> {
    if let Some(zone) = reader.connection().known_zone(name) {
        return Ok(zone);
    }
    let attempted = format!("find the zone {name}");
    let envelope = reader
        .get(&FindZone { name }, &attempted, teller)
        .await
        .map_err(|failure: Failure| failure.error)?;
    let mut found = envelope.result.map(|list| list.0).unwrap_or_default();
    found.retain(|zone| name::canonical(&zone.name).is_ok_and(|canonical| canonical == name));
    if found.is_empty() {
        return Err(missing(reader, attempted, teller).await);
    }
    let mut zone = choose(&found, attempted)?;
    name.clone_into(&mut zone.name);
    reader.connection().remember_zone(&zone);
    Ok(zone)
}

/// The one zone of these that Cloudflare serves.
pub(crate) fn choose(found: &[Zone], attempted: String) -> Result<Zone, RemoteError> {
    let served: Vec<&Zone> = found.iter().filter(|zone| zone.is_served()).collect();
    match served[..] {
        [zone] if is_id(&zone.id) => Ok(zone.clone()),
        [zone] => {
            let cause = format!("the zone has the impossible id {:?}", zone.id);
            Err(RemoteError::new(Fault::BadAnswer, attempted, cause))
        }
        [] => Err(unserved(found, attempted)),
        _ => {
            let cause = format!("{} zones of this name are active", served.len());
            Err(RemoteError::new(Fault::Refused, attempted, cause)
                .hint("use a token that may see only one of them"))
        }
    }
}

fn unserved(found: &[Zone], attempted: String) -> RemoteError {
    let state = |zone: &Zone| format!("{} (type {})", zone.status, zone.kind);
    let states = found.iter().map(state).collect::<Vec<_>>().join(", ");
    let cause = format!("it is {states}; records can be kept only in an active zone of type full");
    let pending = found.iter().any(|zone| matches!(&*zone.status, "pending" | "initializing"));
    let hint = if pending {
        "set Cloudflare's name servers at the domain's registrar and wait until the zone is active"
    } else {
        "look at the zone in Cloudflare's dashboard; is this the right account?"
    };
    RemoteError::new(Fault::Refused, attempted, cause).hint(hint)
}

/// No zone came back. Cloudflare answers so both when there is none and when the token may not see it; that the
/// token itself is good can be told apart, and only on this way is it worth a request.
async fn missing(reader: &Reader, attempted: String, teller: Teller<'_>) -> RemoteError {
    let check = reader.get(&GetUserTokenStatus {}, "verify the token", teller).await;
    let active = check.is_ok_and(|e| e.result.is_some_and(|status| status.status == "active"));
    let token = if active { " (the token itself is valid)" } else { "" };
    let cause = format!("no such zone in this account, or the token may not see it{token}");
    RemoteError::new(Fault::NotFound, attempted, cause).hint(RIGHTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str, status: &str, kind: &str) -> Zone {
        let name = "x.example".into();
        Zone { id: id.into(), name, status: status.into(), kind: kind.into(), permissions: None }
    }

    #[test]
    fn of_several_states_the_served_one_is_chosen() {
        let found =
            [zone("a", "moved", "full"), zone("b", "active", "full"), zone("c", "pending", "full")];
        assert_eq!(choose(&found, String::new()).unwrap().id, "b");
    }

    #[test]
    fn a_zone_that_is_not_served_is_refused_by_its_state() {
        for (status, kind) in
            [("pending", "full"), ("active", "secondary"), ("moved", "full"), ("active", "partial")]
        {
            let error = choose(&[zone("a", status, kind)], String::new()).unwrap_err();
            assert_eq!(error.fault, Fault::Refused);
            assert!(error.cause.contains(status) && error.cause.contains(kind), "{error}");
        }
    }

    #[test]
    fn two_served_zones_or_a_strange_id_are_errors() {
        let twice = [zone("a", "active", "full"), zone("b", "active", "full")];
        assert_eq!(choose(&twice, String::new()).unwrap_err().fault, Fault::Refused);
        let strange = [zone("../b", "active", "full")];
        assert_eq!(choose(&strange, String::new()).unwrap_err().fault, Fault::BadAnswer);
    }
}
