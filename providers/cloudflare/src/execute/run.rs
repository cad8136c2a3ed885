//! Sending batches until every step is over.

use std::collections::BTreeMap;

use ipai_core::{Fault, RemoteError};
use serde_json::json;

use super::settle::{Standing, outputs, settle};
use super::step::Step;
use super::unit::{Unit, group, pack};
use super::{Ended, ended};
use crate::api::{Batch, ChangeRecords};
use crate::connection::Connection;
use crate::dns_record::{exclude, live};
use crate::failure::{Failure, Meaning};
use crate::patience::{Patience, Teller};
use crate::reader::Reader;
use crate::wire::{BatchAnswer, Record, Zone, is_id};

/// How often a batch whose answer was lost is tried in all, looking in between at what it did.
const LOST_TRIES: u32 = 3;

/// How often a create is tried in all that a deleted record is still in the way of; with the default
/// pause, this takes half a minute.
const LINGER_TRIES: u32 = 6;

/// One zone's changes.
pub(super) struct Run<'a> {
    pub(super) connection: &'a Connection,
    pub(super) reader: &'a Reader,
    pub(super) zone: &'a Zone,
    pub(super) teller: Teller<'a>,
}

/// Units that are sent as one batch.
struct Portion {
    units: Vec<Unit>,
    /// How many answers were lost.
    lost: u32,
    /// Whether the zone was looked at after a refusal.
    looked: bool,
    /// How often a deleted record was still in the way.
    lingered: u32,
}

impl Portion {
    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.units.iter().flatten()
    }

    fn failed(self, error: &RemoteError) -> Vec<Ended> {
        let together = self.units.len() == 1 && self.units.iter().any(|unit| unit.len() > 1);
        let mut error = error.clone();
        if together {
            error
                .cause
                .push_str("; records of one name are deleted and created together or not at all");
        }
        self.steps().map(|step| ended(step, Err(error.clone()))).collect()
    }
}

impl Run<'_> {
    /// Carries out the steps. A batch is refused for one bad record as a whole, so it is halved until the good ones
    /// have landed and the bad ones are named.
    pub(super) async fn all(&self, steps: Vec<Step>) -> Vec<Ended> {
        let batches = pack(group(steps));
        let count = batches.len();
        let mut results = Vec::new();
        let mut hopeless: Option<RemoteError> = None;
        for (index, units) in batches.into_iter().enumerate() {
            if count > 1 {
                self.teller.tell(format!("batch {} of {count} in {}", index + 1, self.zone.name));
            }
            let mut waiting = vec![Portion { units, lost: 0, looked: false, lingered: 0 }];
            while let Some(portion) = waiting.pop() {
                if hopeless.is_none() && !self.teller.events.may_begin() {
                    hopeless = Some(RemoteError::stopped(format!("change {}", self.zone.name)));
                }
                if let Some(error) = &hopeless {
                    results.extend(portion.failed(error));
                    continue;
                }
                let outcome = self.portion(portion).await;
                results.extend(outcome.results);
                waiting.extend(outcome.left);
                hopeless = outcome.hopeless;
            }
        }
        results
    }

    async fn portion(&self, portion: Portion) -> Outcome {
        match self.send(&portion).await {
            Ok(results) => Outcome::over(results),
            Err(failure) if failure.is_general() => Outcome::hopeless(portion, failure.error),
            Err(failure) if failure.meaning != Meaning::Refused => {
                self.lost(portion, failure).await
            }
            Err(failure) if failure.may_be_done() && !portion.looked => {
                self.look(Portion { looked: true, ..portion }, failure).await
            }
            Err(failure) if failure.is_in_the_way() && portion.units.len() == 1 => {
                self.linger(portion, failure).await
            }
            Err(failure) => halve(portion, &failure.error),
        }
    }

    /// The answer was lost or not understood: the batch may have been carried out.
    async fn lost(&self, mut portion: Portion, failure: Failure) -> Outcome {
        portion.lost += 1;
        let last = portion.lost >= LOST_TRIES;
        let error = failure.error.clone();
        self.teller.tell(format!("{error}; looking at what it did"));
        let mut outcome = self.look(portion, failure).await;
        if last {
            let left = std::mem::take(&mut outcome.left);
            outcome.results.extend(left.into_iter().flat_map(|portion| portion.failed(&error)));
        }
        outcome
    }

    /// A record of another type is in the way. When the zone no longer has one, it was deleted a moment ago and
    /// lingers; Cloudflare forgets it within half a minute.
    async fn linger(&self, mut portion: Portion, failure: Failure) -> Outcome {
        let records = self.reader.records(self.zone, self.teller).await;
        let gone = records.is_ok_and(|records| !records.iter().any(|r| is_in_the_way(r, &portion)));
        portion.lingered += 1;
        if !gone || portion.lingered >= LINGER_TRIES {
            return Outcome::over(portion.failed(&failure.error));
        }
        self.teller.tell(format!("{}; it is deleted already, waiting", failure.error));
        let pause = self.connection.limits().pause.saturating_mul(1 << portion.lingered);
        tokio::time::sleep(pause).await;
        Outcome { results: Vec::new(), left: vec![portion], hopeless: None }
    }

    /// Lists the zone and keeps only what is still to do.
    async fn look(&self, mut portion: Portion, failure: Failure) -> Outcome {
        let records = match self.reader.records(self.zone, self.teller).await {
            Ok(records) => records,
            Err(second) => {
                let mut error = failure.error;
                error
                    .cause
                    .push_str(&format!(", and what it did cannot be seen: {}", second.error.cause));
                error.hint = error.hint.or(second.error.hint);
                return Outcome::hopeless(portion, error);
            }
        };
        let by_id: BTreeMap<&str, &Record> = records.iter().map(|r| (r.id.as_str(), r)).collect();
        let mut results = Vec::new();
        for unit in &mut portion.units {
            let mut left = Vec::new();
            for step in std::mem::take(unit) {
                match settle(step, &by_id, &self.zone.name) {
                    Standing::Over(result) => results.push(result),
                    Standing::Left(step) => left.push(*step),
                }
            }
            *unit = left;
        }
        portion.units.retain(|unit| !unit.is_empty());
        let left = if portion.units.is_empty() { Vec::new() } else { vec![portion] };
        Outcome { results, left, hopeless: None }
    }

    /// Sends a portion as one transaction.
    async fn send(&self, portion: &Portion) -> Result<Vec<Ended>, Failure> {
        let batch = batch(portion);
        let attempted = match portion.steps().collect::<Vec<_>>()[..] {
            [step] => step.attempted.clone(),
            ref steps => format!("change {} records of {}", steps.len(), self.zone.name),
        };
        let secrets: Vec<String> = portion.steps().flat_map(Step::secrets).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let call = ChangeRecords { zone: &self.zone.id, batch: &batch };
        let mut patience = Patience::for_change(self.connection.limits());
        let answer = loop {
            match self.connection.call(&call, &attempted, &secrets).await {
                Ok(envelope) => break envelope.result.unwrap_or_default(),
                Err(failure) => patience.wait(failure, self.teller).await?,
            }
        };
        read(portion, &answer).ok_or_else(|| {
            let cause = "the answer does not name the records that were asked for, in their order";
            let error = RemoteError::new(Fault::BadAnswer, attempted, cause);
            Failure::new(Meaning::Garbled, error)
        })
    }
}

