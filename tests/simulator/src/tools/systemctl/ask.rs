//! The verbs that only ask.

use std::io;

use super::unit::Unit;
use super::{Manager, NO_SUCH_UNIT, NOT_ACTIVE, Systemctl, is_built_in};
use crate::tools::{complain, print};

impl Systemctl<'_> {
    /// `is-active`: well when one of the units is.
    pub(super) fn is_active(&self, units: &[String]) -> io::Result<u8> {
        self.ask_state(units, NOT_ACTIVE, |active| active == "active" || active == "reloading")
    }

    /// `is-failed`: well when one of the units has failed.
    pub(super) fn is_failed(&self, units: &[String]) -> io::Result<u8> {
        self.ask_state(units, 1, |active| active == "failed")
    }

    fn ask_state(&self, units: &[String], otherwise: u8, good: fn(&str) -> bool) -> io::Result<u8> {
        let (mut any, mut missing) = (false, false);
        for unit in units {
            let active = self.manager(|manager| manager.state(unit).active)?;
            any |= good(&active);
            missing |= !self.exists(unit) && active == "inactive";
            self.say(&active);
        }
        Ok(match (any, missing) {
            (true, _) => 0,
            (false, true) => NO_SUCH_UNIT,
            (false, false) => otherwise,
        })
    }

    /// `is-enabled`: well when one of the units is.
    pub(super) fn is_enabled(&self, units: &[String]) -> io::Result<u8> {
        let states: Vec<&str> =
            units.iter().map(|unit| self.file_state(unit).unwrap_or("not-found")).collect();
        states.iter().for_each(|state| self.say(state));
        let any = states.iter().any(|state| matches!(*state, "enabled" | "static"));
        Ok(match any {
            true => 0,
            false if states.contains(&"not-found") => NO_SUCH_UNIT,
            false => 1,
        })
    }

    fn say(&self, word: &str) {
        if !self.quiet {
            print(format!("{word}\n"));
        }
    }

    /// Says what systemd calls the state of a unit's file, if there is one.
    pub(super) fn file_state(&self, name: &str) -> Option<&'static str> {
        let Some(unit) = self.unit(name) else {
            let disabled = self.state.join(format!("{name}.disabled")).exists();
            return is_built_in(name).then_some(if disabled { "disabled" } else { "enabled" });
        };
        Some(match (unit.masked, Unit::held_links(&self.root(), name).is_empty()) {
            (true, _) => "masked",
            (false, false) => "enabled",
            (false, true) if unit.links().is_empty() => "static",
            (false, true) => "disabled",
        })
    }

    /// `is-system-running`: as if everything had come up.
    pub(super) fn is_running(&self) -> io::Result<u8> {
        let failed =
            self.manager(|manager| manager.states.values().any(|state| state.active == "failed"))?;
        self.say(if failed { "degraded" } else { "running" });
        Ok(u8::from(failed))
    }

    /// `show -p A,B UNIT…`: a block of lines for each unit, in the order of the bus and not of the
    /// request, an empty line between two.
    pub(super) fn show(&self, units: &[String], wanted: &[String], value: bool) -> io::Result<u8> {
        for (at, unit) in units.iter().enumerate() {
            if at > 0 {
                print("\n");
            }
            let properties = self.manager(|manager| self.properties(manager, unit))?;
            for (key, text) in properties {
                if wanted.is_empty() || wanted.iter().any(|name| name == key) {
                    print(if value { format!("{text}\n") } else { format!("{key}={text}\n") });
                }
            }
        }
        Ok(0)
    }

    fn properties(&self, manager: &Manager, name: &str) -> Vec<(&'static str, String)> {
        let unit = self.unit(name);
        let state = manager.state(name);
        let held = manager.read.get(name);
        let load = match &unit {
            Some(unit) if unit.masked => "masked",
            Some(unit) if unit.is_bad() && held.is_none() => "bad-setting",
            None if !is_built_in(name) && held.is_none() => "not-found",
            _ => "loaded",
        };
        let stale =
            held.is_some_and(|held| unit.as_ref().is_none_or(|unit| unit.digest() != *held));
        let mut found = Vec::new();
        let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
        if kind == "service" {
            let oneshot = unit.as_ref().is_some_and(Unit::is_oneshot);
            let given = unit.as_ref().and_then(|unit| unit.value("Service", "Type"));
            found.push((
                "Type",
                if oneshot { "oneshot" } else { given.unwrap_or("simple") }.to_owned(),
            ));
        }
        if !matches!(kind, "target" | "slice" | "scope") {
            found.push(("Result", state.result.clone()));
        }
        found.extend([
            ("Id", name.to_owned()),
            ("LoadState", load.to_owned()),
            ("ActiveState", state.active.clone()),
            ("SubState", sub_state(unit.as_ref(), kind, &state.active).to_owned()),
            ("FragmentPath", unit.as_ref().map(Unit::host_path).unwrap_or_default()),
            ("UnitFileState", self.file_state(name).unwrap_or_default().to_owned()),
            ("NeedDaemonReload", if stale { "yes" } else { "no" }.to_owned()),
        ]);
        found
    }

    /// `cat`: the file, led by its path.
    pub(super) fn cat(&self, units: &[String]) -> io::Result<u8> {
        for (at, name) in units.iter().enumerate() {
            let Some(unit) = self.unit(name) else {
                complain(format!("No files found for {name}."));
                return Ok(1);
            };
            let gap = if at > 0 { "\n" } else { "" };
            print(format!("{gap}# {}\n{}", unit.host_path(), unit.text));
        }
        Ok(0)
    }

    /// `status`: two lines, and how it is as the exit status.
    pub(super) fn status(&self, units: &[String]) -> io::Result<u8> {
        let mut worst = 0;
        for name in units {
            if !self.exists(name) {
                complain(format!("Unit {name} could not be found."));
                worst = NO_SUCH_UNIT;
                continue;
            }
            let active = self.manager(|manager| manager.state(name).active)?;
            print(format!("{name} - ipai sandbox (simulated)\n     Active: {active}\n"));
            if active != "active" {
                worst = worst.max(NOT_ACTIVE);
            }
        }
        Ok(worst)
    }
}

fn sub_state(unit: Option<&Unit>, kind: &str, active: &str) -> &'static str {
    match (active, kind) {
        ("failed", _) => "failed",
        ("activating", _) => "start",
        ("inactive", _) => "dead",
        (_, "service") if unit.is_some_and(Unit::is_oneshot) => "exited",
        (_, "service") => "running",
        (_, "timer" | "path" | "automount") => "waiting",
        (_, "mount") => "mounted",
        (_, "socket") => "listening",
        _ => "active",
    }
}
