//! Bringing a Compose project up: check, land the YAML, pull, up, reload, wait.

pub(crate) mod back;
mod commands;
pub(crate) mod postgres;
mod precaution;
mod reasons;
mod rollout;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipai_core::{Attributes, Content, Fault, Job, RemoteError, Value};

use crate::batch::Batch;
use crate::changes::{Changes, incomplete, wanted};
use crate::compose::project::{Project as Model, Service};
use crate::compose::{SERVICES, reloads};
use crate::failure;
use crate::file::text;
use crate::manifest::{HashRecord, ImageRecord, Manifest, ProjectRecord};
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, DRIFTED_CONFIGURATION, Wanted, by_service};
use crate::session::Command;
use back::Way;
use commands::{INVALID, Project};
use reasons::{refuse, version_of};
use rollout::Rollout;

/// The oldest Compose that merges several documents of one file.
const OLDEST_COMPOSE: (u64, u64) = (2, 24);

/// One deployment of one project.
struct Deployment<'a> {
    job: &'a Job,
    rollout: Rollout<'a>,
    yaml: &'a Content,
    model: Model,
    /// Commands of services that reload.
    reloads: BTreeMap<String, Vec<String>>,
    /// Services that run what a drifted file held.
    drifted: BTreeSet<String>,
    /// Services whose database a new image changes.
    migrates: Vec<&'a str>,
    /// How many releases the host is to keep.
    keep: u64,
}

/// Why a deployment did not come to its end.
enum Setback {
    /// What the stack wants is not good: the host goes back.
    Deployment(RemoteError),
    /// The host, or the way to it: going back would be no easier.
    Host(RemoteError),
}

impl From<RemoteError> for Setback {
    fn from(error: RemoteError) -> Self {
        match error.fault {
            Fault::Refused | Fault::TimedOut => Self::Deployment(error),
            _ => Self::Host(error),
        }
    }
}

/// Creates or updates a project. One that fails leaves the host as it was when all was well, if it keeps that.
pub(crate) async fn up(batch: &mut Batch<'_>, job: &Job) -> Result<(), RemoteError> {
    let stack = batch.stack.clone();
    let deployment = Deployment::new(job, &stack, batch.limit())?;
    match deployment.forward(batch).await {
        Ok(()) => Ok(()),
        Err(Setback::Host(error)) => Err(error),
        Err(Setback::Deployment(error)) => Err(deployment.back(batch, error).await),
    }
}

/// Takes a project down, before its YAML goes. Volumes stay.
pub(crate) async fn down(batch: &mut Batch<'_>, job: &Job) -> Result<(), RemoteError> {
    let Some((name, directory)) = place(job.live.as_ref().map(|live| &live.attributes)) else {
        return Ok(());
    };
    let stack = batch.stack.clone();
    let project = Project { stack: &stack, name, directory, limit: batch.limit() };
    let output = batch.run(&project.down()).await?;
    if output.exit == 0 {
        return Ok(());
    }
    let cause = failure::or_silence(&output.stderr, output.exit);
    Err(RemoteError::new(Fault::Refused, format!("take the project {name} down"), cause))
}

/// Name and folder of a project.
pub(crate) fn place(attributes: Option<&Attributes>) -> Option<(&str, &str)> {
    let attributes = attributes?;
    Some((text(attributes, "project")?, text(attributes, "directory")?))
}

impl<'a> Deployment<'a> {
    fn new(job: &'a Job, stack: &'a str, limit: Duration) -> Result<Self, RemoteError> {
        let desired = wanted(job)?;
        let missing = |what| incomplete(&job.address.to_string(), what);
        let (name, directory) =
            place(Some(&desired.attributes)).ok_or_else(|| missing("project and directory"))?;
        let yaml = desired.attributes.get("content").and_then(Value::as_content);
        let yaml = yaml.ok_or_else(|| missing("its contents"))?;
        let source = yaml.text.as_ref().map(|text| text.expose()).unwrap_or_default();
        let model = Model::read(source, directory).map_err(|error| {
            RemoteError::new(Fault::Refused, "read the Compose file", error.message)
        })?;
        let words = |attributes: &Attributes| -> BTreeMap<String, String> {
            let map = attributes.get(SERVICES).and_then(Value::as_map).into_iter().flatten();
            map.filter_map(|(name, word)| Some((name.clone(), word.as_text()?.to_owned())))
                .collect()
        };
        let live = job.live.as_ref().map(|live| words(&live.attributes)).unwrap_or_default();
        let drifted = live.into_iter().filter(|(_, word)| word == DRIFTED_CONFIGURATION);
        let seconds = desired.attributes.get("timeout").and_then(Value::as_int).unwrap_or(600);
        let keep = desired.attributes.get("releases").and_then(Value::as_int).unwrap_or(0);
        let rollout = Rollout {
            address: &job.address,
            project: Project { stack, name, directory, limit },
            expected: words(&desired.attributes),
            images: model.images(),
            timeout: Duration::from_secs(seconds.unsigned_abs()),
        };
        Ok(Self {
            job,
            rollout,
            yaml,
            model,
            reloads: reloads(&desired.attributes),
            drifted: drifted.map(|(name, _)| name).collect(),
            migrates: desired.texts("migrates"),
            keep: keep.unsigned_abs(),
        })
    }

