//! Going back: files, projects and images of a release together, without asking any registry.
//!
//! Everything that can be checked is checked before anything is touched: the kept files by their digests, the images by
//! their ids. Then files and YAML are put back in one push, names mean the release's images again, and each project is
//! brought up and waited for. Killed on the way, the next run finds an ordinary host: some of it as it was, some not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipai_core::release::rises;
use ipai_core::{Address, Fault, RemoteError};

use super::commands::Project;
use super::rollout::Rollout;
use crate::batch::Batch;
use crate::changes::Changes;
use crate::compose::file_path;
use crate::compose::project::Project as Model;
use crate::failure;
use crate::manifest::{Manifest, ProjectRecord};
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, by_service};
use crate::push::Source;
use crate::release::{Look, Release};
use crate::unit::commands::{self, Coming, between};

/// How long a project may take that was recorded without its own limit.
const USUAL: Duration = Duration::from_secs(600);

/// Where to go back to.
pub(crate) struct Way<'a> {
    /// Whose progress is told.
    pub(crate) address: &'a Address,
    /// The release.
    pub(crate) to: u64,
    /// Services, with their projects, whose database a newer image changes for good.
    pub(crate) migrates: &'a [(&'a str, &'a str)],
    /// Whether an image that is gone may be fetched again.
    pub(crate) pulls: bool,
}

/// A service that keeps the newer image, because that one has run and may have changed its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    project: String,
    service: String,
    from: String,
    to: String,
}

/// Names of images, by project: the id that a name is to mean.
type Tags = BTreeMap<String, BTreeSet<(String, String)>>;

/// One journey back.
struct Journey<'a> {
    way: &'a Way<'a>,
    release: Release,
    /// The manifest as it is when the journey begins.
    now: Manifest,
    /// What lies there and runs when it begins.
    seen: Answer,
    held: Vec<Held>,
}

/// Goes back to a release because of a failure; the failure then says what came of it.
pub(crate) async fn instead_of(
    batch: &mut Batch<'_>,
    way: &Way<'_>,
    error: RemoteError,
) -> RemoteError {
    let release = way.to;
    match Journey::go(batch, way).await {
        Ok(journey) => {
            let when = journey.release.snapshot.when();
            let text = format!(
                "returned to release {release} (from {when}){}; it is healthy",
                exception(&journey.held)
            );
            let error = add(RemoteError { fault: Fault::Returned, ..error }, &text);
            error.hint("the wanted change is in the next plan again: correct it, then ipai apply")
        }
        Err(failed) => {
            let text = format!("returning to release {release} failed as well: {failed}");
            let hint = failed.hint.unwrap_or_else(|| {
                format!("`ipai rollback {release}` tries it again; `ipai apply` goes forward from what stands")
            });
            add(error, &text).hint(hint)
        }
    }
}

/// Adds a line to why something failed.
pub(crate) fn add(error: RemoteError, line: &str) -> RemoteError {
    RemoteError { cause: format!("{}\n{line}", error.cause.trim_end()), ..error }
}

fn exception(held: &[Held]) -> String {
    let one = |held: &Held| {
        format!(
            ", except that {} stays on {}: it has run and may have changed its database, which {} would not understand",
            held.service, held.from, held.to
        )
    };
    held.iter().map(one).collect()
}

/// Goes back to a release and waits until all of it is healthy.
pub(crate) async fn go(batch: &mut Batch<'_>, way: &Way<'_>) -> Result<(), RemoteError> {
    Journey::go(batch, way).await.map(drop)
}

impl<'a> Journey<'a> {
    async fn go(batch: &mut Batch<'_>, way: &'a Way<'a>) -> Result<Self, RemoteError> {
        batch.tell(way.address, &format!("returning to release {}", way.to));
        let journey = Self::prepare(batch, way).await?;
        let tags = journey.images(batch).await?;
        journey.take_down(batch).await?;
        journey.put_back(batch).await?;
        journey.take_in_units(batch).await?;
        let arrived = journey.bring_up(batch, &tags).await;
        arrived.map_err(|error| journey.explain(error))?;
        journey.settle(batch).await?;
        Ok(journey)
    }

