//! From a host's answer to live state.
//!
//! What is ours: a path or project that the manifest lists, or a container with our label. Beyond that a file at a
//! wanted path counts as ours when it already is as wanted (nothing can be lost), or when a host that ipai made has no
//! manifest yet: then nobody but its first boot can have written it, which ipai composed. Everything else is foreign: it is shown,
//! and stands in the way until it is adopted.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::live::UNFINISHED;
use ipai_core::{
    Address, Attributes, Content, DesiredResource, DigestKey, Fault, Foreign, HomeState,
    LiveResource, LiveState, Outputs, Refusal, RemoteError, ResourceType as _, Secret, Value,
};

use super::answer::{Answer, Docker, Stat};
use super::containers::Container;
use super::{content_of, path_of, remarks, script, services};
use crate::compose::{self, SERVICES, file_path};
use crate::deploy::postgres::OtherMajor;
use crate::file::mode::{Mode, owner_like};
use crate::file::{self, FileType};
use crate::manifest::{FileRecord, Manifest};

/// Everything that a report is made from.
pub(crate) struct Report<'a> {
    pub(crate) stack: &'a str,
    pub(crate) home: &'a Address,
    pub(crate) desired: &'a [DesiredResource],
    pub(crate) manifest: &'a Manifest,
    pub(crate) answer: &'a Answer,
    pub(crate) key: &'a DigestKey,
}

