//! A plan as a few short lines, so that a test can say what it expects.

use ipai_core::plan::{AttributeChange, Shown};
use ipai_core::{Action, Plan, Reason, Verb};

/// One line for each action that does something, then conflicts and notes.
pub(crate) fn show(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan.effective().map(line).collect();
    for conflict in &plan.conflicts {
        let way_out = if conflict.adoptable { "adopt it" } else { "remove it" };
        lines.push(format!("! {}  {}: {way_out}", conflict.address, conflict.why));
    }
    for note in &plan.notes {
        let about = note.address.as_ref().map(|a| format!("{a}  ")).unwrap_or_default();
        lines.push(format!("note {about}{}", note.text));
    }
    lines.join("\n")
}

/// Takes the indentation off an expected text.
pub(crate) fn flush(text: &str) -> String {
    text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

fn line(action: &Action) -> String {
    let symbol = match action.verb {
        Verb::NoOp => "=",
        Verb::Create => "+",
        Verb::Update => "~",
        Verb::Replace => "-/+",
        Verb::Delete => "-",
        Verb::Adopt => "<",
        Verb::Forget => ">",
    };
    let mut parts = vec![format!("{symbol} {}", action.address), reason(&action.reason)];
    // Creating and deleting concerns every attribute; only what stands out is worth a word.
    let tells = |c: &&AttributeChange| match action.verb {
        Verb::Create => matches!(c.after, Shown::Unknown | Shown::Sensitive(_)),
        Verb::Delete => matches!(c.before, Shown::Sensitive(_)),
        _ => true,
    };
    parts.extend(action.changes.iter().filter(tells).map(change));
    if action.stage > 0 {
        parts.push(format!("stage {}", action.stage));
    }
    parts.join("  ")
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Same => "same".into(),
        Reason::NotFound => "not found".into(),
        Reason::Deleted => "deleted outside".into(),
        Reason::Edited => "edited".into(),
        Reason::Drifted => "drifted".into(),
        Reason::Unfinished => "unfinished".into(),
        Reason::CannotUpdate(names) => format!("cannot update {}", names.join(", ")),
        Reason::Requested => "requested".into(),
        Reason::HomeIsNew(home) => format!("{home} is new"),
        Reason::WaitsFor(all) => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("waits for {}", all.join(", "))
        }
        Reason::NoLongerDesired => "no longer desired".into(),
        Reason::DuplicateOf(id) => format!("duplicate of {id}"),
        Reason::Destroyed => "destroyed".into(),
        Reason::NotGenerated => "not generated".into(),
    }
}

fn change(change: &AttributeChange) -> String {
    if let Some(diff) = &change.diff {
        let changed = diff.lines().skip(2).filter(|l| l.starts_with(['+', '-']));
        return format!("{}: {}", change.name, changed.collect::<Vec<_>>().join(" "));
    }
    format!("{}: {} → {}", change.name, value(&change.before), value(&change.after))
}

fn value(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "none".into(),
        Shown::Value(serde_json::Value::String(text)) => text.clone(),
        Shown::Value(json) => json.to_string(),
        Shown::Sensitive(_) => "(sensitive)".into(),
        Shown::Unknown => "(known after apply)".into(),
    }
}