    /// Reads the release, ends what is still under way, and looks at what is there.
    async fn prepare(batch: &mut Batch<'_>, way: &'a Way<'a>) -> Result<Self, RemoteError> {
        let release = Release::fetch(batch, way.to).await?;
        let now = batch.manifest()?.clone();
        let then = &release.snapshot.manifest;
        let projects: BTreeSet<&str> =
            now.projects.keys().chain(then.projects.keys()).map(String::as_str).collect();
        let images = release.snapshot.images();
        let stack = batch.stack.clone();
        let look = Look {
            projects: !projects.is_empty(),
            stop: Some((&stack, projects.into_iter().collect())),
            paths: now.paths().into_iter().chain(release.sums.keys().cloned()).collect(),
            images: images
                .iter()
                .map(|image| image.id.as_str())
                .filter(|id| !id.is_empty())
                .collect(),
        };
        let command = look.command(batch.limit());
        let output = batch.run(&command).await?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(RemoteError::new(Fault::Refused, command.name, cause));
        }
        let seen = Answer::read(&output.stdout)?;
        let held = held(way, &release, seen.containers());
        let journey = Self { way, release, now, seen, held };
        journey.stranger().map_or(Ok(journey), Err)
    }

    /// A file that was ours in the release and is somebody else's by now is left alone, and so is everything.
    fn stranger(&self) -> Option<RemoteError> {
        let own = self.now.paths();
        let other = |(path, sha256): &(&String, &String)| {
            !own.contains(*path) && self.seen.sums.get(*path).is_some_and(|now| now != *sha256)
        };
        let (path, _) = self.release.sums.iter().find(other)?;
        let cause =
            format!("{path} is there, is not as it was in the release, and is no longer ipai's");
        Some(self.refused(cause).hint("move the file away; nothing was changed"))
    }

    fn then(&self) -> &Manifest {
        &self.release.snapshot.manifest
    }

    fn holds(&self, project: &str, service: &str) -> bool {
        self.held.iter().any(|held| held.project == project && held.service == service)
    }

    fn refused(&self, cause: String) -> RemoteError {
        RemoteError::new(Fault::Refused, format!("go back to release {}", self.way.to), cause)
    }

    /// Sees to it that all images are here; gives what their names are to mean.
    async fn images(&self, batch: &mut Batch<'_>) -> Result<Tags, RemoteError> {
        let missing: BTreeSet<&str> = self.seen.word("missing").lines().collect();
        let mut tags = Tags::new();
        for image in self.release.snapshot.images() {
            if image.id.is_empty() || self.holds(&image.project, &image.service) {
                continue;
            }
            if missing.contains(image.id.as_str()) {
                self.fetch(batch, &image.service, &image.name, &image.id).await?;
            }
            // A digest is no name that could mean something else.
            if !image.name.contains('@') && !image.name.starts_with("sha256:") {
                tags.entry(image.project).or_default().insert((image.id, image.name));
            }
        }
        Ok(tags)
    }

    /// Fetches an image that is gone, when that is allowed and gives the same one.
    async fn fetch(
        &self,
        batch: &mut Batch<'_>,
        service: &str,
        name: &str,
        id: &str,
    ) -> Result<(), RemoteError> {
        let gone = format!("the image {name} that {service} ran is no longer on the host");
        if !self.way.pulls {
            return Err(self.refused(gone));
        }
        batch.tell(self.way.address, &format!("pulling {name}"));
        let (stack, limit) = (batch.stack.clone(), batch.limit());
        let project = Project { stack: &stack, name: "", directory: "", limit };
        let output = batch.run(&project.pull_image(name)).await?;
        if output.exit != 0 {
            let words = failure::or_silence(&output.stderr, output.exit);
            let error = self.refused(format!("{gone}, and cannot be pulled: {words}"));
            return Err(error.hint("nothing was changed; ipai releases lists the others"));
        }
        let look = Look { images: vec![id], projects: true, ..Look::default() };
        let output = batch.run(&look.command(limit)).await?;
        if Answer::read(&output.stdout)?.word("missing").is_empty() {
            return Ok(());
        }
        let error = self.refused(format!("{gone}, and its name means another one by now"));
        Err(error.hint("nothing was changed; ipai releases lists the others"))
    }

    /// Takes down projects that came after the release. Their volumes stay.
    async fn take_down(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let (stack, limit) = (batch.stack.clone(), batch.limit());
        let later =
            self.now.projects.iter().filter(|(name, _)| !self.then().projects.contains_key(*name));
        for (name, record) in later {
            let project = Project { stack: &stack, name, directory: &record.directory, limit };
            let output = batch.run(&project.down()).await?;
            if output.exit != 0 {
                let cause = failure::or_silence(&output.stderr, output.exit);
                let attempted = format!("take the project {name} down");
                return Err(RemoteError::new(Fault::Refused, attempted, cause));
            }
        }
        Ok(())
    }

    /// What systemd is to be told of: units that come back or change, and those that came after the release.
    fn units(&self) -> (Vec<Coming>, Vec<String>) {
        let same = |path: &str| self.seen.sums.get(path) == self.release.sums.get(path);
        between(&self.now, self.then(), same)
    }

    /// Stops the units that came after the release, while their files are still there.
    async fn stop_units(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let (_, going) = self.units();
        let names: Vec<&str> = going.iter().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let failed = commands::give_up(batch, &names).await?;
        failed.into_values().next().map_or(Ok(()), Err)
    }

    /// Lets systemd take in the units as they were.
    async fn take_in_units(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let (coming, going) = self.units();
        if coming.is_empty() && going.is_empty() {
            return Ok(());
        }
        let failed = batch.take_in(&coming).await?;
        failed.into_values().next().map_or(Ok(()), Err)
    }

    /// Puts files and YAML back in one push, and takes away what came later.
    async fn put_back(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        self.stop_units(batch).await?;
        let coming = self.coming();
        let mut changes = Changes::new(&self.now);
        changes.claim_too(&coming);
        for (path, sha256) in &self.release.sums {
            let Some((mode, owner)) = dress(&coming, path) else { continue };
            let same = self.seen.sums.get(path) == Some(sha256)
                && dress(&self.now, path) == Some((mode, owner));
            let held = self.with_held_images(path)?;
            if let Some(text) = held {
                changes.put_back(path, text.into_bytes().into(), mode, owner);
            } else if !same {
                changes.put_back(path, Source::Kept(sha256.clone()), mode, owner);
            }
        }
        let wanted = coming.paths();
        self.now.paths().difference(&wanted).for_each(|path| changes.take_away(path));
        changes.record = coming;
        batch.push(changes).await
    }

    /// The manifest while the release is there and has not shown to be healthy.
    fn coming(&self) -> Manifest {
        let mut coming = Manifest {
            releases: self.now.releases.clone(),
            since: self.now.since.clone(),
            applied: applied(&self.now, self.then()),
            ..self.then().clone()
        };
        for (name, project) in &mut coming.projects {
            let loaded = self.now.projects.get(name).map(|now| &now.loaded);
            project.loaded.retain(|service, digest| {
                loaded.is_some_and(|loaded| loaded.get(service) == Some(digest))
            });
        }
        for unit in self.units().0 {
            if let Some(record) = coming.units.get_mut(&unit.name) {
                record.pending = true;
            }
        }
        let addresses: Vec<String> =
            coming.projects.values().map(|project| project.address.to_string()).collect();
        addresses.iter().for_each(|address| coming.touch(address));
        coming
    }

    /// A project's YAML in which services that are held keep their image; nothing where none is.
    fn with_held_images(&self, path: &str) -> Result<Option<String>, RemoteError> {
        let project =
            self.then().projects.iter().find(|(_, record)| file_path(&record.directory) == path);
        let Some((name, record)) = project else { return Ok(None) };
        let held: Vec<&Held> = self.held.iter().filter(|held| held.project == *name).collect();
        if held.is_empty() {
            return Ok(None);
        }
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = self.release.yaml_of(&record.directory)?.trim_end().to_owned();
        text.push_str("\n---\n# added by ipai: images that have run and may have changed their database\nservices:\n");
        for held in held {
            text.push_str(&format!(
                "  {}:\n    image: {}\n",
                quote(&held.service),
                quote(&held.from)
            ));
        }
        Ok(Some(text))
    }

    /// Brings every project up and waits for it.
    async fn bring_up(&self, batch: &mut Batch<'_>, tags: &Tags) -> Result<(), RemoteError> {
        let (stack, limit) = (batch.stack.clone(), batch.limit());
        let none = BTreeSet::new();
        for (name, record) in &self.then().projects {
            let project = Project { stack: &stack, name, directory: &record.directory, limit };
            let rollout = self.rollout(project, record)?;
            let tags = tags.get(name).unwrap_or(&none);
            let tags: Vec<_> = tags.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
            rollout.begin(batch, &rollout.project.start_again(&tags)).await?;
            let after = rollout.until_up(batch).await?;
            for (service, words) in &record.reloads {
                let loaded = self.now.projects.get(name).and_then(|now| now.loaded.get(service));
                let same = loaded == record.loaded.get(service);
                if !same && rollout.ran_on(service, self.seen.containers(), &after) {
                    rollout.reload(batch, service, words).await?;
                }
            }
            rollout.until_healthy(batch).await?;
        }
        Ok(())
    }

    fn rollout<'r>(
        &'r self,
        project: Project<'r>,
        record: &ProjectRecord,
    ) -> Result<Rollout<'r>, RemoteError> {
        let yaml = self.release.yaml_of(&record.directory)?;
        let model = Model::read(yaml, &record.directory).map_err(|error| {
            RemoteError::new(Fault::BadAnswer, "read the release's Compose file", error.message)
        })?;
        let expected = model.expected().into_iter().map(|(name, word)| (name, word.to_owned()));
        let timeout = Duration::from_secs(record.timeout);
        let timeout = if timeout.is_zero() { USUAL } else { timeout };
        let (address, expected, images) = (self.way.address, expected.collect(), BTreeSet::new());
        Ok(Rollout { address, project, expected, images, timeout })
    }

    /// Writes down that the release is there and healthy. Where something is held, it is not wholly there.
    async fn settle(&self, batch: &mut Batch<'_>) -> Result<(), RemoteError> {
        let mut changes = Changes::new(batch.manifest()?);
        let record = &mut changes.record;
        record.projects = self.then().projects.clone();
        record.projects.values_mut().for_each(|project| project.ready = true);
        if self.held.is_empty() {
            record.since.clear();
            record.releases.current = Some(self.way.to);
        }
        batch.push(changes).await?;
        batch.link.returned = true;
        Ok(())
    }

    /// Says in a failure what is held.
    fn explain(&self, error: RemoteError) -> RemoteError {
        let Some(held) = self.held.first() else { return error };
        error.hint(format!(
            "service {} stays on {}, because it has run and may have changed its database: correct what ails it and apply, or restore the backup that was taken before it and then `ipai rollback {}`",
            held.service, held.from, self.way.to
        ))
    }
}

