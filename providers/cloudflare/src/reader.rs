//! Reading: calls that change nothing, tried again when the way or the other side breaks.

use std::collections::BTreeSet;

use ipai_core::{Fault, RemoteError};

use crate::api::{ListRecords, PAGE_SIZE, Read};
use crate::connection::Connection;
use crate::failure::{Failure, Meaning};
use crate::patience::{Patience, Teller};
use crate::wire::{Envelope, Record, Zone, is_id};

/// More pages than any zone has; whatever the other side says, asking ends here.
const MAX_PAGES: u64 = 2_000;

/// Sends calls that change nothing, and no others: this is all that observing is given.
#[derive(Clone)]
pub(crate) struct Reader(Connection);

impl Reader {
    /// A reader over a connection.
    pub(crate) fn new(connection: &Connection) -> Self {
        Self(connection.clone())
    }

    /// What the connection knows already.
    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }

    /// Makes a call until it is answered, within limits.
    pub(crate) async fn get<E: Read>(
        &self,
        call: &E,
        attempted: &str,
        teller: Teller<'_>,
    ) -> Result<Envelope<E::JsonResponse>, Failure> {
        let mut patience = Patience::for_read(self.0.limits());
        loop {
            match self.0.call(call, attempted, &[]).await {
                Ok(envelope) => return Ok(envelope),
                Err(failure) => patience.wait(failure, teller).await?,
            }
        }
    }

    /// All records of a zone, page by page until the count is reached or a page comes back empty.
    pub(crate) async fn records(
        &self,
        zone: &Zone,
        teller: Teller<'_>,
    ) -> Result<Vec<Record>, Failure> {
        let attempted = format!("list the records of {}", zone.name);
        let mut records = Vec::new();
        let mut seen = BTreeSet::new();
        for page in 1..=MAX_PAGES {
            let call = ListRecords { zone: &zone.id, page };
            let envelope = self.get(&call, &attempted, teller).await?;
            let total = envelope.result_info.and_then(|info| info.total_count);
            let found = envelope.result.map(|list| list.0).unwrap_or_default();
            let count = found.len() as u64;
            let known = seen.len();
            for record in found {
                check(&record, &attempted)?;
                if seen.insert(record.id.clone()) {
                    records.push(record);
                }
            }
            let complete = total.map_or(count < PAGE_SIZE, |total| seen.len() as u64 >= total);
            if count == 0 || complete {
                return Ok(records);
            }
            if seen.len() == known {
                return Err(bad(&attempted, &format!("page {page} repeats the pages before it")));
            }
        }
        Err(bad(&attempted, &format!("there was no end after {MAX_PAGES} pages")))
    }
}

/// Refuses a record whose id cannot stand in a path.
pub(crate) fn check(record: &Record, attempted: &str) -> Result<(), Failure> {
    if is_id(&record.id) {
        return Ok(());
    }
    Err(bad(attempted, &format!("a record has the impossible id {:?}", record.id)))
}

fn bad(attempted: &str, cause: &str) -> Failure {
    Failure::new(Meaning::Garbled, RemoteError::new(Fault::BadAnswer, attempted, cause))
}
