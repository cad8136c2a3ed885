//! Executing: planned actions become batch calls, one transaction each.

mod run;
mod settle;
mod step;
mod unit;

use std::collections::BTreeMap;

use ipai_core::{BoxFuture, Events, Execute, Fault, Job, JobResult, Outputs, RemoteError, Verb};

use crate::PROVIDER;
use crate::connection::Connection;
use crate::dns_record::{live, text};
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::{Record, Zone};
use crate::zones;
use run::Run;
use step::Step;

/// Carries out actions on DNS records.
#[derive(Clone)]
pub struct CloudflareExecutor {
    connection: Connection,
    reader: Reader,
}

impl CloudflareExecutor {
    /// An executor over a connection; over the observer's own it looks up no zone a second time.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), reader: Reader::new(connection) }
    }

    async fn in_zone(&self, name: &str, jobs: Vec<Job>, teller: Teller<'_>) -> Vec<JobResult> {
        let zone = match zones::find(&self.reader, name, teller).await {
            Ok(zone) => zone,
            Err(error) => return all_failed(jobs, &error),
        };
        let known = match self.records_to_adopt(&zone, &jobs, teller).await {
            Ok(known) => known,
            Err(error) => return all_failed(jobs, &error),
        };
        let (mut results, mut steps) = (Vec::new(), Vec::new());
        for (place, job) in jobs.into_iter().enumerate() {
            let address = job.address.clone();
            match prepare(place, job, &zone, &known) {
                Ok(Some(step)) => steps.push(step),
                Ok(None) => results.push((place, (address, Ok(Outputs::new())))),
                Err(error) => results.push((place, (address, Err(error)))),
            }
        }
        let run = Run { connection: &self.connection, reader: &self.reader, zone: &zone, teller };
        results.extend(run.all(steps).await);
        in_order(results)
    }

    /// Carries out jobs zone by zone; the results are in the jobs' order.
    async fn in_zones(&self, jobs: Vec<Job>, events: &dyn Events) -> Vec<JobResult> {
        let mut zones: BTreeMap<String, Vec<(usize, Job)>> = BTreeMap::new();
        for (place, job) in jobs.into_iter().enumerate() {
            zones.entry(self.lane(&job)).or_default().push((place, job));
        }
        let mut results = Vec::new();
        for (zone, jobs) in zones {
            let (places, jobs): (Vec<usize>, Vec<Job>) = jobs.into_iter().unzip();
            let address = jobs.first().map(|job| job.address.clone());
            let teller = Teller { events, address: address.as_ref() };
            results.extend(places.into_iter().zip(self.in_zone(&zone, jobs, teller).await));
        }
        in_order(results)
    }

    /// Takes a move between zones apart: a record is created in its new zone, and what is left is to delete the old
    /// one in its own, which no transaction can hold together with the first.
    fn without_move(&self, job: Job) -> (Job, Option<Job>) {
        let zone = job.live.as_ref().and_then(|live| text(&live.attributes, "zone"));
        if job.verb != Verb::Replace || zone.is_none_or(|zone| zone == self.lane(&job)) {
            return (job, None);
        }
        let delete = Job { verb: Verb::Delete, desired: None, ..job.clone() };
        (Job { verb: Verb::Create, live: None, ..job }, Some(delete))
    }

    /// The zone's records, when one is to be adopted that the plan knows only by what it says.
    async fn records_to_adopt(
        &self,
        zone: &Zone,
        jobs: &[Job],
        teller: Teller<'_>,
    ) -> Result<Vec<Record>, RemoteError> {
        if !jobs.iter().any(|job| job.verb == Verb::Adopt && job.live.is_none()) {
            return Ok(Vec::new());
        }
        self.reader.records(zone, teller).await.map_err(|failure| failure.error)
    }
}

impl Execute for CloudflareExecutor {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn lane(&self, job: &Job) -> String {
        let desired = job.desired.as_ref().map(|desired| &desired.attributes);
        let live = job.live.as_ref().map(|live| &live.attributes);
        let zone = [desired, live].into_iter().flatten().find_map(|a| text(a, "zone"));
        zone.unwrap_or_default().to_owned()
    }

    fn execute<'a>(
        &'a self,
        jobs: Vec<Job>,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Vec<JobResult>> {
        Box::pin(async move {
            let (jobs, moved): (Vec<Job>, Vec<Option<Job>>) =
                jobs.into_iter().map(|job| self.without_move(job)).unzip();
            let mut results = self.in_zones(jobs, events).await;
            let arrived =
                moved.into_iter().enumerate().filter(|(place, _)| results[*place].1.is_ok());
            let (places, left): (Vec<usize>, Vec<Job>) =
                arrived.filter_map(|(place, job)| Some((place, job?))).unzip();
            let departed = self.in_zones(left, events).await;
            for (place, (_, result)) in places.into_iter().zip(departed) {
                if let Err(error) = result {
                    results[place].1 = Err(error);
                }
            }
            results
        })
    }
}

/// How a job ended, with its place among those that were handed over.
type Ended = (usize, JobResult);

fn ended(step: &Step, result: Result<Outputs, RemoteError>) -> Ended {
    (step.place, (step.address.clone(), result))
}

fn in_order(mut results: Vec<Ended>) -> Vec<JobResult> {
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

fn all_failed(jobs: Vec<Job>, error: &RemoteError) -> Vec<JobResult> {
    jobs.into_iter().map(|job| (job.address, Err(error.clone()))).collect()
}

/// Turns a job into a step; there is none for what needs no call.
fn prepare(
    place: usize,
    mut job: Job,
    zone: &Zone,
    known: &[Record],
) -> Result<Option<Step>, RemoteError> {
    if job.verb == Verb::Adopt && job.live.is_none() {
        job.live = Some(adoptable(&job, zone, known)?);
    }
    step::of(place, job)
}

/// The record to adopt: the one that is the same to Cloudflare as the desired one.
fn adoptable(
    job: &Job,
    zone: &Zone,
    known: &[Record],
) -> Result<ipai_core::LiveResource, RemoteError> {
    let identity = job.desired.as_ref().and_then(|d| crate::dns_record::identity(&d.attributes));
    let same = |record: &&Record| {
        !record.is_cloudflares()
            && identity.is_some()
            && live::describe(record, &zone.name).1 == identity
    };
    let record = known.iter().find(same).ok_or_else(|| {
        let attempted = format!("adopt {}", job.address);
        RemoteError::new(
            Fault::NotFound,
            attempted,
            format!("no record of {} is like it", zone.name),
        )
        .hint("run `ipai plan` to see the records of this name")
    })?;
    Ok(ipai_core::LiveResource {
        address: job.address.clone(),
        id: record.id.clone(),
        attributes: ipai_core::Attributes::new(),
        outputs: live::outputs(record),
        applied: None,
        created: record.created_on.clone(),
        home: None,
    })
}
