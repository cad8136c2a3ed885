//! Problems as GitHub's workflow commands, which put them beside the lines of a pull request.
//! Syntax and escapes: GitHub's documentation of workflow commands, "Setting an error message".

use std::fmt::Write;

use ipai_core::{Diagnostic, Severity, Sources};

use super::clean::clean;
use super::diagnostics::MOST;
use super::place::Places;

/// One `::error …::` or `::warning …::` line for each problem. `folder` is the stack's folder within the
/// repository, since GitHub knows files by their path from there.
#[must_use]
pub fn annotations(diagnostics: &[Diagnostic], sources: &Sources, folder: &str) -> String {
    let diagnostics = &diagnostics[..diagnostics.len().min(MOST)];
    let places = Places::new(diagnostics, sources);
    let mut text = String::new();
    for diagnostic in diagnostics {
        annotation(&mut text, diagnostic, &places, folder);
    }
    text
}

fn annotation(text: &mut String, diagnostic: &Diagnostic, places: &Places<'_>, folder: &str) {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(span) = &diagnostic.at {
        let folder = folder.trim_end_matches('/');
        let path = if folder.is_empty() {
            span.file.to_string()
        } else {
            format!("{folder}/{}", span.file)
        };
        properties.push(format!("file={}", property(&path)));
        if let Some(place) = places.find(span) {
            properties.push(format!("line={},col={}", place.start.line, place.start.column));
            properties.push(format!("endLine={},endColumn={}", place.end.line, place.end.column));
        }
    }
    properties.push(format!("title={}", property(&diagnostic.summary)));
    let hint = diagnostic.hint.as_ref().map(|hint| format!("hint: {hint}"));
    let message: Vec<&str> =
        [diagnostic.detail.as_deref(), hint.as_deref()].into_iter().flatten().collect();
    let message = if message.is_empty() { diagnostic.summary.clone() } else { message.join("\n") };
    // Writing to a text cannot fail.
    let _ = writeln!(text, "::{command} {}::{}", properties.join(","), data(&message));
}

fn data(text: &str) -> String {
    clean(&text.replace("\r\n", "\n")).replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use ipai_core::Span;

    use super::*;

    #[test]
    fn names_file_line_and_column_from_the_repository_on() {
        let mut sources = Sources::default();
        sources.add("stack.toml", "a\nbc = 1\n");
        let problem = Diagnostic::error("Wrong: kind, of value")
            .detail("100% wrong\nreally")
            .hint("mend it")
            .at(&Span::new(&"stack.toml".into(), 2..4));
        let expected = "::error file=stacks/ops/stack.toml,line=2,col=1,endLine=2,endColumn=3,\
            title=Wrong%3A kind%2C of value::100%25 wrong%0Areally%0Ahint: mend it\n";
        assert_eq!(annotations(&[problem], &sources, "stacks/ops/"), expected);
    }

    #[test]
    fn a_problem_without_a_place_is_still_one_line() {
        let problem = Diagnostic::warning("x\n::stop-commands::y");
        let text = annotations(&[problem], &Sources::default(), "");
        assert_eq!(
            text,
            "::warning title=x%0A%3A%3Astop-commands%3A%3Ay::x%0A::stop-commands::y\n"
        );
    }
}
