//! The jobs of one host that are ready at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipai_core::live::UNFINISHED;
use ipai_core::{
    Address, Event, Events, Fault, Job, JobResult, Outputs, RemoteError, StackId, Verb, size,
};
use tokio::time::timeout;

use crate::changes::{Changes, wanted};
use crate::connections::{Link, Place, Settings, run};
use crate::deploy;
use crate::file::text;
use crate::manifest::{Manifest, ProjectRecord};
use crate::observe::report::outputs;
use crate::push;
use crate::session::{Command, Output};
use crate::unit::commands::{self, Coming, Failed};
use crate::unit::flag;

/// One host while a batch is carried out on it.
pub(crate) struct Batch<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) settings: &'a Settings,
    pub(crate) place: &'a Place,
    pub(crate) stack: String,
    /// Services whose image may change without a backup before.
    pub(crate) waived: BTreeSet<String>,
    events: &'a dyn Events,
    /// The last news, which is not told twice.
    said: String,
}

/// Between two words about how much of a push has gone.
const NEWS: Duration = Duration::from_secs(1);

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
            waived: BTreeSet::new(),
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
        self.push_telling(changes, None).await
    }

    /// The same; while the stream is on its way, `news` (whose, and what of) tells how much of it has gone.
    async fn push_telling(
        &mut self,
        changes: Changes,
        news: Option<(&Address, &str)>,
    ) -> Result<(), RemoteError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (push, manifest) = changes.push(&self.stack);
        let command = push.command(self.limit())?;
        // A push that fails may have claimed its files already, so what the host holds has to be read again.
        self.link.manifest = None;
        let output = match news {
            Some(news) => self.send(&command, news).await?,
            None => self.run(&command).await?,
        };
        push.judge(&output)?;
        self.link.manifest = Some(manifest);
        Ok(())
    }

    /// Runs a command with a long input, and tells how much of that has gone.
    async fn send(
        &mut self,
        command: &Command,
        (address, what): (&Address, &str),
    ) -> Result<Output, RemoteError> {
        let (backlog, all) = (self.link.backlog(), command.stdin.len());
        let mut sending = std::pin::pin!(run(self.link, self.settings, self.place, command));
        loop {
            if let Ok(answer) = timeout(self.settings.poll.min(NEWS), &mut sending).await {
                return answer;
            }
            // When all has gone, what lasts is the host's work.
            let left = backlog.bytes();
            if left > 0 {
                let share = size::share_in_words(all.saturating_sub(left) as u64, all as u64);
                let text = format!("{what}: {share}");
                self.events.event(Event::Progress { address: address.clone(), text });
            }
        }
    }

    /// Carries out all jobs: projects that go are taken down and units that go are stopped, then all files come and go at
    /// once, then systemd takes units in, then projects come up.
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
        self.units_go(jobs, &mut failures).await;
        if let Err(error) = self.files(jobs, &failures).await {
            for job in jobs {
                failures.entry(job.address.clone()).or_insert_with(|| push::for_job(&error, job));
            }
        }
        self.units_come(jobs, &mut failures).await;
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

    /// Stops the units whose files are about to go.
    async fn units_go(&mut self, jobs: &[Job], failures: &mut Failures) {
        let going = |job: &'_ &Job| {
            job.address.kind == "unit" && matches!(job.verb, Verb::Delete | Verb::Replace)
        };
        let name = |job: &Job| Some(text(&job.live.as_ref()?.attributes, "name")?.to_owned());
        let going = jobs.iter().filter(going).filter_map(|job| Some((job, name(job)?)));
        let going: Vec<(&Job, String)> = going.collect();
        if going.is_empty() {
            return;
        }
        let names: Vec<&str> = going.iter().map(|(_, name)| name.as_str()).collect();
        let result = match self.may_begin() {
            true => commands::give_up(self, &names).await,
            false => Err(RemoteError::stopped("stop the units that go")),
        };
        note(failures, &going, &result);
    }

    /// Lets systemd take in the units whose files have come, and writes down that it has.
    async fn units_come(&mut self, jobs: &[Job], failures: &mut Failures) {
        let coming = jobs.iter().filter(|job| !failures.contains_key(&job.address));
        let coming: Vec<(&Job, Coming)> =
            coming.filter_map(|job| Some((job, unit_of(job)?))).collect();
        let gone = jobs.iter().any(|job| job.address.kind == "unit" && job.verb == Verb::Delete);
        if coming.is_empty() && !gone {
            return;
        }
        let units: Vec<Coming> = coming.iter().map(|(_, unit)| unit.clone()).collect();
        let result = match self.take_in(&units).await {
            // What is gone is gone, whether systemd has noticed or not.
            Err(_) if units.is_empty() => return,
            result => result,
        };
        let named: Vec<(&Job, String)> =
            coming.into_iter().map(|(job, unit)| (job, unit.name)).collect();
        note(failures, &named, &result);
    }

    /// Lets systemd take units in, and writes down which it has.
    pub(crate) async fn take_in(&mut self, units: &[Coming]) -> Result<Failed, RemoteError> {
        if !self.may_begin() {
            return Err(RemoteError::stopped("let systemd take the units in"));
        }
        let failed = commands::take_in(self, units).await?;
        let mut changes = Changes::new(self.manifest()?);
        let taken = units.iter().filter(|unit| !failed.contains_key(&unit.name));
        taken.for_each(|unit| changes.taken_in(&unit.name));
        self.push(changes).await?;
        Ok(failed)
    }

    /// Everything that is one push.
    async fn files(&mut self, jobs: &[Job], failures: &Failures) -> Result<(), RemoteError> {
        let mut changes = Changes::new(self.manifest()?);
        for job in jobs.iter().filter(|job| !failures.contains_key(&job.address)) {
            if is_file(job) {
                changes.file(job)?;
            } else {
                project(&mut changes, job)?;
            }
        }
        let count = jobs.iter().filter(|job| is_file(job)).count();
        let what = match count {
            1 => "the push".to_owned(),
            count => format!("one push of {count} files"),
        };
        let first = jobs.iter().find(|job| is_file(job)).map(|job| &job.address);
        if let Some(address) = first.filter(|_| count > 1) {
            self.events.event(Event::Progress { address: address.clone(), text: what.clone() });
        }
        self.push_telling(changes, first.map(|address| (address, what.as_str()))).await
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

/// Units are files as well.
fn is_file(job: &Job) -> bool {
    matches!(job.address.kind.as_str(), "file" | "unit")
}

/// What systemd is to be told of a job on a unit whose file has come.
fn unit_of(job: &Job) -> Option<Coming> {
    let comes = matches!(job.verb, Verb::Create | Verb::Update | Verb::Replace);
    let wanted = job.desired.as_ref().filter(|_| comes && job.address.kind == "unit")?;
    let live = job.live.as_ref();
    let same =
        live.and_then(|live| live.attributes.get("content")) == wanted.attributes.get("content");
    let unfinished = live.and_then(|live| live.applied.as_deref()) == Some(UNFINISHED);
    Some(Coming {
        name: wanted.text("name")?.to_owned(),
        enabled: flag(&wanted.attributes, "enabled"),
        restart: flag(&wanted.attributes, "restart") && (!same || unfinished),
    })
}

/// Writes down which jobs on units failed.
fn note(failures: &mut Failures, jobs: &[(&Job, String)], result: &Result<Failed, RemoteError>) {
    for (job, name) in jobs {
        let error = match result {
            Ok(failed) => failed.get(name),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            failures.entry(job.address.clone()).or_insert_with(|| error.clone());
        }
    }
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
