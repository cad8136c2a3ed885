//! Volumes: folders of the host, as the `local` driver has them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::args::valued;
use super::super::clock;
use super::engine::{Labels, Thing};
use super::{Docker, Failure, Outcome, print, read};

/// Where the `local` driver keeps volumes.
const FOLDER: &str = "var/lib/docker/volumes";

impl Docker<'_> {
    /// Runs `docker volume create [--label K=V]… NAME`; one that is there already stays as it is.
    pub(super) fn create_volume(&self, arguments: &[String]) -> Outcome {
        let known = [valued(&["--label"]), valued(&["--driver", "-d"]), valued(&["--opt", "-o"])];
        let parsed = read(arguments, &known)?;
        let [name] = &parsed.words[..] else {
            return Err(Failure::usage(
                "\"docker volume create\" requires a name here (ipai sandbox, simulated)",
            ));
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !name.chars().all(good) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Failure::engine(format!(
                "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
                 \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            )));
        }
        let label = |text: &str| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned())
        };
        let labels: Labels = parsed.values("--label").map(label).collect();
        self.engine(|engine| {
            let made = || Thing { created: clock::now(), labels };
            engine.volumes.entry(name.clone()).or_insert_with(made);
        })?;
        print(format!("{name}\n"));
        Ok(())
    }
}

/// Returns the folder of a volume's files, on this machine.
pub(super) fn mountpoint(state: &Path, name: &str) -> PathBuf {
    state.join("root").join(FOLDER).join(name).join("_data")
}

/// Makes a folder for each volume and removes those of volumes that are gone.
pub(super) fn settle<'a>(state: &Path, names: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let names: BTreeSet<&String> = names.collect();
    for name in &names {
        let folder = mountpoint(state, name);
        if !folder.exists() {
            fs::create_dir_all(folder)?;
        }
    }
    let folders = match fs::read_dir(state.join("root").join(FOLDER)) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for folder in folders {
        let folder = folder?;
        if !names.contains(&folder.file_name().to_string_lossy().into_owned()) {
            fs::remove_dir_all(folder.path())?;
        }
    }
    Ok(())
}
