//! Records as TOML.

use std::fmt::Write as _;

use ipai_core::{Attributes, Value};

use super::Chosen;
use crate::report;

/// The order in which the reference names them.
const ORDER: [&str; 11] = [
    "zone", "name", "type", "content", "ttl", "proxied", "priority", "weight", "port", "flags",
    "tag",
];

pub(super) fn toml(zone: &str, chosen: &[Chosen], now: &str) -> String {
    let mut text = format!("\n# The records of {zone} as they were at {now}.\n");
    for one in chosen {
        // Writing to a text cannot fail.
        let _ = match &one.resource {
            Ok((name, attributes)) => {
                let remark = one.remark.as_ref().map(|remark| format!("# {}\n", line(remark)));
                let remark = remark.unwrap_or_default();
                write!(text, "\n{remark}[cloudflare.dns_record.{name}]\n{}", table(attributes))
            }
            Err(why) => writeln!(text, "\n# Left out: {}: {}", line(&one.title), line(why)),
        };
    }
    text
}

/// How many, and what to do with them.
pub(super) fn summary(chosen: &[Chosen], all: usize, adopt: &str) -> String {
    let written = chosen.iter().filter(|one| one.resource.is_ok()).count();
    let records = if written == 1 { "record" } else { "records" };
    let mut left = match chosen.len() - written {
        0 => String::new(),
        left => format!(", {left} left out"),
    };
    match all - chosen.len() {
        0 => {}
        passed => left += &format!(", {passed} passed over: this stack's, or of another type"),
    }
    let next = format!("\n  hint: put them into stack.toml, then take them over: {adopt}");
    format!("{written} {records}{left}.{}", if written == 0 { "" } else { &next })
}

fn table(attributes: &Attributes) -> String {
    let mut text = String::new();
    for name in ORDER {
        let is_default = |value: &&Value| match (name, value) {
            ("ttl", Value::Int(ttl)) => *ttl == 1,
            ("proxied", Value::Bool(proxied)) => !proxied,
            _ => false,
        };
        if let Some(value) = attributes.get(name).filter(|value| !is_default(value)) {
            let _ = writeln!(text, "{name} = {}", written(attributes, name, value));
        }
    }
    text
}

fn written(attributes: &Attributes, name: &str, value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        other => {
            let text = other.as_text().unwrap_or_default();
            let zone = attributes.get("zone").and_then(Value::as_text).unwrap_or_default();
            let text = if name == "name" { relative(text, zone) } else { text };
            string(&literal(text))
        }
    }
}

/// A string of TOML. What a terminal must not get is written by its number, for which there is a place between double
/// quotes alone.
fn string(text: &str) -> String {
    if report::clean(text) == text {
        return toml::Value::String(text.to_owned()).to_string();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        let mut bytes = [0; 4];
        let one = &*c.encode_utf8(&mut bytes);
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            _ if report::one_line(one) != one => write!(out, "\\U{:08X}", u32::from(c)),
            _ => write!(out, "{c}"),
        };
    }
    out + "\""
}

/// As people write it; a name with a dot might be taken for one of another zone, so it stays complete.
fn relative<'a>(name: &'a str, zone: &str) -> &'a str {
    let inner = name.strip_suffix(zone).and_then(|rest| rest.strip_suffix('.'));
    match inner {
        _ if name == zone => "@",
        Some(inner) if !inner.contains('.') => inner,
        _ => name,
    }
}

/// A text that a template leaves as it is.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|sign| rest.find(sign)).min() {
        let (before, sign) = (&rest[..at], &rest[at..at + 2]);
        let _ = write!(out, "{before}{{{{ '{sign}' }}}}");
        rest = &rest[at + 2..];
    }
    out + rest
}

/// One line of a comment.
fn line(text: &str) -> String {
    report::one_line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_where_nobody_can_mistake_them() {
        for (name, short) in [
            ("example.com", "@"),
            ("chat.example.com", "chat"),
            ("www.other.net.example.com", "www.other.net.example.com"),
            ("notexample.com", "notexample.com"),
        ] {
            assert_eq!(relative(name, "example.com"), short);
        }
    }

    #[test]
    fn what_looks_like_a_template_stays_a_text() {
        assert_eq!(literal("v={{x}} {%y"), "v={{ '{{' }}x}} {{ '{%' }}y");
    }
}
