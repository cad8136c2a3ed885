//! The firewall: what may reach droplets, and what they may reach.

mod live;
mod rule;

use ipai_core::exposure::{self, Gate};
use ipai_core::{
    Attribute, Attributes, Change, Default, Diagnostic, Draft, Kind, ResourceType, Value,
};
use serde_json::{Value as Json, json};

use crate::PROVIDER;
use crate::api::Rule;

pub(crate) use live::live_resource;
pub(crate) use rule::Direction;

/// The resource type `digitalocean.firewall`.
pub struct FirewallType;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "droplets",
        kind: Kind::List(&Kind::Address),
        default: Default::EmptyList,
        change: Change::Update,
        doc: "The droplets it protects, by address.",
    },
    Attribute {
        name: "inbound",
        kind: Kind::List(&Kind::Text),
        default: Default::EmptyList,
        change: Change::Update,
        doc: "What may come in, such as `tcp 22 from 203.0.113.0/24`, `tcp 8000-9000 from 0.0.0.0/0 ::/0` or `icmp from 0.0.0.0/0`. Sources are addresses, networks, or `tag:NAME`, `droplet:ID`, `load_balancer:UUID`, `kubernetes:UUID`. What no rule names stays out.",
    },
    Attribute {
        name: "outbound",
        kind: Kind::List(&Kind::Text),
        default: Default::EmptyList,
        change: Change::Update,
        doc: "What may go out, such as `udp all to 0.0.0.0/0 ::/0`. Without any rule nothing goes out.",
    },
];

impl ResourceType for FirewallType {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn name(&self) -> &'static str {
        "firewall"
    }

    fn summary(&self) -> &'static str {
        "A DigitalOcean cloud firewall in front of droplets, known by its name `ipai-STACK-NAME`."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("id", "DigitalOcean's UUID for the firewall.")]
    }

    fn example(&self) -> &'static str {
        r#"[digitalocean.firewall.web]
droplets = ["digitalocean.droplet.web"]
inbound = [
  "tcp 22 from 203.0.113.0/24",
  "tcp 80 from 0.0.0.0/0 ::/0",
  "tcp 443 from 0.0.0.0/0 ::/0",
  "icmp from 0.0.0.0/0 ::/0",
]
outbound = [
  "tcp all to 0.0.0.0/0 ::/0",
  "udp all to 0.0.0.0/0 ::/0",
  "icmp to 0.0.0.0/0 ::/0",
]
"#
    }

    fn gate(&self, attributes: &Attributes) -> Option<Gate> {
        let items = |name: &str| attributes.get(name).map(Value::text_items).unwrap_or_default();
        let hosts = items("droplets").iter().filter_map(|text| text.parse().ok()).collect();
        let rules = items("inbound").iter().filter_map(|text| gate_rule(text)).collect();
        Some(Gate { hosts, rules })
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_name(draft);
        check_droplets(draft);
        let inbound = check_rules(draft, "inbound", Direction::In);
        let outbound = check_rules(draft, "outbound", Direction::Out);
        if inbound == Some(0) && outbound == Some(0) {
            let problem = Diagnostic::error("a firewall needs at least one rule")
                .detail("DigitalOcean takes no firewall without rules.")
                .hint("add one such as `tcp 22 from 0.0.0.0/0 ::/0` to `inbound`");
            draft.error("inbound", problem);
        }
    }
}

/// A rule in its canonical form: `tcp 22 from 203.0.113.0/24`.
fn gate_rule(text: &str) -> Option<exposure::Rule> {
    let (what, sources) = text.split_once(" from ")?;
    let (protocol, ports) = what.split_once(' ').unwrap_or((what, "all"));
    Some(exposure::Rule {
        protocol: protocol.to_owned(),
        ports: exposure::ports(ports),
        sources: sources.split_whitespace().map(str::to_owned).collect(),
    })
}

/// In the firewall's name at DigitalOcean `-` and `_` are written with dots; two in a row could not be read back.
fn check_name(draft: &mut Draft<'_>) {
    let name = draft.resource.address.name.clone();
    let mark = |byte: u8| byte == b'-' || byte == b'_';
    let doubled = name.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| mark(*byte)));
    if doubled || name.as_bytes().last().is_some_and(|byte| mark(*byte)) {
        let problem = Diagnostic::error("this is not a firewall name").detail(format!(
            "`{name}` ends in `-` or `_`, or has two of them in a row; its name at DigitalOcean could not be read back."
        ));
        draft.error("", problem);
    }
}

fn check_droplets(draft: &mut Draft<'_>) {
    let Some(droplets) = draft.resource.attributes.get("droplets").cloned() else { return };
    if droplets.is_unknown() {
        return;
    }
    let mut addresses: Vec<&str> = droplets.text_items();
    addresses.sort_unstable();
    addresses.dedup();
    let strange = addresses.iter().find(|a| !a.starts_with("digitalocean.droplet."));
    if let Some(address) = strange {
        let problem = Diagnostic::error("only droplets stand behind a firewall");
        draft.error("droplets", problem.detail(format!("`{address}` is no droplet.")));
    }
    draft.set("droplets", Value::texts(addresses));
}

/// Puts rules into canonical form; returns how many there are, if that is known.
fn check_rules(draft: &mut Draft<'_>, attribute: &str, direction: Direction) -> Option<usize> {
    let rules = draft.resource.attributes.get(attribute).cloned()?;
    if rules.is_unknown() {
        return None;
    }
    let (mut parsed, texts) = (Vec::new(), rules.text_items());
    for text in &texts {
        match rule::parse(text, direction) {
            Ok(rule) => parsed.push(rule),
            Err(why) => {
                let problem = Diagnostic::error("this is not a firewall rule")
                    .detail(format!("`{text}`: {why}."))
                    .hint(format!("write it like `tcp 443 {} 0.0.0.0/0 ::/0`", direction.word()));
                draft.error(attribute, problem);
            }
        }
    }
    draft.set(attribute, Value::texts(rule::canonical(parsed, direction)));
    Some(texts.len())
}

/// Builds the body that makes or sets a whole firewall.
pub(crate) fn body(
    name: &str,
    inbound: &[&str],
    outbound: &[&str],
    members: &Members,
) -> Result<Json, String> {
    let wire = |texts: &[&str], direction: Direction| -> Result<Vec<Rule>, String> {
        texts.iter().map(|text| Ok(rule::parse(text, direction)?.into_wire(direction))).collect()
    };
    Ok(json!({
        "name": name,
        "inbound_rules": wire(inbound, Direction::In)?,
        "outbound_rules": wire(outbound, Direction::Out)?,
        "droplet_ids": members.ids,
        "tags": members.tags,
    }))
}

/// Who stands behind a firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Droplets by number.
    pub(crate) ids: Vec<u64>,
    /// All droplets that carry one of these tags. Never set by ipai; kept when a firewall is adopted.
    pub(crate) tags: Vec<String>,
}
