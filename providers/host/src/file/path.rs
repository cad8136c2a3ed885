//! Absolute paths on a host in canonical form.

use ipai_core::Diagnostic;

/// Linux's limit for a path in one call, in bytes (`PATH_MAX` is 4096 with the final NUL).
const MAX_PATH: usize = 4000;

/// Why a text is no path for ipai.
pub(crate) type Why = &'static str;

/// Takes an absolute path into its one canonical spelling: no double or trailing slash, no `.`.
pub(crate) fn normalise(text: &str) -> Result<String, Why> {
    if !text.starts_with('/') {
        return Err("it does not begin with `/`");
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a line break or another control character");
    }
    if text.split('/').any(|part| part == "..") {
        return Err("it holds `..`");
    }
    if text.len() > MAX_PATH {
        return Err("it is longer than 4000 bytes");
    }
    let path = collapse(text);
    if path == "/" { Err("it names the root itself") } else { Ok(path) }
}

/// Follows `.` and `..` by their letters alone; never leaves the root.
pub(crate) fn collapse(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The folder of a canonical path, and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", base)) => ("/", base),
        Some(pair) => pair,
        None => ("/", path),
    }
}

/// Tells whether `path` is `folder` itself or lies below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || folder == "/",
        None => false,
    }
}

/// The diagnostic for a text that is no path.
pub(crate) fn problem(text: &str, why: Why) -> Diagnostic {
    Diagnostic::error("Not a path on a host")
        .detail(format!("`{}`: {why}.", text.escape_debug()))
        .hint("write an absolute path, such as \"/opt/ipai/ops/app.conf\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_spelling() {
        for (text, path) in [("/a/b", "/a/b"), ("//a/./b/", "/a/b"), ("/a b/ü", "/a b/ü")] {
            assert_eq!(normalise(text).as_deref(), Ok(path));
        }
    }

    #[test]
    fn refuses_what_could_mean_another_place() {
        for text in ["", "a", "~/a", "/", "//", "/a/../b", "/a\nb", "/a\0b", "/\u{7f}"] {
            assert!(normalise(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_within() {
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a") && !is_within("/a", "/a/b"));
    }
}
