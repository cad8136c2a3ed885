//! Starting a unit: a oneshot service's commands run, by `sh -c`; everything else is a record.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::unit::Unit;
use super::{NOT_LOADED, State, Systemctl};
use crate::tools::{STATE, complain};

/// What of its own environment a host's program gets from systemd here: where the sandbox is.
const KEPT: [&str; 6] = ["PATH", STATE, "IPAI_ROOT", "TMPDIR", "LANG", "HOME"];

impl Systemctl<'_> {
    /// Starts a unit that is not up.
    pub(super) fn start(&self, name: &str) -> io::Result<u8> {
        let Some(unit) = self.unit(name) else {
            // Built in: nothing to run.
            self.settle(name, State::new("active", "success"))?;
            return Ok(0);
        };
        if let Some((problem, status)) = self.refusal(&unit) {
            complain(format!("Failed to start {name}: Unit {problem}."));
            return Ok(status);
        }
        self.manager(|manager| {
            manager.load(&unit);
            manager.states.insert(name.to_owned(), State::new("activating", "success"));
        })?;
        if !self.runs(&unit)? {
            let result = if unit.kind() == "timer" { "resources" } else { "exit-code" };
            self.settle(name, State::new("failed", result))?;
            complain(failed(&unit));
            return Ok(1);
        }
        let over = unit.is_oneshot() && !unit.remains();
        self.settle(name, State::new(if over { "inactive" } else { "active" }, "success"))?;
        Ok(0)
    }

    fn settle(&self, name: &str, state: State) -> io::Result<()> {
        self.manager(|manager| drop(manager.states.insert(name.to_owned(), state)))
    }

    fn refusal(&self, unit: &Unit) -> Option<(String, u8)> {
        let name = &unit.name;
        if unit.masked {
            return Some((format!("{name} is masked"), 1));
        }
        if unit.is_bad() {
            return Some((format!("{name} has a bad unit file setting"), 1));
        }
        let required = unit.values("Unit", "Requires").into_iter().flat_map(str::split_whitespace);
        let missing = required.filter(|other| other.ends_with(".service") && !self.exists(other));
        missing.map(|other| (format!("{other} not found"), NOT_LOADED)).next()
    }

    fn runs(&self, unit: &Unit) -> io::Result<bool> {
        if self.faults.failing_units.contains(&unit.name) {
            return Ok(false);
        }
        if let Some(triggered) = unit.triggers() {
            return Ok(self.exists(&triggered));
        }
        if !unit.is_oneshot() {
            return Ok(true);
        }
        for key in ["ExecStartPre", "ExecStart", "ExecStartPost"] {
            for line in unit.values("Service", key) {
                if !self.command(unit, line)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Runs one line; its output goes to `journal/UNIT` in the bookkeeping folder.
    fn command(&self, unit: &Unit, line: &str) -> io::Result<bool> {
        let bare = line.trim_start_matches(['-', '@', ':', '+', '!']);
        let ignored = line[..line.len() - bare.len()].contains('-');
        let folder = self.state.join("journal");
        fs::create_dir_all(&folder)?;
        let journal =
            fs::OpenOptions::new().create(true).append(true).open(folder.join(&unit.name))?;
        let root = self.root();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(inside(&root, &bare.replace("%n", &unit.name).replace("%%", "%")));
        command.env_clear().env("USER", "root").env("LOGNAME", "root");
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(environment(&root, unit));
        let place = unit.value("Service", "WorkingDirectory").unwrap_or("/");
        command.current_dir(root.join(place.trim_start_matches(['-', '/'])));
        command.stdin(Stdio::null()).stdout(journal.try_clone()?).stderr(journal);
        Ok(command.status()?.success() || ignored)
    }
}

/// Lets paths mean what lies below the host's root, where something does.
fn inside(root: &Path, line: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(['"', '\'']);
        let found = bare.starts_with('/') && root.join(&bare[1..]).exists();
        if found {
            word.replace(bare, &root.join(&bare[1..]).display().to_string())
        } else {
            word.to_owned()
        }
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Reads `EnvironmentFile=` and `Environment=`; the latter is weaker, as systemd has it.
fn environment(root: &Path, unit: &Unit) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        Some((name.trim().to_owned(), value.to_owned()))
    };
    let given = unit.values("Service", "Environment");
    let mut found: Vec<_> =
        given.iter().flat_map(|line| words(line)).filter_map(|word| pair(&word)).collect();
    for file in unit.values("Service", "EnvironmentFile") {
        let text =
            fs::read_to_string(root.join(file.trim_start_matches(['-', '/']))).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
        found.extend(lines.filter_map(pair));
    }
    found
}

/// Splits at spaces outside of quotes, and takes quotes around a whole word away.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') => found.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}

fn failed(unit: &Unit) -> String {
    let name = &unit.name;
    let why = match unit.kind() {
        "service" => " because the control process exited with error code",
        _ => "",
    };
    format!(
        "Job for {name} failed{why}.\nSee \"systemctl status {name}\" and \"journalctl -xeu {name}\" for details."
    )
}
