//! The plan as one page of HTML that needs nothing beside it: to be opened from a disk, attached to a review, kept.
//!
//! It is written as it is made, so a plan of any size costs no more memory than its picture.

use std::io::{self, Write};

use ipai_core::exposure::{Exposed, Turn};
use ipai_core::{Action, Plan, Verb};

use super::plan_text::counts;
use super::{Graph, PlanOptions};

mod changes;
mod filter;
mod policy;
mod remarks;
mod sheet;
#[cfg(test)]
mod tests;

use sheet::Sheet;

/// How many addresses the warning names.
const NAMED: usize = 20;
/// How many changes are shown unfolded.
const UNFOLDED: usize = 8;
const STYLE: &str = include_str!("plan_html/page.css");
const SCRIPT: &str = include_str!("plan_html/page.js");

/// Writes the plan as a page. Secrets appear as in the text.
///
/// # Errors
/// `out` cannot be written to.
pub fn plan_html(
    out: impl Write,
    plan: &Plan,
    exposure: &[(Exposed, Turn)],
    options: &PlanOptions,
) -> io::Result<()> {
    let mut sheet = Sheet::new(out);
    head(&mut sheet, plan)?;
    sheet.raw("<body>\n<header>\n")?;
    title(&mut sheet, plan)?;
    warning(&mut sheet, plan)?;
    sheet.raw("</header>\n<main>\n")?;
    remarks::before(&mut sheet, plan, options)?;
    picture(&mut sheet, plan)?;
    all(&mut sheet, plan)?;
    remarks::after(&mut sheet, plan, exposure)?;
    changes::unchanged(&mut sheet, plan)?;
    sheet.raw("</main>\n<footer>Plan <code>")?.text(plan.fingerprint())?;
    sheet.raw("</code>, made by ipai ")?.text(env!("CARGO_PKG_VERSION"))?;
    sheet.raw("</footer>\n<script>")?.raw(SCRIPT)?.raw("</script>\n</body>\n</html>\n")?;
    Ok(())
}

/// `No changes.`, or how many.
fn short_of_it(plan: &Plan) -> String {
    if plan.is_empty() { "No changes.".to_owned() } else { counts(plan.summary()) }
}

fn head(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    sheet.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    sheet.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"")?;
    sheet.text(policy::policy())?.raw("\">\n")?;
    sheet.raw(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>Plan for ",
    )?;
    sheet.text(&plan.stack)?.raw(": ")?.text(short_of_it(plan))?.raw("</title>\n<style>")?;
    sheet.raw(STYLE)?.raw(super::graph::STYLE)?.raw("</style>\n</head>\n")?;
    Ok(())
}

fn title(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    sheet.raw("<h1>Plan for <code>")?.text(&plan.stack)?.raw("</code></h1>\n")?;
    if plan.is_empty() {
        sheet.raw("<p class=\"counts\">No changes. ")?;
        sheet.raw("Your infrastructure matches the configuration.</p>\n")?;
        return Ok(());
    }
    let summary = plan.summary();
    let counts = [
        ("create", summary.add, "to add"),
        ("update", summary.change, "to change"),
        ("destroy", summary.destroy, "to destroy"),
    ];
    sheet.raw("<p class=\"counts\">")?;
    for (place, (class, count, what)) in counts.into_iter().enumerate() {
        sheet.raw(if place > 0 { ", <b class=\"" } else { "<b class=\"" })?;
        sheet.raw(if count > 0 { class } else { "none" })?;
        sheet.raw("\">")?.text(count)?.raw("</b> ")?.raw(what)?;
    }
    sheet.raw("</p>\n")?;
    Ok(())
}

/// One line about what goes.
fn warning(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    let gone = |verb: Verb| {
        let actions = plan.actions.iter().enumerate().filter(move |(_, a)| a.verb == verb);
        let mut actions: Vec<(usize, &Action)> = actions.collect();
        actions.sort_by_key(|(_, action)| !action.holds_data);
        actions
    };
    let mut before = "<p class=\"warning\" role=\"alert\"><b>Warning:</b> this plan ";
    for (does, actions) in [("destroys ", gone(Verb::Delete)), ("replaces ", gone(Verb::Replace))] {
        if !actions.is_empty() {
            sheet.raw(before)?.raw(does)?;
            names(sheet, &actions)?;
            before = "; it ";
        }
    }
    if before == "; it " {
        sheet.raw(".</p>\n")?;
    }
    Ok(())
}

fn names(sheet: &mut Sheet<impl Write>, actions: &[(usize, &Action)]) -> io::Result<()> {
    for (place, (number, action)) in actions.iter().take(NAMED).enumerate() {
        sheet.raw(if place > 0 { ", <a href=\"#c" } else { "<a href=\"#c" })?;
        sheet.text(number)?.raw("\"><code>")?.text(&action.address)?.raw("</code></a>")?;
        sheet.raw(if action.holds_data { " (holds data)" } else { "" })?;
    }
    if actions.len() > NAMED {
        sheet.raw(" and ")?.text(actions.len() - NAMED)?.raw(" more")?;
    }
    Ok(())
}

fn picture(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    if plan.actions.is_empty() {
        return Ok(());
    }
    sheet.raw("<details class=\"picture\" open><summary><h2>What needs what</h2></summary>\n")?;
    sheet.raw("<div class=\"figure\" tabindex=\"0\">")?.made(&Graph::of_plan(plan).figure())?;
    sheet.raw("</div>\n</details>\n")?;
    Ok(())
}

fn all(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    let count = plan.effective().count();
    if count == 0 {
        return Ok(());
    }
    sheet.raw("<h2>Changes</h2>\n")?;
    filter::filter(sheet, plan)?;
    sheet.raw("<div id=\"changes\">\n")?;
    for (number, action) in plan.actions.iter().enumerate() {
        if action.verb != Verb::NoOp {
            changes::change(sheet, number, action, count <= UNFOLDED)?;
        }
    }
    sheet.raw("</div>\n")?;
    Ok(())
}
