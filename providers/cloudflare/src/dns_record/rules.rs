//! What each record type is, and which records exclude each other.

use ipai_core::{Attributes, Foreign};

use super::{int, record_type, text};

/// The record types that ipai manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    A,
    Aaaa,
    Cname,
    Txt,
    Mx,
    Caa,
    Srv,
}

impl RecordType {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::A, Self::Aaaa, Self::Cname, Self::Txt, Self::Mx, Self::Caa, Self::Srv];

    /// Reads a type's name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// The type's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Mx => "MX",
            Self::Caa => "CAA",
            Self::Srv => "SRV",
        }
    }

    /// Whether Cloudflare's proxy can stand in between.
    pub(crate) fn proxiable(self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }

    /// The attributes that only some types have, as far as this one has them.
    pub(crate) fn extras(self) -> &'static [&'static str] {
        match self {
            Self::Mx => &["priority"],
            Self::Srv => &["priority", "weight", "port"],
            Self::Caa => &["flags", "tag"],
            _ => &[],
        }
    }

    /// Whether the API takes the record in parts under `data`.
    pub(crate) fn has_data(self) -> bool {
        matches!(self, Self::Srv | Self::Caa)
    }
}

/// What Cloudflare keeps only one of: `ZONE TYPE NAME`, and the content for all types but CNAME.
pub(crate) fn identity(attributes: &Attributes) -> Option<String> {
    let kind = record_type(attributes)?;
    let head =
        format!("{} {} {}", text(attributes, "zone")?, kind.name(), text(attributes, "name")?);
    let content = text(attributes, "content");
    let number = |name: &str| int(attributes, name);
    Some(match kind {
        RecordType::Cname => head,
        RecordType::Srv => {
            let (priority, weight, port) =
                (number("priority")?, number("weight")?, number("port")?);
            format!("{head} {priority} {weight} {port} {}", content?)
        }
        RecordType::Caa => {
            format!("{head} {} {} {}", number("flags")?, text(attributes, "tag")?, content?)
        }
        _ => format!("{head} {}", content?),
    })
}

/// Type and name of an identity.
fn parts(identity: &str) -> Option<(&str, &str)> {
    let mut words = identity.splitn(4, ' ').skip(1);
    Some((words.next()?, words.next()?))
}

/// The name in an identity.
pub(super) fn name_in(identity: &str) -> Option<&str> {
    parts(identity).map(|(_, name)| name)
}

/// Tells whether records of these types exclude each other under one name: nothing that answers for an address can
/// stand beside a CNAME (Cloudflare's errors 81053 and 81054).
pub(crate) fn exclude(one: &str, other: &str) -> bool {
    let addresses = |kind: &str| matches!(kind, "A" | "AAAA" | "CNAME");
    (one == "CNAME" && addresses(other)) || (other == "CNAME" && addresses(one))
}

/// Why a foreign record makes a desired one impossible.
pub(super) fn conflict(attributes: &Attributes, foreign: &Foreign) -> Option<String> {
    let theirs = foreign.identity.as_deref()?;
    if identity(attributes).as_deref() == Some(theirs) {
        return Some(format!("an identical record exists already: {}", foreign.title));
    }
    let (kind, name) = parts(theirs)?;
    let (own_kind, own_name) = (text(attributes, "type")?, text(attributes, "name")?);
    (name == own_name && exclude(own_kind, kind))
        .then(|| format!("{own_kind} {own_name} cannot stand beside {}", foreign.title))
}

