//! Where a key stands in a YAML text that was read already. A reader's positions end at values; people look for keys.

use std::ops::Range;

/// The line, from 1, of the last of these keys, each within the one before; where one is written in flow style (`{…}`),
/// the line on which that begins, or the one that holds the word. Of several documents the last one counts that has most
/// of the keys. None when not even the first is found.
pub(super) fn line_of(text: &str, path: &[&str]) -> Option<u32> {
    let lines: Vec<&str> = text.lines().collect();
    let mut best: Option<(usize, usize)> = None;
    let mut start = 0;
    while start <= lines.len() {
        let length = lines[start..]
            .iter()
            .position(|line| line.starts_with("---"))
            .unwrap_or(lines.len() - start);
        let (depth, at) = within(&lines, start..start + length, path);
        if let Some(at) = at.filter(|_| best.is_none_or(|(deepest, _)| depth >= deepest)) {
            best = Some((depth, at));
        }
        start += length + 1;
    }
    u32::try_from(best?.1 + 1).ok()
}

/// How many of the keys are found in these lines, and where the last of those is.
fn within(lines: &[&str], range: Range<usize>, path: &[&str]) -> (usize, Option<usize>) {
    let Range { start: mut from, end: mut to } = range;
    let (mut depth, mut found) = (0, None);
    for key in path {
        let block = &lines[from..to];
        let level = block.iter().filter(|line| is_content(line)).map(|line| indent(line)).min();
        let at = block.iter().position(|line| Some(indent(line)) == level && is_key(line, key));
        let at = at.or_else(|| block.iter().position(|line| has_word(line, key)));
        let Some(at) = at.map(|at| from + at) else { break };
        (depth, found) = (depth + 1, Some(at));
        let inside = |line: &&str| {
            !is_content(line) || indent(line) > indent(lines[at]) || is_item(line, lines[at])
        };
        from = at + 1;
        let end = to;
        to = from + lines[from..end].iter().take_while(|line| inside(line)).count();
        if from == to {
            // It ends on its own line; what is sought may stand there too.
            (from, to) = (at, at + 1);
        }
    }
    (depth, found)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_content(line: &str) -> bool {
    let text = line.trim_start();
    !text.is_empty() && !text.starts_with('#')
}

/// An item of a list may stand as far left as the key of the list.
fn is_item(line: &str, key: &str) -> bool {
    indent(line) == indent(key)
        && line.trim_start().starts_with("- ")
        && !key.trim_start().starts_with("- ")
}

fn is_key(line: &str, key: &str) -> bool {
    let text = line.trim_start();
    ["", "\"", "'"].iter().any(|quote| {
        let rest = text.strip_prefix(quote).and_then(|text| text.strip_prefix(key));
        let rest = rest.and_then(|rest| rest.strip_prefix(quote));
        rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        is_content(line) && !before && !after
    })
}
