//! What a project opens to the network.

use serde_json::Value as Json;

use super::yaml::{items, members, read, scalar};

/// A port of a service that is published on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The service.
    pub service: String,
    /// The host's address that it is bound to; absent means every address, past the host's own firewall.
    pub host_ip: Option<String>,
    /// The port or range on the host; empty means that Docker picks one.
    pub published: String,
    /// The port or range in the container.
    pub target: String,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// The published ports of every service, in the order of services and ports.
/// A text that is not YAML publishes nothing; the type check reports it.
#[must_use]
pub fn published_ports(yaml: &str) -> Vec<PublishedPort> {
    let root = read(yaml).unwrap_or_default();
    let ports = |(name, body): (&String, &Json)| -> Vec<PublishedPort> {
        items(body.get("ports")).into_iter().filter_map(|port| read_port(name, port)).collect()
    };
    let mut all: Vec<PublishedPort> = members(root.get("services")).flat_map(ports).collect();
    all.sort();
    all
}

fn read_port(service: &str, port: &Json) -> Option<PublishedPort> {
    let service = service.to_owned();
    if port.is_object() {
        let text = |key: &str| port.get(key).and_then(scalar);
        return Some(PublishedPort {
            service,
            host_ip: text("host_ip"),
            published: text("published").unwrap_or_default(),
            target: text("target")?,
            protocol: text("protocol").unwrap_or_else(|| "tcp".into()),
        });
    }
    let text = scalar(port)?;
    let (ports, protocol) = text.rsplit_once('/').unwrap_or((&text, "tcp"));
    let (rest, target) =
        ports.rsplit_once(':').map_or(("", ports), |(rest, target)| (rest, target));
    // An IPv6 address has colons of its own and stands in brackets.
    let (host_ip, published) = match rest.rsplit_once(':') {
        Some((ip, published)) => (Some(ip.trim_matches(['[', ']']).to_owned()), published),
        None => (None, rest),
    };
    let (published, target) = (published.to_owned(), target.to_owned());
    Some(PublishedPort { service, host_ip, published, target, protocol: protocol.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_port() {
        let yaml = "services:\n  a:\n    ports:\n      - 80:80\n      - \"127.0.0.1:8080:80/udp\"\n      \
                    - \"[::1]:81:82\"\n      - 9000\n      - {target: 443, published: \"443\", protocol: udp}\n";
        let show = |p: &PublishedPort| {
            let ip = p.host_ip.as_deref().unwrap_or("*");
            format!("{} {ip} {}→{}/{}", p.service, p.published, p.target, p.protocol)
        };
        let shown: Vec<String> = published_ports(yaml).iter().map(show).collect();
        assert_eq!(
            shown,
            [
                "a * →9000/tcp",
                "a * 443→443/udp",
                "a * 80→80/tcp",
                "a 127.0.0.1 8080→80/udp",
                "a ::1 81→82/tcp",
            ]
        );
    }
}
