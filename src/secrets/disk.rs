//! Writing files so that a reader sees the old bytes or the new ones, and no writer's work is lost.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a file was not written. The file itself is as it was.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// Another process holds the folder's lock.
    Busy,
    /// The file is not the one that the writer started from.
    Changed,
    Io(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a text file; `None` when there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match crate::text_file::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file at `path` when it still holds `expected`; `None` stands for no file.
///
/// The comparison and the rename happen under the lock of the folder, so of two writers that
/// started from the same text exactly one succeeds.
pub(crate) fn replace(path: &Path, expected: Option<&str>, text: &str) -> Result<(), WriteError> {
    // A link keeps pointing where it points: the file behind it is what gets replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    DirBuilder::new().recursive(true).create(folder(&path))?;
    let _lock = lock(folder(&path))?;
    if read(&path)?.as_deref() != expected {
        return Err(WriteError::Changed);
    }
    let staged = stage(&path, text.as_bytes(), 0o644)?;
    if let Ok(old) = fs::metadata(&path) {
        fs::set_permissions(&staged, old.permissions())?;
    }
    fs::rename(staged, &path)?;
    Ok(sync(folder(&path))?)
}

/// Creates a file that only its owner can read, and its folder likewise where that is missing; an
/// existing file is [`WriteError::Changed`].
pub(super) fn create_private(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder(path))?;
    let _lock = lock(folder(path))?;
    let staged = stage(path, bytes, 0o600)?;
    // A hard link, other than a rename, fails when the name is taken.
    let linked = fs::hard_link(&staged, path);
    fs::remove_file(&staged)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(WriteError::Changed),
        other => {
            other?;
            Ok(sync(folder(path))?)
        }
    }
}

/// Takes the lock of a folder without waiting: who finds it taken would find the file changed too.
/// The lock is on the folder itself, so no lock file is left in the repository, and it dies with
/// its process.
fn lock(folder: &Path) -> Result<File, WriteError> {
    let handle = File::open(folder)?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(WriteError::Busy),
        Err(TryLockError::Error(error)) => Err(WriteError::Io(error)),
    }
}

/// Writes the new bytes beside `path`, safe on disk, and gives their place. Whatever a killed writer
/// left there is removed: under the lock it can belong to nobody.
fn stage(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let staged = staging_path(path);
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(staged)
}

fn staging_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a rename outlive a power cut.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn killed_between_write_and_rename_leaves_the_old_file_and_hinders_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        replace(&path, None, "old").unwrap();

        // Everything that a writer does before the rename, the longer text included.
        let left_behind = stage(&path, b"new and longer, cut sho", 0o644).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("old"));

        replace(&path, Some("old"), "newer").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("newer"));
        assert!(!left_behind.exists());
    }

    #[test]
    fn a_writer_that_started_from_another_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        replace(&path, None, "one").unwrap();
        assert!(matches!(replace(&path, None, "two"), Err(WriteError::Changed)));
        assert!(matches!(replace(&path, Some("zero"), "two"), Err(WriteError::Changed)));
        assert_eq!(read(&path).unwrap().as_deref(), Some("one"));
    }

    #[test]
    fn a_writer_that_finds_another_at_work_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        let held = lock(folder.path()).unwrap();
        assert!(matches!(replace(&path, None, "text"), Err(WriteError::Busy)));
        drop(held);
        replace(&path, None, "text").unwrap();
    }

    #[test]
    fn of_many_writers_at_once_exactly_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        replace(&path, None, "start").unwrap();
        let succeeded = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|index| {
                    let path = &path;
                    scope
                        .spawn(move || replace(path, Some("start"), &format!("by {index}")).is_ok())
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).filter(|ok| *ok).count()
        });
        assert_eq!(succeeded, 1);
    }

    #[test]
    fn replacing_keeps_mode_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("secrets.toml"));
        replace(&file, None, "one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, Some("one"), "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&file).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn private_files_are_for_their_owner_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sops/age/keys.txt");
        create_private(&path, b"key").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let parent = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(parent.permissions().mode() & 0o777, 0o700);
        assert!(matches!(create_private(&path, b"other"), Err(WriteError::Changed)));
        assert_eq!(read(&path).unwrap().as_deref(), Some("key"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
