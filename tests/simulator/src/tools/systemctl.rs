//! `systemctl`: units are files or names, and nothing ever runs.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::{SSH_RELOADS, SSHD_PID, complain, print, store};

/// Units that a cloud image with Docker brings and that run from the start.
const BUILT_IN: [&str; 6] = ["ssh", "sshd", "docker", "containerd", "cron", "systemd-timesyncd"];

#[derive(Default, Serialize, Deserialize)]
struct Units {
    enabled: BTreeSet<String>,
    started: BTreeSet<String>,
    stopped: BTreeSet<String>,
}

/// Runs `systemctl ARGUMENTS`.
pub(super) fn run(state: &Path, arguments: &[String]) -> u8 {
    let (options, words): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with('-'));
    let now = options.iter().any(|option| *option == "--now");
    let quiet = options.iter().any(|option| *option == "--quiet" || *option == "-q");
    let Some((verb, units)) = words.split_first() else {
        complain("systemctl (ipai sandbox, simulated): no verb was given");
        return 1;
    };
    let units: Vec<String> = units.iter().map(|unit| full_name(unit)).collect();
    let result = store::change(state, "systemd", |known: &mut Units| match verb.as_str() {
        "daemon-reload" | "daemon-reexec" => 0,
        "is-active" | "is-enabled" => known.ask(verb, &units, quiet),
        _ => known.apply(state, verb, &units, now),
    });
    result.unwrap_or_else(|error| {
        complain(format!("systemctl (ipai sandbox, simulated): {error}"));
        1
    })
}

impl Units {
    fn ask(&self, verb: &str, units: &[String], quiet: bool) -> u8 {
        let mut all = true;
        for unit in units {
            let built_in = is_built_in(unit);
            let (yes, words) = if verb == "is-active" {
                let up = built_in || self.started.contains(unit);
                (up && !self.stopped.contains(unit), ["active", "inactive"])
            } else {
                (built_in || self.enabled.contains(unit), ["enabled", "disabled"])
            };
            all &= yes;
            if !quiet {
                print(format!("{}\n", words[usize::from(!yes)]));
            }
        }
        // systemctl(1): 3 is "not active", 1 is "not enabled".
        match (all, verb) {
            (true, _) => 0,
            (false, "is-active") => 3,
            (false, _) => 1,
        }
    }

    fn apply(&mut self, state: &Path, verb: &str, units: &[String], now: bool) -> u8 {
        for unit in units {
            if !exists(state, unit) {
                complain(format!("Failed to {verb} {unit}: Unit {unit} not found."));
                // systemctl(1): 5 is "not loaded"; enabling reports 1.
                return if matches!(verb, "enable" | "disable" | "mask") { 1 } else { 5 };
            }
            match verb {
                "enable" => {
                    self.enabled.insert(unit.clone());
                }
                "disable" | "mask" => {
                    self.enabled.remove(unit);
                }
                "start" | "stop" | "restart" | "reload" | "reload-or-restart" | "try-restart"
                | "status" | "unmask" | "reset-failed" => {}
                other => {
                    complain(format!("Unknown command verb {other}."));
                    return 1;
                }
            }
            let starts = matches!(verb, "start" | "restart" | "reload-or-restart");
            if starts || (verb == "enable" && now) {
                self.stopped.remove(unit);
                self.started.insert(unit.clone());
            } else if verb == "stop" || (verb == "disable" && now) {
                self.started.remove(unit);
                self.stopped.insert(unit.clone());
            }
            if matches!(unit.as_str(), "ssh.service" | "sshd.service") && is_reload(verb) {
                let told = tell_sshd(state);
                if let Err(error) = told {
                    complain(format!("systemctl (ipai sandbox, simulated): {error}"));
                    return 1;
                }
            }
            complain(format!("systemctl (ipai sandbox, simulated): {verb} {unit}"));
        }
        0
    }
}

fn is_reload(verb: &str) -> bool {
    matches!(verb, "reload" | "restart" | "reload-or-restart" | "try-restart")
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

fn full_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}

fn is_built_in(unit: &str) -> bool {
    unit.strip_suffix(".service").is_some_and(|name| BUILT_IN.contains(&name))
}

fn exists(state: &Path, unit: &str) -> bool {
    let folders = ["etc/systemd/system", "lib/systemd/system", "usr/lib/systemd/system"];
    is_built_in(unit)
        || folders.iter().any(|folder| state.join("root").join(folder).join(unit).exists())
}
