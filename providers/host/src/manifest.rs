//! The manifest on a host: which paths and projects are ours, and what was applied last.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{Address, Fault, RemoteError, hash};
use serde::{Deserialize, Serialize};

use crate::compose::checks::is_project;
use crate::compose::file_path;
use crate::file::path;
use crate::unit::{self, name_of};

/// The version of the manifest's form.
const FORM: u32 = 1;

/// What ipai writes down on a host. Observing looks at the files themselves; the manifest only says whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form's version.
    pub(crate) ipai: u32,
    /// Which stack's host this is.
    pub(crate) stack: String,
    /// Which push wrote it, and whether that push was still under way: no two pushes write the same text.
    #[serde(default)]
    pub(crate) push: String,
    /// Files by absolute path.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, FileRecord>,
    /// systemd units by name, whose files are among the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) units: BTreeMap<String, UnitRecord>,
    /// Compose projects by name.
    #[serde(default)]
    pub(crate) projects: BTreeMap<String, ProjectRecord>,
    /// The version of every resource of the stack that was applied last, by address.
    #[serde(default)]
    pub(crate) applied: BTreeMap<String, String>,
    /// What was changed since the current release was recorded, by address.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) since: BTreeSet<String>,
    /// Which releases the host keeps.
    #[serde(default, skip_serializing_if = "Index::is_empty")]
    pub(crate) releases: Index,
    /// SHA-256 of the text that it was read from; absent when the host had none.
    #[serde(skip)]
    pub(crate) digest: Option<String>,
}

/// The releases that a host keeps, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// The one that it served last when all was well.
    pub(crate) current: Option<u64>,
    /// The newest that there ever was.
    pub(crate) last: u64,
    /// All that are kept.
    pub(crate) kept: BTreeSet<u64>,
}

impl Index {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One file of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    /// Whose it is.
    pub(crate) address: Address,
    /// SHA-256 of the content, or `keyed:` and the keyed digest when it holds a secret. Empty after adopting.
    pub(crate) content: String,
    /// Its mode.
    pub(crate) mode: String,
    /// Its owner.
    pub(crate) owner: String,
}

/// What is to become of one unit of ours, beside its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitRecord {
    /// Whether it is started, now and at boot.
    pub(crate) enabled: bool,
    /// Whether it is restarted when its content changes.
    pub(crate) restart: bool,
    /// Its file has come, and systemd may not have taken it in yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pending: bool,
}

/// One Compose project of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProjectRecord {
    /// Whose it is.
    pub(crate) address: Address,
    /// Its folder.
    pub(crate) directory: String,
    /// Tells whether its YAML holds a secret.
    #[serde(default)]
    pub(crate) sensitive: bool,
    /// What services that reload have taken in, as digests over their files.
    #[serde(default)]
    pub(crate) loaded: BTreeMap<String, String>,
    /// What Compose called each service's configuration when it was brought up.
    #[serde(default)]
    pub(crate) hashes: BTreeMap<String, HashRecord>,
    /// Tells whether it was healthy with the files that lie there now.
    #[serde(default)]
    pub(crate) ready: bool,
    /// What its containers ran when it was healthy, by service.
    #[serde(default)]
    pub(crate) images: BTreeMap<String, ImageRecord>,
    /// Commands of services that reload.
    #[serde(default)]
    pub(crate) reloads: BTreeMap<String, Vec<String>>,
    /// How long it may take to become healthy, in seconds.
    #[serde(default)]
    pub(crate) timeout: u64,
    /// How many releases the host is to keep.
    #[serde(default)]
    pub(crate) keep: u64,
}

/// An image that a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// What the service calls it.
    pub(crate) name: String,
    /// Its id, whatever that name means by now.
    pub(crate) id: String,
}

impl ProjectRecord {
    /// A project of which nothing is known yet but where it is.
    pub(crate) fn new(address: Address, directory: &str) -> Self {
        let (loaded, hashes, images, reloads) = Default::default();
        let directory = directory.to_owned();
        let (sensitive, ready, timeout, keep) = Default::default();
        Self {
            address,
            directory,
            sensitive,
            loaded,
            hashes,
            ready,
            images,
            reloads,
            timeout,
            keep,
        }
    }
}

/// Two names for one configuration of a service.
///
/// From Compose 2.22 until August 2026 they differ for a service with an `env_file`
/// (<https://github.com/docker/compose/issues/14001>), so neither can be compared with the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HashRecord {
    /// What `config --hash` said.
    pub(crate) asked: String,
    /// What `up` put into the label of the containers.
    pub(crate) label: String,
}

impl FileRecord {
    /// Tells whether the content holds a secret.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.content.starts_with("keyed:")
    }
}

impl Manifest {
    /// The manifest of a host that has none.
    pub(crate) fn new(stack: &str) -> Self {
        Self { ipai: FORM, stack: stack.to_owned(), ..Self::default() }
    }

