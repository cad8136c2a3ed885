//! What a backup says of itself, and what speaks against restoring it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::release::{postgres_major, rises};

/// The format that this version reads and writes.
const FORMAT: u64 = 1;
/// How much more than its own size a restored backup may need beside what is there: indexes, and room to live.
const SPACE_FACTOR: u64 = 2;
/// How far ahead of the clock here a backup may have been taken, in seconds.
pub const AHEAD: i64 = 300;

/// What a backup says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u64,
    /// The stack.
    pub stack: String,
    /// The Compose project.
    pub project: String,
    /// When it was taken: RFC 3339, UTC.
    pub time: String,
    /// Whether the services went on meanwhile.
    pub online: bool,
    /// The name of the host.
    pub host: String,
    /// PostgreSQL's version as a number: 170004 is 17.4.
    pub postgres: u64,
    /// What ran, by service.
    pub services: BTreeMap<String, ServiceRecord>,
    /// Fingerprints of the keys without which the data cannot be read.
    pub keys: BTreeMap<String, String>,
    /// The databases by name.
    pub databases: BTreeMap<String, DatabaseRecord>,
    /// Volumes by name and directories by path.
    pub folders: BTreeMap<String, FolderRecord>,
}

/// What one service ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// The image by name.
    pub image: String,
    /// Its id.
    pub id: String,
    /// Its digests in registries.
    #[serde(default)]
    pub digests: Option<Vec<String>>,
}

/// One database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRecord {
    /// The service whose data it is.
    pub service: String,
    /// The role that owns it.
    pub role: String,
    /// The dump's size.
    pub bytes: u64,
    /// The dump's SHA-256 in hex.
    pub sha256: String,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
}

/// One volume or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderRecord {
    /// The service whose data it is.
    pub service: String,
    /// `volume` or `directory`.
    pub kind: String,
    /// Where it was on the host.
    pub path: String,
    /// What it holds, in bytes.
    pub bytes: u64,
    /// How many files and links it holds.
    pub files: u64,
}

/// What is known of where a backup is to be restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The stack whose backups may be restored here.
    pub stack: String,
    /// The server's version as a number.
    pub postgres: u64,
    /// Fingerprints of the keys that the stack has.
    pub keys: BTreeMap<String, String>,
    /// Free bytes where the data goes.
    pub free: u64,
    /// The images that the stack wants, by service.
    pub images: BTreeMap<String, String>,
    /// Services whose database an older image cannot read.
    pub migrates: Vec<String>,
    /// Seconds since 1970.
    pub now: i64,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text)
            .map_err(|error| format!("its manifest cannot be read: {error}"))?;
        match manifest.format {
            FORMAT => Ok(manifest),
            other => Err(format!(
                "its manifest has format {other}, and this ipai reads {FORMAT}; update ipai"
            )),
        }
    }

    /// Bytes of all that it holds, or of one service's part.
    #[must_use]
    pub fn bytes(&self, service: Option<&str>) -> u64 {
        let of = |owner: &str| service.is_none_or(|service| service == owner);
        let dumps = self.databases.values().filter(|d| of(&d.service)).map(|d| d.bytes);
        let files = self.folders.values().filter(|f| of(&f.service)).map(|f| f.bytes);
        dumps.chain(files).fold(0, u64::saturating_add)
    }

    /// Seconds since 1970 at which it was taken.
    #[must_use]
    pub fn taken(&self) -> Option<i64> {
        crate::calendar::seconds_of(&self.time)
    }
}

/// Everything that speaks against restoring, each in a sentence with what can be done; nothing was touched yet.
#[must_use]
pub fn refusals(
    manifest: &Manifest,
    facts: &Facts,
    service: Option<&str>,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut refuse = |why: String, hint: &str| found.push((why, hint.to_owned()));
    if manifest.stack != facts.stack {
        refuse(
            format!("it is a backup of the stack {}, and this is {}", manifest.stack, facts.stack),
            "go to that stack's folder, or name its environment with --env",
        );
    }
    for (key, print) in &manifest.keys {
        match facts.keys.get(key) {
            Some(own) if own == print => {}
            Some(_) => refuse(
                format!(
                    "the key {key} is another one than the backup was made with, so what it encrypted could not be read"
                ),
                "put the secrets.toml back that belongs to the backup",
            ),
            None => refuse(
                format!("the backup needs the key {key}, and [backup.keys] does not name it"),
                "add it there",
            ),
        }
    }
    let (theirs, ours) = (manifest.postgres / 10_000, facts.postgres / 10_000);
    if ours < theirs {
        refuse(
            format!(
                "it was made with PostgreSQL {theirs}, and here is {ours}, which need not understand it"
            ),
            "deploy that version first",
        );
    }
    for (name, record) in &manifest.services {
        let concerned =
            service.is_none_or(|service| service == name) && facts.migrates.contains(name);
        let Some(image) = facts.images.get(name).filter(|_| concerned) else { continue };
        if postgres_major(image).is_none()
            && rises(image, &record.image)
            && !rises(&record.image, image)
        {
            refuse(
                format!(
                    "{name} was {}, and the stack wants the older {image}, which does not understand newer data",
                    record.image
                ),
                "set the newer version in the stack",
            );
        }
    }
    if service.is_some_and(|service| {
        manifest.bytes(Some(service)) == 0
            && !manifest.databases.values().any(|d| d.service == service)
    }) {
        refuse(
            format!("it holds nothing of {}", service.unwrap_or_default()),
            "services with data stand under [backup.service]",
        );
    }
    let needed = manifest.bytes(service).saturating_mul(SPACE_FACTOR);
    if needed > facts.free {
        refuse(
            format!(
                "the disk has {} MiB left, and beside what is there it may need {} MiB",
                facts.free >> 20,
                needed >> 20
            ),
            "make room on the host, or give it a larger disk or volume",
        );
    }
    if manifest.taken().is_some_and(|taken| taken > facts.now + AHEAD) {
        refuse(
            format!(
                "it is from the future ({}): the clock of this machine or of the host that made it is wrong",
                manifest.time
            ),
            "set the clock right",
        );
    }
    found
}
