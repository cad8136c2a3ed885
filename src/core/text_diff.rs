//! Unified diffs of texts.

use similar::TextDiff;

/// The longest text that is compared line by line, in bytes; beyond it only sizes are shown.
const LIMIT: usize = 1 << 20;

/// A unified diff with three lines of context and both names above it, or nothing when the texts are equal or too long to compare.
#[must_use]
pub fn unified(before: &str, after: &str, old: &str, new: &str) -> Option<String> {
    if before == after || before.len() > LIMIT || after.len() > LIMIT {
        return None;
    }
    let diff = TextDiff::from_lines(before, after);
    Some(diff.unified_diff().context_radius(3).header(old, new).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_changed_line_with_its_neighbours() {
        let diff = unified("a\nb\nc\n", "a\nB\nc\n", "live/f", "desired/f").unwrap();
        assert_eq!(diff, "--- live/f\n+++ desired/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(unified("a", "a", "f", "f"), None);
    }
}
