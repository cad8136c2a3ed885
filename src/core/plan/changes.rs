//! How the attributes of one resource change, and what of it may be shown.

use super::{AttributeChange, Shown};
use crate::resource::ResourceType;
use crate::text_diff;
use crate::value::{Content, Value};

/// Adds the changes of one attribute, the members of a table each on its own.
pub(super) fn compare_values(
    name: &str,
    live: Option<&Value>,
    wanted: &Value,
    forces: bool,
    changes: &mut Vec<AttributeChange>,
) {
    if let (Value::Map(wanted), Some(Value::Map(found))) = (wanted, live) {
        let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
        for key in keys {
            let (before, after) = (found.get(key), wanted.get(key));
            if !agree(before, after) {
                changes.push(change(&format!("{name}.{key}"), before, after, forces));
            }
        }
    } else if !agree(live, Some(wanted)) {
        changes.push(change(name, live, Some(wanted), forces));
    }
}

/// Shows of a changed content only what people wrote, where that changed.
pub(super) fn show_written(
    kind: &dyn ResourceType,
    name: &str,
    (live, wanted): (Option<&Value>, &Value),
    changes: &mut [AttributeChange],
) {
    let Some(change) = changes.last_mut().filter(|change| change.diff.is_some()) else { return };
    let text = |value: &Value| value.as_content()?.text.clone();
    let (Some(before), Some(after)) = (live.and_then(text), text(wanted)) else { return };
    let whole = before.expose().len();
    let (before, after) = kind.written(before.expose(), after.expose());
    if change.name == name && before.len() != whole {
        let (live, desired) = (format!("live/{name}"), format!("desired/{name}"));
        change.diff = text_diff::unified(before, after, &live, &desired);
    }
}

fn agree(live: Option<&Value>, wanted: Option<&Value>) -> bool {
    match (live, wanted) {
        (Some(live), Some(wanted)) => wanted.agrees_with(live),
        (live, wanted) => live == wanted,
    }
}

/// One change. What stands now where a secret is wanted may be an older secret, whatever the provider took it for:
/// it is never shown.
pub(super) fn change(
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    forces_replace: bool,
) -> AttributeChange {
    let hidden = after.is_some_and(Value::is_sensitive);
    let diff = match (before.and_then(Value::as_content), after.and_then(Value::as_content)) {
        (Some(before), Some(after)) => diff(name, before, after),
        _ => None,
    };
    let before = match before {
        Some(before) if hidden && !before.is_sensitive() => Shown::Sensitive(String::new()),
        before => shown(before),
    };
    AttributeChange { name: name.into(), before, after: shown(after), forces_replace, diff }
}

fn diff(name: &str, before: &Content, after: &Content) -> Option<String> {
    if before.is_sensitive() || after.is_sensitive() {
        return None;
    }
    let (before, after) = (before.text.as_ref()?, after.text.as_ref()?);
    let (live, desired) = (format!("live/{name}"), format!("desired/{name}"));
    text_diff::unified(before.expose(), after.expose(), &live, &desired)
}

fn shown(value: Option<&Value>) -> Shown {
    match value {
        None => Shown::Absent,
        Some(value) if value.is_unknown() => Shown::Unknown,
        Some(Value::Secret(secret)) => Shown::Sensitive(secret.keyed.clone()),
        Some(Value::Content(Content { keyed: Some(keyed), .. })) => Shown::Sensitive(keyed.clone()),
        Some(value) => Shown::Value(value.to_public_json()),
    }
}

/// A live value in a sentence.
pub(super) fn in_brief(found: &Value, wanted: &Value) -> String {
    match found {
        found if found.is_sensitive() || wanted.is_sensitive() => "(sensitive value)".into(),
        Value::Text(text) => format!("\"{text}\""),
        other => other.to_public_json().to_string(),
    }
}
