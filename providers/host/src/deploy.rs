//! Bringing a Compose project up: check, land the YAML, pull, up, reload, wait.

mod commands;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipai_core::{Attributes, Content, Fault, Job, RemoteError, Value};
use tokio::time::{Instant, sleep};

use crate::batch::Batch;
use crate::changes::{Changes, incomplete, wanted};
use crate::compose::project::{Project as Model, Service};
use crate::compose::{SERVICES, reloads};
use crate::failure;
use crate::file::text;
use crate::manifest::{HashRecord, ProjectRecord};
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, DRIFTED_CONFIGURATION, by_service, judge};
use crate::ready::pause;
use crate::session::Command;
use commands::{BUSY, Project};
use reasons::{refuse, version_of};

/// The oldest Compose that merges several documents of one file.
const OLDEST_COMPOSE: (u64, u64) = (2, 24);

/// One deployment of one project.
struct Deployment<'a> {
    job: &'a Job,
    project: Project<'a>,
    yaml: &'a Content,
    model: Model,
    /// How each service should be.
    expected: BTreeMap<String, String>,
    /// Commands of services that reload.
    reloads: BTreeMap<String, Vec<String>>,
    timeout: Duration,
    /// Services that run what a drifted file held.
    drifted: BTreeSet<String>,
}

