//! `systemctl`: unit files below the host's root, links for what is enabled, and records of what is
//! up. A service of `Type=oneshot` really runs when it is started; nothing else does.
//!
//! Messages and exit statuses are those of systemd 257 (systemctl(1), "Exit status").

mod ask;
mod run;
mod unit;
mod verbs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ToolFaults, complain, store};
use unit::Unit;

/// Units that a cloud image with Docker brings and that run from the start.
const BUILT_IN: [&str; 6] = ["ssh", "sshd", "docker", "containerd", "cron", "systemd-timesyncd"];

/// Where unit files lie, the first that has one counts.
const FOLDERS: [&str; 3] = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// systemctl(1): the unit is not active, is unknown, is not there to be started.
const NOT_ACTIVE: u8 = 3;
const NO_SUCH_UNIT: u8 = 4;
const NOT_LOADED: u8 = 5;

/// What a manager remembers: which units it holds in memory and how they are.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Manager {
    /// Digests of unit files as they were read last.
    read: BTreeMap<String, String>,
    states: BTreeMap<String, State>,
}

/// How a unit is, in systemd's words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    active: String,
    result: String,
}

/// One run of the tool.
struct Systemctl<'a> {
    state: &'a Path,
    now: bool,
    quiet: bool,
    faults: ToolFaults,
}

/// Runs `systemctl ARGUMENTS`.
pub(super) fn run(state: &Path, arguments: &[String]) -> u8 {
    let faults = match ToolFaults::load(state) {
        Ok(faults) => faults,
        Err(error) => return broken(&error),
    };
    if faults.systemd_absent {
        // What a host says on which another init runs.
        complain(
            "System has not been booted with systemd as init system (PID 1). Can't operate.\n\
             Failed to connect to system scope bus via local transport: Host is down",
        );
        return 1;
    }
    let line = Line::read(arguments);
    let Some((verb, names)) = line.words.split_first() else {
        complain("systemctl (ipai sandbox, simulated): no verb was given");
        return 1;
    };
    let units: Vec<String> = names.iter().map(|name| full_name(name)).collect();
    let tool = Systemctl { state, now: line.now, quiet: line.quiet, faults };
    match verb.as_str() {
        "is-active" => tool.is_active(&units),
        "is-enabled" => tool.is_enabled(&units),
        "is-failed" => tool.is_failed(&units),
        "is-system-running" => tool.is_running(),
        "show" => tool.show(&units, &line.properties, line.value),
        "cat" => tool.cat(&units),
        "status" => tool.status(&units),
        verb => tool.change(verb, &units),
    }
    .unwrap_or_else(|error| broken(&error))
}

fn broken(error: &std::io::Error) -> u8 {
    complain(format!("systemctl (ipai sandbox, simulated): {error}"));
    1
}

/// A command line, its options told from its words.
#[derive(Default)]
struct Line {
    words: Vec<String>,
    properties: Vec<String>,
    now: bool,
    quiet: bool,
    value: bool,
}

impl Line {
    fn read(arguments: &[String]) -> Self {
        let mut line = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let listed = match argument.as_str() {
                "-p" | "--property" => rest.next().map(String::as_str),
                "--now" => {
                    line.now = true;
                    None
                }
                "--quiet" | "-q" => {
                    line.quiet = true;
                    None
                }
                "--value" => {
                    line.value = true;
                    None
                }
                "--" => None,
                other if other.starts_with('-') => {
                    other.strip_prefix("--property=").or_else(|| other.strip_prefix("-p"))
                }
                word => {
                    line.words.push(word.to_owned());
                    None
                }
            };
            line.properties
                .extend(listed.into_iter().flat_map(|list| list.split(',').map(str::to_owned)));
        }
        line
    }
}

impl Systemctl<'_> {
    fn root(&self) -> PathBuf {
        self.state.join("root")
    }

    /// Lets `change` work on what the manager remembers, while no other process can.
    fn manager<R>(&self, change: impl FnOnce(&mut Manager) -> R) -> std::io::Result<R> {
        store::change(self.state, "systemd", change)
    }

    /// Reads a unit's file, if it has one. A built-in unit has none.
    fn unit(&self, name: &str) -> Option<Unit> {
        let root = self.root();
        let path = FOLDERS
            .iter()
            .map(|f| root.join(f).join(name))
            .find(|p| p.symlink_metadata().is_ok())?;
        Some(Unit::read(&root, name, &path))
    }

    fn exists(&self, name: &str) -> bool {
        is_built_in(name) || self.unit(name).is_some()
    }
}

impl Manager {
    fn state(&self, unit: &str) -> State {
        let at_boot = if is_built_in(unit) { "active" } else { "inactive" };
        self.states.get(unit).cloned().unwrap_or_else(|| State::new(at_boot, "success"))
    }

    fn is_up(&self, unit: &str) -> bool {
        matches!(self.state(unit).active.as_str(), "active" | "activating")
    }

    /// Takes a unit's file into memory, where it stays as it is until the next `daemon-reload`.
    fn load(&mut self, unit: &Unit) {
        self.read.entry(unit.name.clone()).or_insert_with(|| unit.digest());
    }
}

impl State {
    fn new(active: &str, result: &str) -> Self {
        Self { active: active.to_owned(), result: result.to_owned() }
    }
}

fn full_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}

fn is_built_in(unit: &str) -> bool {
    unit.strip_suffix(".service").is_some_and(|name| BUILT_IN.contains(&name))
}

/// Returns SHA-256 in hex.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
