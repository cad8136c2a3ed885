//! The provider `host`: its resource types, and the half that changes things.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipai_core::{
    Address, BoxFuture, Events, Execute, Fault, Job, JobResult, Outputs, Pins, RemoteError,
    ResourceType, Silent, StackId,
};

use crate::batch::Batch;
use crate::changes::Changes;
use crate::compose::ComposeType;
use crate::connections::Connections;
use crate::deploy::seconds_now;
use crate::file::FileType;
use crate::ready::Wait;
use crate::renewal::Step;
use crate::server::ServerType;
use crate::unit::UnitType;

/// The resource types of this provider, in the order of creation.
#[must_use]
pub fn types() -> Vec<Box<dyn ResourceType>> {
    vec![Box::new(ServerType), Box::new(FileType), Box::new(UnitType), Box::new(ComposeType)]
}

/// Carries out actions on hosts.
pub struct HostExecutor {
    connections: Arc<Connections>,
    /// Who keeps the pins of the homes whose keys came from outside.
    pins: Option<Arc<dyn Pins>>,
}

impl HostExecutor {
    /// Executes through connections that plan may have opened.
    #[must_use]
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { connections, pins: None }
    }

    /// Lets hosts make keys of their own in their first session; `pins` then says who is trusted.
    #[must_use]
    pub fn with_pins(mut self, pins: Arc<dyn Pins>) -> Self {
        self.pins = Some(pins);
        self
    }

    async fn execute_all(&self, jobs: Vec<Job>, events: &dyn Events) -> Vec<JobResult> {
        let Some(first) = jobs.first() else { return Vec::new() };
        let failed = match self.execute_in(first, &jobs, events).await {
            Ok(results) => return results,
            Err(error) => error,
        };
        jobs.iter().map(|job| (job.address.clone(), Err(failed.clone()))).collect()
    }

    async fn execute_in(
        &self,
        first: &Job,
        jobs: &[Job],
        events: &dyn Events,
    ) -> Result<Vec<JobResult>, RemoteError> {
        let (home, outputs) = first.home.as_ref().ok_or_else(|| {
            RemoteError::new(
                Fault::NotFound,
                "reach the host",
                "it does not exist, or nothing of the stack leads to it",
            )
        })?;
        let mut place = self.connections.place(home, outputs)?;
        let link = self.connections.link(home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let stack = first.stack.as_str();
        Wait { settings, place: &place, stack, address: &first.address, events }
            .until_ready(&mut link)
            .await?;
        // Before anything else is sent: the key that proved this session may be read by whatever runs on the host.
        if let (false, Some(pins)) = (place.born.is_empty(), &self.pins) {
            let step = Step::new(&self.connections, home, outputs, events)?;
            place = step.renew(&mut link, place, pins.as_ref()).await?;
        }
        let mut batch = Batch::new(&mut link, settings, &place, &first.stack, events);
        batch.waived = self.connections.waived();
        Ok(batch.execute(jobs).await)
    }

    async fn remember_in(
        &self,
        stack: &StackId,
        home: &Address,
        outputs: &Outputs,
        applied: &BTreeMap<Address, String>,
        well: bool,
    ) -> Result<(), RemoteError> {
        let place = self.connections.place(home, outputs)?;
        let link = self.connections.link(home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        // Remembering is no action, so its waits are nobody's news.
        Wait { settings, place: &place, stack: stack.as_str(), address: home, events: &Silent }
            .until_ready(&mut link)
            .await?;
        let mut batch = Batch::new(&mut link, settings, &place, stack, &Silent);
        let mut changes = Changes::new(batch.manifest()?);
        // A host that was never pushed to keeps no manifest: with one, what its first boot wrote would count as foreign.
        if changes.record.is_new() {
            return Ok(());
        }
        // Who went back in this run knows better what is applied there than who carried the plan out.
        let known = std::mem::take(&mut changes.record.applied);
        let kept = |address: &String| batch.link.returned && address.starts_with("host.");
        let told = applied.iter().map(|(address, version)| (address.to_string(), version.clone()));
        let told = told.filter(|(address, _)| !kept(address));
        changes.record.applied =
            known.iter().filter(|(address, _)| kept(address)).map(clone).chain(told).collect();
        if well {
            changes.record.projects.values_mut().for_each(|project| project.ready = true);
            changes.release(seconds_now());
        }
        batch.push(changes).await
    }
}

fn clone((address, version): (&String, &String)) -> (String, String) {
    (address.clone(), version.clone())
}

impl Execute for HostExecutor {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn lane(&self, job: &Job) -> String {
        let live = || job.live.as_ref().and_then(|live| live.home.as_ref());
        let home = job.home.as_ref().map(|(home, _)| home).or_else(live);
        home.map(ToString::to_string).unwrap_or_default()
    }

    fn execute<'a>(
        &'a self,
        jobs: Vec<Job>,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Vec<JobResult>> {
        Box::pin(self.execute_all(jobs, events))
    }

    fn remember<'a>(
        &'a self,
        stack: &'a StackId,
        homes: &'a BTreeMap<Address, Outputs>,
        applied: &'a BTreeMap<Address, String>,
        well: bool,
    ) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let mut failed = None;
            for (home, outputs) in homes {
                if let Err(error) = self.remember_in(stack, home, outputs, applied, well).await {
                    failed = failed.or(Some(error));
                }
            }
            failed.map_or(Ok(()), Err)
        })
    }
}
