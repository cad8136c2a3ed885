//! `restic`: a backup program whose repository is a folder below the host's root.
//!
//! Command lines, JSON and exit statuses are those of restic 0.18
//! (<https://restic.readthedocs.io/en/v0.18.0/075_scripting.html>). What lies in a repository is
//! not restic's format: contents are merely mixed with the password, so that none shows in plain.

mod backup;
mod check;
mod forget;
mod look;
mod repository;
mod restore;
mod tree;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Opt, Parsed, switch, valued};
use super::{ToolFaults, complain, print};

/// The version that it behaves like.
const VERSION: &str = "0.18.0";

/// Every option of every command: global ones may stand anywhere.
const OPTIONS: [Opt; 46] = [
    switch(&["--json"]),
    switch(&["--quiet", "-q"]),
    switch(&["--verbose", "-v"]),
    switch(&["--no-cache"]),
    switch(&["--no-lock"]),
    switch(&["--cleanup-cache"]),
    switch(&["--insecure-no-password"]),
    valued(&["--repo", "-r"]),
    valued(&["--repository-file"]),
    valued(&["--password-file", "-p"]),
    valued(&["--retry-lock"]),
    valued(&["--option", "-o"]),
    valued(&["--cache-dir"]),
    valued(&["--compression"]),
    valued(&["--limit-upload"]),
    valued(&["--limit-download"]),
    valued(&["--pack-size"]),
    valued(&["--host", "-H"]),
    valued(&["--tag"]),
    valued(&["--path"]),
    valued(&["--exclude", "-e"]),
    valued(&["--time"]),
    valued(&["--parent"]),
    valued(&["--read-concurrency"]),
    switch(&["--one-file-system", "-x"]),
    switch(&["--exclude-caches"]),
    switch(&["--skip-if-unchanged"]),
    switch(&["--no-scan"]),
    switch(&["--force", "-f"]),
    switch(&["--dry-run", "-n"]),
    valued(&["--target", "-t"]),
    valued(&["--include", "-i"]),
    switch(&["--verify"]),
    switch(&["--prune"]),
    switch(&["--compact", "-c"]),
    valued(&["--group-by", "-g"]),
    valued(&["--keep-last"]),
    valued(&["--keep-hourly"]),
    valued(&["--keep-daily"]),
    valued(&["--keep-weekly"]),
    valued(&["--keep-monthly"]),
    valued(&["--keep-yearly"]),
    switch(&["--read-data"]),
    valued(&["--read-data-subset"]),
    valued(&["--max-unused"]),
    valued(&["--mode"]),
];

/// `unlock`'s own, apart because the others never take it.
const REMOVE_ALL: &str = "--remove-all";

/// Why a command failed: what it says, and restic's exit status.
#[derive(Debug)]
struct Failure {
    text: String,
    status: u8,
}

type Outcome = Result<(), Failure>;

impl Failure {
    fn new(status: u8, text: impl Into<String>) -> Self {
        Self { text: text.into(), status }
    }

    fn fatal(text: impl std::fmt::Display) -> Self {
        Self::new(1, format!("Fatal: {text}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::fatal(format!("(ipai sandbox, simulated) {error}"))
    }
}

/// One run of the tool.
struct Restic<'a> {
    /// The host's bookkeeping folder.
    state: &'a Path,
    parsed: Parsed,
    remove_all: bool,
}

/// Runs `restic ARGUMENTS`.
pub(super) fn run(state: &Path, arguments: &[String]) -> u8 {
    match ToolFaults::load(state) {
        Ok(faults) if faults.restic_absent => {
            complain("sh: 1: restic: not found");
            return 127;
        }
        Ok(_) => {}
        Err(error) => {
            complain(format!("restic (ipai sandbox, simulated): {error}"));
            return 1;
        }
    }
    let (all, arguments): (Vec<String>, Vec<String>) =
        arguments.iter().cloned().partition(|argument| argument == REMOVE_ALL);
    let parsed = match Parsed::read(&arguments, &OPTIONS, false) {
        Ok(parsed) => parsed,
        Err(problem) => {
            complain(problem);
            return 1;
        }
    };
    let restic = Restic { state, parsed, remove_all: !all.is_empty() };
    let Err(failure) = restic.dispatch() else { return 0 };
    if restic.is_json() {
        let (code, message) = (failure.status, &failure.text);
        complain(
            json!({"message_type": "exit_error", "code": code, "message": message}).to_string(),
        );
    } else {
        complain(failure.text);
    }
    failure.status
}

impl Restic<'_> {
    fn dispatch(&self) -> Outcome {
        let words = &self.parsed.words;
        let (verb, rest) =
            words.split_first().ok_or_else(|| Failure::fatal("no command was given"))?;
        match verb.as_str() {
            "version" => self.version(),
            "init" => self.init(),
            "cat" if rest == ["config"] => self.cat_config(),
            "backup" => self.backup(rest),
            "snapshots" => self.snapshots(rest),
            "ls" => self.ls(rest),
            "dump" => self.dump(rest),
            "stats" => self.stats(rest),
            "restore" => self.restore(rest),
            "forget" => self.forget(rest),
            "prune" => self.prune(),
            "check" => self.check(),
            "unlock" => self.unlock(),
            other => Err(Failure::new(
                1,
                format!("unknown command \"{other}\" for \"restic\" (ipai sandbox, simulated)"),
            )),
        }
    }

    fn version(&self) -> Outcome {
        if self.is_json() {
            let version = json!({"message_type": "version", "version": VERSION,
                "go_version": "none (ipai sandbox)", "go_os": "linux", "go_arch": "amd64"});
            print(format!("{version}\n"));
        } else {
            print(format!(
                "restic {VERSION} compiled with ipai sandbox (simulated) on linux/amd64\n"
            ));
        }
        Ok(())
    }

    fn is_json(&self) -> bool {
        self.parsed.has("--json")
    }

    /// Prints a line for people, unless machines or nobody listen.
    fn tell(&self, line: impl std::fmt::Display) {
        if !self.is_json() && !self.parsed.has("--quiet") {
            print(format!("{line}\n"));
        }
    }

    fn root(&self) -> PathBuf {
        self.state.join("root")
    }

    /// Maps a path that a command line names to this machine: a host's path lies below its root,
    /// one that is there already stays, a relative one means the present folder.
    fn here(&self, path: &str) -> io::Result<PathBuf> {
        let root = self.root();
        let path = Path::new(path);
        Ok(match path.strip_prefix("/") {
            Ok(_) if path.starts_with(&root) => path.to_owned(),
            Ok(inner) => root.join(inner),
            Err(_) => std::path::absolute(path)?,
        })
    }

    /// Names a path of this machine as the host does.
    fn there(&self, path: &Path) -> String {
        match path.strip_prefix(self.root()) {
            Ok(inner) => format!("/{}", inner.display()).trim_end_matches('/').to_owned(),
            Err(_) => path.display().to_string(),
        }
    }
}
