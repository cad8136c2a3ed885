//! How the attributes of one action change.

use ipai_core::plan::{AttributeChange, Shown};
use ipai_core::{Action, Verb};
use serde_json::Value as Json;

use super::Style;
use super::page::{Ink, Page};
use super::{diff, one_line, value};

/// How far attributes stand in.
const INDENT: usize = 6;
/// The longest value that is shown whole when nobody asked for all, in characters.
const LIMIT: usize = 60;

/// Writes the attributes below an action's line.
pub(super) fn write(page: &mut Page, style: &Style, action: &Action) {
    match action.verb {
        Verb::Create | Verb::Delete if !style.verbose => in_brief(page, style, action),
        Verb::Create | Verb::Delete => {
            for change in &action.changes {
                let name = one_line(&change.name);
                writeln!(page, "{:INDENT$}{name}: {}", "", in_full(only_side(change)));
            }
        }
        _ => action.changes.iter().for_each(|change| differing(page, style, change)),
    }
}

/// The one value of an attribute that is created or deleted.
fn only_side(change: &AttributeChange) -> &Shown {
    if change.after == Shown::Absent { &change.before } else { &change.after }
}

fn in_full(value: &Shown) -> String {
    match contents(value) {
        Some((size, sha256)) => format!("{} (sha256 {sha256})", value::size(size)),
        None => value::shown(value, usize::MAX),
    }
}

/// As many attributes as one line holds, in the order of the schema, which begins with what matters most.
fn in_brief(page: &mut Page, style: &Style, action: &Action) {
    let told: Vec<&AttributeChange> =
        action.changes.iter().filter(|change| !is_empty(only_side(change))).collect();
    if told.is_empty() {
        return;
    }
    let (mut line, room) = (String::new(), style.columns() - INDENT - " … 99 more".len());
    let mut length = 0;
    let mut left = told.len();
    for change in told {
        let item =
            format!("{}: {}", one_line(&change.name), value::shown(only_side(change), LIMIT));
        length += item.chars().count() + 2;
        if length > room && !line.is_empty() {
            break;
        }
        line += if line.is_empty() { "" } else { ", " };
        line += &item;
        left -= 1;
    }
    write!(page, "{:INDENT$}{line}", "");
    if left > 0 {
        write!(page, ", … {left} more");
        page.shorten();
    }
    page.put("\n");
}

/// Tells whether a value says no more than that there is none.
fn is_empty(value: &Shown) -> bool {
    match value {
        Shown::Absent => true,
        Shown::Value(Json::Array(items)) => items.is_empty(),
        Shown::Value(Json::Object(map)) => map.is_empty(),
        Shown::Value(Json::String(text)) => text.is_empty(),
        _ => false,
    }
}

fn differing(page: &mut Page, style: &Style, change: &AttributeChange) {
    write!(page, "{:INDENT$}{}: ", "", one_line(&change.name));
    let lists = list_changes(style, change);
    match (&change.before, &change.after) {
        (Shown::Sensitive(_), Shown::Sensitive(_)) => {
            write!(page, "{} changed", value::SENSITIVE);
        }
        _ if lists.is_some() => page.put("items change"),
        (before, after) => {
            let (before, after) = both(style, before, after);
            write!(page, "{before} → {after}");
        }
    }
    if let Some(diff) = &change.diff {
        let count = diff::count(diff);
        write!(page, " (+{} -{} lines)", count.added, count.removed);
    }
    if change.forces_replace {
        page.put("  ");
        page.paint(Ink::Destroy, "# forces replacement");
    }
    page.put("\n");
    for (ink, item) in lists.into_iter().flatten() {
        write!(page, "{:1$}", "", INDENT + 2);
        page.paint(ink, item);
        page.put("\n");
    }
    if let Some(diff) = &change.diff {
        diff::write(page, style, diff, INDENT + 2);
    }
}

pub(super) fn both(style: &Style, before: &Shown, after: &Shown) -> (String, String) {
    match (contents(before), contents(after)) {
        (Some((was, before)), Some((is, after))) if was == is => {
            let content = |sha256: &str| format!("{} (sha256 {:.8}…)", value::size(is), sha256);
            (content(before), content(after))
        }
        _ => value::pair(before, after, if style.verbose { usize::MAX } else { LIMIT }),
    }
}

/// Size and SHA-256 of a content that may be shown.
fn contents(value: &Shown) -> Option<(u64, &str)> {
    let Shown::Value(json) = value else { return None };
    match value::kind(json) {
        value::Kind::Content { sha256, size } => Some((size, sha256)),
        _ => None,
    }
}

/// The items that come and go, when both sides are lists too long for one line.
pub(super) fn list_changes(style: &Style, change: &AttributeChange) -> Option<Vec<(Ink, String)>> {
    let (Shown::Value(Json::Array(before)), Shown::Value(Json::Array(after))) =
        (&change.before, &change.after)
    else {
        return None;
    };
    let length = |value: &Shown| value::shown(value, usize::MAX).chars().count();
    if length(&change.before) + length(&change.after) < style.columns().saturating_sub(40) {
        return None;
    }
    let item = |sign: char, json: &Json| {
        let limit = if style.verbose { usize::MAX } else { 2 * LIMIT };
        format!("{sign} {}", value::shown(&Shown::Value(json.clone()), limit))
    };
    let gone = without(before, after).into_iter().map(|json| (Ink::Destroy, item('-', json)));
    let new = without(after, before).into_iter().map(|json| (Ink::Add, item('+', json)));
    let items: Vec<(Ink, String)> = gone.chain(new).collect();
    // Nothing comes or goes when only the order changes.
    Some(items).filter(|items| !items.is_empty())
}

/// The items of one list that the other does not have, counting repetitions.
fn without<'a>(list: &'a [Json], other: &'a [Json]) -> Vec<&'a Json> {
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for item in other {
        *counts.entry(item.to_string()).or_default() += 1;
    }
    let kept = |item: &&Json| match counts.get_mut(&item.to_string()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    list.iter().filter(kept).collect()
}
