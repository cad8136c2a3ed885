//! How systemd's units are, each in one word.

use std::collections::BTreeMap;

use ipai_core::{Attributes, DesiredResource, Foreign, Refusal, Value};

use super::answer::Stat;
use super::path_of;
use super::report::Report;
use crate::failure;
use crate::file;
use crate::file::mode::{Mode, owner_like};
use crate::manifest::FileRecord;
use crate::unit::commands::NEEDS_SYSTEMD;
use crate::unit::{MODE, OWNER, STATE, name_of, path, should_be_up};

/// What systemd said of the units that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Systemd {
    /// It was not asked.
    #[default]
    Unasked,
    /// It does not run on this host; in the host's words, which may be none.
    Absent(String),
    /// Properties of each unit, by its name.
    Units(BTreeMap<String, Properties>),
}

/// Properties of one unit (org.freedesktop.systemd1(5)).
pub(crate) type Properties = BTreeMap<String, String>;

/// Reads what `systemctl show` printed. A line with a dash alone separates units; properties come in the bus's order.
pub(crate) fn read(text: &str) -> Option<BTreeMap<String, Properties>> {
    let mut found = BTreeMap::new();
    for block in text.split("\n-\n") {
        let lines = block.lines().filter(|line| !line.is_empty() && *line != "-");
        let pair = |line: &str| {
            line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let properties: Properties = lines.map(pair).collect::<Option<_>>()?;
        if let Some(name) = properties.get("Id") {
            found.insert(name.clone(), properties);
        }
    }
    Some(found)
}

/// The wanted word where a unit is as it should be, else what it is.
fn judge(unit: Option<&Properties>, wanted: &str) -> String {
    let value = |name: &str| unit.and_then(|unit| unit.get(name)).map_or("", String::as_str);
    let up = matches!(value("ActiveState"), "active" | "reloading" | "activating" | "refreshing");
    let ends = value("Type") == "oneshot";
    match value("LoadState") {
        "" => "unknown".to_owned(),
        "loaded" if value("NeedDaemonReload") == "yes" => "older than its file".to_owned(),
        "loaded" if should_be_up(wanted) && !up && !ends => value("ActiveState").to_owned(),
        "loaded" => wanted.to_owned(),
        other => other.to_owned(),
    }
}

/// Tells whether a unit is enabled. What has nothing to be enabled by is as it is wanted.
fn is_enabled(unit: Option<&Properties>, wanted: bool) -> bool {
    match unit.and_then(|unit| unit.get("UnitFileState")).map_or("", String::as_str) {
        "enabled" | "enabled-runtime" => true,
        "disabled" | "masked" | "masked-runtime" | "linked" | "linked-runtime" | "bad" => false,
        _ => wanted,
    }
}

impl Report<'_> {
    /// The live attributes of the unit whose file lies at `path`.
    pub(super) fn unit(
        &self,
        path: &str,
        stat: &Stat,
        wanted: Option<&DesiredResource>,
        record: Option<&FileRecord>,
    ) -> Attributes {
        let mut attributes = self.file(path, stat, wanted, record);
        let (mode, owner) = (attributes.remove("mode"), attributes.remove("owner"));
        attributes.remove("path");
        let name = name_of(path).unwrap_or_default();
        attributes.insert("name".into(), Value::text(name));
        let Some(wanted) = wanted else { return attributes };
        let Systemd::Units(units) = &self.answer.systemd else { return attributes };
        let enabled = is_enabled(units.get(name), crate::unit::flag(&wanted.attributes, "enabled"));
        attributes.insert("enabled".into(), Value::Bool(enabled));
        let dressed = [(mode, MODE), (owner, OWNER)];
        let other = dressed
            .iter()
            .find(|(is, should)| is.as_ref().is_some_and(|is| is.as_text() != Some(should)));
        let state = match (other, self.is_pending(path)) {
            (Some((Some(is), _)), _) => is.as_text().unwrap_or_default().to_owned(),
            (_, true) => "not taken in yet".to_owned(),
            _ => judge(units.get(name), wanted.text(STATE).unwrap_or_default()),
        };
        attributes.insert(STATE.into(), Value::text(state));
        attributes
    }

    /// Tells whether systemd may not have taken a unit's file in since it came.
    pub(super) fn is_pending(&self, path: &str) -> bool {
        let name = name_of(path).unwrap_or_default();
        self.manifest.units.get(name).is_some_and(|record| record.pending)
    }

    /// Tells whether a unit's file that no record speaks of is as wanted.
    pub(super) fn unit_is_as_wanted(
        &self,
        attributes: &Attributes,
        wanted: &DesiredResource,
        stat: &Stat,
    ) -> bool {
        let dressed = Mode(stat.mode & 0o7777).to_string() == MODE
            && owner_like(Some(OWNER), &stat.numbers, &stat.names) == OWNER;
        dressed && attributes.get("content") == wanted.attributes.get("content")
    }

    pub(super) fn foreign_unit(&self, path: &str, stat: &Stat) -> Foreign {
        Foreign {
            provider: "host".into(),
            kind: "unit".into(),
            id: path.to_owned(),
            title: format!("{} {path} on {}", stat.kind(), self.home),
            identity: Some(file::identity(&self.home.to_string(), path)),
        }
    }

    /// What the plan refuses where systemd does not run.
    pub(super) fn without_systemd(&self) -> Vec<Refusal> {
        let Systemd::Absent(words) = &self.answer.systemd else { return Vec::new() };
        let words = failure::readable(words);
        let words = words.lines().next().unwrap_or("it has no systemctl");
        let refusal = |resource: &DesiredResource| Refusal {
            address: resource.address.clone(),
            harmed: Foreign {
                provider: "host".into(),
                kind: "unit".into(),
                id: path_of(resource).unwrap_or_else(|| path("")),
                title: format!("{}, which does not run systemd", self.home),
                identity: None,
            },
            why: format!("systemd does not run on the host: {words}"),
            hint: NEEDS_SYSTEMD.into(),
        };
        self.of_kind("unit").map(refusal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(lines: &str) -> Properties {
        read(lines).unwrap().into_values().next().unwrap()
    }

    #[test]
    fn blocks_end_at_dashes_and_have_their_properties_in_any_order() {
        let text =
            "Id=a.target\nLoadState=loaded\n-\nType=oneshot\nId=b.service\nLoadState=masked\n";
        let found = read(text).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a.target", "b.service"]);
        assert_eq!(found["b.service"]["Type"], "oneshot");
        assert!(!found["a.target"].contains_key("Type"));
        assert_eq!(read("rubbish"), None);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_unit_that_is_not_as_it_should_be_is_named_by_what_it_is() {
        let up = "Id=a.timer\nLoadState=loaded\nActiveState=active\nNeedDaemonReload=no\n";
        let down = up.replace("=active", "=inactive");
        for (lines, wanted, word) in [
            (up.to_owned(), "active", "active"),
            (down.clone(), "active", "inactive"),
            (down.clone(), "ready", "ready"),
            (up.replace("=active", "=failed"), "active", "failed"),
            (up.replace("=active", "=failed"), "ready", "ready"),
            (up.replace("=no", "=yes"), "active", "older than its file"),
            (up.replace("=loaded", "=masked"), "ready", "masked"),
            (format!("Type=oneshot\n{down}"), "active", "active"),
        ] {
            assert_eq!(judge(Some(&unit(&lines)), wanted), word, "{lines}");
        }
        assert_eq!(judge(None, "active"), "unknown");
    }

    #[test]
    fn what_nothing_enables_counts_as_it_is_wanted() {
        let state = |state: &str| unit(&format!("Id=a.service\nUnitFileState={state}\n"));
        for wanted in [true, false] {
            assert!(is_enabled(Some(&state("enabled")), wanted));
            assert!(!is_enabled(Some(&state("disabled")), wanted));
            assert_eq!(is_enabled(Some(&state("static")), wanted), wanted);
        }
    }
}
