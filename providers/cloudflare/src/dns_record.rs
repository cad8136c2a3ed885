//! The resource type `dns_record`.

mod check;
mod content;
pub(crate) mod live;
mod rules;
pub(crate) mod wanted;

use ipai_core::{
    Attribute, Attributes, Change, Default, Draft, Foreign, Kind, ResourceType, Value,
};

pub(crate) use rules::{RecordType, exclude, identity};

/// One DNS record in a zone that Cloudflare serves.
#[derive(Clone, Copy, Debug)]
pub struct DnsRecord;

/// The type's name, the second part of its addresses.
pub(crate) const NAME: &str = "dns_record";

const UNSIGNED_16: Kind = Kind::Int(0, 65_535);

/// Every attribute. The rules of Cloudflare's API for each record type: `dns-records_*Record` in its OpenAPI document.
pub(crate) const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "zone",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The zone, such as `example.com`. It must exist and be active in the account.",
    },
    Attribute {
        name: "name",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The record's name: relative to the zone (`www`), complete (`www.example.com`), or `@` for the \
              zone itself.",
    },
    Attribute {
        name: "type",
        kind: Kind::Choice(&["A", "AAAA", "CNAME", "TXT", "MX", "CAA", "SRV"]),
        default: Default::Required,
        change: Change::Replace,
        doc: "The record's type.",
    },
    Attribute {
        name: "content",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Update,
        doc: "What the record says: an address (A, AAAA), a host (CNAME, MX, SRV; `@` for the zone itself), a text \
              without quotes of at most 2,048 bytes (TXT), or the value of a CAA record.",
    },
    Attribute {
        name: "ttl",
        kind: Kind::Int(1, 86_400),
        default: Default::Int(1),
        change: Change::Update,
        doc: "Seconds that resolvers may keep the answer: 60 to 86400 (from 30 on the enterprise plan), or 1 for \
              automatic. A proxied record is always automatic.",
    },
    Attribute {
        name: "proxied",
        kind: Kind::Bool,
        default: Default::Bool(false),
        change: Change::Update,
        doc: "Whether Cloudflare's proxy stands in between. Only for A, AAAA and CNAME.",
    },
    Attribute {
        name: "priority",
        kind: UNSIGNED_16,
        default: Default::Absent,
        change: Change::Update,
        doc: "Lower is preferred. Only for MX and SRV, and required there.",
    },
    Attribute {
        name: "weight",
        kind: UNSIGNED_16,
        default: Default::Absent,
        change: Change::Update,
        doc: "Share among SRV records of equal priority. Only for SRV; 0 when left out.",
    },
    Attribute {
        name: "port",
        kind: UNSIGNED_16,
        default: Default::Absent,
        change: Change::Update,
        doc: "The service's port. Only for SRV, and required there.",
    },
    Attribute {
        name: "flags",
        kind: Kind::Int(0, 255),
        default: Default::Absent,
        change: Change::Update,
        doc: "Flags of a CAA record, 128 for critical. Only for CAA; 0 when left out.",
    },
    Attribute {
        name: "tag",
        kind: Kind::Choice(&["issue", "issuewild", "iodef"]),
        default: Default::Absent,
        change: Change::Update,
        doc: "The property of a CAA record. Only for CAA, and required there.",
    },
];

const EXAMPLE: &str = r#"[cloudflare.dns_record.chat]
zone = "example.com"
name = "chat"
type = "A"
content = "203.0.113.7"
ttl = 300

[cloudflare.dns_record.www]
zone = "example.com"
name = "www"
type = "CNAME"
content = "chat.example.com"
proxied = true

[cloudflare.dns_record.mail]
zone = "example.com"
name = "@"
type = "MX"
content = "mail.example.com"
priority = 10

[cloudflare.dns_record.spf]
zone = "example.com"
name = "@"
type = "TXT"
content = "v=spf1 mx -all"

[cloudflare.dns_record.issuer]
zone = "example.com"
name = "@"
type = "CAA"
tag = "issue"
content = "letsencrypt.org"

[cloudflare.dns_record.sip]
zone = "example.com"
name = "_sip._tcp"
type = "SRV"
content = "chat.example.com"
priority = 10
weight = 5
port = 5060
"#;

impl ResourceType for DnsRecord {
    fn provider(&self) -> &'static str {
        crate::PROVIDER
    }
    fn name(&self) -> &'static str {
        NAME
    }
    fn summary(&self) -> &'static str {
        "A DNS record in a zone at Cloudflare."
    }
    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }
    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("id", "Cloudflare's id of the record."), ("fqdn", "The record's complete name.")]
    }
    fn example(&self) -> &'static str {
        EXAMPLE
    }
    fn leads_here(&self) -> bool {
        true
    }

    fn deletes_early(&self) -> bool {
        true
    }
    fn check(&self, draft: &mut Draft<'_>) {
        check::check(draft);
    }
    fn identity(&self, attributes: &Attributes) -> Option<String> {
        rules::identity(attributes)
    }
    fn conflict(&self, attributes: &Attributes, foreign: &Foreign) -> Option<String> {
        rules::conflict(attributes, foreign)
    }
    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        text(attributes, "name").map(str::to_owned)
    }
    fn foreign_bucket(&self, foreign: &Foreign) -> Option<String> {
        rules::name_in(foreign.identity.as_deref()?).map(str::to_owned)
    }
    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        rules::clash(one, other)
    }
}

/// The text of an attribute, a secret one included.
pub(crate) fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name)? {
        Value::Text(text) => Some(text),
        Value::Secret(secret) => Some(secret.text.expose()),
        _ => None,
    }
}

/// The number of an attribute.
pub(crate) fn int(attributes: &Attributes, name: &str) -> Option<i64> {
    attributes.get(name)?.as_int()
}

/// The type of the record that the attributes describe.
pub(crate) fn record_type(attributes: &Attributes) -> Option<RecordType> {
    RecordType::parse(text(attributes, "type")?)
}
