//! Unified diffs of contents.

use super::Style;
use super::page::{Ink, Page};

/// How many lines of one diff are shown when nobody asked for all.
const LINES: usize = 24;

/// How many lines a diff takes away and adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// Counts the changed lines of a unified diff.
pub(super) fn count(diff: &str) -> Count {
    let mut count = Count::default();
    for line in body(diff) {
        match line.as_bytes().first() {
            Some(b'+') => count.added += 1,
            Some(b'-') => count.removed += 1,
            _ => {}
        }
    }
    count
}

/// Writes a unified diff, indented.
pub(super) fn write(page: &mut Page, style: &Style, diff: &str, indent: usize) {
    let limit = if style.verbose { usize::MAX } else { LINES };
    let width = if style.verbose { usize::MAX } else { style.columns().saturating_sub(indent) };
    let total = body(diff).count();
    // A single line more takes no more room than the remark that it is missing.
    let shown = if total <= limit.saturating_add(1) { total } else { limit };
    for line in body(diff).take(shown) {
        write!(page, "{:indent$}", "");
        let piece = start(line, width);
        match line.as_bytes().first() {
            Some(b'+') => page.paint(Ink::Add, piece),
            Some(b'-') => page.paint(Ink::Destroy, piece),
            Some(b'@' | b'\\') => page.paint(Ink::Faint, piece),
            _ => page.put(piece),
        }
        if piece.len() < line.len() {
            page.put("…");
            page.shorten();
        }
        page.put("\n");
    }
    if shown < total {
        writeln!(page, "{:indent$}… {} more lines", "", total - shown);
        page.shorten();
    }
}

/// The lines without the two that name the sides; a carriage return at a line's end stays and is seen.
pub(super) fn body(diff: &str) -> impl Iterator<Item = &str> {
    let lines = diff.strip_suffix('\n').unwrap_or(diff).split('\n');
    let names = if diff.starts_with("--- ") { 2 } else { 0 };
    lines.skip(names)
}

/// The first `width` characters.
fn start(line: &str, width: usize) -> &str {
    if line.len() <= width {
        return line;
    }
    line.char_indices().nth(width).map_or(line, |(end, _)| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str =
        "--- live/content\n+++ desired/content\n@@ -1,3 +1,3 @@\n a\r\n--- b\n+B\n c\n";

    fn written(diff: &str, style: &Style) -> String {
        let mut page = Page::new(style);
        write(&mut page, style, diff, 2);
        page.finish()
    }

    #[test]
    fn leaves_out_the_names_and_keeps_every_other_line() {
        let expected = "  @@ -1,3 +1,3 @@\n   a\\r\n  --- b\n  +B\n   c\n";
        assert_eq!(written(DIFF, &Style::plain()), expected);
        assert_eq!(count(DIFF), Count { added: 1, removed: 1 });
    }

    #[test]
    fn paints_what_is_added_and_removed() {
        let text = written("+x\n-y\n z\n", &Style { colour: true, ..Style::plain() });
        assert_eq!(text, "  \u{1b}[32m+x\u{1b}[0m\n  \u{1b}[31m-y\u{1b}[0m\n   z\n");
    }

    #[test]
    fn is_limited_unless_all_is_asked_for() {
        let long = format!("+{}\n", "x".repeat(300)) + &"+y\n".repeat(99);
        let brief = written(&long, &Style::plain());
        assert_eq!(brief.lines().count(), LINES + 1);
        assert!(brief.ends_with("  … 76 more lines\n"), "{brief}");
        assert!(brief.lines().all(|line| line.chars().count() <= 101));
        let full = written(&long, &Style { verbose: true, ..Style::plain() });
        assert_eq!((full.lines().count(), full.lines().next().map(str::len)), (100, Some(303)));
    }
}
