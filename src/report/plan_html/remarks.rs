//! What stands around the changes, in the words of the text form.

use std::io::{self, Write};

use ipai_core::Plan;
use ipai_core::exposure::{Exposed, Turn};

use super::sheet::Sheet;
use crate::report::page::Page;
use crate::report::{PlanOptions, Style, exposure_text, sections};

/// Nothing is left out here.
const IN_FULL: Style = Style { verbose: true, ..Style::plain() };

/// What is to be settled or known before anything else.
pub(super) fn before(
    sheet: &mut Sheet<impl Write>,
    plan: &Plan,
    options: &PlanOptions,
) -> io::Result<()> {
    remark(sheet, "warn", &said(|page| sections::targets(page, plan)))?;
    remark(sheet, "wrong", &said(|page| sections::conflicts(page, plan, &options.ipai)))?;
    remark(sheet, "wrong", &said(|page| sections::losses(page, plan, &options.approved)))?;
    remark(sheet, "warn", &said(|page| sections::drift(page, plan)))
}

/// What is good to know.
pub(super) fn after(
    sheet: &mut Sheet<impl Write>,
    plan: &Plan,
    exposure: &[(Exposed, Turn)],
) -> io::Result<()> {
    remark(sheet, "note", &said(|page| sections::notes(page, plan)))?;
    remark(sheet, "note", &said(|page| sections::foreign(page, &IN_FULL, plan)))?;
    remark(sheet, "note", &exposure_text(exposure, &Style::plain()))
}

fn said(write: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::new(&IN_FULL);
    write(&mut page);
    page.finish()
}

fn remark(sheet: &mut Sheet<impl Write>, class: &'static str, text: &str) -> io::Result<()> {
    if !text.trim().is_empty() {
        sheet.raw("<pre class=\"remark ")?.raw(class)?.raw("\">")?;
        sheet.lines(text.trim_matches('\n'))?.raw("</pre>\n")?;
    }
    Ok(())
}
