//! One rule as text, `tcp 443 from 0.0.0.0/0 ::/0`, and as the API has it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::api::{Rule, Targets};

/// Which way a rule lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the droplet.
    In,
    /// From the droplet.
    Out,
}

impl Direction {
    /// The word before the other end.
    pub(crate) fn word(self) -> &'static str {
        if self == Self::In { "from" } else { "to" }
    }
}

/// A rule in canonical parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    protocol: String,
    /// One port, a range, `all`; empty for ICMP, which has none.
    ports: String,
    peers: BTreeSet<String>,
}

/// Other ends beside addresses, by prefix.
const KINDS: [&str; 4] = ["tag:", "droplet:", "load_balancer:", "kubernetes:"];

/// Reads a rule as the stack writes it.
pub(super) fn parse(text: &str, direction: Direction) -> Result<Parts, String> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_whitespace().peekable();
    let protocol = words.next().unwrap_or_default().to_owned();
    let ports = match protocol.as_str() {
        "icmp" => String::new(),
        "tcp" | "udp" => ports(words.next().unwrap_or_default())?,
        _ => return Err("it must begin with `tcp`, `udp` or `icmp`".into()),
    };
    if words.next() != Some(direction.word()) {
        let before = if ports.is_empty() { "the protocol" } else { "the ports" };
        return Err(format!("`{}` must follow {before}", direction.word()));
    }
    // Names of tags keep their case, which is why the last words are taken from the original.
    let ends = text.split_whitespace().skip(if ports.is_empty() { 2 } else { 3 });
    let peers: BTreeSet<String> = ends.map(peer).collect::<Result<_, _>>()?;
    if peers.is_empty() {
        return Err(format!("an address or network must follow `{}`", direction.word()));
    }
    Ok(Parts { protocol, ports, peers })
}

fn ports(text: &str) -> Result<String, String> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let bounds = text.split_once('-').map(|(low, high)| (port(low), port(high)));
    match bounds {
        _ if text == "all" || text == "0" => Ok("all".into()),
        Some((Some(1), Some(u16::MAX))) => Ok("all".into()),
        Some((Some(low), Some(high))) if low < high => Ok(format!("{low}-{high}")),
        Some((Some(low), Some(high))) if low == high => Ok(low.to_string()),
        None if port(text).is_some() => Ok(text.trim_start_matches('0').into()),
        _ => Err(format!("`{text}` is not a port from 1 to 65535, a range, or `all`")),
    }
}

fn peer(text: &str) -> Result<String, String> {
    if let Some(kind) = KINDS.iter().find(|kind| text.starts_with(**kind)) {
        let name = &text[kind.len()..];
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
        let numeric = *kind != "droplet:" || name.parse::<u64>().is_ok();
        let fits = !name.is_empty() && name.chars().all(legal) && numeric;
        return if fits { Ok(text.to_owned()) } else { Err(format!("`{text}` names nothing")) };
    }
    network(text).ok_or_else(|| format!("`{text}` is not an address or network"))
}

/// One spelling for each network; a lone address has no `/32` or `/128`.
fn network(text: &str) -> Option<String> {
    let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
    let ip: IpAddr = ip.parse().ok()?;
    let most: u8 = if ip.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    match bits {
        _ if bits > most => None,
        _ if bits == most => Some(ip.to_string()),
        _ => Some(format!("{ip}/{bits}")),
    }
}

/// Reads a rule as the API has it. What cannot be understood is kept as it stands, so that it counts as a difference.
pub(super) fn from_wire(rule: &Rule, direction: Direction) -> Parts {
    let targets = match direction {
        Direction::In => &rule.sources,
        Direction::Out => &rule.destinations,
    };
    let targets = targets.clone().unwrap_or_default();
    let addresses = targets.addresses.iter().map(|a| network(a).unwrap_or_else(|| a.clone()));
    let named = |kind: &'static str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{kind}{name}")).collect()
    };
    let peers = addresses
        .chain(named("tag:", &targets.tags))
        .chain(targets.droplet_ids.iter().map(|id| format!("droplet:{id}")))
        .chain(named("load_balancer:", &targets.load_balancer_uids))
        .chain(named("kubernetes:", &targets.kubernetes_ids));
    let protocol = rule.protocol.to_ascii_lowercase();
    let wire_ports = if rule.ports.is_empty() { "0" } else { &rule.ports };
    let ports = match protocol.as_str() {
        "icmp" => String::new(),
        _ => ports(wire_ports).unwrap_or_else(|_| rule.ports.clone()),
    };
    Parts { protocol, ports, peers: peers.collect() }
}

