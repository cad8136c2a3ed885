//! What names and contents each record type takes.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::envelope::invalid;
use crate::call::Reply;

/// Every record type there is.
pub(super) const KINDS: &[&str] = &[
    "A",
    "AAAA",
    "CAA",
    "CERT",
    "CNAME",
    "DNSKEY",
    "DS",
    "HTTPS",
    "LOC",
    "MX",
    "NAPTR",
    "NS",
    "OPENPGPKEY",
    "PTR",
    "SMIMEA",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
];

/// Says whether a type is written as `data`, its content being made from it.
pub(super) fn is_structured(kind: &str) -> bool {
    let plain = ["A", "AAAA", "CNAME", "MX", "NS", "OPENPGPKEY", "PTR", "TXT"];
    !plain.contains(&kind)
}

/// Says whether an A record's address may stand behind the proxy. The machine's own network is
/// not public; the rest of 127.0.0.0/8 plays the droplets' public addresses here and so is.
pub(super) fn is_public(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let own = first == 127 && second == 0;
    !own && !address.is_private() && !address.is_link_local() && !address.is_unspecified()
}

/// Completes a name to a fully qualified one in Punycode; `None` when it is none.
pub(super) fn complete_name(zone: &str, name: &str) -> Option<String> {
    let name = name.trim_end_matches('.');
    let ascii = match name {
        "" => return None,
        "@" => zone.to_owned(),
        name => idna::domain_to_ascii(name).ok()?,
    };
    let inside = ascii == zone || ascii.ends_with(&format!(".{zone}"));
    let complete = if inside { ascii } else { format!("{ascii}.{zone}") };
    is_hostname(&complete).then_some(complete)
}

/// Checks plain content and gives its canonical form. TXT stays as it was sent.
pub(super) fn content(kind: &str, name: &str, given: &str) -> Result<String, Reply> {
    let host = || {
        let text = given.trim_end_matches('.');
        idna::domain_to_ascii(text).ok().filter(|host| is_hostname(host))
    };
    let (checked, code, wanted) = match kind {
        "A" => (given.parse().ok().map(|a: Ipv4Addr| a.to_string()), 9005, "a valid IPv4 address"),
        "AAAA" => {
            (given.parse().ok().map(|a: Ipv6Addr| a.to_string()), 9006, "a valid IPv6 address")
        }
        "CNAME" => (host().filter(|host| host != name), 9007, "a hostname, and not its own name"),
        "MX" => (host(), 9009, "a hostname"),
        "NS" => (host(), 9008, "a hostname"),
        "PTR" => (host(), 9010, "a hostname"),
        _ => (Some(given.to_owned()).filter(|text| !text.is_empty()), 9012, "not empty"),
    };
    checked.ok_or_else(|| {
        invalid(code, &format!("Content for {kind} record is invalid. Must be {wanted}."))
    })
}

/// Makes the content of a structured record from its data.
pub(super) fn formatted(kind: &str, data: &Value) -> Result<String, Reply> {
    let field = |name: &str| -> Result<String, Reply> {
        match data.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(invalid(9101, &format!("{name} is a required data field."))),
        }
    };
    let join = |names: &[&str]| -> Result<String, Reply> {
        names.iter().map(|name| field(name)).collect::<Result<Vec<_>, _>>().map(|all| all.join(" "))
    };
    match kind {
        "SRV" => join(&["weight", "port", "target"]),
        "CAA" => Ok(format!("{} {} \"{}\"", field("flags")?, field("tag")?, field("value")?)),
        "CERT" => join(&["type", "key_tag", "algorithm", "certificate"]),
        "DNSKEY" => join(&["flags", "protocol", "algorithm", "public_key"]),
        "DS" => join(&["key_tag", "algorithm", "digest_type", "digest"]),
        "HTTPS" | "SVCB" => join(&["priority", "target", "value"]),
        "NAPTR" => join(&["order", "preference", "flags", "service", "regex", "replacement"]),
        "SMIMEA" | "TLSA" => join(&["usage", "selector", "matching_type", "certificate"]),
        "SSHFP" => join(&["algorithm", "type", "fingerprint"]),
        "URI" => join(&["weight", "target"]),
        _ => join(&["lat_degrees", "lat_direction", "long_degrees", "long_direction"]),
    }
}

fn is_hostname(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(allowed);
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_names() {
        let complete = |name| complete_name("example.com", name);
        assert_eq!(complete("@").as_deref(), Some("example.com"));
        assert_eq!(complete("WWW").as_deref(), Some("www.example.com"));
        assert_eq!(complete("www.example.com.").as_deref(), Some("www.example.com"));
        assert_eq!(complete("bücher.example.com").as_deref(), Some("xn--bcher-kva.example.com"));
        assert_eq!(complete("_sip._tcp").as_deref(), Some("_sip._tcp.example.com"));
        assert_eq!(complete("*").as_deref(), Some("*.example.com"));
        assert_eq!(complete("a b"), None);
    }
}
