//! Which changes are shown. Without the script all are, and nothing offers to choose.

use std::collections::BTreeMap;
use std::io::{self, Write};

use ipai_core::{Plan, Verb};

use super::sheet::Sheet;
use crate::report::verbs;

/// What an action is called on the page, in its classes and in its address.
pub(super) const fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::NoOp => "unchanged",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Replace => "replace",
        Verb::Delete => "destroy",
        Verb::Adopt => "adopt",
        Verb::Forget => "forget",
    }
}

pub(super) fn filter(sheet: &mut Sheet<impl Write>, plan: &Plan) -> io::Result<()> {
    let mut counts: BTreeMap<Verb, usize> = BTreeMap::new();
    for action in plan.effective() {
        *counts.entry(action.verb).or_default() += 1;
    }
    sheet.raw("<form id=\"filter\" autocomplete=\"off\" hidden>\n")?;
    sheet.raw("<fieldset><legend>Show only</legend>\n")?;
    for (verb, count) in counts {
        let word = word(verb);
        sheet.raw("<label class=\"")?.raw(word)?;
        sheet.raw("\"><input type=\"checkbox\" name=\"action\" value=\"")?.raw(word)?;
        sheet.raw("\"><span><b>")?.text(verbs::symbol(verb))?.raw("</b> ")?.raw(word)?;
        sheet.raw(" ")?.text(count)?.raw("</span></label>\n")?;
    }
    sheet.raw(
        "</fieldset>\n<input type=\"search\" name=\"text\" placeholder=\"Address, value, reason\" \
         aria-label=\"Show only changes with this text\">\n\
         <button type=\"button\" name=\"unfold\">Unfold all</button>\n\
         <button type=\"button\" name=\"fold\">Fold all</button>\n\
         <output></output>\n</form>\n",
    )?;
    Ok(())
}
