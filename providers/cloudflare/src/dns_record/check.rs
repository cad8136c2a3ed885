//! Checking a record as the stack wants it, and putting it into canonical form.

use ipai_core::{Diagnostic, Draft, SecretText, Value};

use super::content::{self, BadContent};
use super::{RecordType, record_type, text};
use crate::marker;
use crate::name::{self, NameError};

/// The attributes that only some record types have.
const EXTRAS: [&str; 5] = ["priority", "weight", "port", "flags", "tag"];

/// The shortest time to live in seconds, apart from 1 for automatic. The API has 60, and 30 for the enterprise plan.
const SHORTEST_TTL: i64 = 30;

/// Checks everything and corrects what has several spellings.
pub(super) fn check(draft: &mut Draft<'_>) {
    check_marker(draft);
    for attribute in ["zone", "name", "type"] {
        check_known(draft, attribute);
    }
    let zone = check_zone(draft);
    if let Some(zone) = &zone {
        check_name(draft, zone);
    }
    check_ttl(draft);
    let Some(kind) = record_type(&draft.resource.attributes) else { return };
    check_proxied(draft, kind);
    check_extras(draft, kind);
    if let Some(zone) = zone {
        check_content(draft, kind, &zone);
    }
}

/// The marker must fit into a comment of the free plan.
fn check_marker(draft: &mut Draft<'_>) {
    let (stack, name) = (draft.stack.as_str().to_owned(), draft.resource.address.name.clone());
    let length = marker::length(&stack, &name);
    if length <= marker::MAX_COMMENT {
        return;
    }
    let detail = format!(
        "ipai's marker in the record's comment would have {length} characters, of which Cloudflare takes {}: \
         the stack `{stack}` has {}, the record `{name}` {}",
        marker::MAX_COMMENT,
        stack.len(),
        name.len(),
    );
    let over = length - marker::MAX_COMMENT;
    let problem = Diagnostic::error("Names too long for a record's marker")
        .detail(detail)
        .hint(format!("shorten the names by {over} characters together"));
    draft.error("", problem);
}

/// Where a record is must be known when planning, and is no secret.
fn check_known(draft: &mut Draft<'_>, attribute: &str) {
    let detail = match draft.resource.attributes.get(attribute) {
        Some(value) if value.is_unknown() => "it will be known only after apply",
        Some(Value::Secret(_)) => "it would show a secret to the world",
        _ => return,
    };
    let problem = Diagnostic::error("A record's place must be written out")
        .detail(format!("`{attribute}` says where the record is, but {detail}"))
        .hint(format!("write `{attribute}` as a plain text"));
    draft.error(attribute, problem);
}

fn check_zone(draft: &mut Draft<'_>) -> Option<String> {
    let written = draft.text("zone")?;
    let problem = match name::canonical(&written) {
        Ok(zone) if zone.contains('.') && !zone.starts_with("*.") => {
            draft.set("zone", Value::text(&*zone));
            return Some(zone);
        }
        Ok(_) => format!("`{written}` is not a registered domain"),
        Err(why) => why,
    };
    let problem = Diagnostic::error("Not a zone's name")
        .detail(problem)
        .hint("write the domain as Cloudflare shows it, such as `example.com`");
    draft.error("zone", problem);
    None
}

fn check_name(draft: &mut Draft<'_>, zone: &str) {
    let Some(written) = draft.text("name") else { return };
    let problem = match name::complete(&written, zone) {
        Ok(complete) => return draft.set("name", Value::text(complete)),
        Err(NameError::Malformed(why)) => {
            Diagnostic::error("Not a record's name").detail(why).hint("write `www`, `@` or `*`")
        }
        Err(NameError::Outside(inside)) => Diagnostic::error("Record outside the zone")
            .detail(format!("`{written}` is not in the zone `{zone}`"))
            .hint(format!("change `zone`, or write `{inside}` if that is what you mean")),
    };
    draft.error("name", problem);
}