/// Why two desired records exclude each other.
pub(super) fn clash(one: &Attributes, other: &Attributes) -> Option<String> {
    let name = text(one, "name")?;
    if text(other, "name")? != name || one.get("zone") != other.get("zone") {
        return None;
    }
    let (kind, other_kind) = (text(one, "type")?, text(other, "type")?);
    if exclude(kind, other_kind) {
        return Some(format!(
            "a CNAME stands alone under its name, but {name} has {kind} and {other_kind}"
        ));
    }
    let names = ["content", "priority", "weight", "port", "flags", "tag"];
    // An MX record's priority is not part of what Cloudflare keeps only one of.
    let same = |attribute: &&str| {
        (kind == "MX" && *attribute == "priority") || one.get(*attribute) == other.get(*attribute)
    };
    (kind == other_kind && names.iter().all(same))
        .then(|| format!("both are the same {kind} record of {name}"))
}

#[cfg(test)]
mod tests {
    use ipai_core::{Reference, Value};

    use super::*;

    fn record(kind: &str, name: &str, content: &str) -> Attributes {
        [("zone", "example.com"), ("name", name), ("type", kind), ("content", content)]
            .map(|(key, text)| (key.to_owned(), Value::text(text)))
            .into()
    }

    fn foreign(attributes: &Attributes) -> Foreign {
        Foreign {
            provider: "cloudflare".into(),
            kind: "dns_record".into(),
            id: "1".into(),
            title: "theirs".into(),
            identity: identity(attributes),
        }
    }

    #[test]
    fn only_what_cannot_coexist_conflicts() {
        let cases = [
            ("A 1", "A 1", true),
            ("A 1", "A 2", false),
            ("A 1", "AAAA 1", false),
            ("CNAME 1", "CNAME 2", true),
            ("CNAME 1", "A 1", true),
            ("AAAA 1", "CNAME 1", true),
            ("CNAME 1", "TXT 1", false),
            ("TXT 1", "TXT 1", true),
            ("MX 1", "CNAME 1", false),
        ];
        for (ours, theirs, expected) in cases {
            let read = |text: &str| {
                let (kind, content) = text.split_once(' ').unwrap();
                record(kind, "a.example.com", content)
            };
            let (ours_at, theirs_at) = (read(ours), read(theirs));
            let found = conflict(&ours_at, &foreign(&theirs_at));
            assert_eq!(found.is_some(), expected, "{ours} {theirs}: {found:?}");
            assert_eq!(clash(&ours_at, &theirs_at).is_some(), expected, "{ours} {theirs}");
            let elsewhere = Attributes::from([("name".into(), Value::text("b.example.com"))]);
            let moved: Attributes = theirs_at.into_iter().chain(elsewhere).collect();
            assert_eq!(conflict(&ours_at, &foreign(&moved)), None);
            assert_eq!(clash(&ours_at, &moved), None);
        }
    }

    #[test]
    fn records_waiting_for_the_same_value_clash() {
        let waits = |output: &str| {
            let reference = Reference {
                address: "digitalocean.droplet.ops".parse().unwrap(),
                output: output.into(),
            };
            let mut attributes = record("A", "a.example.com", "");
            attributes.insert("content".into(), Value::Unknown([reference].into()));
            attributes
        };
        assert!(clash(&waits("ipv4"), &waits("ipv4")).is_some());
        assert!(clash(&waits("ipv4"), &waits("private_ipv4")).is_none());
        assert_eq!(identity(&waits("ipv4")), None);
    }

    #[test]
    fn parts_of_srv_and_caa_tell_records_apart() {
        let with = |kind: &str, extra: &[(&str, Value)]| {
            let mut attributes = record(kind, "a.example.com", "x");
            attributes.extend(extra.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
            attributes
        };
        let caa = |tag: &str| with("CAA", &[("flags", Value::Int(0)), ("tag", Value::text(tag))]);
        let srv = |port: i64| {
            let number = Value::Int;
            with("SRV", &[("priority", number(1)), ("weight", number(1)), ("port", number(port))])
        };
        assert_ne!(identity(&caa("issue")), identity(&caa("issuewild")));
        assert_ne!(identity(&srv(1)), identity(&srv(2)));
        assert!(
            clash(&caa("issue"), &caa("issuewild")).is_none() && clash(&srv(1), &srv(1)).is_some()
        );
    }
}
