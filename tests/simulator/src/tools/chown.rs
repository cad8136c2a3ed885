//! `chown`: records owners instead of changing them, which only a machine's root could.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::{complain, owners};

/// Runs `chown [-h] [-R] [--] OWNER FILE…` as chown(1) does, long options included.
pub(super) fn run(state: &Path, arguments: &[OsString]) -> u8 {
    let (mut recursive, mut follow, mut ended) = (false, true, false);
    let mut words = Vec::new();
    for argument in arguments {
        match argument.to_str() {
            Some("--") if !ended => ended = true,
            Some("-R" | "--recursive") if !ended => recursive = true,
            Some("-h" | "--no-dereference") if !ended => follow = false,
            Some("-hR" | "-Rh") if !ended => (recursive, follow) = (true, false),
            Some("-v" | "-c" | "-f") if !ended => {}
            Some(option) if !ended && option.starts_with('-') && option != "-" => {
                complain(format!("chown: invalid option -- '{option}'"));
                return 1;
            }
            _ => words.push(argument),
        }
    }
    let [owner, files @ ..] = words.as_slice() else {
        complain("chown: missing operand");
        return 1;
    };
    let change = match owners::Change::parse(&owner.to_string_lossy()) {
        Ok(change) => change,
        Err(problem) => {
            complain(format!("chown: {problem}"));
            return 1;
        }
    };
    let mut found = Vec::new();
    let mut status = 0;
    for file in files {
        if let Err(error) = collect(Path::new(file), recursive, follow, &mut found) {
            complain(format!("chown: cannot access '{}': {}", file.display(), reason(&error)));
            status = 1;
        }
    }
    if let Err(error) = owners::record(state, &found, change) {
        complain(format!("chown (ipai sandbox, simulated): {error}"));
        return 1;
    }
    status
}

fn collect(file: &Path, deep: bool, follow: bool, found: &mut Vec<Metadata>) -> io::Result<()> {
    let metadata = if follow && !deep { fs::metadata(file)? } else { fs::symlink_metadata(file)? };
    let mut folders: Vec<PathBuf> = Vec::new();
    if deep && metadata.is_dir() {
        folders.push(file.to_owned());
    }
    found.push(metadata);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            found.push(metadata);
        }
    }
    Ok(())
}

/// Returns what the system says, without Rust's "(os error N)".
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
