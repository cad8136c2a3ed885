//! Carrying out planned actions.

mod action;
mod create;
mod delete;
mod droplet;
mod firewall;
mod handover;
mod patience;
mod pins;
mod reserved_ip;
mod snapshot;
mod tags;
mod update;
mod volume;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipai_core::{
    Address, BoxFuture, Event, Events, Execute, Fault, HostKeys, Job, JobResult, Outputs,
    RemoteError, Verb,
};

use crate::PROVIDER;
use crate::api::Writer;
use crate::droplet::Birth;
use crate::settings::{Limits, Settings};

/// Makes the SSH host key that a new droplet is born with.
pub type BirthMaker = Arc<dyn Fn() -> Result<Birth, String> + Send + Sync>;

/// Carries out actions on droplets, volumes, reserved addresses and firewalls.
pub struct DigitalOceanExecutor {
    writer: Writer,
    limits: Limits,
    poll: Duration,
    birth: BirthMaker,
    /// Who gives a host a key of its own.
    host_keys: Option<Arc<dyn HostKeys>>,
    /// The droplets that this executor made or changed: a list may not show a new droplet yet.
    known: Mutex<BTreeMap<Address, u64>>,
}

impl DigitalOceanExecutor {
    /// Prepares to execute; contacts nobody. `birth` makes the host key of each new droplet.
    ///
    /// # Errors
    /// The base URL would leak the token, or the token cannot be one.
    pub fn new(settings: &Settings, birth: BirthMaker) -> Result<Self, RemoteError> {
        Ok(Self {
            writer: Writer::new(settings)?,
            limits: settings.limits.clone(),
            poll: settings.poll,
            birth,
            host_keys: None,
            known: Mutex::default(),
        })
    }

    /// Lets `host_keys` replace on the hosts the keys that droplets are born with. Without it they keep those.
    #[must_use]
    pub fn with_host_keys(mut self, host_keys: Arc<dyn HostKeys>) -> Self {
        self.host_keys = Some(host_keys);
        self
    }

    fn remember(&self, address: &Address, id: u64) {
        // What is in the map stays true whatever another thread did.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(address.clone(), id);
    }

    fn recall(&self, address: &Address) -> Option<u64> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(address).copied()
    }
}

impl Execute for DigitalOceanExecutor {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    /// Every object goes its own way.
    fn lane(&self, job: &Job) -> String {
        job.address.to_string()
    }

    fn execute<'a>(
        &'a self,
        jobs: Vec<Job>,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Vec<JobResult>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(jobs.len());
            for job in jobs {
                let task = Task { executor: self, job: &job, events };
                let result = task.run().await;
                results.push((job.address.clone(), result));
            }
            results
        })
    }
}

/// One job under way.
#[derive(Clone, Copy)]
struct Task<'a> {
    executor: &'a DigitalOceanExecutor,
    job: &'a Job,
    events: &'a dyn Events,
}

impl Task<'_> {
    async fn run(&self) -> Result<Outputs, RemoteError> {
        match (self.job.address.kind.as_str(), self.job.verb) {
            (_, Verb::NoOp) => Ok(self.observed_outputs()),
            ("droplet", verb) => self.run_droplet(verb).await,
            ("volume", verb) => self.run_volume(verb).await,
            ("reserved_ip", verb) => self.run_reserved_ip(verb).await,
            ("firewall", verb) => self.run_firewall(verb).await,
            (kind, _) => Err(self.refuse(format!("DigitalOcean has no `{kind}` here"))),
        }
    }

    async fn run_droplet(&self, verb: Verb) -> Result<Outputs, RemoteError> {
        match verb {
            Verb::NoOp => Ok(self.observed_outputs()),
            Verb::Create => self.create_droplet(None).await,
            Verb::Update => self.update_droplet().await,
            Verb::Replace => self.replace_droplet().await,
            Verb::Delete => self.delete_droplet().await,
            Verb::Adopt => self.adopt_droplet().await,
            Verb::Forget => self.forget_droplet().await,
        }
    }

    async fn run_volume(&self, verb: Verb) -> Result<Outputs, RemoteError> {
        match verb {
            Verb::NoOp => Ok(self.observed_outputs()),
            Verb::Create => self.create_volume().await,
            Verb::Update => self.update_volume().await,
            Verb::Replace => {
                self.delete_volume().await?;
                self.create_volume().await
            }
            Verb::Delete => self.delete_volume().await,
            Verb::Adopt => self.adopt_volume().await,
            Verb::Forget => self.forget_volume().await,
        }
    }

    async fn run_reserved_ip(&self, verb: Verb) -> Result<Outputs, RemoteError> {
        match verb {
            Verb::NoOp => Ok(self.observed_outputs()),
            Verb::Create => self.create_reserved_ip().await,
            Verb::Update => self.update_reserved_ip().await,
            Verb::Replace => {
                self.delete_reserved_ip().await?;
                self.create_reserved_ip().await
            }
            Verb::Delete => self.delete_reserved_ip().await,
            Verb::Adopt => self.adopt_reserved_ip().await,
            Verb::Forget => self.forget_reserved_ip().await,
        }
    }

    async fn run_firewall(&self, verb: Verb) -> Result<Outputs, RemoteError> {
        match verb {
            Verb::NoOp => Ok(self.observed_outputs()),
            Verb::Create => self.create_firewall().await,
            Verb::Update => self.update_firewall().await,
            Verb::Replace => {
                self.delete_firewall().await?;
                self.create_firewall().await
            }
            Verb::Delete => self.delete_firewall().await,
            Verb::Adopt => self.adopt_firewall().await,
            Verb::Forget => self.forget_firewall().await,
        }
    }

    fn observed_outputs(&self) -> Outputs {
        self.job.live.as_ref().map(|live| live.outputs.clone()).unwrap_or_default()
    }

    /// The number of the observed droplet.
    fn observed_id(&self) -> Result<Option<u64>, RemoteError> {
        self.job.live.as_ref().map(|live| number(&live.id)).transpose()
    }

    /// A failure of the job that is no answer of the API.
    fn refuse(&self, cause: impl Into<String>) -> RemoteError {
        RemoteError::new(Fault::Refused, self.attempt(), cause)
    }

    /// What the job does, as errors name it.
    fn attempt(&self) -> String {
        let verb = format!("{:?}", self.job.verb).to_lowercase();
        format!("{verb} {}", self.job.address)
    }

    /// Refuses to begin something in a run that was asked to stop. What was begun is written down all the same.
    fn may_begin(&self) -> Result<(), RemoteError> {
        self.events.may_begin().then_some(()).ok_or_else(|| RemoteError::stopped(self.attempt()))
    }

    /// Tells what goes on.
    fn say(&self, text: impl Into<String>) {
        let address = self.job.address.clone();
        self.events.event(Event::Progress { address, text: text.into() });
    }
}

fn number(id: &str) -> Result<u64, RemoteError> {
    let wrong = |_| {
        RemoteError::new(Fault::Refused, "name a droplet", format!("`{id}` is no droplet's number"))
    };
    id.parse().map_err(wrong)
}
