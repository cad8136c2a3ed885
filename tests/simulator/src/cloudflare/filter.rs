//! Which records a list shows, and in which order.

use super::state::Record;
use crate::call::Call;

/// Says whether a record passes the query's filters: all of them, or any with `match=any`.
pub(super) fn passes(record: &Record, call: &Call) -> bool {
    let tests: Vec<bool> =
        call.query.iter().filter_map(|(name, wanted)| test(record, name, wanted)).collect();
    match call.query("match") {
        Some("any") => tests.is_empty() || tests.contains(&true),
        _ => !tests.contains(&false),
    }
}

/// Puts records in the order that was asked for.
pub(super) fn sort(records: &mut [&Record], call: &Call) {
    match call.query("order") {
        Some("type") => records.sort_by_key(|record| record.draft.kind.clone()),
        Some("name") => records.sort_by_key(|record| record.draft.name.clone()),
        Some("content") => records.sort_by_key(|record| record.draft.content.clone()),
        Some("ttl") => records.sort_by_key(|record| record.draft.ttl),
        Some("proxied") => records.sort_by_key(|record| record.draft.proxied),
        _ => {}
    }
    if call.query("direction") == Some("desc") {
        records.reverse();
    }
}

/// One filter's verdict; `None` for what is no filter.
fn test(record: &Record, name: &str, wanted: &str) -> Option<bool> {
    let draft = &record.draft;
    let (field, operator) = name.split_once('.').unwrap_or((name, "exact"));
    let comment = draft.comment.as_deref();
    match (field, operator) {
        ("name", _) => text(&draft.name, operator, wanted),
        ("content", _) => text(&draft.content, operator, wanted),
        ("type", "exact") => Some(draft.kind.eq_ignore_ascii_case(wanted)),
        ("proxied", "exact") => Some(draft.proxied.to_string() == wanted),
        ("comment", "present") => Some(comment.is_some()),
        ("comment", "absent") => Some(comment.is_none()),
        ("comment", _) => {
            Some(comment.is_some_and(|own| text(own, operator, wanted) == Some(true)))
        }
        // No record of a free zone has a tag.
        ("tag", "absent") => Some(true),
        ("tag", _) => Some(false),
        ("search", "exact") => {
            let all = format!("{} {} {}", draft.name, draft.content, comment.unwrap_or_default());
            text(&all, "contains", wanted)
        }
        _ => None,
    }
}

/// Compares without regard to case, as all these filters do.
fn text(own: &str, operator: &str, wanted: &str) -> Option<bool> {
    let (own, wanted) = (own.to_lowercase(), wanted.to_lowercase());
    match operator {
        "exact" => Some(own == wanted),
        "contains" => Some(own.contains(&wanted)),
        "startswith" => Some(own.starts_with(&wanted)),
        "endswith" => Some(own.ends_with(&wanted)),
        _ => None,
    }
}
