//! The resource type `host.unit`: a systemd unit on a host.

pub(crate) mod commands;

use ipai_core::{
    Attribute, Attributes, Change, Default, DesiredResource, Diagnostic, Draft, Kind, ResourceType,
    Value,
};

use crate::file::{identity, text};

/// `host.unit`.
#[derive(Clone, Copy, Debug)]
pub struct UnitType;

/// Where units of a machine's own lie (systemd.unit(5)).
const FOLDER: &str = "/etc/systemd/system";

/// Kinds of units that are written in files (systemd.unit(5)); devices and scopes are not.
const SUFFIXES: [&str; 9] =
    ["service", "socket", "mount", "automount", "swap", "target", "path", "timer", "slice"];

/// The longest name in bytes. Linux allows 255; the rest is left for names beside it.
const MAX_NAME: usize = 200;

/// The mode and the owner of every unit's file: systemd reads it, and anybody may ask for it.
pub(crate) const MODE: &str = "0644";
pub(crate) const OWNER: &str = "root:root";

/// The computed attribute.
pub(crate) const STATE: &str = "state";

/// How a unit should be: up.
const ACTIVE: &str = "active";

/// How a unit should be: known to systemd, and up when something asks for it.
const READY: &str = "ready";

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "host",
        kind: Kind::Address,
        default: Default::Required,
        change: Change::Replace,
        doc: "The host that the unit belongs to: the address of a droplet or a server.",
    },
    Attribute {
        name: "name",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The unit's full name, such as \"backup.timer\" or \"mnt-data.mount\". The file is /etc/systemd/system/NAME, \
              owned by root, mode 0644. One that lies there already and differs has to be adopted first, unless the host \
              has never seen ipai.",
    },
    Attribute {
        name: "content",
        kind: Kind::Content,
        default: Default::Required,
        change: Change::Update,
        doc: "The unit file: a text, `{ template = \"path\" }` or `{ file = \"path\" }`. It may not hold a secret, because \
              everybody on the host can read it; name a `host.file` with `EnvironmentFile=` or `LoadCredential=`.",
    },
    Attribute {
        name: "enabled",
        kind: Kind::Bool,
        default: Default::Bool(true),
        change: Change::Update,
        doc: "Whether the unit is started now and at every boot (`systemctl enable --now`). false: systemd knows it, and \
              something else starts it, such as a timer the service of the same name.",
    },
    Attribute {
        name: "restart",
        kind: Kind::Bool,
        default: Default::Bool(true),
        change: Change::Local,
        doc: "Whether a unit that is up is restarted when its content changed (`systemctl try-restart`). A mount never is.",
    },
    Attribute {
        name: STATE,
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Update,
        doc: "Worked out by ipai: how the unit should be. \"active\" when it is enabled and no service of `Type=oneshot`, \
              else \"ready\". Cannot be set.",
    },
];

impl ResourceType for UnitType {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn name(&self) -> &'static str {
        "unit"
    }

    fn summary(&self) -> &'static str {
        "A systemd unit on a host: its file, and whether it is enabled and up."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("name", "The unit's full name.")]
    }

    fn example(&self) -> &'static str {
        "[host.unit.backup]\n\
         host = \"digitalocean.droplet.ops\"\n\
         name = \"backup.timer\"\n\
         content = \"\"\"\n\
         [Timer]\n\
         OnCalendar=*-*-* 02:30:00\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n\
         \"\"\"\n\
         enabled = true\n"
    }

    fn home(&self) -> Option<&'static str> {
        Some("host")
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_name(draft);
        check_content(draft);
        check_state(draft);
    }

    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let own = self.identity(&draft.resource.attributes);
        let same = |other: &&DesiredResource| {
            let (host, path) = (other.text("host"), other.text("path"));
            let taken = host.zip(path).map(|(host, path)| identity(host, path));
            other.address.kind == "file" && taken.is_some() && taken == own
        };
        if let Some(file) = all.iter().find(same) {
            let problem = Diagnostic::error("Two resources exclude each other")
                .detail(format!("`{}` writes this unit's file already.", file.address));
            draft.error("name", problem);
        }
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        Some(identity(text(attributes, "host")?, &path(text(attributes, "name")?)))
    }

    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        self.identity(attributes)
    }

    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let same = self.identity(one).is_some() && self.identity(one) == self.identity(other);
        let name = text(one, "name").unwrap_or_default();
        same.then(|| format!("both are the unit {name} of the same host"))
    }
}

/// The path of a unit's file.
pub(crate) fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The name of the unit whose file lies at `path`.
pub(crate) fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)?.strip_prefix('/').filter(|name| problem(name).is_none())
}

/// Why a text is no name for a unit here, if it is none.
fn problem(name: &str) -> Option<&'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || ":-_.\\".contains(c);
    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
    if name.contains('/') {
        Some("it holds a `/`")
    } else if name.contains('@') {
        Some("units that are made from a template are not managed")
    } else if !SUFFIXES.contains(&suffix) {
        Some("it does not end with a kind of unit, such as `.service` or `.timer`")
    } else if stem.is_empty() || stem.starts_with(['-', '.']) || !name.chars().all(legal) {
        Some("systemd allows letters, digits and `:-_.\\`, and none of `-.` first here")
    } else if name.len() > MAX_NAME {
        Some("it is longer than 200 bytes")
    } else {
        None
    }
}

fn check_name(draft: &mut Draft<'_>) {
    let Some(name) = draft.text("name") else { return };
    if let Some(why) = problem(&name) {
        let problem = Diagnostic::error("Not a unit's name")
            .detail(format!("`{}`: {why}.", name.escape_debug()))
            .hint("write the full name, such as \"backup.timer\"");
        draft.error("name", problem);
    }
}

fn check_content(draft: &mut Draft<'_>) {
    if draft.resource.attributes.get("content").is_some_and(Value::is_sensitive) {
        let problem = Diagnostic::error("A secret in a unit that everybody may read")
            .detail("The content holds a secret, and `systemctl cat` shows a unit to every user.")
            .hint(
                "put the secret into a host.file and name that in the unit: EnvironmentFile=/path",
            );
        draft.error("content", problem);
    }
}

/// Works out how the unit should be, as soon as its content is known.
fn check_state(draft: &mut Draft<'_>) {
    if draft.resource.spans.contains_key(STATE) {
        let problem = Diagnostic::error("An attribute that ipai works out")
            .detail("`state` follows from `enabled` and the content.")
            .hint("remove the line");
        draft.error(STATE, problem);
    }
    let content = draft.resource.attributes.get("content").and_then(Value::as_content);
    let Some(content) = content.and_then(|content| content.text.as_ref()) else { return };
    let enabled = flag(&draft.resource.attributes, "enabled");
    let service = draft.text("name").is_some_and(|name| name.ends_with(".service"));
    let oneshot = service && is_oneshot(content.expose());
    let word = if enabled && !oneshot { ACTIVE } else { READY };
    draft.set(STATE, Value::text(word));
}

/// Tells whether a service's last `Type=` is `oneshot`.
fn is_oneshot(text: &str) -> bool {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut kinds = pairs.filter(|(key, _)| key.trim() == "Type").map(|(_, value)| value.trim());
    kinds.next_back() == Some("oneshot")
}

/// An attribute that is true unless it says otherwise.
pub(crate) fn flag(attributes: &Attributes, name: &str) -> bool {
    attributes.get(name).and_then(Value::as_bool).unwrap_or(true)
}

/// Tells whether a unit should be up.
pub(crate) fn should_be_up(word: &str) -> bool {
    word == ACTIVE
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
