//! What a host keeps of the states that it served when all was well.

mod commands;
mod list;

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::calendar::minute_for_people;
use ipai_core::release::ReleaseImage;
use ipai_core::{Fault, RemoteError};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::compose::file_path;
use crate::failure;
use crate::manifest::{Index, Manifest};
use crate::observe::answer::{Answer, read_sum};
use crate::observe::containers::{Container, by_service};
pub(crate) use commands::{DAMAGED, Look, MISSING};
pub use list::HostReleases;

/// The description of a release, as it lies on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Its number.
    pub(crate) id: u64,
    /// When it was recorded, in seconds since 1970.
    pub(crate) time: i64,
    /// What was changed for it, by address.
    pub(crate) why: BTreeSet<String>,
    /// The manifest as it was then, without the releases.
    pub(crate) manifest: Manifest,
}

/// A release with the digests of its files.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) snapshot: Snapshot,
    /// SHA-256 of each file's content, by path.
    pub(crate) sums: BTreeMap<String, String>,
    /// The YAML of its projects, by path.
    pub(crate) yaml: BTreeMap<String, String>,
}

impl Snapshot {
    /// The state that this manifest describes.
    pub(crate) fn of(manifest: &Manifest, id: u64, time: i64, why: BTreeSet<String>) -> Self {
        let (since, releases) = (BTreeSet::new(), Index::default());
        let manifest = Manifest { since, releases, push: String::new(), ..manifest.clone() };
        Self { id, time, why, manifest }
    }

    /// The text to write.
    pub(crate) fn to_text(&self) -> String {
        // A map with text keys always serialises.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Reads a description. It has to be as believable as a manifest.
    fn read(stack: &str, id: u64, text: &str) -> Result<Self, RemoteError> {
        let bad =
            |cause: String| RemoteError::new(Fault::BadAnswer, format!("read release {id}"), cause);
        let snapshot: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        snapshot.manifest.check(stack).map_err(bad)?;
        Ok(snapshot)
    }

    /// When it was recorded, for people: `2026-11-24 12:00 UTC`.
    pub(crate) fn when(&self) -> String {
        minute_for_people(self.time)
    }

    /// What its containers ran.
    pub(crate) fn images(&self) -> Vec<ReleaseImage> {
        let projects = self.manifest.projects.iter();
        let images = projects.flat_map(|(project, record)| {
            record.images.iter().map(move |(service, image)| ReleaseImage {
                project: project.clone(),
                service: service.clone(),
                name: image.name.clone(),
                id: image.id.clone(),
            })
        });
        images.collect()
    }
}

impl Release {
    /// Reads one from the host, after its files were checked there; reads the manifest as well.
    pub(crate) async fn fetch(batch: &mut Batch<'_>, id: u64) -> Result<Self, RemoteError> {
        let stack = batch.stack.clone();
        let command = commands::read(&stack, id, batch.limit());
        let output = batch.run(&command).await?;
        let refused =
            |cause: String| RemoteError::new(Fault::Refused, format!("read release {id}"), cause);
        match output.exit {
            0 => {}
            MISSING => return Err(refused("the host does not keep it".to_owned())),
            DAMAGED => {
                let words = failure::readable(&output.stderr);
                return Err(refused(format!("what the host kept of it was changed: {words}")));
            }
            exit => return Err(refused(failure::or_silence(&output.stderr, exit))),
        }
        let answer = Answer::read(&output.stdout)?;
        batch.link.manifest = Some(Manifest::read(&stack, answer.manifest.as_deref())?);
        Self::of(&stack, id, &answer)
    }

    /// Takes one out of an answer.
    fn of(stack: &str, id: u64, answer: &Answer) -> Result<Self, RemoteError> {
        let snapshot = Snapshot::read(stack, id, answer.word(&format!("release.{id}")))?;
        let sums = answer.word(&format!("kept.{id}")).lines().map(read_sum);
        let sums: Option<BTreeMap<String, String>> = sums.collect();
        let sums = sums.ok_or_else(|| {
            let cause = "its list of files makes no sense";
            RemoteError::new(Fault::BadAnswer, format!("read release {id}"), cause)
        })?;
        let text = |(path, text): (&String, &Vec<u8>)| {
            (path.clone(), String::from_utf8_lossy(text).into_owned())
        };
        Ok(Self { snapshot, sums, yaml: answer.texts.iter().map(text).collect() })
    }

    /// The YAML of one of its projects.
    pub(crate) fn yaml_of(&self, directory: &str) -> Result<&str, RemoteError> {
        let path = file_path(directory);
        self.yaml.get(&path).map(String::as_str).ok_or_else(|| {
            let attempted = format!("read release {}", self.snapshot.id);
            RemoteError::new(Fault::BadAnswer, attempted, format!("it lacks {path}"))
        })
    }
}

/// What the containers of a host's projects run.
pub(crate) fn running(manifest: &Manifest, containers: &[Container]) -> Vec<ReleaseImage> {
    let mut images = Vec::new();
    for project in manifest.projects.keys() {
        for (service, own) in by_service(containers, project) {
            images.extend(own.first().map(|container| ReleaseImage {
                project: project.clone(),
                service: service.to_owned(),
                name: container.image_name.clone(),
                id: container.image.clone(),
            }));
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        for (time, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_825_600, "2000-02-29 12:00 UTC"),
            (1_795_500_379, "2026-11-24 06:06 UTC"),
        ] {
            let snapshot = Snapshot::of(&Manifest::new("ops"), 1, time, BTreeSet::new());
            assert_eq!(snapshot.when(), expected);
        }
    }

    #[test]
    fn a_description_is_believed_as_little_as_a_manifest() {
        let snapshot = Snapshot::of(&Manifest::new("ops"), 3, 5, ["host.file.a".to_owned()].into());
        let text = snapshot.to_text();
        assert_eq!(Snapshot::read("ops", 3, &text).unwrap(), snapshot);
        for (stack, text) in [("other", text.as_str()), ("ops", ""), ("ops", "{}")] {
            assert!(Snapshot::read(stack, 3, text).is_err(), "{text}");
        }
    }
}
