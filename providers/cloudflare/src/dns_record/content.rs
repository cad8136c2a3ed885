//! The one form of a content, for each record type.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::RecordType;
use crate::{name, txt};

/// A content that its record type cannot have. The texts never repeat the content, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadContent {
    /// What is wrong.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) hint: Option<&'static str>,
}

impl BadContent {
    fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), hint: None }
    }

    fn hint(detail: impl Into<String>, hint: &'static str) -> Self {
        Self { detail: detail.into(), hint: Some(hint) }
    }
}

/// Puts a content into canonical form.
pub(crate) fn canonical(kind: RecordType, content: &str, zone: &str) -> Result<String, BadContent> {
    match kind {
        RecordType::A => ipv4(content),
        RecordType::Aaaa => ipv6(content),
        RecordType::Cname => host(content, zone, false),
        RecordType::Mx | RecordType::Srv => host(content, zone, true),
        RecordType::Txt => text(content),
        RecordType::Caa => caa(content),
    }
}

fn ipv4(content: &str) -> Result<String, BadContent> {
    if let Ok(address) = content.trim().parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let hint = if content.trim().parse::<Ipv6Addr>().is_ok() {
        "this is an IPv6 address: write type = \"AAAA\""
    } else {
        "an A record holds one IPv4 address; for a host name write type = \"CNAME\""
    };
    Err(BadContent::hint("it is not an IPv4 address", hint))
}

fn ipv6(content: &str) -> Result<String, BadContent> {
    if let Ok(address) = content.trim().parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    let hint = if content.trim().parse::<Ipv4Addr>().is_ok() {
        "this is an IPv4 address: write type = \"A\""
    } else {
        "an AAAA record holds one IPv6 address, without brackets, prefix length or zone"
    };
    Err(BadContent::hint("it is not an IPv6 address", hint))
}

/// A host. A single dot says "no host at all" in MX (RFC 7505) and SRV (RFC 2782) records.
fn host(content: &str, zone: &str, may_be_none: bool) -> Result<String, BadContent> {
    let content = content.trim();
    match content {
        "@" => return Ok(zone.to_owned()),
        "." if may_be_none => return Ok(".".to_owned()),
        _ => {}
    }
    if content.parse::<Ipv4Addr>().is_ok() || content.parse::<Ipv6Addr>().is_ok() {
        return Err(BadContent::hint(
            "it is an address, and the type needs a host name",
            "for an address write type = \"A\" or \"AAAA\"",
        ));
    }
    let host = name::canonical(content).map_err(|_| BadContent::new("it is not a host name"))?;
    if !host.contains('.') || host.contains('*') {
        return Err(BadContent::hint(
            "it is not a complete host name",
            "write the complete name, such as `chat.example.com`, or `@` for the zone itself",
        ));
    }
    Ok(host)
}

fn text(content: &str) -> Result<String, BadContent> {
    let text = txt::canonical(content);
    if text.is_empty() {
        return Err(BadContent::new("a TXT record needs a text"));
    }
    if text.len() > txt::MAX_TEXT {
        let detail =
            format!("the text has {} bytes; at most {} are taken", text.len(), txt::MAX_TEXT);
        return Err(BadContent::hint(detail, "split it into several records"));
    }
    if text.chars().any(char::is_control) {
        return Err(BadContent::new("the text holds line breaks or other control characters"));
    }
    Ok(text)
}

fn caa(content: &str) -> Result<String, BadContent> {
    let value = content.trim();
    if value.is_empty() {
        return Err(BadContent::hint(
            "a CAA record needs a value",
            "write `;` to allow no issuer at all",
        ));
    }
    if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') || value.contains('"') {
        let detail = "the value holds quotes or characters outside printable ASCII";
        return Err(BadContent::hint(detail, "write it without quotes, such as `letsencrypt.org`"));
    }
    if value.len() > 255 {
        return Err(BadContent::new(format!(
            "the value has {} bytes; at most 255 are taken",
            value.len()
        )));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::RecordType::{A, Aaaa, Caa, Cname, Mx, Srv, Txt};
    use super::*;

    #[test]
    fn contents_have_one_form() {
        for (kind, content, expected) in [
            (A, "203.0.113.7", "203.0.113.7"),
            (A, " 203.0.113.7 ", "203.0.113.7"),
            (Aaaa, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            (Aaaa, "2001:db8::0001", "2001:db8::1"),
            (Cname, "Chat.Example.COM.", "chat.example.com"),
            (Cname, "@", "example.com"),
            (Cname, "_x.acme.example", "_x.acme.example"),
            (Mx, "Mail.Example.com.", "mail.example.com"),
            (Mx, ".", "."),
            (Srv, "bücher.example", "xn--bcher-kva.example"),
            (Txt, "\"v=spf1 -all\"", "v=spf1 -all"),
            (Txt, "v=spf1 -all", "v=spf1 -all"),
            (Caa, "letsencrypt.org", "letsencrypt.org"),
            (Caa, ";", ";"),
            (
                Caa,
                "letsencrypt.org; validationmethods=dns-01",
                "letsencrypt.org; validationmethods=dns-01",
            ),
        ] {
            assert_eq!(
                canonical(kind, content, "example.com").as_deref(),
                Ok(expected),
                "{content}"
            );
            assert_eq!(
                canonical(kind, expected, "example.com").as_deref(),
                Ok(expected),
                "{expected}"
            );
        }
    }

    #[test]
    fn refuses_what_the_type_cannot_hold_without_repeating_it() {
        let long = "b".repeat(2049);
        for (kind, content) in [
            (A, ""),
            (A, "2001:db8::1"),
            (A, "203.0.113.256"),
            (A, "203.0.113.07"),
            (A, "chat.example.com"),
            (Aaaa, "203.0.113.7"),
            (Aaaa, "[2001:db8::1]"),
            (Aaaa, "fe80::1%eth0"),
            (Cname, "203.0.113.7"),
            (Cname, "2001:db8::1"),
            (Cname, "chat"),
            (Cname, "."),
            (Cname, "https://chat.example.com/"),
            (Mx, "10 mail.example.com"),
            (Mx, "*.example.com"),
            (Txt, ""),
            (Txt, "\"\""),
            (Txt, "one\ntwo"),
            (Txt, &long),
            (Caa, ""),
            (Caa, "\"letsencrypt.org\""),
            (Caa, "bücher.example"),
        ] {
            let error = canonical(kind, content, "example.com").unwrap_err();
            assert!(content.len() < 3 || !error.detail.contains(content), "{error:?}");
        }
    }
}