    /// The whole way: check, land, start, reload, wait, write down.
    async fn forward(&self, batch: &mut Batch<'_>) -> Result<(), Setback> {
        let before = self.check(batch).await?;
        let replaced = self.replaced(&before, batch.manifest().map_err(Setback::Host)?);
        self.may_begin(batch)?;
        self.protect(batch, before.containers()).await.map_err(Setback::Host)?;
        self.may_begin(batch)?;
        self.land(batch).await.map_err(Setback::Host)?;
        self.may_begin(batch)?;
        let rollout = &self.rollout;
        rollout.begin(batch, &self.command(&replaced)).await?;
        let after = rollout.until_up(batch).await?;
        self.reload(batch, before.containers(), &after).await?;
        let healthy = rollout.until_healthy(batch).await;
        let hashes = self.hashes(&before, &after);
        let containers = healthy.as_ref().ok().map(Vec::as_slice);
        let recorded = self.record(batch, hashes, containers).await;
        healthy?;
        recorded.map_err(Setback::Host)
    }

    /// Goes back to the last release, because of this failure; says in it what came of that.
    async fn back(&self, batch: &mut Batch<'_>, error: RemoteError) -> RemoteError {
        let Ok(manifest) = batch.manifest() else { return error };
        let (current, untouched) = (manifest.releases.current, manifest.since.is_empty());
        match current {
            _ if untouched => error,
            None => back::add(
                error,
                "The host keeps no earlier release to return to, so what was deployed stays.",
            ),
            Some(_) if !batch.may_begin() => back::add(
                error,
                "The host was not brought back to its last release, because ipai was asked to stop.",
            ),
            Some(to) => {
                let project = self.rollout.project.name;
                let migrates: Vec<_> = self.migrates.iter().map(|name| (project, *name)).collect();
                let address = &self.job.address;
                let way = Way { address, to, migrates: &migrates, pulls: false };
                back::instead_of(batch, &way, error).await
            }
        }
    }

    /// Refuses to go on in a run that was asked to stop.
    fn may_begin(&self, batch: &Batch<'_>) -> Result<(), Setback> {
        let stopped = || RemoteError::stopped(format!("deploy {}", self.job.address));
        batch.may_begin().then_some(()).ok_or_else(|| Setback::Host(stopped()))
    }

    /// Checks everything that can be checked before the old project is touched; gives what runs now.
    async fn check(&self, batch: &mut Batch<'_>) -> Result<Answer, Setback> {
        self.rollout.tell(batch, "checking the Compose file");
        let yaml = self.yaml.text.as_ref().map(|text| text.expose().as_bytes().to_vec());
        let command = self.rollout.project.check(yaml.unwrap_or_default());
        let output = batch.run(&command).await.map_err(Setback::Host)?;
        if let Err(error) = refuse(&output) {
            let invalid = output.exit == INVALID;
            return Err(if invalid { Setback::Deployment(error) } else { Setback::Host(error) });
        }
        let answer = Answer::read(&output.stdout)?;
        let version = answer.word("compose");
        if version_of(version).is_none_or(|version| version < OLDEST_COMPOSE) {
            let (major, minor) = OLDEST_COMPOSE;
            let cause =
                format!("the host has Compose {version}, and {major}.{minor} or newer is needed");
            let error = RemoteError::new(
                Fault::Refused,
                "check the host's Compose",
                failure::readable(&cause),
            );
            let hint = "install docker-compose-plugin from Docker's own package repository";
            return Err(Setback::Host(error.hint(hint)));
        }
        postgres::refuse(&self.model, self.rollout.project.name, answer.containers())?;
        Ok(answer)
    }

    /// Puts the YAML into place and claims the project. What a service is about to take in is no longer known to be
    /// what it has: whoever comes next, if this run is killed, lets it take in its files again.
    async fn land(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let (manifest, project) = (batch.manifest()?, &self.rollout.project);
        let old = manifest.projects.get(project.name).cloned();
        let new = || ProjectRecord::new(self.job.address.clone(), project.directory);
        let mut record = ProjectRecord {
            address: self.job.address.clone(),
            directory: project.directory.to_owned(),
            sensitive: self.yaml.is_sensitive(),
            ..old.unwrap_or_else(new)
        };
        record.loaded.retain(|name, digest| self.model.loads.get(name) == Some(digest));
        let mut changes = Changes::new(manifest);
        changes.project_file(project.name, record, self.yaml)?;
        batch.push(changes).await
    }

