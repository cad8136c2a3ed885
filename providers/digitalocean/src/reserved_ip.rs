//! The reserved address: it leads to a droplet, and to the next one when that is replaced.

mod live;

use ipai_core::value::Attributes;
use ipai_core::{
    Attribute, Change, Default, DesiredResource, Diagnostic, Draft, Kind, ResourceType, Value,
};

use crate::PROVIDER;
use crate::volume::{check_droplet, droplet_of};

pub(crate) use live::{Seen, outputs};

/// The resource type `digitalocean.reserved_ip`.
pub struct ReservedIpType;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "droplet",
        kind: Kind::Address,
        default: Default::Required,
        change: Change::Update,
        doc: "The droplet that the address leads to, by address. When that is replaced the new one gets it.",
    },
    Attribute {
        name: REGION,
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Replace,
        doc: "Worked out by ipai: the droplet's region, which an address cannot leave. Cannot be set.",
    },
];

/// The computed attribute.
const REGION: &str = "region";

impl ResourceType for ReservedIpType {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn name(&self) -> &'static str {
        "reserved_ip"
    }

    fn summary(&self) -> &'static str {
        "A reserved IPv4 address at DigitalOcean that stays when its droplet is replaced, claimed by a tag of its own. Given back, it is lost for good, so deleting it is guarded as data is."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("ip", "The address.")]
    }

    fn example(&self) -> &'static str {
        r#"[digitalocean.reserved_ip.web]
droplet = "digitalocean.droplet.web"
"#
    }

    /// Nobody gets an address back that he gave away.
    fn holds_data(&self) -> bool {
        true
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_droplet(draft);
        if draft.resource.attributes.contains_key(REGION) {
            let problem = Diagnostic::error(format!("`{REGION}` cannot be set"));
            draft.error(REGION, problem.detail("It is the droplet's.").hint("remove it"));
        }
    }

    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let region = droplet_of(draft, all).and_then(|droplet| droplet.attributes.get(REGION));
        if let Some(region) = region.cloned() {
            draft.set(REGION, region);
        }
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        attributes.get("droplet").and_then(Value::as_text).map(identity)
    }

    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let name = self.identity(one).filter(|_| self.identity(one) == self.identity(other))?;
        Some(format!("both are the {name}, and a droplet has one"))
    }
}

/// What stands for a reserved address where one is in the way of another.
pub(crate) fn identity(droplet: &str) -> String {
    format!("reserved IP of {droplet}")
}
