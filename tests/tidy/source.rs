//! Just enough of Rust's grammar to tell code from comments and texts, and to spell imports out.

/// The code alone: comments and the insides of texts become blanks, lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        let length = if length == 0 { identifier(rest).max(first.len_utf8()) } else { length };
        let (piece, after) = rest.split_at(length);
        match skipped(rest) {
            0 => out.push_str(piece),
            _ => out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    out
}

/// The length of the comment or text that begins here.
fn skipped(rest: &str) -> usize {
    let until = |mark: &str, from: usize| {
        rest[from..].find(mark).map_or(rest.len(), |place| from + place + mark.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    let opening = rest.trim_start_matches(['b', 'c']);
    if let Some(raw) = opening.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            return until(&format!("\"{}", "#".repeat(hashes)), start);
        }
    }
    if rest.starts_with('"') {
        return quoted(rest);
    }
    character(rest)
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (place, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character in quotes; a lifetime has no second quote.
fn character(rest: &str) -> usize {
    let Some(inner) = rest.strip_prefix('\'') else { return 0 };
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map_or(0, |place| place + 4);
    }
    let length = inner.chars().next().map_or(0, char::len_utf8);
    if inner[length..].starts_with('\'') { length + 2 } else { 0 }
}

fn identifier(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
}

/// Every path that `use` names, spelled out: `std::{fs, env::args}` gives `std::fs` and `std::env::args`. With lines.
pub(crate) fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) = code[at..].find("use ") {
        let start = at + place;
        let alone = code[..start].chars().next_back().is_none_or(|c| c.is_whitespace() || c == ')');
        let end = code[start..].find(';').map_or(code.len(), |end| start + end);
        if alone {
            let line = code[..start].matches('\n').count() + 1;
            spell_out("", &code[start + 4..end], &mut |path| found.push((line, path)));
        }
        at = start + 4;
    }
    found
}

fn spell_out(prefix: &str, tree: &str, found: &mut dyn FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        found(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let (mut depth, mut start) = (0, 0);
    for (place, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 || place == inner.len() => {
                let part = inner[start..place].trim();
                let closed = part.matches('{').count().saturating_sub(part.matches('}').count());
                let part = format!("{part}{}", "}".repeat(closed));
                if !part.is_empty() {
                    spell_out(&prefix, &part, found);
                }
                start = place + 1;
            }
            _ => {}
        }
    }
}

/// The lines in which a path or name stands in code, written out or imported. `name::` and `name!` are found as well.
pub(crate) fn lines_with(code: &str, wanted: &str) -> Vec<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut lines: Vec<usize> = code
        .match_indices(wanted)
        .filter(|(place, _)| {
            let before = code[..*place].chars().next_back();
            let after = code[place + wanted.len()..].chars().next();
            let whole = wanted.ends_with([':', '!']) || !after.is_some_and(inside);
            whole && !before.is_some_and(inside)
        })
        .map(|(place, _)| code[..place].matches('\n').count() + 1)
        .collect();
    let prefix = format!("{}::", wanted.trim_end_matches(':'));
    let within = |path: &str| path == wanted || path.starts_with(&prefix);
    lines.extend(imports(code).into_iter().filter(|(_, path)| within(path)).map(|(line, _)| line));
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn comments_and_texts_are_no_code() {
    let text = "a // tokio\nb \"tokio \\\" tokio\" c r#\"tokio \" \"# 'x' '\\'' &'a str /* tokio */ d b\"tokio\"";
    assert!(!code(text).contains("tokio"));
    for kept in ["a", "b", "c", "&'a str", "d"] {
        assert!(code(text).contains(kept), "{kept}");
    }
}

#[test]
fn grouped_imports_are_spelled_out() {
    let paths: Vec<String> = imports("pub use std::{fs, env::{self, args}, a::b};\nuse x::y;\n")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(paths, ["std::fs", "std::env::self", "std::env::args", "std::a::b", "x::y"]);
}

#[test]
fn names_are_found_whole_and_with_their_line() {
    let code = "use std::{fs};\nrandom();\nstd::env::var();\nx.tokio_like();";
    assert_eq!(lines_with(code, "std::fs"), [1]);
    assert_eq!(lines_with(code, "std::env"), [3]);
    assert_eq!(lines_with("use ipai::a;\nipai::b();\nlet ipai = 1;", "ipai::"), [1, 2]);
    assert_eq!(lines_with("fn print() {}\nprint!(\"\")", "print!"), [2]);
    assert!(lines_with(code, "rand").is_empty() && lines_with(code, "tokio").is_empty());
}
