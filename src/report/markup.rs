//! What comes from outside must not become markup where HTML or SVG is made.

use super::{clean, one_line};

/// A text on one line, for between tags and within quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    entities(&one_line(text))
}

/// The same for a text of several lines.
pub(super) fn escaped_lines(text: &str) -> String {
    entities(&clean(text))
}

fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // No character of XML.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_is_markup_or_steers() {
        let evil = "</title><script>\"'&amp;\u{1b}[2J\u{202e}\n\u{ffff}";
        let safe = "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;amp;\\u{1b}[2J\\u{202e}";
        assert_eq!(escaped(evil), format!("{safe}\\n\u{fffd}"));
        assert_eq!(escaped_lines(evil), format!("{safe}\n\u{fffd}"));
    }
}
