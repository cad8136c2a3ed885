//! The droplet: a virtual machine.

mod body;
mod live;
mod user_data;

#[cfg(test)]
mod tests;

use ipai_core::value::Attributes;
use ipai_core::{
    Attribute, Change, Default, DesiredResource, Diagnostic, Draft, Kind, ResourceType, Value,
};

use crate::{PROVIDER, marker};

pub(crate) use body::creation;
pub(crate) use live::{Surroundings, UNFINISHED, live_resource, may_be_unborn, outputs};
pub use user_data::Birth;

/// The resource type `digitalocean.droplet`.
pub struct DropletType;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "name",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Update,
        doc: "The droplet's name, which becomes its hostname at birth: letters, digits, `.` and `-`, at most 255. A change renames the droplet and leaves the hostname as it is.",
    },
    Attribute {
        name: "region",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The slug of the region, such as `fra1`.",
    },
    Attribute {
        name: "size",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Update,
        doc: "The slug of the size, such as `s-2vcpu-4gb`. A change shuts the droplet down, resizes it without its disk (so that it can be made smaller again), and starts it. A size whose disk is smaller than the present one is refused by DigitalOcean.",
    },
    Attribute {
        name: "image",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Birth,
        doc: "The slug of a public image, such as `debian-13-x64`, or the number of a snapshot.",
    },
    Attribute {
        name: "power",
        kind: Kind::Choice(&["on", "off"]),
        default: Default::Text("on"),
        change: Change::Update,
        doc: "Whether the droplet runs.",
    },
    Attribute {
        name: "user_data",
        kind: Kind::Content,
        default: Default::Absent,
        change: Change::Birth,
        doc: "Cloud-config that runs at the first boot. It begins with `#cloud-config` and leaves `ssh_keys` and `ssh_deletekeys` to ipai, which puts the host key there.",
    },
    Attribute {
        name: "ssh_keys",
        kind: Kind::List(&Kind::Text),
        default: Default::Absent,
        change: Change::Birth,
        doc: "SSH keys of the account that may log in as root: fingerprints or numbers.",
    },
    Attribute {
        name: "tags",
        kind: Kind::List(&Kind::Text),
        default: Default::Absent,
        change: Change::Update,
        doc: "Tags beside those that ipai sets, compared without regard to case. Left out, tags that others set are left alone.",
    },
    Attribute {
        name: "monitoring",
        kind: Kind::Bool,
        default: Default::Absent,
        change: Change::Birth,
        doc: "Whether DigitalOcean's monitoring agent is installed.",
    },
    Attribute {
        name: "ipv6",
        kind: Kind::Bool,
        default: Default::Absent,
        change: Change::Birth,
        doc: "Whether the droplet gets an IPv6 address.",
    },
    Attribute {
        name: "backups",
        kind: Kind::Bool,
        default: Default::Absent,
        change: Change::Birth,
        doc: "Whether DigitalOcean takes backups of the whole droplet, at a price.",
    },
    Attribute {
        name: "vpc_uuid",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Birth,
        doc: "The private network, by its UUID; left out, the region's default one.",
    },
    Attribute {
        name: HOST_KEY,
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Update,
        doc: "Worked out by ipai: \"own\" when the stack puts something on the droplet. A droplet proves itself at first contact with an SSH host key \
              that came in its user data, which anything on it can read; in the first verified session the host makes a key of its own and the pin moves. \
              Cannot be set.",
    },
];

/// The computed attribute.
pub(crate) const HOST_KEY: &str = "host_key";
/// The host made its key itself.
pub(crate) const OWN: &str = "own";
/// The host may still prove itself with the key that came in its user data.
pub(crate) const BIRTH: &str = "birth";

const OUTPUTS: &[(&str, &str)] = &[
    ("id", "DigitalOcean's number for the droplet."),
    ("ipv4", "The public IPv4 address, which is not a reserved one."),
    ("private_ipv4", "The IPv4 address in the private network."),
    ("ipv6", "The public IPv6 address, when there is one."),
    ("host_keys", "The pinned SSH host keys: SHA-256 fingerprints in hex."),
    (
        "birth_host_keys",
        "Those of them that came in the user data and still have to be replaced on the host.",
    ),
    ("created_at", "When it was created, RFC 3339."),
    ("young", "Whether it was created less than 15 minutes ago."),
    ("status", "`new`, `active`, `off` or `archive`."),
];

