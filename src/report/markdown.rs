//! What comes from outside must not become Markdown, HTML or a mention of somebody where it is shown.

use std::fmt::Write;

use super::clean::one_line;

/// The longest piece of text within a line, in characters.
const LONGEST: usize = 300;

/// A text as code, for everywhere but HTML blocks: in backticks where these can hold it, else as [`html`].
pub(super) fn code(text: &str) -> String {
    let text = piece(text);
    let bare = !text.is_empty() && text.trim() == text && !text.contains(['`', '|', '\\']);
    if bare { format!("`{text}`") } else { html(&text) }
}

/// A text as code, for HTML and for Markdown.
pub(super) fn html(text: &str) -> String {
    format!("<code>{}</code>", entities(&piece(text), "&#"))
}

/// Words of a sentence: as they are when nothing in them means anything to Markdown, else as code.
pub(super) fn words(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " .,:-()".contains(c);
    if text.chars().all(plain) { piece(text) } else { code(text) }
}

/// Writes every ASCII character that may mean something as its number between `mark` and a semicolon.
pub(super) fn entities(text: &str, mark: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '.' | '-' | '/') {
            // Writing to a text cannot fail.
            let _ = write!(safe, "{mark}{};", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A block of code behind a fence that nothing in it can end; lines end with what is to be seen.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<&str> = text.trim_matches('\n').split('\n').map(str::trim_end).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// As many whole lines as `limit` bytes hold, and how many lines there are more.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.as_bytes()[..limit].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
    format!("{}… {} more lines\n", &text[..end], text[end..].lines().count())
}

fn piece(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_holds_what_would_end_it() {
        assert_eq!(code("cloudflare.dns_record.www"), "`cloudflare.dns_record.www`");
        assert_eq!(code("<b> @all #1"), "`<b> @all #1`");
        assert_eq!(code("a`|\\b"), "<code>a&#96;&#124;&#92;b</code>");
        assert_eq!(code("a`b"), "<code>a&#96;b</code>");
        assert_eq!(code("a\nb\u{1b}"), "<code>a&#92;nb&#92;u&#123;1b&#125;</code>");
        assert_eq!(code(""), "<code></code>");
        assert_eq!(html("a_b</code>"), "<code>a&#95;b&#60;/code&#62;</code>");
    }

    #[test]
    fn words_stay_words_only_while_they_mean_nothing() {
        assert_eq!(words("drifted: it was changed"), "drifted: it was changed");
        assert_eq!(words("by @all"), "`by @all`");
        assert_eq!(words("[x](y) | <z>"), "<code>&#91;x&#93;&#40;y&#41; &#124; &#60;z&#62;</code>");
    }

    #[test]
    fn a_fence_is_longer_than_any_within() {
        assert_eq!(fenced("diff", "+a  \n\n+b\n"), "```diff\n+a\n\n+b\n```\n");
        assert_eq!(fenced("diff", "+````\n"), "`````diff\n+````\n`````\n");
    }

    #[test]
    fn only_whole_lines_are_cut_off() {
        assert_eq!(cut("ä\nö\nü\n", 9), "ä\nö\nü\n");
        assert_eq!(cut("ä\nö\nü\n", 7), "ä\nö\n… 1 more lines\n");
        assert_eq!(cut("äöü", 3), "… 1 more lines\n");
        assert_eq!(code(&"ä".repeat(301)), format!("`{}…`", "ä".repeat(300)));
    }
}