    /// The services that run with another configuration than the wanted one.
    fn replaced<'s>(&self, asked: &'s Answer, manifest: &Manifest) -> Vec<&'s str> {
        let project = self.rollout.project.name;
        let services = by_service(asked.containers(), project);
        let record = manifest.projects.get(project);
        let is_another = |(name, asked): &(&String, &String)| {
            let record = record.and_then(|record| record.hashes.get(*name));
            let wanted = Wanted { asked: asked.as_str(), record };
            let containers = services.get(name.as_str());
            containers.is_some_and(|all| all.iter().any(|container| !wanted.is_of(container)))
        };
        let hashes = asked.hashes.get(&0).and_then(|hashes| hashes.as_ref().ok());
        let all = hashes.into_iter().flatten();
        all.filter(is_another).map(|(name, _)| name.as_str()).collect()
    }

    /// The command that starts the deployment.
    fn command(&self, replaced: &[&str]) -> Command {
        let started = || self.model.services.iter().filter(|(_, service)| service.started);
        let names = |which: fn(&Service) -> bool| -> Vec<&str> {
            started().filter(|(_, service)| which(service)).map(|(name, _)| name.as_str()).collect()
        };
        let (pulled, built) = (names(|service| service.pulled), names(|service| service.built));
        let anew = self.drifted.iter().filter(|name| !self.reloads.contains_key(*name));
        let anew: Vec<&str> = anew.map(String::as_str).collect();
        self.rollout.project.start(&pulled, &built, replaced, &anew)
    }

    /// Lets services take their files in that do so by themselves; one that was just started has done it.
    async fn reload(
        &self,
        batch: &mut Batch<'_>,
        before: &[Container],
        after: &[Container],
    ) -> Result<(), RemoteError> {
        let record = batch.manifest()?.projects.get(self.rollout.project.name);
        let loaded = record.map(|record| record.loaded.clone()).unwrap_or_default();
        for (name, words) in &self.reloads {
            let current = self.model.loads.get(name) == loaded.get(name);
            if self.rollout.ran_on(name, before, after) && (!current || self.drifted.contains(name))
            {
                self.rollout.reload(batch, name, words).await?;
            }
        }
        Ok(())
    }

    /// What Compose calls each service's configuration, with what it put into the containers' labels.
    fn hashes(&self, asked: &Answer, after: &[Container]) -> BTreeMap<String, HashRecord> {
        let services = by_service(after, self.rollout.project.name);
        let record = |(name, asked): (&String, &String)| {
            let label = services.get(name.as_str())?.first()?.config_hash()?.to_owned();
            Some((name.clone(), HashRecord { asked: asked.clone(), label }))
        };
        let asked = asked.hashes.get(&0).and_then(|hashes| hashes.as_ref().ok());
        asked.into_iter().flatten().filter_map(record).collect()
    }

    /// Writes down what runs and what is loaded. When all went well, the containers are given: with them comes the
    /// version, and what the host serves now becomes a release.
    async fn record(
        &self,
        batch: &mut Batch<'_>,
        hashes: BTreeMap<String, HashRecord>,
        healthy: Option<&[Container]>,
    ) -> Result<(), RemoteError> {
        let mut changes = Changes::new(batch.manifest()?);
        let name = self.rollout.project.name;
        if let Some(record) = changes.record.projects.get_mut(name) {
            record.loaded = self.model.loads.clone();
            record.hashes = hashes;
            record.reloads = self.reloads.clone();
            record.timeout = self.rollout.timeout.as_secs();
            record.keep = self.keep;
            record.ready = healthy.is_some();
            record.images = healthy.map(|all| images(name, all)).unwrap_or_default();
        }
        if healthy.is_some() {
            changes.applied(self.job);
            changes.release(seconds_now());
        }
        batch.push(changes).await
    }
}

/// What the containers of a project run, by service.
fn images(project: &str, containers: &[Container]) -> BTreeMap<String, ImageRecord> {
    let services = by_service(containers, project).into_iter();
    let image = |(service, own): (&str, Vec<&Container>)| {
        let container = own.first()?;
        let record =
            ImageRecord { name: container.image_name.clone(), id: container.image.clone() };
        Some((service.to_owned(), record))
    };
    services.filter_map(image).collect()
}

/// Seconds since 1970, by this machine's clock.
pub(crate) fn seconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