/// A proxied record always has an automatic time to live; Cloudflare answers 1 whatever was sent.
fn check_ttl(draft: &mut Draft<'_>) {
    let attributes = &draft.resource.attributes;
    let Some(ttl) = attributes.get("ttl").and_then(Value::as_int) else { return };
    if attributes.get("proxied") == Some(&Value::Bool(true)) {
        if ttl != 1 {
            let problem = Diagnostic::warning("Time to live without effect")
                .detail("a proxied record's time to live is always automatic")
                .hint("remove `ttl`");
            draft.error("ttl", problem);
        }
        draft.set("ttl", Value::Int(1));
    } else if ttl > 1 && ttl < SHORTEST_TTL {
        let problem = Diagnostic::error("Time to live too short")
            .detail(format!("{ttl} s is below what Cloudflare takes"))
            .hint("write 60 or more (30 on the enterprise plan), or 1 for automatic");
        draft.error("ttl", problem);
    }
}

fn check_proxied(draft: &mut Draft<'_>, kind: RecordType) {
    let proxied = draft.resource.attributes.get("proxied") == Some(&Value::Bool(true));
    if !proxied || kind.proxiable() {
        return;
    }
    let problem = Diagnostic::error("Record cannot be proxied")
        .detail(format!(
            "Cloudflare proxies A, AAAA and CNAME records, and this is {}",
            kind.name()
        ))
        .hint("remove `proxied`");
    draft.error("proxied", problem);
}

/// Each type has its own attributes: all that it needs, and no others.
fn check_extras(draft: &mut Draft<'_>, kind: RecordType) {
    for attribute in EXTRAS {
        let written = draft.resource.attributes.contains_key(attribute);
        let belongs = kind.extras().contains(&attribute);
        match (belongs, written, attribute) {
            (true, false, "weight" | "flags") => draft.set(attribute, Value::Int(0)),
            (true, false, _) => {
                let problem = Diagnostic::error("Attribute missing for this record type")
                    .detail(format!("{} records need `{attribute}`", kind.name()))
                    .hint(format!("add `{attribute}`"));
                draft.error(attribute, problem);
            }
            (false, true, _) => {
                let problem = Diagnostic::error("Attribute of another record type")
                    .detail(format!("{} records have no `{attribute}`", kind.name()))
                    .hint(format!("remove `{attribute}`"));
                draft.error(attribute, problem);
            }
            _ => {}
        }
    }
}

fn check_content(draft: &mut Draft<'_>, kind: RecordType, zone: &str) {
    let Some(written) = text(&draft.resource.attributes, "content").map(str::to_owned) else {
        return;
    };
    let checked = content::canonical(kind, &written, zone).and_then(|content| {
        check_whole(draft, kind, &content)?;
        Ok(content)
    });
    match checked {
        Ok(content) if draft.resource.attributes["content"].is_sensitive() => {
            let secret = SecretText::new(content, draft.key);
            draft.set("content", Value::Secret(secret));
        }
        Ok(content) => draft.set("content", Value::text(content)),
        Err(BadContent { detail, hint }) => {
            let mut problem = Diagnostic::error("Content does not fit the record's type")
                .detail(format!("`content` of this {} record: {detail}", kind.name()));
            problem.hint = hint.map(str::to_owned);
            draft.error("content", problem);
        }
    }
}

/// What content and other attributes say together.
fn check_whole(draft: &Draft<'_>, kind: RecordType, content: &str) -> Result<(), BadContent> {
    let attributes = &draft.resource.attributes;
    if kind == RecordType::Cname && text(attributes, "name") == Some(content) {
        return Err(BadContent { detail: "the record would point at itself".into(), hint: None });
    }
    let report = ["mailto:", "http://", "https://"];
    if text(attributes, "tag") == Some("iodef") && !report.iter().any(|s| content.starts_with(s)) {
        return Err(BadContent {
            detail: "an `iodef` value is a mailto: or http(s): address".into(),
            hint: Some("write it like `mailto:security@example.com`"),
        });
    }
    Ok(())
}
