//! One change: a line that says what and why, and folded beneath it how its attributes change.

use std::io::{self, Write};

use ipai_core::plan::{AttributeChange, Shown};
use ipai_core::{Action, Plan, Verb};

use super::filter::word;
use super::sheet::Sheet;
use crate::report::page::Ink;
use crate::report::{Style, change, diff, markdown_details, value, verbs};

/// Everything in full: what is folded takes no room.
const IN_FULL: Style = Style { verbose: true, ..Style::plain() };

pub(super) fn change(
    sheet: &mut Sheet<impl Write>,
    number: usize,
    action: &Action,
    open: bool,
) -> io::Result<()> {
    let none = action.changes.is_empty();
    sheet.raw(if none { "<div" } else { "<details" })?.raw(" class=\"change ")?;
    sheet.raw(word(action.verb))?.raw("\" data-action=\"")?.raw(word(action.verb))?;
    sheet.raw("\" id=\"c")?.text(number)?;
    sheet.raw(match (none, open) {
        (true, _) => "\"><div class=\"line\">",
        (_, true) => "\" open><summary class=\"line\">",
        _ => "\"><summary class=\"line\">",
    })?;
    line(sheet, action)?;
    if none {
        sheet.raw("</div></div>\n")?;
        return Ok(());
    }
    sheet.raw("</summary>\n<dl>\n")?;
    // Long ones stand last, so that none is overlooked behind them.
    let (long, short): (Vec<_>, Vec<_>) = action.changes.iter().partition(|c| c.diff.is_some());
    for change in short.into_iter().chain(long) {
        attribute(sheet, change)?;
    }
    sheet.raw("</dl></details>\n")?;
    Ok(())
}

fn line(sheet: &mut Sheet<impl Write>, action: &Action) -> io::Result<()> {
    sheet.raw("<span class=\"sign\" aria-hidden=\"true\">")?.text(verbs::symbol(action.verb))?;
    sheet.raw("</span> <code class=\"address\">")?;
    address(sheet, action)?;
    sheet.raw("</code> <span class=\"verb\">")?.raw(word(action.verb))?;
    sheet.raw("</span> <span class=\"why\">")?.text(&action.reason)?.raw("</span>")?;
    if action.holds_data && matches!(action.verb, Verb::Delete | Verb::Replace) {
        sheet.raw(" <strong class=\"badge\">holds data</strong>")?;
    }
    if let Some(id) = &action.id {
        sheet.raw(" <span class=\"id\">id ")?.text(id)?.raw("</span>")?;
    }
    Ok(())
}

fn address(sheet: &mut Sheet<impl Write>, action: &Action) -> io::Result<()> {
    let address = &action.address;
    for part in [&address.provider, &address.kind].into_iter().filter(|part| !part.is_empty()) {
        sheet.text(part)?.raw(".<wbr>")?;
    }
    sheet.raw("<b>")?.text(&address.name)?.raw("</b>")?;
    Ok(())
}

fn attribute(sheet: &mut Sheet<impl Write>, change: &AttributeChange) -> io::Result<()> {
    sheet.raw("<dt>")?.text(&change.name)?.raw("</dt><dd>")?;
    let lists = change::list_changes(&IN_FULL, change);
    let shown = |value: &Shown| value::shown(value, usize::MAX);
    match (&change.before, &change.after) {
        (Shown::Absent, Shown::Absent) => {}
        (Shown::Sensitive(_), Shown::Sensitive(_)) => {
            sheet.raw("<i>")?.raw(value::SENSITIVE)?.raw(" changed</i>")?;
        }
        _ if lists.is_some() => items(sheet, &lists.unwrap_or_default())?,
        (Shown::Absent, after) => {
            sheet.raw("<ins>")?.text(shown(after))?.raw("</ins>")?;
        }
        (before, Shown::Absent) => {
            sheet.raw("<del>")?.text(shown(before))?.raw("</del>")?;
        }
        (before, after) => {
            let (before, after) = change::both(&IN_FULL, before, after);
            sheet.raw("<del>")?.text(before)?.raw("</del> <span class=\"to\">→</span> <ins>")?;
            sheet.text(after)?.raw("</ins>")?;
        }
    }
    if change.forces_replace {
        sheet.raw(" <strong class=\"badge\">forces replacement</strong>")?;
    }
    if let Some(diff) = &change.diff {
        lines(sheet, diff)?;
    }
    sheet.raw("</dd>\n")?;
    Ok(())
}

/// The items of a list that come and go.
fn items(sheet: &mut Sheet<impl Write>, items: &[(Ink, String)]) -> io::Result<()> {
    sheet.raw("<ul>")?;
    for (ink, item) in items {
        let (open, close) =
            if *ink == Ink::Add { ("<li><ins>", "</ins>") } else { ("<li><del>", "</del>") };
        sheet.raw(open)?.text(item.trim_start_matches(['+', '-']).trim_start())?.raw(close)?;
        sheet.raw("</li>")?;
    }
    sheet.raw("</ul>")?;
    Ok(())
}

/// A unified diff.
fn lines(sheet: &mut Sheet<impl Write>, diff: &str) -> io::Result<()> {
    let count = diff::count(diff);
    sheet.raw(" <span class=\"count\">+")?.text(count.added)?.raw(" -")?.text(count.removed)?;
    sheet.raw(" lines</span><pre class=\"diff\" tabindex=\"0\">")?;
    for line in diff::body(diff) {
        let tag = match line.as_bytes().first() {
            Some(b'+') => "ins",
            Some(b'-') => "del",
            Some(b'@' | b'\\') => "i",
            _ => "span",
        };
        sheet.raw("<")?.raw(tag)?.raw(">")?.lines(&markdown_details::seen(line))?;
        sheet.raw("\n</")?.raw(tag)?.raw(">")?;
    }
    sheet.raw("</pre>")?;
    Ok(())
}

/// What the plan leaves alone, by name.
pub(super) fn unchanged(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    let same = || plan.actions.iter().filter(|action| action.verb == Verb::NoOp);
    if same().next().is_none() {
        return Ok(());
    }
    sheet.raw("<details class=\"unchanged\"><summary><h2>")?.text(same().count())?;
    sheet.raw(" unchanged</h2></summary>\n<ul>\n")?;
    for action in same() {
        sheet.raw("<li><code>")?.text(&action.address)?.raw("</code></li>\n")?;
    }
    sheet.raw("</ul></details>\n")?;
    Ok(())
}