/// Services whose newer image has run, so that the release's may not understand what is in their database.
fn held(way: &Way<'_>, release: &Release, containers: &[Container]) -> Vec<Held> {
    let images = release.snapshot.images();
    let mut all = Vec::new();
    for (project, service) in way.migrates {
        let then = images.iter().find(|i| i.project == *project && i.service == *service);
        let found = by_service(containers, project);
        let own = found.get(service).map(Vec::as_slice).unwrap_or_default();
        let Some(then) = then else { continue };
        let newer = own.iter().find(|container| {
            container.has_run()
                && container.image != then.id
                && rises(&then.name, &container.image_name)
        });
        all.extend(newer.map(|container| Held {
            project: (*project).to_owned(),
            service: (*service).to_owned(),
            from: container.image_name.clone(),
            to: then.name.clone(),
        }));
    }
    all
}

/// Mode and owner of a path that a manifest has.
fn dress<'m>(manifest: &'m Manifest, path: &str) -> Option<(&'m str, &'m str)> {
    if let Some(record) = manifest.files.get(path) {
        return Some((&record.mode, &record.owner));
    }
    let mut projects = manifest.projects.values();
    let project = projects.find(|project| file_path(&project.directory) == path)?;
    Some((if project.sensitive { "0600" } else { "0644" }, "root:root"))
}

/// What was applied: of what lives here as it was then, of everything else as it is.
fn applied(now: &Manifest, then: &Manifest) -> BTreeMap<String, String> {
    let own = |manifest: &Manifest| -> BTreeSet<String> {
        let files = manifest.files.values().map(|file| file.address.to_string());
        let projects = manifest.projects.values().map(|project| project.address.to_string());
        files.chain(projects).collect()
    };
    let own: BTreeSet<String> = own(now).into_iter().chain(own(then)).collect();
    let others = now.applied.iter().filter(|(address, _)| !own.contains(*address));
    let ours = then.applied.iter().filter(|(address, _)| own.contains(*address));
    others.chain(ours).map(|(address, version)| (address.clone(), version.clone())).collect()
}
