//! A provider's failure in words.

use ipai_core::{Address, RemoteError};

use super::Style;
use super::page::{Ink, Page};

/// `error: cannot …: cause`, and the hint below.
#[must_use]
pub fn remote_error(error: &RemoteError, style: &Style) -> String {
    let mut page = Page::new(style);
    write(&mut page, None, error);
    page.finish()
}

/// Writes a failure, with the address that it befell.
pub(super) fn write(page: &mut Page, address: Option<&Address>, error: &RemoteError) {
    page.paint(Ink::Error, "error");
    page.put(": ");
    if let Some(address) = address {
        write!(page, "{address}: ");
    }
    indented(page, &error.to_string());
    if let Some(hint) = &error.hint {
        page.put("  ");
        page.paint(Ink::Hint, "hint");
        page.put(": ");
        indented(page, hint);
    }
}

/// Text whose further lines stand in behind a bar, so that none of them looks like one of ours, or like a command to
/// the service that runs a pipeline: GitHub's runner obeys lines that begin with `::`, and `##[` anywhere.
pub(super) fn indented(page: &mut Page, text: &str) {
    let text = page.style().folded(text.trim_end(), "  error: ".len()).into_owned();
    for (place, line) in text.split('\n').enumerate() {
        page.put(if place == 0 { "" } else { "    | " });
        page.put(&line.replace("##[", "## ["));
        page.put("\n");
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::Fault;

    use super::*;

    #[test]
    fn says_what_was_attempted_why_it_failed_and_what_to_do() {
        let error = RemoteError::new(
            Fault::Denied,
            "list the records of example.com",
            "403: no\nmore\u{1b}[A",
        )
        .hint("give the token Zone.DNS:Edit");
        let expected = "error: cannot list the records of example.com: 403: no\n    | more\\u{1b}[A\n  \
            hint: give the token Zone.DNS:Edit\n";
        assert_eq!(remote_error(&error, &Style::plain()), expected);
    }
}