impl Report<'_> {
    /// Works out the live state of one host.
    pub(crate) fn live(&self) -> Result<LiveState, RemoteError> {
        let mut live = LiveState::default();
        live.homes.insert(self.home.clone(), HomeState::Ready);
        live.remembered = self.manifest.remembered();
        self.wanted_files(&mut live);
        live.refusals.extend(self.without_systemd());
        self.other_files(&mut live);
        let containers = self.containers(&mut live)?;
        self.wanted_projects(containers, &mut live);
        self.other_projects(containers, &mut live);
        self.foreign_containers(containers, &mut live);
        live.notes.extend(remarks::gone_back(self, &live));
        live.notes.extend(remarks::taken_down(&live));
        Ok(live)
    }

    fn wanted_files(&self, live: &mut LiveState) {
        for resource in self.files_and_units() {
            let Some(path) = path_of(resource) else { continue };
            let Some(stat) = self.answer.stats.get(&path) else { continue };
            let record = self.manifest.files.get(&path);
            let is_unit = resource.address.kind == "unit";
            let attributes = match is_unit {
                true => self.unit(&path, stat, Some(resource), record),
                false => self.file(&path, stat, Some(resource), record),
            };
            let same = |name: &&str| attributes.get(*name) == resource.attributes.get(*name);
            let as_wanted = match is_unit {
                true => self.unit_is_as_wanted(&attributes, resource, stat),
                false => ["content", "mode", "owner"].iter().all(same),
            };
            // Nobody but its first boot has written on a host that ipai made and that has no manifest yet.
            let untouched = self.manifest.is_new() && self.home.provider != "host";
            if record.is_none() && !as_wanted && !untouched {
                live.foreign.push(match is_unit {
                    true => self.foreign_unit(&path, stat),
                    false => self.foreign_file(&path, stat),
                });
                continue;
            }
            if !stat.is_file() {
                let (home, kind) = (self.home, stat.kind());
                live.notes.push(format!("{home}: {path} is {kind}, where the stack wants a file"));
            }
            let mut found = self.resource(&resource.address, &path, attributes, None);
            if is_unit && self.is_pending(&path) {
                found.applied = Some(UNFINISHED.to_owned());
            }
            live.resources.push(found);
        }
    }

    /// Files, and units, which are files as well.
    fn files_and_units(&self) -> impl Iterator<Item = &DesiredResource> {
        self.of_kind("file").chain(self.of_kind("unit"))
    }

    /// Files of ours that the stack no longer has, or has at another path.
    fn other_files(&self, live: &mut LiveState) {
        let wanted: BTreeSet<String> = self.files_and_units().filter_map(path_of).collect();
        for (path, record) in self.manifest.files.iter().filter(|(path, _)| !wanted.contains(*path))
        {
            if let Some(stat) = self.answer.stats.get(path) {
                let attributes = match record.address.kind == "unit" {
                    true => self.unit(path, stat, None, Some(record)),
                    false => self.file(path, stat, None, Some(record)),
                };
                // Sorts behind one at the wanted path: of two with one address that one is the true one.
                let superseded = Some("superseded".to_owned());
                live.resources.push(self.resource(&record.address, path, attributes, superseded));
            }
        }
    }

    pub(super) fn file(
        &self,
        path: &str,
        stat: &Stat,
        wanted: Option<&DesiredResource>,
        record: Option<&FileRecord>,
    ) -> Attributes {
        let mut attributes = Attributes::from([
            ("host".to_owned(), Value::text(self.home.to_string())),
            ("path".to_owned(), Value::text(path)),
        ]);
        if stat.is_file() {
            let like = wanted.and_then(|w| w.text("owner")).or(record.map(|r| r.owner.as_str()));
            let owner = owner_like(like, &stat.numbers, &stat.names);
            attributes.insert("owner".into(), Value::text(owner));
            let mode = Mode(stat.mode & 0o7777).to_string();
            attributes.insert("mode".into(), Value::text(mode));
            let secret = match wanted {
                Some(wanted) => content_of(wanted).is_none_or(Content::is_sensitive),
                None => false,
            };
            let secret = secret || record.is_some_and(FileRecord::is_sensitive);
            attributes.extend(self.content(path, secret).map(|c| ("content".to_owned(), c)));
        }
        attributes
    }

    /// A live content. The digest of one that may hold a secret is keyed like the wanted one's.
    fn content(&self, path: &str, secret: bool) -> Option<Value> {
        let sha256 = self.answer.sums.get(path)?.clone();
        let size = self.answer.stats.get(path).map_or(0, |stat| stat.size);
        let text = self.answer.texts.get(path).filter(|_| !secret);
        let text = text.filter(|text| text.len() <= script::MAX_TEXT);
        let text = text.and_then(|text| String::from_utf8(text.clone()).ok());
        let text = text.map(|text| std::sync::Arc::new(Secret::new(text)));
        let keyed = secret.then(|| self.key.digest(sha256.as_bytes()));
        Some(Value::Content(Content { sha256, size, text, keyed }))
    }

    fn foreign_file(&self, path: &str, stat: &Stat) -> Foreign {
        Foreign {
            provider: "host".into(),
            kind: "file".into(),
            id: path.to_owned(),
            title: format!("{} {path} on {}", stat.kind(), self.home),
            identity: Some(file::identity(&self.home.to_string(), path)),
        }
    }

    fn containers(&self, live: &mut LiveState) -> Result<&[Container], RemoteError> {
        let needed = self.of_kind("compose").next().is_some() || !self.manifest.projects.is_empty();
        match &self.answer.docker {
            Docker::Containers(containers) => Ok(containers),
            Docker::Absent => Ok(&[]),
            Docker::Down(words) if needed => {
                let words = crate::failure::readable(words);
                let error = RemoteError::new(Fault::Refused, "list the containers", words);
                Err(error.hint("look at `systemctl status docker` on the host"))
            }
            Docker::Down(_) => {
                live.notes.push(format!("{}: Docker is installed and does not answer", self.home));
                Ok(&[])
            }
        }
    }

    fn wanted_projects(&self, containers: &[Container], live: &mut LiveState) {
        for (place, resource) in self.of_kind("compose").enumerate() {
            let (Some(project), Some(directory)) =
                (resource.text("project"), resource.text("directory"))
            else {
                continue;
            };
            let record = self.manifest.projects.get(project);
            let own: Vec<&Container> =
                containers.iter().filter(|c| c.project() == Some(project)).collect();
            // One label is easily forged, so all containers must carry it.
            let labelled = !own.is_empty() && own.iter().all(|c| c.is_of(self.stack));
            let stranger = record.is_none() && !labelled;
            if stranger && !own.is_empty() {
                live.foreign.push(self.foreign_project(project, own.len()));
                continue;
            }
            let directory = record.map_or(directory, |record| &record.directory);
            let lies = self.answer.stats.contains_key(&file_path(directory));
            if stranger && lies && !self.may_take(resource, directory) {
                live.foreign.push(self.foreign_yaml(project, directory));
                continue;
            }
            if own.is_empty() && !lies {
                continue;
            }
            self.refuse_other_postgres(resource, project, containers, live);
            let mut attributes = self.project(project, directory, Some(resource));
            let hashes = self.hashes_of(place, resource, live);
            let words = services::live(self, resource, containers, hashes);
            attributes.insert(SERVICES.into(), Value::Map(words));
            live.resources.push(self.resource(&resource.address, project, attributes, None));
        }
    }

    /// Notes it when PostgreSQL would be let loose on data of another major version.
    fn refuse_other_postgres(
        &self,
        resource: &DesiredResource,
        project: &str,
        containers: &[Container],
        live: &mut LiveState,
    ) {
        let model = services::read(resource);
        let Some(other) = OtherMajor::of(&model, project, containers) else { return };
        let title = format!("the data of PostgreSQL {} on {}", other.from, self.home);
        let harmed = Foreign {
            provider: "host".into(),
            kind: "compose".into(),
            id: other.service.clone(),
            title,
            identity: None,
        };
        let (address, hint) = (resource.address.clone(), other.recipe(project));
        live.refusals.push(Refusal { address, harmed, why: other.why(), hint });
    }

    /// The hashes that Compose gave for the wanted YAML. The question lists projects in the order of the resources,
    /// without those whose YAML is not known yet.
    fn hashes_of(
        &self,
        place: usize,
        resource: &DesiredResource,
        live: &mut LiveState,
    ) -> Option<&BTreeMap<String, String>> {
        content_of(resource)?;
        let before =
            self.of_kind("compose").take(place).filter(|r| content_of(r).is_some()).count();
        match self.answer.hashes.get(&before)? {
            Ok(hashes) => Some(hashes),
            Err(words) => {
                let words = crate::failure::readable(words);
                let last = words.lines().last().unwrap_or_default();
                if self.is_a_verdict(last) {
                    live.refusals.push(self.refused_by_compose(resource, last));
                } else {
                    live.notes.push(format!(
                        "{}: Compose cannot tell yet which containers change: {last}",
                        resource.address
                    ));
                }
                None
            }
        }
    }

    /// Tells whether Compose spoke of the file itself: what it reads besides is as it will be, and it is there at all.
    fn is_a_verdict(&self, words: &str) -> bool {
        let in_place = |file: &'_ DesiredResource| -> Option<bool> {
            Some(self.answer.sums.get(file.text("path")?) == Some(&content_of(file)?.sha256))
        };
        let absent = ["docker command", "unknown shorthand flag", "unknown command"];
        self.of_kind("file").all(|file| in_place(file) == Some(true))
            && !absent.iter().any(|sign| words.contains(sign))
    }

    fn refused_by_compose(&self, resource: &DesiredResource, words: &str) -> Refusal {
        let project = resource.text("project").unwrap_or_default();
        let count =
            self.answer.containers().iter().filter(|c| c.project() == Some(project)).count();
        Refusal {
            address: resource.address.clone(),
            harmed: self.foreign_project(project, count),
            why: format!("Compose refuses its file: {words}"),
            hint: "correct the file; what runs was not touched".into(),
        }
    }

    /// Projects of ours that the stack no longer has.
    fn other_projects(&self, containers: &[Container], live: &mut LiveState) {
        let wanted: BTreeSet<&str> =
            self.of_kind("compose").filter_map(|r| r.text("project")).collect();
        let others =
            self.manifest.projects.iter().filter(|(name, _)| !wanted.contains(name.as_str()));
        for (project, record) in others {
            let runs = containers.iter().any(|c| c.project() == Some(project));
            if runs || self.answer.stats.contains_key(&file_path(&record.directory)) {
                let attributes = self.project(project, &record.directory, None);
                let superseded = Some("superseded".to_owned());
                live.resources.push(self.resource(
                    &record.address,
                    project,
                    attributes,
                    superseded,
                ));
            }
        }
    }

    fn project(
        &self,
        project: &str,
        directory: &str,
        wanted: Option<&DesiredResource>,
    ) -> Attributes {
        let record = self.manifest.projects.get(project);
        let secret = match wanted {
            Some(wanted) => content_of(wanted).is_none_or(Content::is_sensitive),
            None => false,
        };
        let secret = secret || record.is_some_and(|record| record.sensitive);
        let mut attributes = Attributes::from([
            ("host".to_owned(), Value::text(self.home.to_string())),
            ("project".to_owned(), Value::text(project)),
            ("directory".to_owned(), Value::text(directory)),
        ]);
        let content = self.content(&file_path(directory), secret);
        attributes.extend(content.map(|content| ("content".to_owned(), content)));
        attributes
    }

    /// Tells whether YAML that no record speaks of may be taken for ours: it is as wanted, or the host is untouched.
    fn may_take(&self, resource: &DesiredResource, directory: &str) -> bool {
        let sum = self.answer.sums.get(&file_path(directory));
        let as_wanted = content_of(resource).is_some_and(|content| sum == Some(&content.sha256));
        as_wanted || (self.manifest.is_new() && self.home.provider != "host")
    }

    fn foreign_yaml(&self, project: &str, directory: &str) -> Foreign {
        let title = format!("a Compose file {} on {}", file_path(directory), self.home);
        Foreign { title, ..self.foreign_project(project, 0) }
    }

    fn foreign_project(&self, project: &str, count: usize) -> Foreign {
        let plural = if count == 1 { "container" } else { "containers" };
        Foreign {
            provider: "host".into(),
            kind: "compose".into(),
            id: project.to_owned(),
            title: format!("Compose project {project} ({count} {plural}) on {}", self.home),
            identity: Some(compose::identity(&self.home.to_string(), project)),
        }
    }

    fn foreign_containers(&self, containers: &[Container], live: &mut LiveState) {
        let wanted = self.of_kind("compose").filter_map(|r| r.text("project"));
        let ours: BTreeSet<&str> =
            wanted.chain(self.manifest.projects.keys().map(String::as_str)).collect();
        let mut projects: BTreeMap<&str, usize> = BTreeMap::new();
        for container in containers {
            match container.project() {
                Some(project) if ours.contains(project) => {}
                Some(project) => *projects.entry(project).or_default() += 1,
                None => live.foreign.push(self.foreign_container(container)),
            }
        }
        let found =
            projects.into_iter().map(|(project, count)| self.foreign_project(project, count));
        live.foreign.extend(found);
    }

    fn foreign_container(&self, container: &Container) -> Foreign {
        Foreign {
            provider: "host".into(),
            kind: "compose".into(),
            id: container.id.clone(),
            title: format!("container {} on {}", container.name, self.home),
            identity: None,
        }
    }

    fn resource(
        &self,
        address: &Address,
        id: &str,
        attributes: Attributes,
        created: Option<String>,
    ) -> LiveResource {
        LiveResource {
            outputs: outputs(address, &attributes),
            address: address.clone(),
            id: id.to_owned(),
            attributes,
            applied: self.manifest.applied.get(&address.to_string()).cloned(),
            created,
            home: Some(self.home.clone()),
        }
    }

    /// The desired resources of one type.
    pub(crate) fn of_kind<'s>(
        &'s self,
        kind: &'s str,
    ) -> impl Iterator<Item = &'s DesiredResource> {
        self.desired.iter().filter(move |resource| resource.address.kind == kind)
    }

    /// Desired files that were left by somebody else's hand since they were applied, with the time of the change.
    pub(crate) fn drifted_files(&self) -> Vec<(&str, i64)> {
        let drifted = |resource: &'_ DesiredResource| -> Option<i64> {
            let path = resource.text("path")?;
            let stat = self.answer.stats.get(path).filter(|stat| stat.is_file())?;
            let applied = self.manifest.applied.get(&resource.address.to_string())?;
            // What is used at birth only follows after a plus sign.
            let applied = applied.split('+').next().unwrap_or_default();
            let same = resource.version(FileType.schema()).as_deref() == Some(applied);
            let differs = self.answer.sums.get(path) != Some(&content_of(resource)?.sha256);
            (same && differs).then_some(stat.changed)
        };
        self.of_kind("file").filter_map(|r| Some((r.text("path")?, drifted(r)?))).collect()
    }
}

/// What others may refer to: attributes under their own names.
pub(crate) fn outputs(address: &Address, attributes: &Attributes) -> Outputs {
    let names: &[&str] = match address.kind.as_str() {
        "file" => &["path"],
        "unit" => &["name"],
        _ => &["project", "directory"],
    };
    let known = |name: &&str| Some(((*name).to_owned(), attributes.get(*name)?.clone()));
    names.iter().filter_map(known).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