    /// Reads a manifest; a host without one counts as new.
    pub(crate) fn read(stack: &str, text: Option<&[u8]>) -> Result<Self, RemoteError> {
        let Some(text) = text else { return Ok(Self::new(stack)) };
        let unreadable = |cause: String| {
            RemoteError::new(Fault::BadAnswer, format!("read {}", place(stack)), cause)
                .hint("repair the file on the host; without it, files that differ count as foreign or as left by the first boot")
        };
        let manifest: Self =
            serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        manifest.check(stack).map_err(unreadable)?;
        Ok(Self { digest: Some(hash::sha256_hex(text)), ..manifest })
    }

    /// Why it cannot be of this stack and by an ipai that this one understands.
    pub(crate) fn check(&self, stack: &str) -> Result<(), String> {
        if self.ipai != FORM {
            return Err(format!("its form {} is not {FORM}; a newer ipai wrote it", self.ipai));
        }
        self.strange(stack).map_or(Ok(()), Err)
    }

    /// What in it no ipai can have written. Whoever can write the manifest must not be able to speak of anything but
    /// this host's own files and projects.
    fn strange(&self, stack: &str) -> Option<String> {
        if self.stack != stack {
            return Some(format!("it is of the stack `{}`", self.stack.escape_debug()));
        }
        let path = |text: &String| path::normalise(text).as_ref() == Ok(text);
        let of = |address: &Address, kind: &str| address.provider == "host" && address.kind == kind;
        let is_unit = |path: &str| name_of(path).is_some();
        let file = |(name, record): &(&String, &FileRecord)| {
            let own = of(&record.address, "file") || (of(&record.address, "unit") && is_unit(name));
            !(path(name) && own)
        };
        let project = |(name, record): &(&String, &ProjectRecord)| {
            !(is_project(name) && path(&record.directory) && of(&record.address, "compose"))
        };
        let file = self.files.iter().find(file).map(|(name, _)| name);
        let file = file.or_else(|| self.units.keys().find(|name| !is_unit(&unit::path(name))));
        let strange = file.or_else(|| self.projects.iter().find(project).map(|(name, _)| name))?;
        Some(format!("its entry `{}` is none of ipai's", strange.escape_debug()))
    }

    /// Tells whether the host has none yet.
    pub(crate) fn is_new(&self) -> bool {
        self.digest.is_none()
    }

    /// The text to write.
    pub(crate) fn to_text(&self) -> String {
        // A map with text keys always serialises.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Notes that a resource changes, so that nothing is known to be healthy until it has shown itself to be.
    pub(crate) fn touch(&mut self, address: &str) {
        self.since.insert(address.to_owned());
        self.projects.values_mut().for_each(|project| project.ready = false);
    }

    /// Every path that is ours: files, and the projects' YAML.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let yaml = self.projects.values().map(|project| file_path(&project.directory));
        self.files.keys().cloned().chain(yaml).collect()
    }

    /// Every folder that holds something of ours: where a push that was killed may have left its temporary files.
    pub(crate) fn folders(&self) -> BTreeSet<String> {
        let files = self.files.keys().map(|file| path::split(file).0.to_owned());
        files.chain(self.projects.values().map(|project| project.directory.clone())).collect()
    }

    /// What was applied last, without lines that are no addresses.
    pub(crate) fn remembered(&self) -> BTreeMap<Address, String> {
        let line =
            |(address, version): (&String, &String)| Some((address.parse().ok()?, version.clone()));
        self.applied.iter().filter_map(line).collect()
    }
}

/// The folder of a stack's bookkeeping on a host.
pub(crate) fn folder(stack: &str) -> String {
    format!("/opt/ipai/{stack}/.ipai")
}

/// The manifest's path.
pub(crate) fn place(stack: &str) -> String {
    format!("{}/manifest.json", folder(stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_writing_and_reading() {
        let mut manifest = Manifest::new("ops");
        let record = FileRecord {
            address: "host.file.a".parse().unwrap(),
            content: "keyed:12".into(),
            mode: "0600".into(),
            owner: "root:root".into(),
        };
        manifest.files.insert("/opt/a".into(), record);
        manifest.applied.insert("digitalocean.droplet.ops".into(), "ab".into());
        let text = manifest.to_text();
        let read = Manifest::read("ops", Some(text.as_bytes())).unwrap();
        assert_eq!(read.digest, Some(hash::sha256_hex(text.as_bytes())));
        assert_eq!(Manifest { digest: None, ..read }, manifest);
    }

    #[test]
    fn refuses_what_another_hand_or_version_wrote() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"ipai":2,"stack":"ops"}"#,
            r#"{"ipai":1,"stack":"ops","files":{"/a/../b":{"address":"host.file.a","content":"","mode":"","owner":""}}}"#,
        ] {
            assert!(Manifest::read("ops", Some(text.as_bytes())).is_err(), "{text}");
        }
        assert!(Manifest::read("ops", None).unwrap().is_new());
    }
}
