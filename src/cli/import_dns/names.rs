//! A name of its own for each record.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{Attributes, Value};

/// Gives names out: `chat`, or `chat_aaaa` where several types share a name, or `chat_a_2` where that is not enough.
pub(super) struct Names {
    taken: BTreeSet<String>,
    /// How many records would have this name.
    wanting: BTreeMap<String, usize>,
}

impl Names {
    pub(super) fn new(taken: BTreeSet<String>) -> Self {
        Self { taken, wanting: BTreeMap::new() }
    }

    /// Hears of all records before the first one is named.
    pub(super) fn count<'a>(&mut self, all: impl Iterator<Item = &'a Attributes>) {
        for attributes in all {
            *self.wanting.entry(base(attributes)).or_default() += 1;
        }
    }

    pub(super) fn take(&mut self, attributes: &Attributes) -> String {
        let base = base(attributes);
        let typed = format!("{base}_{}", text(attributes, "type").to_lowercase());
        let alone = self.wanting.get(&base).is_none_or(|count| *count < 2);
        let first = alone.then_some(base);
        let numbered = (2..).map(|number| format!("{typed}_{number}"));
        let mut names = first.into_iter().chain([typed.clone()]).chain(numbered);
        // The numbers do not end, so one is free.
        let name = names.find(|name| !self.taken.contains(name)).unwrap_or(typed);
        self.taken.insert(name.clone());
        name
    }
}

/// The record's name in its zone, in the letters that a resource's name may have.
fn base(attributes: &Attributes) -> String {
    let (name, zone) = (text(attributes, "name"), text(attributes, "zone"));
    let inner = name.strip_suffix(zone).unwrap_or(name).trim_end_matches('.');
    let words = inner.replace('*', "any");
    let plain =
        |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '_' };
    let mut base: String = words.trim_start_matches('_').chars().map(plain).collect();
    while base.contains("__") {
        base = base.replace("__", "_");
    }
    let base = match base.chars().next() {
        None => "apex".to_owned(),
        Some(first) if first.is_ascii_lowercase() => base,
        Some(_) => format!("r{base}"),
    };
    shortened(base, inner)
}

/// The longest beginning of a name: a type, and a number of three digits, fit behind it into what a resource's name may
/// have.
const LONGEST: usize = 29;

/// What is too long is cut, and told apart by a digest of the whole.
fn shortened(base: String, whole: &str) -> String {
    if base.len() <= LONGEST {
        return base;
    }
    let digest = ipai_core::hash::sha256_hex(whole.as_bytes());
    format!("{}_{}", base[..LONGEST - 9].trim_end_matches(['_', '-']), &digest[..8])
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> &'a str {
    attributes.get(name).and_then(Value::as_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_has_a_legal_name_of_its_own() {
        let record = |name: &str, kind: &str| -> Attributes {
            [("zone", "example.com"), ("name", name), ("type", kind)]
                .map(|(name, value)| (name.to_owned(), Value::text(value)))
                .into()
        };
        let records = [
            record("chat.example.com", "A"),
            record("example.com", "MX"),
            record("example.com", "TXT"),
            record("example.com", "TXT"),
            record("*.example.com", "A"),
            record("_sip._tcp.example.com", "SRV"),
            record("7.a-b.example.com", "A"),
            record("www.example.com", "A"),
            record("abcdefghijklmnopqrstuvwxyz234567._domainkey.example.com", "CNAME"),
            record("abcdefghijklmnopqrstuvwxyz234568._domainkey.example.com", "CNAME"),
        ];
        let mut names = Names::new(["www".to_owned()].into());
        names.count(records.iter());
        let given: Vec<String> = records.iter().map(|record| names.take(record)).collect();
        let expected =
            ["chat", "apex_mx", "apex_txt", "apex_txt_2", "any", "sip_tcp", "r7_a-b", "www_a"];
        assert_eq!(given[..8], expected);
        assert!(given[8].starts_with("abcdefghijklmnopqrst_") && given[8] != given[9]);
        assert!(given.iter().all(|name| ipai_core::address::is_name(name)));
    }
}
