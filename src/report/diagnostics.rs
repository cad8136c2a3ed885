//! Problems as a person reads them: where, what, why, and what to do.

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Snippet};
use ipai_core::{Diagnostic, Severity, Sources, diagnostic::any_error};

use super::Style;
use super::clean::{clean, is_harmful, one_line};
use super::place::{Place, Places};
use super::sections::number;

/// The most problems that are shown in words: nobody reads more of them, and a log has to hold them.
pub(super) const MOST: usize = 100;

/// The columns before a note or a hint, where lines have up to four digits.
const NOTE: usize = "     = note: ".len();

/// Writes all problems of a stack, and counts them at the end. For what is found before anything is contacted;
/// it says so when there are errors.
#[must_use]
pub fn diagnostics(diagnostics: &[Diagnostic], sources: &Sources, style: &Style) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let shown = &diagnostics[..diagnostics.len().min(MOST)];
    let places = Places::new(shown, sources);
    let mut text = String::new();
    for diagnostic in shown {
        text += &render(diagnostic, &places, style);
        text += "\n";
    }
    if diagnostics.len() > MOST {
        text += &format!("… and {} more.\n\n", diagnostics.len() - MOST);
    }
    text += &style.folded(&count(diagnostics), 0);
    text
}

/// Writes one problem and counts nothing.
#[must_use]
pub fn diagnostic(diagnostic: &Diagnostic, sources: &Sources, style: &Style) -> String {
    let all = std::slice::from_ref(diagnostic);
    render(diagnostic, &Places::new(all, sources), style)
}

fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let mut counts = Vec::new();
    if errors > 0 {
        counts.push(number(errors, "error"));
    }
    if warnings > 0 {
        counts.push(number(warnings, "warning"));
    }
    let counts = counts.join(", ");
    if any_error(diagnostics) {
        format!("{counts}; nothing was contacted and nothing was changed.\n")
    } else {
        format!("{counts}.\n")
    }
}

fn render(diagnostic: &Diagnostic, places: &Places<'_>, style: &Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(one_line(&diagnostic.summary)));
    if let Some(span) = &diagnostic.at {
        let file = one_line(&span.file);
        group = match places.find(span) {
            Some(place) => group.element(snippet(&place).path(file)),
            None => group.element(Origin::path(file)),
        };
    }
    if let Some(detail) = &diagnostic.detail {
        group = group.element(Level::NOTE.message(clean(&style.folded(detail, NOTE)).into_owned()));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(
            Level::HELP.with_name("hint").message(clean(&style.folded(hint, NOTE)).into_owned()),
        );
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(style.columns()).render(&[group]) + "\n"
}

/// The line that is at fault; only that one is handed over, so that a long file costs nothing.
fn snippet<'a>(place: &Place<'a>) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    Snippet::source(harmless(place.line))
        .line_start(place.start.line)
        .annotation(AnnotationKind::Primary.span(place.marked.clone()))
}

/// Replaces harmful characters by others of the same length, so that offsets stay true. The renderer itself
/// takes care of the control characters of ASCII.
fn harmless(line: &str) -> String {
    let replacement = |c: char| match c.len_utf8() {
        2 => '\u{b7}',
        3 => '\u{fffd}',
        4 => '\u{1f6c7}',
        _ => c,
    };
    line.chars().map(|c| if is_harmful(c) { replacement(c) } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use ipai_core::Span;

    use super::*;

    const STACK: &str =
        "[stack]\nname = \"ops\"\n\n[digitalocean.droplet.web]\nregoin = \"ams3\"\nsize = 3\n";

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add("stack.toml", STACK);
        sources
    }

    fn at(text: &str) -> Span {
        let start = STACK.find(text).unwrap();
        Span::new(&"stack.toml".into(), start..start + text.len())
    }

    #[test]
    fn shows_place_line_caret_detail_and_hint_and_counts() {
        let problems = [
            Diagnostic::error("Unknown attribute `regoin`")
                .detail("`digitalocean.droplet` has no attribute of this name.")
                .hint("did you mean `region`?")
                .at(&at("regoin")),
            Diagnostic::error("Wrong kind of value").detail("`size` is a text.").at(&at("3\n")),
            Diagnostic::warning("No backup is configured").hint("add a [backup] table"),
        ];
        let expected = "\
error: Unknown attribute `regoin`
 --> stack.toml:5:1
  |
5 | regoin = \"ams3\"
  | ^^^^^^
  |
  = note: `digitalocean.droplet` has no attribute of this name.
  = hint: did you mean `region`?

error: Wrong kind of value
 --> stack.toml:6:8
  |
6 | size = 3
  |        ^
  |
  = note: `size` is a text.

warning: No backup is configured
 |
 = hint: add a [backup] table

2 errors, 1 warning; nothing was contacted and nothing was changed.
";
        assert_eq!(diagnostics(&problems, &sources(), &Style::plain()), expected);
    }

    #[test]
    fn every_span_can_be_shown() {
        for start in 0..STACK.len() + 3 {
            for length in [0, 1, 30, 500] {
                let span = Span::new(&"stack.toml".into(), start..start + length);
                let problem = Diagnostic::error("x").at(&span);
                let text = diagnostic(&problem, &sources(), &Style::plain());
                assert!(text.starts_with("error: x\n --> stack.toml:"), "{text}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_at_hand_is_named() {
        let problem = Diagnostic::error("x").at(&Span::new(&"gone.toml".into(), 3..4));
        assert_eq!(diagnostic(&problem, &sources(), &Style::plain()), "error: x\n--> gone.toml\n");
    }

    #[test]
    fn nothing_hostile_passes() {
        let hostile = "a\u{1b}[2J\u{9b}0m\u{202e}b\u{e0001}\u{7}c";
        let mut sources = Sources::default();
        sources.add("f\u{1b}", &format!("x = \"{hostile}\"\n"));
        let span = Span::new(&"f\u{1b}".into(), 4..40);
        let problem = Diagnostic::error(hostile).detail(hostile).hint(hostile).at(&span);
        let text = diagnostics(&[problem], &sources, &Style::plain());
        assert!(!text.chars().any(is_harmful), "{text:?}");
    }

    #[test]
    fn colour_is_added_to_the_same_text() {
        let problem = [Diagnostic::error("x").hint("y").at(&at("regoin"))];
        let text = diagnostics(&problem, &sources(), &Style { colour: true, ..Style::plain() });
        assert!(text.contains("\u{1b}["));
        let mut plain = String::new();
        for (place, piece) in text.split('\u{1b}').enumerate() {
            let rest = if place == 0 { piece } else { piece.split_once('m').unwrap().1 };
            plain += rest;
        }
        assert_eq!(plain, diagnostics(&problem, &sources(), &Style::plain()));
    }

    #[test]
    fn nothing_wrong_is_nothing_said() {
        assert_eq!(diagnostics(&[], &sources(), &Style::plain()), "");
    }
}