/// What came of a portion.
struct Outcome {
    results: Vec<Ended>,
    left: Vec<Portion>,
    /// Set when nothing that follows can do better.
    hopeless: Option<RemoteError>,
}

impl Outcome {
    fn over(results: Vec<Ended>) -> Self {
        Self { results, left: Vec::new(), hopeless: None }
    }

    fn hopeless(portion: Portion, error: RemoteError) -> Self {
        Self { results: portion.failed(&error), left: Vec::new(), hopeless: Some(error) }
    }
}

/// A refused portion: its only unit has failed, or its halves are tried apart.
fn halve(mut portion: Portion, error: &RemoteError) -> Outcome {
    if portion.units.len() < 2 {
        return Outcome::over(portion.failed(error));
    }
    let half = portion.units.len() / 2;
    let second = Portion { units: portion.units.split_off(half), lost: 0, lingered: 0, ..portion };
    // The first half is popped first.
    Outcome { results: Vec::new(), left: vec![second, portion], hopeless: None }
}

/// Tells whether a record makes one of the portion's creations impossible.
fn is_in_the_way(record: &Record, portion: &Portion) -> bool {
    let doomed = |step: &Step| step.delete.as_ref().is_some_and(|(id, _)| *id == record.id);
    let name = live::record_name(record);
    let met = |step: &Step| {
        let kind = step.post.as_ref().and_then(|post| post.get("type")?.as_str());
        step.enters() == Some(&*name) && kind.is_some_and(|kind| exclude(kind, &record.kind))
    };
    portion.steps().any(met) && !portion.steps().any(doomed)
}

fn batch(portion: &Portion) -> Batch {
    let deletes = portion.steps().filter_map(|step| step.delete.as_ref());
    Batch {
        deletes: deletes.map(|(id, _)| json!({ "id": id })).collect(),
        patches: portion.steps().filter_map(|s| s.patch.as_ref().map(|(_, b)| b.clone())).collect(),
        posts: portion.steps().filter_map(|step| step.post.clone()).collect(),
    }
}

/// Reads each step's outputs out of the answer; nothing when the answer is not one to this portion.
fn read(portion: &Portion, answer: &BatchAnswer) -> Option<Vec<Ended>> {
    let mut patches = answer.patches.iter().flatten();
    let mut posts = answer.posts.iter().flatten();
    let mut results = Vec::new();
    for step in portion.steps() {
        let mut found = step.outputs.clone();
        if let Some((id, _)) = &step.patch {
            let record = patches.next().filter(|record| record.id == *id)?;
            found = outputs(record, &step.goal);
        }
        if step.post.is_some() {
            let named = |r: &&Record| is_id(&r.id) && Some(&*live::record_name(r)) == step.enters();
            found = outputs(posts.next().filter(named)?, &step.goal);
        }
        results.push(ended(step, Ok(found)));
    }
    (patches.next().is_none() && posts.next().is_none()).then_some(results)
}
