//! How the attributes of one action change, in Markdown.

use std::fmt::Write;

use ipai_core::Action;
use ipai_core::plan::{AttributeChange, Shown};

use super::markdown::{fenced, html};
use super::{Style, change, clean, diff, one_line, value, verbs};

/// The attributes of one action, folded; nothing where there are none.
pub(super) fn details(action: &Action) -> Option<String> {
    let mut text = String::new();
    // What follows a diff would read as a part of it.
    let (long, short): (Vec<_>, Vec<_>) = action.changes.iter().partition(|c| c.diff.is_some());
    for change in short.into_iter().chain(long) {
        attribute(&mut text, change);
    }
    let symbol = html(verbs::symbol(action.verb));
    let address = html(&action.address.to_string());
    let block = fenced("diff", &text);
    (!text.is_empty()).then(|| {
        format!("<details><summary>{symbol} {address}</summary>\n\n{block}\n</details>\n\n")
    })
}

fn attribute(text: &mut String, change: &AttributeChange) {
    let name = one_line(&change.name);
    let forces = if change.forces_replace { "  # forces replacement" } else { "" };
    let shown = |value: &Shown| clean(&value::shown(value, usize::MAX)).into_owned();
    let (before, after) = (&change.before, &change.after);
    let style = Style { verbose: true, ..Style::plain() };
    let lists = change::list_changes(&style, change);
    let pair = || {
        let (before, after) = change::both(&style, before, after);
        (clean(&before).into_owned(), clean(&after).into_owned())
    };
    // Writing to a text cannot fail.
    let _ = match (before, after) {
        (Shown::Absent, Shown::Absent) => Ok(()),
        (Shown::Sensitive(_), Shown::Sensitive(_)) => {
            writeln!(text, "! {name}: {} changed{forces}", value::SENSITIVE)
        }
        _ if lists.is_some() => writeln!(text, "! {name}: items change{forces}"),
        _ if change.diff.is_some() => {
            let (before, after) = pair();
            writeln!(text, "! {name}: {before} → {after}{forces}")
        }
        (Shown::Absent, after) => writeln!(text, "+ {name}: {}{forces}", shown(after)),
        (before, Shown::Absent) => writeln!(text, "- {name}: {}{forces}", shown(before)),
        _ => {
            let (before, after) = pair();
            writeln!(text, "- {name}: {before}\n+ {name}: {after}{forces}")
        }
    };
    for (_, item) in lists.into_iter().flatten() {
        let (sign, item) = item.split_at(1);
        diff_line(text, &format!("{sign}  {item}"));
    }
    for line in change.diff.iter().flat_map(|diff| diff::body(diff)) {
        diff_line(text, line);
    }
}

/// Adds a line of a diff.
fn diff_line(text: &mut String, line: &str) {
    *text += &seen(line);
    text.push('\n');
}

/// A line of a diff; blanks at its end are shown as dots where they may be what changes.
pub(super) fn seen(line: &str) -> String {
    let line = clean(line);
    let seen = line.trim_end();
    let blanks = line[seen.len()..].chars().count();
    let dots = if line.starts_with(['+', '-']) { "·".repeat(blanks) } else { String::new() };
    format!("{seen}{dots}")
}