/// Sorted texts; rules that differ in their other end alone are one rule.
pub(super) fn canonical(rules: Vec<Parts>, direction: Direction) -> Vec<String> {
    let mut merged: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in rules {
        merged.entry((rule.protocol, rule.ports)).or_default().extend(rule.peers);
    }
    let text = |((protocol, ports), peers): ((String, String), BTreeSet<String>)| {
        let mut words = vec![protocol, ports, direction.word().to_owned()];
        words.extend(peers);
        words.retain(|word| !word.is_empty());
        words.join(" ")
    };
    let mut texts: Vec<String> = merged.into_iter().map(text).collect();
    texts.sort();
    texts
}

impl Parts {
    /// The rule as the API wants it.
    pub(super) fn into_wire(self, direction: Direction) -> Rule {
        let mut targets = Targets::default();
        for peer in self.peers {
            match peer.split_once(':').filter(|(kind, _)| KINDS.contains(&&*format!("{kind}:"))) {
                Some(("tag", name)) => targets.tags.push(name.into()),
                Some(("droplet", id)) => targets.droplet_ids.extend(id.parse::<u64>().ok()),
                Some(("load_balancer", id)) => targets.load_balancer_uids.push(id.into()),
                Some((_, id)) => targets.kubernetes_ids.push(id.into()),
                None => targets.addresses.push(peer),
            }
        }
        let ports = if self.ports == "all" || self.ports.is_empty() { "0" } else { &self.ports };
        let (sources, destinations) = match direction {
            Direction::In => (Some(targets), None),
            Direction::Out => (None, Some(targets)),
        };
        Rule { ports: ports.into(), protocol: self.protocol, sources, destinations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: &str) {
        let canonical = canonical(vec![parse(text, Direction::In).unwrap()], Direction::In);
        assert_eq!(canonical, [expected]);
    }

    #[test]
    fn there_is_one_spelling_of_each_rule() {
        check("TCP 22 from ::/0 0.0.0.0/0", "tcp 22 from 0.0.0.0/0 ::/0");
        check("udp 0 from 10.0.0.1/32", "udp all from 10.0.0.1");
        check("udp 1-65535 from 10.0.0.0/8", "udp all from 10.0.0.0/8");
        check("tcp 080 from 2001:DB8:0:0::1/128", "tcp 80 from 2001:db8::1");
        check("tcp 5-5 from 10.0.0.1 10.0.0.1", "tcp 5 from 10.0.0.1");
        check("icmp  from tag:Web", "icmp from tag:Web");
    }

    #[test]
    fn refuses_what_is_no_rule() {
        for text in [
            "",
            "tcp",
            "tcp 22",
            "tcp 22 from",
            "tcp 22 to 0.0.0.0/0",
            "tcp from 0.0.0.0/0",
            "tcp 0-22 from ::/0",
            "tcp 9-8 from ::/0",
            "tcp 65536 from ::/0",
            "sctp 1 from ::/0",
            "tcp 1 from 10.0.0.0/33",
            "tcp 1 from example.com",
            "tcp 1 from droplet:web",
            "tcp 1 from tag:",
            "icmp 8 from ::/0",
        ] {
            assert!(parse(text, Direction::In).is_err(), "{text}");
        }
    }

    #[test]
    fn rules_for_the_same_ports_are_one() {
        let rule = |text| parse(text, Direction::Out).unwrap();
        let two = vec![rule("tcp 1 to ::/0"), rule("tcp 1 to 0.0.0.0/0")];
        assert_eq!(canonical(two, Direction::Out), ["tcp 1 to 0.0.0.0/0 ::/0"]);
    }

    #[test]
    fn the_wire_form_is_the_vendors() {
        let wire = |text| {
            serde_json::to_value(parse(text, Direction::In).unwrap().into_wire(Direction::In))
                .unwrap()
        };
        let expected = json!({"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}});
        assert_eq!(wire("tcp 22 from 0.0.0.0/0 ::/0"), expected);
        let expected = json!({"protocol": "icmp", "ports": "0", "sources": {"droplet_ids": [7], "tags": ["a:b"]}});
        assert_eq!(wire("icmp from tag:a:b droplet:7"), expected);
    }

    #[test]
    fn rules_survive_the_way_over_the_wire() {
        for text in [
            "tcp 1-9 from 10.0.0.0/8 ::/0 kubernetes:k load_balancer:l tag:t",
            "udp all from ::1",
            "icmp from ::/0",
        ] {
            let parts = parse(text, Direction::In).unwrap();
            let back = from_wire(&parts.clone().into_wire(Direction::In), Direction::In);
            assert_eq!(back, parts);
        }
    }
}
