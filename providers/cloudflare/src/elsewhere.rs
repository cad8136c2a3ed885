//! Records that carry the stack's marker in zones that the stack does not name: left behind when it moved to another
//! domain, or another stack's of the same name. Which of the two, nobody here can tell, so they are only told of.

use std::collections::BTreeSet;

use ipai_core::StackId;

use crate::api::{ListZones, MarkedRecords};
use crate::failure::{Failure, Meaning};
use crate::join::join_all;
use crate::marker::Marker;
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::Zone;

/// What was found in one zone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftBehind {
    zone: String,
    /// Their complete names, each once.
    names: BTreeSet<String>,
    /// How many records.
    count: usize,
}

/// At most so many names are said.
const NAMED: usize = 3;

/// What to do about it.
pub(crate) const ADVICE: &str = "if they are left over from a move, delete them at Cloudflare";

impl LeftBehind {
    /// What a plan says of it.
    pub(crate) fn note(&self) -> String {
        format!("{}; ipai leaves them alone: {ADVICE}", self.words())
    }

    /// How many, where, and why that is odd.
    pub(crate) fn words(&self) -> String {
        let records = if self.count == 1 { "record" } else { "records" };
        let shown: Vec<&str> = self.names.iter().take(NAMED).map(String::as_str).collect();
        let more = if self.names.len() > NAMED { ", …" } else { "" };
        format!(
            "{} {records} of a stack of this name in {}, a zone that this one does not name ({}{more})",
            self.count,
            self.zone,
            shown.join(", ")
        )
    }
}

/// Looks through the other zones that the token sees, side by side: those on the first page, which holds
/// [`ListZones::MOST`]. A zone whose records it may not read is passed over; a look that failed otherwise is told beside what
/// the others found.
pub(crate) async fn look(
    reader: &Reader,
    stack: &StackId,
    named: &BTreeSet<&str>,
    teller: Teller<'_>,
) -> (Vec<LeftBehind>, Option<Failure>) {
    let envelope = match reader.get(&ListZones, "list the zones", teller).await {
        Ok(envelope) => envelope,
        Err(failure) => return (Vec::new(), Some(failure)),
    };
    let zones = envelope.result.map(|list| list.0).unwrap_or_default();
    let others = zones.into_iter().filter(|zone| zone.is_served() && !named.contains(&*zone.name));
    let looks = join_all(others.map(|zone| in_zone(reader, stack, zone, teller))).await;
    let (mut found, mut failed) = (Vec::new(), None);
    for look in looks {
        match look {
            Ok(left) => found.extend(left),
            Err(failure) if failure.meaning == Meaning::Refused => {}
            Err(failure) => failed = Some(failure),
        }
    }
    found.sort_by(|a, b| a.zone.cmp(&b.zone));
    (found, failed)
}

async fn in_zone(
    reader: &Reader,
    stack: &StackId,
    zone: Zone,
    teller: Teller<'_>,
) -> Result<Option<LeftBehind>, Failure> {
    if !crate::wire::is_id(&zone.id) {
        return Ok(None);
    }
    let attempted = format!("list the records of {}", zone.name);
    let prefix = Marker::beginning(stack);
    let call = MarkedRecords { zone: &zone.id, prefix: &prefix };
    let records = reader.get(&call, &attempted, teller).await?.result.map(|list| list.0);
    // The filter takes no heed of case.
    let is_ours = |comment: &str| Marker::parse(comment).is_some_and(|m| m.stack == stack.as_str());
    let ours: Vec<String> = records
        .into_iter()
        .flatten()
        .filter(|record| record.comment.as_deref().is_some_and(is_ours))
        .map(|record| crate::dns_record::live::record_name(&record))
        .collect();
    let (count, zone) = (ours.len(), zone.name);
    Ok((count > 0).then(|| LeftBehind { zone, names: ours.into_iter().collect(), count }))
}

/// What is said of a look that failed.
pub(crate) fn unseen(failure: &Failure) -> String {
    format!(
        "whether this stack left records in zones that it no longer names could not be seen: {}",
        failure.error
    )
}
