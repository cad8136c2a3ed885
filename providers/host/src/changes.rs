//! From jobs to a push: which files land, which go, and what the manifest says before and after.

use std::hash::{BuildHasher as _, RandomState};

use ipai_core::{Attributes, Content, DesiredResource, Fault, Job, RemoteError, Value, Verb, hash};

use crate::file::text;
use crate::manifest::{FileRecord, Manifest, ProjectRecord, UnitRecord};
use crate::push::{Keeping, Landing, Push, Source, Validation};
use crate::release::Snapshot;
use crate::unit;

/// What is to change on one host.
#[derive(Debug)]
pub(crate) struct Changes {
    expected: Option<String>,
    /// The manifest while files move: everything that was and will be ours, and nothing called applied yet.
    claim: Manifest,
    /// The manifest afterwards.
    pub(crate) record: Manifest,
    files: Vec<Landing>,
    removals: Vec<String>,
    keeping: Option<Keeping>,
}

impl Changes {
    /// Starts from the manifest as it is.
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            expected: manifest.digest.clone(),
            claim: manifest.clone(),
            record: manifest.clone(),
            files: Vec::new(),
            removals: Vec::new(),
            keeping: None,
        }
    }

    /// Notes that a resource changes.
    fn touch(&mut self, address: &str) {
        self.claim.touch(address);
        self.record.touch(address);
    }

    /// Adds a job on a file, or on a unit, which is a file as well.
    pub(crate) fn file(&mut self, job: &Job) -> Result<(), RemoteError> {
        let old = job.live.as_ref().and_then(|live| path_in(&live.attributes));
        let old = old.as_deref();
        if job.address.kind == "unit" {
            self.unit(job);
        }
        if job.verb != Verb::NoOp {
            self.touch(&job.address.to_string());
        }
        match job.verb {
            Verb::NoOp => {}
            Verb::Create | Verb::Update | Verb::Replace => {
                let landing = landing(wanted(job)?)?;
                if let Some(old) = old.filter(|old| *old != landing.0.path) {
                    self.remove_file(old);
                }
                self.land(landing.0, landing.1, job);
            }
            Verb::Adopt => {
                let (landing, record) = landing(wanted(job)?)?;
                let record = FileRecord { content: String::new(), ..record };
                self.record.files.insert(landing.path, record);
            }
            Verb::Delete => {
                self.remove_file(old.unwrap_or_default());
                self.record.applied.remove(&job.address.to_string());
            }
            Verb::Forget => {
                self.record.files.remove(old.unwrap_or_default());
                self.record.applied.remove(&job.address.to_string());
            }
        }
        Ok(())
    }

    /// Notes what is to become of a unit; systemd has yet to hear of it.
    fn unit(&mut self, job: &Job) {
        let name = |attributes: &Attributes| text(attributes, "name").map(str::to_owned);
        if matches!(job.verb, Verb::Delete | Verb::Forget | Verb::Replace) {
            let gone = job.live.as_ref().and_then(|live| name(&live.attributes));
            self.record.units.remove(&gone.unwrap_or_default());
        }
        let comes = matches!(job.verb, Verb::Create | Verb::Update | Verb::Replace);
        let Some(wanted) = job.desired.as_ref().filter(|_| comes) else { return };
        if let Some(name) = name(&wanted.attributes) {
            let [enabled, restart] =
                ["enabled", "restart"].map(|flag| unit::flag(&wanted.attributes, flag));
            let record = UnitRecord { enabled, restart, pending: true };
            self.claim.units.insert(name.clone(), record.clone());
            self.record.units.insert(name, record);
        }
    }

    /// Notes that systemd has taken a unit in.
    pub(crate) fn taken_in(&mut self, name: &str) {
        if let Some(record) = self.record.units.get_mut(name) {
            record.pending = false;
        }
    }

    /// Adds a project's YAML.
    pub(crate) fn project_file(
        &mut self,
        project: &str,
        record: ProjectRecord,
        yaml: &Content,
    ) -> Result<(), RemoteError> {
        let content = expose(yaml)?;
        let mode = if yaml.is_sensitive() { "0600" } else { "0644" };
        self.files.push(Landing {
            path: crate::compose::file_path(&record.directory),
            content: content.into(),
            mode: mode.to_owned(),
            owner: "root:root".to_owned(),
            validation: None,
        });
        let address = record.address.to_string();
        self.claim.projects.insert(project.to_owned(), record.clone());
        self.record.projects.insert(project.to_owned(), record);
        self.touch(&address);
        Ok(())
    }

    /// Takes a project and its YAML away.
    pub(crate) fn remove_project(&mut self, project: &str, directory: &str, address: &str) {
        self.removals.push(crate::compose::file_path(directory));
        self.touch(address);
        self.forget_project(project, address);
    }

    /// Takes a project out of the manifest alone.
    pub(crate) fn forget_project(&mut self, project: &str, address: &str) {
        self.record.projects.remove(project);
        self.record.applied.remove(address);
    }

    /// Writes down which version of a resource is applied.
    pub(crate) fn applied(&mut self, job: &Job) {
        let address = job.address.to_string();
        match &job.version {
            Some(version) => self.record.applied.insert(address, version.clone()),
            None => self.record.applied.remove(&address),
        };
    }

    fn land(&mut self, landing: Landing, record: FileRecord, job: &Job) {
        self.claim.files.insert(landing.path.clone(), record.clone());
        self.record.files.insert(landing.path.clone(), record);
        self.files.push(landing);
        self.applied(job);
    }

    fn remove_file(&mut self, path: &str) {
        self.record.files.remove(path);
        if !path.is_empty() {
            self.removals.push(path.to_owned());
        }
    }

    /// Records what lies there and runs as a release, when all of it is known to be healthy and something changed since
    /// the last one. `now` is in seconds since 1970.
    pub(crate) fn release(&mut self, now: i64) {
        let projects = || self.record.projects.values();
        let keep = projects().map(|project| project.keep).max().unwrap_or(0);
        let healthy = projects().all(|project| project.ready);
        let index = &mut self.record.releases;
        if keep == 0 {
            if !index.kept.is_empty() {
                (index.current, index.kept) = Default::default();
                self.keeping = Some(Keeping::default());
            }
            return;
        }
        if !healthy || (self.record.since.is_empty() && index.current.is_some()) {
            return;
        }
        index.last += 1;
        let id = index.last;
        index.current = Some(id);
        index.kept.insert(id);
        while u64::try_from(index.kept.len()).unwrap_or(u64::MAX) > keep {
            index.kept.pop_first();
        }
        let kept = index.kept.iter().copied().collect();
        let why = std::mem::take(&mut self.record.since);
        let text = Snapshot::of(&self.record, id, now, why).to_text();
        let paths = self.record.paths().into_iter().collect();
        self.keeping = Some(Keeping { new: Some((id, text)), paths, kept });
    }

    /// Puts a file back as it was kept.
    pub(crate) fn put_back(&mut self, path: &str, content: Source, mode: &str, owner: &str) {
        let (path, mode, owner) = (path.to_owned(), mode.to_owned(), owner.to_owned());
        self.files.push(Landing { path, content, mode, owner, validation: None });
    }

    /// Takes a path away that is no longer to be there; the manifest has to be without it already.
    pub(crate) fn take_away(&mut self, path: &str) {
        self.removals.push(path.to_owned());
    }

    /// Claims what is about to come back, beside what is there.
    pub(crate) fn claim_too(&mut self, coming: &Manifest) {
        self.claim.files.extend(coming.files.clone());
        self.claim.units.extend(coming.units.clone());
        for (name, project) in &coming.projects {
            self.claim.projects.entry(name.clone()).or_insert_with(|| project.clone());
        }
    }

    /// Tells whether there is nothing to do, not even to the manifest.
    pub(crate) fn is_empty(&self) -> bool {
        let same = self.expected.is_some() && self.claim == self.record;
        same && self.files.is_empty() && self.removals.is_empty() && self.keeping.is_none()
    }

    /// The push, and the manifest as it will be after it.
    pub(crate) fn push(mut self, stack: &str) -> (Push, Manifest) {
        // A path that one resource gives up and another takes is written, not removed.
        self.removals.retain(|path| self.files.iter().all(|file| file.path != *path));
        let run = format!("{:012x}", RandomState::new().hash_one(0) >> 16);
        self.claim.push = format!("{run}, under way");
        self.record.push.clone_from(&run);
        let record = self.record.to_text();
        let manifest =
            Manifest { digest: Some(hash::sha256_hex(record.as_bytes())), ..self.record };
        let push = Push {
            stack: stack.to_owned(),
            run,
            files: self.files,
            removals: self.removals,
            expected: self.expected,
            claim: self.claim.to_text(),
            record,
            swept: self.claim.folders(),
            keeping: self.keeping,
        };
        (push, manifest)
    }
}

