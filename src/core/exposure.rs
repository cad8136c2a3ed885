//! Which ports can be reached from where: what a host's services publish, seen through the firewalls in front of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::live::LiveResource;
use crate::plan::{Plan, Verb};
use crate::resource::{DesiredResource, Types};
use crate::value::Attributes;

/// A port that a service listens at on its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The host.
    pub host: Address,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The first and the last port; absent when it is chosen at run time.
    pub ports: Option<(u16, u16)>,
    /// Who listens.
    pub service: String,
    /// Whether the host itself alone can reach it.
    pub local: bool,
}

/// What lets traffic through to hosts, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The hosts behind it.
    pub hosts: Vec<Address>,
    /// What it lets in.
    pub rules: Vec<Rule>,
}

/// One thing that a gate lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// The first and the last port; absent for all.
    pub ports: Option<(u16, u16)>,
    /// Networks and whatever else the gate knows to be a source.
    pub sources: Vec<String>,
}

/// A port and who can reach it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exposed {
    /// The host.
    pub host: Address,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The first and the last port; absent when Docker chooses one.
    pub ports: Option<(u16, u16)>,
    /// Who listens there; absent for what the host itself has.
    pub service: Option<String>,
    /// From where; absent when nothing stands in front of the host, so that everybody can.
    pub from: Option<Vec<String>>,
}

/// How the plan changes that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It is so now and stays so.
    Stays,
    /// It becomes so.
    Opens,
    /// It was so and will not be.
    Closes,
}

/// What is and will be exposed, in the order of hosts and ports.
#[must_use]
pub fn exposure(
    types: &Types,
    desired: &[DesiredResource],
    live: &[LiveResource],
    plan: &Plan,
) -> Vec<(Exposed, Turn)> {
    let verbs: BTreeMap<&Address, Verb> =
        plan.actions.iter().map(|action| (&action.address, action.verb)).collect();
    let wanted: BTreeMap<&Address, &Attributes> =
        desired.iter().map(|r| (&r.address, &r.attributes)).collect();
    // What stays as it is, or is no part of this plan, need not have been fetched with its text; the wanted one is as
    // near as can be.
    let stays = |address: &Address| {
        matches!(verbs.get(address), None | Some(Verb::NoOp | Verb::Adopt | Verb::Forget))
    };
    let shown = |r: &'_ LiveResource| wanted.get(&r.address).copied().filter(|_| stays(&r.address));
    let found: BTreeMap<&Address, &Attributes> =
        live.iter().map(|r| (&r.address, shown(r).unwrap_or(&r.attributes))).collect();
    let kept = found.iter().filter(|(address, _)| stays(address));
    let made = wanted.iter().filter(|(address, _)| {
        matches!(verbs.get(*address), Some(Verb::Create | Verb::Update | Verb::Replace))
    });
    let will: BTreeMap<&Address, &Attributes> = kept.chain(made).map(|(a, r)| (*a, *r)).collect();
    let (before, after) = (exposed(types, &found), exposed(types, &will));
    let turn = |e: &Exposed| if before.contains(e) { Turn::Stays } else { Turn::Opens };
    let mut all: Vec<(Exposed, Turn)> = after.iter().map(|e| (e.clone(), turn(e))).collect();
    let gone = before.iter().filter(|e| !after.contains(e));
    all.extend(gone.map(|e| (e.clone(), Turn::Closes)));
    all.sort();
    all
}

fn exposed(types: &Types, resources: &BTreeMap<&Address, &Attributes>) -> Vec<Exposed> {
    let mut openings = Vec::new();
    let mut gates = Vec::new();
    for (address, attributes) in resources {
        let Some(kind) = types.get(address) else { continue };
        openings.extend(kind.openings(attributes));
        gates.extend(kind.gate(attributes));
    }
    let mut all = Vec::new();
    let open = || openings.iter().filter(|opening| !opening.local);
    for opening in open() {
        let before: Vec<&Gate> =
            gates.iter().filter(|gate| gate.hosts.contains(&opening.host)).collect();
        let rules =
            before.iter().flat_map(|gate| &gate.rules).filter(|rule| lets_in(rule, opening));
        let mut from: Vec<String> = rules.flat_map(|rule| rule.sources.clone()).collect();
        from.sort();
        from.dedup();
        all.push(Exposed {
            host: opening.host.clone(),
            protocol: opening.protocol.clone(),
            ports: opening.ports,
            service: Some(opening.service.clone()),
            from: (!before.is_empty()).then_some(from),
        });
    }
    for gate in &gates {
        for (host, rule) in gate.hosts.iter().flat_map(|h| gate.rules.iter().map(move |r| (h, r))) {
            let used = open().any(|opening| opening.host == *host && lets_in(rule, opening));
            let ports = rule.ports.filter(|_| rule.protocol != "icmp" && !used);
            all.extend(ports.map(|ports| Exposed {
                host: host.clone(),
                protocol: rule.protocol.clone(),
                ports: Some(ports),
                service: None,
                from: Some(rule.sources.clone()),
            }));
        }
    }
    all.sort();
    all.dedup();
    all
}

fn lets_in(rule: &Rule, opening: &Opening) -> bool {
    let overlaps = match (rule.ports, opening.ports) {
        (None, _) => true,
        // One that is chosen at run time may be any; only a rule for all ports surely lets it in.
        (Some(_), None) => false,
        (Some(rule), Some(opening)) => rule.0 <= opening.1 && opening.0 <= rule.1,
    };
    rule.protocol == opening.protocol && overlaps
}

/// Reads `80`, `8000-9000` or `all`.
#[must_use]
pub fn ports(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}
