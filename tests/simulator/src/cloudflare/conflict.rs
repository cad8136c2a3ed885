//! Which records cannot stand beside each other.

use super::envelope::{error, invalid};
use super::state::{Draft, Lingering, Record};
use crate::call::Reply;

/// Refuses a record that another one stands in the way of.
pub(super) fn check(zone: &str, draft: &Draft, others: &[&Record]) -> Result<(), Reply> {
    let beside = others.iter().filter(|other| other.draft.name == draft.name);
    let beside: Vec<&Record> = beside.copied().collect();
    if beside.iter().any(|other| is_same(&other.draft, draft)) {
        return Err(error(400, 81058, "An identical record already exists."));
    }
    // A delegated name belongs to its own servers; the zone's own name is not delegated.
    let delegates = |kind: &str| kind == "NS" && draft.name != zone;
    let mixed = |other: &&Record| delegates(&draft.kind) != delegates(&other.draft.kind);
    if beside.iter().any(mixed) {
        // The rule is documented, its code is not.
        return Err(invalid(9207, "NS records cannot share their name with other records."));
    }
    beside.iter().try_for_each(|other| stand(&draft.kind, &other.draft.kind))
}

/// Refuses a create that a record deleted a moment ago still stands in the way of.
pub(super) fn linger(draft: &Draft, lingering: &mut Vec<Lingering>) -> Result<(), Reply> {
    let mut refusal = Ok(());
    for ghost in lingering.iter_mut().filter(|ghost| ghost.name == draft.name) {
        if let Err(reply) = stand(&draft.kind, &ghost.kind) {
            ghost.left = ghost.left.saturating_sub(1);
            refusal = Err(reply);
        }
    }
    lingering.retain(|ghost| ghost.left > 0);
    refusal
}

/// Says whether a type may stand beside another at the same name.
fn stand(new: &str, old: &str) -> Result<(), Reply> {
    let addresses = ["A", "AAAA", "CNAME"];
    if new == "CNAME" && addresses.contains(&old) {
        let text = "An A, AAAA, or CNAME record with that host already exists.";
        return Err(error(400, 81053, text));
    }
    if addresses.contains(&new) && old == "CNAME" {
        let text = "A CNAME record with that host already exists. For more details, refer to \
                    <https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/>.";
        return Err(error(400, 81054, text));
    }
    Ok(())
}

/// The TTL, the comment and the proxy do not make a record another one.
fn is_same(one: &Draft, other: &Draft) -> bool {
    one.kind == other.kind
        && one.content == other.content
        && one.priority == other.priority
        && one.data == other.data
}