/// The wanted resource of a job that needs one.
pub(crate) fn wanted(job: &Job) -> Result<&DesiredResource, RemoteError> {
    job.desired
        .as_ref()
        .ok_or_else(|| incomplete(&job.address.to_string(), "its wanted attributes"))
}

/// A job that lacks what carrying it out needs.
pub(crate) fn incomplete(address: &str, what: &str) -> RemoteError {
    RemoteError::new(Fault::BadAnswer, format!("apply {address}"), format!("{what} are not known"))
}

/// The path of a file or of a unit's file.
fn path_in(attributes: &Attributes) -> Option<String> {
    let of_unit = || text(attributes, "name").map(unit::path);
    text(attributes, "path").map(str::to_owned).or_else(of_unit)
}

fn landing(wanted: &DesiredResource) -> Result<(Landing, FileRecord), RemoteError> {
    let address = wanted.address.to_string();
    let content = wanted.attributes.get("content").and_then(Value::as_content);
    let content = content.ok_or_else(|| incomplete(&address, "its contents"))?;
    let default = if content.is_sensitive() { "0600" } else { "0644" };
    let landing = Landing {
        path: path_in(&wanted.attributes).ok_or_else(|| incomplete(&address, "path and name"))?,
        content: expose(content)?.into(),
        mode: wanted.text("mode").unwrap_or(default).to_owned(),
        owner: wanted.text("owner").unwrap_or("root:root").to_owned(),
        validation: Validation::of(
            wanted.texts("validate"),
            wanted.text("validate_image"),
            content.is_sensitive(),
        ),
    };
    let record = FileRecord {
        address: wanted.address.clone(),
        content: match &content.keyed {
            Some(keyed) => format!("keyed:{keyed}"),
            None => content.sha256.clone(),
        },
        mode: landing.mode.clone(),
        owner: landing.owner.clone(),
    };
    Ok((landing, record))
}

fn expose(content: &Content) -> Result<Vec<u8>, RemoteError> {
    let text = content.text.as_ref().ok_or_else(|| incomplete("a file", "its contents"))?;
    Ok(text.expose().as_bytes().to_vec())
}
