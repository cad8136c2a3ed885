//! What a tool remembers between two runs: JSON files that several processes may change at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads `NAME.json` in `folder`; a missing file is the default.
pub(super) fn read<T: DeserializeOwned + Default>(folder: &Path, name: &str) -> io::Result<T> {
    match fs::read(folder.join(format!("{name}.json"))) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::other(format!("{name}.json: {error}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error),
    }
}

/// Lets `change` work on `NAME.json` in `folder` while no other process can, and writes the result
/// in one step, so that a process that is killed leaves either the old or the new content.
pub(super) fn change<T, R>(
    folder: &Path,
    name: &str,
    change: impl FnOnce(&mut T) -> R,
) -> io::Result<R>
where
    T: DeserializeOwned + Serialize + Default,
{
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(format!("{name}.lock")))?;
    lock.lock()?;
    let mut content: T = read(folder, name)?;
    let before = serde_json::to_vec(&content)?;
    let result = change(&mut content);
    let after = serde_json::to_vec(&content)?;
    if before != after {
        replace(folder, name, &after)?;
    }
    Ok(result)
}

fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.json.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    fs::rename(fresh, folder.join(format!("{name}.json")))
}
