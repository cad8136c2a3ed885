//! The verbs that change something.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::unit::Unit;
use super::{NOT_LOADED, State, Systemctl, is_built_in};
use crate::tools::{SSH_RELOADS, SSHD_PID, complain};

impl Systemctl<'_> {
    /// Runs a verb on all units; the first that fails ends it, as far as systemd stops there too.
    pub(super) fn change(&self, verb: &str, units: &[String]) -> io::Result<u8> {
        match verb {
            "daemon-reload" | "daemon-reexec" => self.reload_manager(),
            "enable" | "disable" | "mask" | "unmask" => self.install(verb, units),
            "start"
            | "stop"
            | "restart"
            | "reload"
            | "reload-or-restart"
            | "try-restart"
            | "try-reload-or-restart"
            | "reset-failed" => {
                let mut worst = 0;
                for unit in units {
                    worst = worst.max(self.act(verb, unit)?);
                }
                Ok(worst)
            }
            other => {
                complain(format!("Unknown command verb '{other}'."));
                Ok(1)
            }
        }
    }

    /// Reads all unit files anew. What is neither up nor enabled is not kept in memory.
    fn reload_manager(&self) -> io::Result<u8> {
        self.manager(|manager| {
            let root = self.root();
            let held: Vec<String> = manager.read.keys().cloned().collect();
            manager.read.clear();
            for name in held {
                let used = manager.is_up(&name) || !Unit::held_links(&root, &name).is_empty();
                if let Some(unit) = self.unit(&name).filter(|_| used) {
                    manager.load(&unit);
                }
            }
            0
        })
    }

    /// Runs `enable`, `disable`, `mask` or `unmask`; `--now` then starts or stops.
    fn install(&self, verb: &str, units: &[String]) -> io::Result<u8> {
        for name in units {
            match (verb, self.unit(name)) {
                ("unmask", _) => self.unmask(name)?,
                (_, None) if is_built_in(name) => self.install_built_in(verb, name)?,
                (_, None) => {
                    complain(format!("Failed to {verb} unit: Unit {name} does not exist"));
                    return Ok(1);
                }
                ("enable", Some(unit)) if unit.masked => {
                    complain(format!("Failed to enable unit: Unit {name} is masked"));
                    return Ok(1);
                }
                ("enable", Some(unit)) => self.enable(&unit)?,
                ("disable", Some(_)) => self.disable(name)?,
                (_, Some(unit)) => {
                    let path = unit.host_path();
                    complain(format!("Failed to mask unit: File '{path}' already exists"));
                    return Ok(1);
                }
            }
            self.note(verb, name);
        }
        // enable and disable end with a reload of the manager.
        self.reload_manager()?;
        match (verb, self.now) {
            ("enable", true) => self.change("start", units),
            ("disable" | "mask", true) => self.change("stop", units),
            _ => Ok(0),
        }
    }

    fn install_built_in(&self, verb: &str, name: &str) -> io::Result<()> {
        let mark = self.state.join(format!("{name}.disabled"));
        if verb == "enable" { remove(&mark) } else { fs::write(mark, "") }
    }

    fn enable(&self, unit: &Unit) -> io::Result<()> {
        let links = unit.links();
        if links.is_empty() {
            complain(
                "The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=,\n\
                 Also=, or Alias= settings in the [Install] section, and DefaultInstance= for\n\
                 template units). This means they are not meant to be enabled or disabled using systemctl.",
            );
        }
        for link in links.iter().filter(|link| link.symlink_metadata().is_err()) {
            fs::create_dir_all(link.parent().unwrap_or(Path::new("/")))?;
            std::os::unix::fs::symlink(unit.host_path(), link)?;
            let shown = link.strip_prefix(self.root()).unwrap_or(link).display();
            complain(format!("Created symlink '/{shown}' → '{}'.", unit.host_path()));
        }
        self.manager(|manager| manager.load(unit))
    }

    fn disable(&self, name: &str) -> io::Result<()> {
        for link in Unit::held_links(&self.root(), name) {
            fs::remove_file(&link)?;
            let shown = link.strip_prefix(self.root()).unwrap_or(&link).display();
            complain(format!("Removed '/{shown}'."));
        }
        Ok(())
    }

    fn unmask(&self, name: &str) -> io::Result<()> {
        match self.unit(name).filter(|unit| unit.masked) {
            Some(unit) => remove(&unit.path),
            None => Ok(()),
        }
    }

    /// Starts, stops or tells one unit.
    fn act(&self, verb: &str, name: &str) -> io::Result<u8> {
        let up = self.manager(|manager| manager.is_up(name))?;
        if !self.exists(name) && !up {
            let how = if verb == "stop" { "not loaded" } else { "not found" };
            complain(format!("Failed to {verb} {name}: Unit {name} {how}."));
            return Ok(NOT_LOADED);
        }
        let status = match verb {
            "stop" => self.stop(name)?,
            "reset-failed" => self.reset(name)?,
            "start" if up => 0,
            "start" => self.start(name)?,
            "restart" | "reload-or-restart" => {
                self.stop(name)?;
                self.start(name)?
            }
            "try-restart" | "try-reload-or-restart" if up => {
                self.stop(name)?;
                self.start(name)?
            }
            "reload" if !up => {
                complain(format!("{name} is not active, cannot reload."));
                1
            }
            _ => 0,
        };
        let tells = matches!(verb, "reload" | "restart" | "reload-or-restart" | "try-restart");
        if matches!(name, "ssh.service" | "sshd.service") && tells {
            tell_sshd(self.state)?;
        }
        self.note(verb, name);
        Ok(status)
    }

    fn stop(&self, name: &str) -> io::Result<u8> {
        let linked = !Unit::held_links(&self.root(), name).is_empty();
        self.manager(|manager| {
            manager.states.insert(name.to_owned(), State::new("inactive", "success"));
            if !linked {
                manager.read.remove(name);
            }
            0
        })
    }

    fn reset(&self, name: &str) -> io::Result<u8> {
        self.manager(|manager| {
            if manager.state(name).active == "failed" {
                manager.states.remove(name);
            }
            0
        })
    }

    fn note(&self, verb: &str, name: &str) {
        complain(format!("systemctl (ipai sandbox, simulated): {verb} {name}"));
    }
}

fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the host's sshd read its key again: the embedded one counts, a real one gets SIGHUP.
fn tell_sshd(state: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(state.join(SSH_RELOADS))?.write_all(b".")?;
    let Ok(text) = fs::read_to_string(state.join(SSHD_PID)) else { return Ok(()) };
    match text.trim().parse().ok().and_then(Pid::from_raw) {
        Some(pid) => Ok(kill_process(pid, Signal::HUP)?),
        None => Ok(()),
    }
}
