//! The jobs of one host that are ready at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use ipai_core::{
    Address, Event, Events, Fault, Job, JobResult, Outputs, RemoteError, StackId, Verb,
};

use crate::changes::{Changes, wanted};
use crate::connections::{Link, Place, Settings, run};
use crate::deploy;
use crate::manifest::{Manifest, ProjectRecord};
use crate::observe::report::outputs;
use crate::push;
use crate::session::{Command, Output};

/// One host while a batch is carried out on it.
pub(crate) struct Batch<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) settings: &'a Settings,
    pub(crate) place: &'a Place,
    pub(crate) stack: String,
    events: &'a dyn Events,
    /// The last news, which is not told twice.
    said: String,
}

/// What the jobs have come to so far.
type Failures = BTreeMap<Address, RemoteError>;

impl<'a> Batch<'a> {
    pub(crate) fn new(
        link: &'a mut Link,
        settings: &'a Settings,
        place: &'a Place,
        stack: &StackId,
        events: &'a dyn Events,
    ) -> Self {
        Self {
            link,
            settings,
            place,
            stack: stack.as_str().to_owned(),
            events,
            said: String::new(),
        }
    }

    /// Tells what is going on, when it is something else than before.
    pub(crate) fn tell(&mut self, address: &Address, text: &str) {
        if self.said != text {
            text.clone_into(&mut self.said);
            let (address, text) = (address.clone(), text.to_owned());
            self.events.event(Event::Progress { address, text });
        }
    }

    /// Tells whether something that takes long may still begin.
    pub(crate) fn may_begin(&self) -> bool {
        self.events.may_begin()
    }

    /// How long one command may take.
    pub(crate) fn limit(&self) -> Duration {
        self.settings.command_limit
    }

    /// Runs one command.
    pub(crate) async fn run(&mut self, command: &Command) -> Result<Output, RemoteError> {
        run(self.link, self.settings, self.place, command).await
    }

    /// The manifest as it is now.
    pub(crate) fn manifest(&self) -> Result<&Manifest, RemoteError> {
        let unread =
            || RemoteError::new(Fault::BadAnswer, "change the host", "its manifest was not read");
        self.link.manifest.as_ref().ok_or_else(unread)
    }

    /// Carries changes out in one stream; nothing is sent when there are none.
    pub(crate) async fn push(&mut self, changes: Changes) -> Result<(), RemoteError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (push, manifest) = changes.push(&self.stack);
        let command = push.command(self.limit())?;
        // A push that fails may have claimed its files already, so what the host holds has to be read again.
        self.link.manifest = None;
        let output = self.run(&command).await?;
        push.judge(&output)?;
        self.link.manifest = Some(manifest);
        Ok(())
    }

    /// Carries out all jobs: projects that go are taken down, then all files come and go at once, then projects come up.
    pub(crate) async fn execute(mut self, jobs: &[Job]) -> Vec<JobResult> {
        let mut failures = Failures::new();
        for job in jobs.iter().filter(|job| goes(job)) {
            let result = match self.may_begin() {
                true => deploy::down(&mut self, job).await,
                false => Err(RemoteError::stopped(format!("take {} down", job.address))),
            };
            if let Err(error) = result {
                failures.insert(job.address.clone(), error);
            }
        }
        if let Err(error) = self.files(jobs, &failures).await {
            for job in jobs {
                failures.entry(job.address.clone()).or_insert_with(|| push::for_job(&error, job));
            }
        }
        for job in jobs.iter().filter(|job| comes(job)) {
            if failures.contains_key(&job.address) {
                continue;
            }
            let result = match self.link.returned {
                true => Err(gone_back(&job.address)),
                false => deploy::up(&mut self, job).await,
            };
            if let Err(error) = result {
                failures.insert(job.address.clone(), error);
            }
        }
        jobs.iter().map(|job| result(job, &mut failures)).collect()
    }

    /// Everything that is one push.
    async fn files(&mut self, jobs: &[Job], failures: &Failures) -> Result<(), RemoteError> {
        let mut changes = Changes::new(self.manifest()?);
        for job in jobs.iter().filter(|job| !failures.contains_key(&job.address)) {
            if job.address.kind == "file" {
                changes.file(job)?;
            } else {
                project(&mut changes, job)?;
            }
        }
        let count = jobs.iter().filter(|job| job.address.kind == "file").count();
        if let Some(first) =
            jobs.iter().find(|job| job.address.kind == "file").filter(|_| count > 1)
        {
            let text = format!("one push of {count} files");
            self.events.event(Event::Progress { address: first.address.clone(), text });
        }
        self.push(changes).await
    }
}

/// Why a project is not deployed any more.
fn gone_back(address: &Address) -> RemoteError {
    let cause = "another project of this host failed, and the host went back to its last release";
    RemoteError::new(Fault::Refused, format!("deploy {address}"), cause)
}

/// What a job on a project means for manifest and files, before it comes up.
fn project(changes: &mut Changes, job: &Job) -> Result<(), RemoteError> {
    let address = job.address.to_string();
    let live = deploy::place(job.live.as_ref().map(|live| &live.attributes));
    match (job.verb, live) {
        (Verb::Delete | Verb::Replace, Some((name, directory))) => {
            changes.remove_project(name, directory, &address);
        }
        (Verb::Forget, Some((name, _))) => changes.forget_project(name, &address),
        (Verb::Adopt, _) => {
            let wanted = wanted(job)?;
            if let Some((name, directory)) = deploy::place(Some(&wanted.attributes)) {
                let record = ProjectRecord::new(job.address.clone(), directory);
                changes.record.projects.insert(name.to_owned(), record);
            }
        }
        _ => {}
    }
    Ok(())
}

fn goes(job: &Job) -> bool {
    job.address.kind == "compose" && matches!(job.verb, Verb::Delete | Verb::Replace)
}

fn comes(job: &Job) -> bool {
    job.address.kind == "compose" && matches!(job.verb, Verb::Create | Verb::Update | Verb::Replace)
}

fn result(job: &Job, failures: &mut Failures) -> JobResult {
    let result = match failures.remove(&job.address) {
        Some(error) => Err(error),
        None => Ok(job
            .desired
            .as_ref()
            .map_or_else(Outputs::new, |desired| outputs(&job.address, &desired.attributes))),
    };
    (job.address.clone(), result)
}