impl ResourceType for DropletType {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn name(&self) -> &'static str {
        "droplet"
    }

    fn summary(&self) -> &'static str {
        "A virtual machine at DigitalOcean, known by its tags, with a host key that is pinned before it exists."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        OUTPUTS
    }

    fn example(&self) -> &'static str {
        r##"[digitalocean.droplet.web]
name = "web.example.com"
region = "fra1"
size = "s-1vcpu-1gb"
image = "debian-13-x64"
tags = ["web"]
monitoring = true
user_data = """
#cloud-config
packages: [curl]
"""
"##
    }

    fn is_home(&self) -> bool {
        true
    }

    fn holds_data(&self) -> bool {
        true
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_name(draft);
        check_region(draft);
        check_tags(draft);
        check_user_data(draft);
        if draft.resource.attributes.contains_key(HOST_KEY) {
            let problem = Diagnostic::error(format!("`{HOST_KEY}` cannot be set"));
            draft.error(HOST_KEY, problem.detail("ipai works it out.").hint("remove it"));
        }
    }

    /// Whoever works on the host does so under a key of the host's own.
    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let here = Some(&draft.resource.address);
        let inhabited = all.iter().any(|resource| resource.home.as_ref() == here);
        if inhabited && draft.text("power").as_deref() != Some("off") {
            draft.set(HOST_KEY, Value::text(OWN));
        }
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        attributes.get("name").and_then(Value::as_text).map(identity)
    }

    /// The API allows two droplets of one name; then neither people nor a lookup after a lost answer can tell them apart.
    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let name = self.identity(one).filter(|_| self.identity(one) == self.identity(other))?;
        Some(format!("both are the {name}"))
    }
}

/// What stands for a droplet's name where names are compared.
pub(crate) fn identity(name: &str) -> String {
    format!("droplet {}", name.to_ascii_lowercase())
}

fn check_name(draft: &mut Draft<'_>) {
    let Some(name) = draft.text("name") else { return };
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let ends = name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !ends || name.len() > 255 || !name.chars().all(legal) {
        let problem = Diagnostic::error("this is not a droplet name")
            .detail(format!("`{name}` becomes a hostname: letters, digits, `.` and `-`, a letter or digit at the end, at most 255 characters."));
        draft.error("name", problem);
    }
}

/// The API takes `fra` for any of its regions; the live droplet would then always differ from what is wanted.
pub(crate) fn check_region(draft: &mut Draft<'_>) {
    let Some(region) = draft.text("region") else { return };
    let letters = region.trim_end_matches(|c: char| c.is_ascii_digit());
    let named = !letters.is_empty() && letters.chars().all(|c| c.is_ascii_lowercase());
    if !named || letters.len() == region.len() {
        let problem = Diagnostic::error("this is not a region")
            .detail(format!("`{region}` does not name one region."))
            .hint("name one such as `fra1`, `ams3` or `nyc3`");
        draft.error("region", problem);
    }
}

fn check_tags(draft: &mut Draft<'_>) {
    let Some(Value::List(items)) = draft.resource.attributes.get("tags").cloned() else { return };
    let mut canonical = std::collections::BTreeSet::new();
    for item in &items {
        let Some(tag) = item.as_text() else { return };
        if let Some(why) = unfit_tag(tag) {
            let problem = Diagnostic::error("this tag cannot be used");
            draft.error("tags", problem.detail(format!("`{tag}` {why}.")));
        }
        canonical.insert(tag.to_ascii_lowercase());
    }
    draft.set("tags", Value::texts(canonical));
}

fn unfit_tag(tag: &str) -> Option<&'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if tag.is_empty() || tag.len() > 255 || !tag.chars().all(legal) {
        return Some("is not 1 to 255 letters, digits, `:`, `_` or `-`");
    }
    marker::is_reserved(tag)
        .then_some("begins with `ipai`, as the tags do by which ipai knows its droplets")
}

fn check_user_data(draft: &mut Draft<'_>) {
    let Some(Value::Content(content)) = draft.resource.attributes.get("user_data") else { return };
    let Some(text) = content.text.as_ref() else { return };
    let Err(problem) = user_data::check(text.expose(), content.is_sensitive()) else { return };
    draft.error("user_data", problem);
}
