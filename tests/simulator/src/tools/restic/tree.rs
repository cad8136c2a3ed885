//! What a snapshot holds: entries with their attributes, and the contents of files.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Failure;
use super::repository::{Repository, hex};
use crate::tools::owners::{Owner, Owners};

/// A file, folder or link of a snapshot.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The path, as the host names it.
    pub(super) path: String,
    /// `file`, `dir` or `symlink`.
    pub(super) kind: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Nanoseconds since 1970.
    pub(super) mtime: u128,
    pub(super) size: u64,
    /// SHA-256 of a file's bytes.
    pub(super) sha256: String,
    /// Where a link points.
    pub(super) target: String,
}

/// A snapshot's entries, folders before what lies in them.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Tree {
    pub(super) entries: Vec<Entry>,
}

impl Entry {
    /// Describes what lies at `at`, or `None` for sockets, devices and the like.
    pub(super) fn read(at: &Path, path: String, file: &Metadata, owners: &Owners) -> Option<Self> {
        let kind = match file.file_type() {
            kind if kind.is_file() => "file",
            kind if kind.is_dir() => "dir",
            kind if kind.is_symlink() => "symlink",
            _ => return None,
        };
        let target = fs::read_link(at).map(|target| target.to_string_lossy().into_owned());
        let Owner { user, group } = owners.of(file);
        let since = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Some(Self {
            path,
            kind: kind.to_owned(),
            mode: file.mode() & 0o7777,
            uid: user,
            gid: group,
            mtime: since.unwrap_or_default().as_nanos(),
            size: if kind == "file" { file.len() } else { 0 },
            sha256: String::new(),
            target: target.unwrap_or_default(),
        })
    }

    /// Makes the entry at `at`; a folder's own attributes are set later, by [`Entry::finish`].
    pub(super) fn put(&self, at: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.kind.as_str() {
            "dir" => return fs::create_dir_all(at),
            "symlink" => {
                let _absent_or_replaced = fs::remove_file(at);
                symlink(&self.target, at)?;
            }
            _ => {
                let _absent_or_replaced = fs::remove_file(at);
                fs::write(at, bytes)?;
            }
        }
        Ok(())
    }

    /// Gives what lies at `at` the entry's mode and time.
    pub(super) fn finish(&self, at: &Path) -> io::Result<()> {
        if self.kind == "symlink" {
            return Ok(());
        }
        let nanos = u64::try_from(self.mtime).unwrap_or_default();
        let file = fs::File::open(at)?;
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanos))?;
        fs::set_permissions(at, Permissions::from_mode(self.mode))
    }

    pub(super) fn owner(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }
}

impl Repository {
    /// Reads a snapshot's tree.
    pub(super) fn tree(&self, id: &str) -> Result<Tree, Failure> {
        let damaged = || Failure::fatal(format!("tree {}: not found in repository", &id[..8]));
        let sealed =
            fs::read(self.folder.join("data").join(id).join("index")).map_err(|_| damaged())?;
        if hex(&sealed) != id {
            return Err(damaged());
        }
        serde_json::from_slice(&self.mix(&sealed)).map_err(|_| damaged())
    }

    /// Reads the file with number `at` of a tree; an error when its bytes are not what was kept.
    pub(super) fn content(&self, tree: &str, at: usize, entry: &Entry) -> io::Result<Vec<u8>> {
        let sealed = fs::read(self.folder.join("data").join(tree).join(at.to_string()))?;
        let bytes = self.mix(&sealed);
        if hex(&bytes) == entry.sha256 {
            Ok(bytes)
        } else {
            Err(io::Error::other("ciphertext verification failed"))
        }
    }
}
