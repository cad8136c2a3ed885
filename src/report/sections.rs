//! What stands around the actions of a plan.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::plan::Conflict;
use ipai_core::{Address, Plan, Reason, Verb};

use super::page::{Ink, Page};
use super::remote::indented;
use super::{Style, clean, one_line, verbs};

/// `1 resource`, `2 resources`.
#[must_use]
pub fn number(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A plan that does not cover the whole stack says so before anything else.
pub(super) fn targets(page: &mut Page, plan: &Plan) {
    if plan.targets.is_empty() {
        return;
    }
    page.paint(Ink::Warning, "warning");
    let targets: Vec<String> = plan.targets.iter().map(ToString::to_string).collect();
    writeln!(
        page,
        ": this plan is limited to {} and what that needs; the rest was not planned",
        targets.join(", ")
    );
}

/// What left the desired state although nobody edited it.
pub(super) fn drift(page: &mut Page, plan: &Plan) {
    let drifted: Vec<_> = plan.effective().filter(|action| action.is_drift()).collect();
    if drifted.is_empty() {
        return;
    }
    page.gap();
    page.paint(Ink::Warning, "Drift:");
    writeln!(page, " {} changed outside of ipai", number(drifted.len(), "resource"));
    for action in drifted {
        write!(page, "  {}: ", action.address);
        if action.reason == Reason::Deleted {
            page.put("deleted");
        } else {
            let names: Vec<&str> = action.changes.iter().map(|c| c.name.as_str()).collect();
            page.put(&one_line(&names.join(", ")));
        }
        page.put("\n");
    }
}

/// Secrets that will be made: many, alike, and nothing to show of them.
pub(super) fn secrets(page: &mut Page, style: &Style, secrets: &[&Address]) {
    if secrets.is_empty() {
        return;
    }
    page.paint(verbs::ink(Verb::Create), format_args!("{:>3}", verbs::symbol(Verb::Create)));
    page.put(" ");
    page.paint(Ink::Strong, number(secrets.len(), "secret"));
    page.put(" will be generated\n");
    let names = secrets.iter().map(ToString::to_string);
    wrapped(page, style, names);
}

/// Words separated by commas, in lines that fit.
pub(super) fn wrapped(page: &mut Page, style: &Style, words: impl Iterator<Item = String>) {
    const INDENT: &str = "      ";
    let mut column = 0;
    for word in words {
        let length = word.chars().count();
        if column == 0 {
            page.put(INDENT);
            column = INDENT.len();
        } else if column + length + 3 > style.columns() {
            write!(page, ",\n{INDENT}");
            column = INDENT.len();
        } else {
            page.put(", ");
            column += 2;
        }
        page.put(&one_line(&word));
        column += length;
    }
    if column > 0 {
        page.put("\n");
    }
}

/// Strangers in the way. They are errors: apply refuses until they are settled. Where several could be taken over,
/// the command names the one.
pub(super) fn conflicts(page: &mut Page, plan: &Plan, ipai: &str) {
    if !plan.conflicts.is_empty() {
        page.gap();
    }
    let mut adoptable: BTreeMap<&Address, usize> = BTreeMap::new();
    for conflict in plan.conflicts.iter().filter(|conflict| conflict.adoptable) {
        *adoptable.entry(&conflict.address).or_default() += 1;
    }
    for conflict in &plan.conflicts {
        let foreign = &conflict.foreign;
        page.paint(Ink::Error, "error");
        let what =
            if conflict.hint.is_some() { "must not be changed so" } else { "cannot be created" };
        writeln!(page, ": {} {what}: {}", conflict.address, one_line(&conflict.why));
        let (title, id) = (one_line(&foreign.title), one_line(&foreign.id));
        writeln!(page, "  in the way: {title} ({}.{}, id {id})", foreign.provider, foreign.kind);
        page.put("  ");
        page.paint(Ink::Hint, "hint");
        let choices = adoptable.get(&conflict.address).copied().unwrap_or_default();
        page.put(": ");
        indented(page, &way_out(conflict, choices, ipai));
    }
    if adoptable.len() > 1 {
        let ipai = if ipai.is_empty() { "ipai" } else { ipai };
        writeln!(page, "All that could be taken over at once: {ipai} adopt");
    }
}

/// What to do about a conflict, as a command where there is one.
fn way_out(conflict: &Conflict, choices: usize, ipai: &str) -> String {
    if let Some(hint) = &conflict.hint {
        return clean(hint).into_owned();
    }
    if !conflict.adoptable {
        return "remove it where it was made, or take the resource out of the stack".to_owned();
    }
    let (address, id) = (&conflict.address, &conflict.foreign.id);
    // Commands are pasted into a shell, so nothing that others wrote stands in them unless it is harmless there.
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = if choices > 1 && plain { format!(" {id}") } else { String::new() };
    let ipai = if ipai.is_empty() { "ipai" } else { ipai };
    format!("take it over with `{ipai} adopt {address}{id}`")
}

/// Remarks.
pub(super) fn notes(page: &mut Page, plan: &Plan) {
    if !plan.notes.is_empty() {
        page.gap();
    }
    for note in &plan.notes {
        page.paint(Ink::Hint, "note");
        page.put(": ");
        if let Some(address) = &note.address {
            write!(page, "{address}: ");
        }
        writeln!(page, "{}", one_line(&note.text));
    }
}

/// Foreign objects: counted, and listed when all is asked for.
pub(super) fn foreign(page: &mut Page, style: &Style, plan: &Plan) {
    if plan.foreign.is_empty() {
        return;
    }
    if plan.notes.is_empty() {
        page.gap();
    }
    let objects = number(plan.foreign.len(), "foreign object");
    if !style.verbose {
        writeln!(page, "{objects} nearby, left alone (-v lists them)");
        return;
    }
    writeln!(page, "{objects} nearby, left alone:");
    for foreign in &plan.foreign {
        let (title, id) = (one_line(&foreign.title), one_line(&foreign.id));
        writeln!(page, "  {title} ({}.{}, id {id})", foreign.provider, foreign.kind);
    }
}

/// What holds data and will not survive, and how to allow it.
pub(super) fn losses(page: &mut Page, plan: &Plan, approved: &BTreeSet<Address>) {
    for action in plan.actions.iter().filter(|action| action.risks_data()) {
        let fate = if action.verb == Verb::Replace { "replaced" } else { "destroyed" };
        let address = &action.address;
        page.paint(Ink::Error, "Holds data:");
        write!(page, " {address} is {fate}; ");
        if approved.contains(address) {
            page.put("its loss is allowed\n");
        } else {
            writeln!(page, "allow it with --allow-data-loss {address}");
        }
    }
}