/// Creates or updates a project.
pub(crate) async fn up(batch: &mut Batch<'_>, job: &Job) -> Result<(), RemoteError> {
    let stack = batch.stack.clone();
    let deployment = Deployment::new(job, &stack, batch.limit())?;
    let before = deployment.check(batch).await?;
    deployment.land(batch).await?;
    deployment.start(batch).await?;
    let after = deployment.until_up(batch).await?;
    deployment.reload(batch, before.containers(), &after).await?;
    let healthy = deployment.until_healthy(batch).await;
    let hashes = deployment.hashes(&before, &after);
    let recorded = deployment.record(batch, hashes, healthy.is_ok()).await;
    healthy.and(recorded)
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
        Ok(Self {
            job,
            project: Project { stack, name, directory, limit },
            yaml,
            model,
            expected: words(&desired.attributes),
            reloads: reloads(&desired.attributes),
            timeout: Duration::from_secs(seconds.unsigned_abs()),
            drifted: drifted.map(|(name, _)| name).collect(),
        })
    }

    /// Checks everything that can be checked before the old project is touched; gives what runs now.
    async fn check(&self, batch: &mut Batch<'_>) -> Result<Answer, RemoteError> {
        self.tell(batch, "checking the Compose file");
        let yaml = self.yaml.text.as_ref().map(|text| text.expose().as_bytes().to_vec());
        let output = batch.run(&self.project.check(yaml.unwrap_or_default())).await?;
        refuse(&output)?;
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
            return Err(
                error.hint("install docker-compose-plugin from Docker's own package repository")
            );
        }
        Ok(answer)
    }

    /// Puts the YAML into place and claims the project.
    async fn land(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let manifest = batch.manifest()?;
        let old = manifest.projects.get(self.project.name);
        let record = ProjectRecord {
            address: self.job.address.clone(),
            directory: self.project.directory.to_owned(),
            sensitive: self.yaml.is_sensitive(),
            loaded: old.map(|record| record.loaded.clone()).unwrap_or_default(),
            hashes: old.map(|record| record.hashes.clone()).unwrap_or_default(),
        };
        let mut changes = Changes::new(manifest);
        changes.project_file(self.project.name, record, self.yaml)?;
        batch.push(changes).await
    }

    /// Starts the deployment; one that an earlier ipai left behind is waited for first.
    async fn start(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let started = || self.model.services.iter().filter(|(_, service)| service.started);
        let names = |which: fn(&Service) -> bool| -> Vec<&str> {
            started().filter(|(_, service)| which(service)).map(|(name, _)| name.as_str()).collect()
        };
        let (pulled, built) = (names(|service| service.pulled), names(|service| service.built));
        let anew = self.drifted.iter().filter(|name| !self.reloads.contains_key(*name));
        let anew: Vec<&str> = anew.map(String::as_str).collect();
        let command = self.project.start(&pulled, &built, &anew);
        let (began, mut round) = (Instant::now(), 0);
        loop {
            let output = batch.run(&command).await?;
            match output.exit {
                0 => return Ok(()),
                BUSY if began.elapsed() < self.timeout => {
                    self.tell(batch, "waiting for an earlier deployment to end");
                    sleep(pause(batch.settings.poll, round)).await;
                    round += 1;
                }
                BUSY => return Err(self.late("an earlier deployment still goes on", "")),
                exit => {
                    let cause = failure::or_silence(&output.stderr, exit);
                    return Err(RemoteError::new(Fault::Refused, command.name, cause));
                }
            }
        }
    }

    /// Waits until `up` has ended; gives the containers then. Pulling has the timeout to itself.
    async fn until_up(&self, batch: &mut Batch<'_>) -> Result<Vec<Container>, RemoteError> {
        let (mut began, mut round, mut phase) = (Instant::now(), 0, String::new());
        loop {
            let answer = self.look(batch).await?;
            let containers = answer.containers();
            if answer.word("phase") == "up" && phase != "up" {
                began = Instant::now();
            }
            answer.word("phase").clone_into(&mut phase);
            match answer.word("exit") {
                "" => self.tell(batch, &self.doing(&phase, containers)),
                "0" => return Ok(containers.to_vec()),
                exit => return Err(self.failed(batch, exit, &answer).await),
            }
            if began.elapsed() >= self.timeout {
                let pending = self.pending(containers);
                let words = pending.iter().map(|(name, word)| format!("{name} ({word})"));
                return Err(self.late(
                    &format!("still {}", self.doing(&phase, containers)),
                    &words.collect::<Vec<_>>().join(", "),
                ));
            }
            sleep(pause(batch.settings.poll, round)).await;
            round += 1;
        }
    }

    /// Lets services take their files in that do so by themselves; one that was just started has done it.
    async fn reload(
        &self,
        batch: &mut Batch<'_>,
        before: &[Container],
        after: &[Container],
    ) -> Result<(), RemoteError> {
        let record = batch.manifest()?.projects.get(self.project.name);
        let loaded = record.map(|record| record.loaded.clone()).unwrap_or_default();
        let services = by_service(after, self.project.name);
        for (name, words) in &self.reloads {
            let current = self.model.loads.get(name) == loaded.get(name);
            let own = services.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let ran =
                |c: &&&Container| before.iter().any(|b| b.id == c.id && b.started == c.started);
            let old = own.iter().filter(ran).any(|c| c.status == "running");
            if !old || current && !self.drifted.contains(name) {
                continue;
            }
            self.tell(batch, &format!("reloading {name}"));
            let output = batch.run(&self.project.reload(name, words)).await?;
            if output.exit != 0 {
                let words = format!("{}\n{}", output.text(), output.stderr);
                let cause = failure::or_silence(&words, output.exit);
                let error =
                    RemoteError::new(Fault::Refused, format!("reload service {name}"), cause);
                return Err(error.hint(
                    "the old configuration is still in use; correct the file and apply again",
                ));
            }
        }
        Ok(())
    }

    /// Waits until every service is as it should be.
    async fn until_healthy(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let (began, mut round) = (Instant::now(), 0);
        loop {
            let answer = self.look(batch).await?;
            let pending = self.pending(answer.containers());
            if pending.is_empty() {
                return Ok(());
            }
            let broken = self.broken(answer.containers());
            if broken.is_some() || began.elapsed() >= self.timeout {
                let (name, word) =
                    broken.or_else(|| pending.into_iter().next()).unwrap_or_default();
                return Err(self.unhealthy(batch, &name, &word, answer.containers()).await);
            }
            self.tell(batch, &self.doing("wait", answer.containers()));
            sleep(pause(batch.settings.poll, round)).await;
            round += 1;
        }
    }

    /// What Compose calls each service's configuration, with what it put into the containers' labels.
    fn hashes(&self, asked: &Answer, after: &[Container]) -> BTreeMap<String, HashRecord> {
        let services = by_service(after, self.project.name);
        let record = |(name, asked): (&String, &String)| {
            let label = services.get(name.as_str())?.first()?.config_hash()?.to_owned();
            Some((name.clone(), HashRecord { asked: asked.clone(), label }))
        };
        let asked = asked.hashes.get(&0).and_then(|hashes| hashes.as_ref().ok());
        asked.into_iter().flatten().filter_map(record).collect()
    }

    /// Writes down what runs and what is loaded, and the version when all went well.
    async fn record(
        &self,
        batch: &mut Batch<'_>,
        hashes: BTreeMap<String, HashRecord>,
        applied: bool,
    ) -> Result<(), RemoteError> {
        let mut changes = Changes::new(batch.manifest()?);
        if let Some(record) = changes.record.projects.get_mut(self.project.name) {
            record.loaded = self.model.loads.clone();
            record.hashes = hashes;
        }
        if applied {
            changes.applied(self.job);
        }
        batch.push(changes).await
    }

    async fn look(&self, batch: &mut Batch<'_>) -> Result<Answer, RemoteError> {
        let command: Command = self.project.look();
        let output = batch.run(&command).await?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(RemoteError::new(Fault::Refused, command.name, cause));
        }
        Answer::read(&output.stdout)
    }

    /// Services that are not as they should be, with how they are.
    fn pending(&self, containers: &[Container]) -> BTreeMap<String, String> {
        let found = by_service(containers, self.project.name);
        let word = |name: &str, wanted: &str| {
            judge(found.get(name).map(Vec::as_slice).unwrap_or_default(), wanted, None)
        };
        let all = self.expected.iter().map(|(name, wanted)| (name, wanted, word(name, wanted)));
        all.filter(|(_, wanted, word)| word != *wanted)
            .map(|(name, _, word)| (name.clone(), word))
            .collect()
    }

    /// A service that ended in failure and will not come back by itself.
    fn broken(&self, containers: &[Container]) -> Option<(String, String)> {
        let found = by_service(containers, self.project.name);
        let broken = |name: &&String| {
            let own = found.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            own.iter().any(|c| c.has_failed())
        };
        let name = self.expected.keys().find(broken)?;
        Some((name.clone(), self.pending(containers).remove(name)?))
    }

    fn doing(&self, phase: &str, containers: &[Container]) -> String {
        match phase {
            "pull" => "pulling images".to_owned(),
            "build" => "building images".to_owned(),
            _ => {
                let pending = self.pending(containers);
                let words: Vec<String> =
                    pending.iter().map(|(name, word)| format!("{name} ({word})")).collect();
                format!(
                    "waiting for {}",
                    if words.is_empty() { "Compose".to_owned() } else { words.join(", ") }
                )
            }
        }
    }

    fn tell(&self, batch: &mut Batch<'_>, text: &str) {
        batch.tell(&self.job.address, text);
    }
}
