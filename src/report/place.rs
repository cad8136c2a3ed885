//! Where problems are: byte offsets into lines and columns, for many problems at once.

use std::collections::BTreeMap;

use ipai_core::diagnostic::Position;
use ipai_core::{Diagnostic, Sources, Span};

/// The line starts of every file that is spoken of, found once.
pub(super) struct Places<'a> {
    sources: &'a Sources,
    starts: BTreeMap<&'a str, Vec<usize>>,
}

/// A place as people say it, and the line itself.
pub(super) struct Place<'a> {
    /// Line and column where it begins.
    pub(super) start: Position,
    /// Line and column behind it.
    pub(super) end: Position,
    /// The first line that it touches, without its end.
    pub(super) line: &'a str,
    /// Byte offsets of the marked part within that line.
    pub(super) marked: std::ops::Range<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(diagnostics: &'a [Diagnostic], sources: &'a Sources) -> Self {
        let mut starts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for span in diagnostics.iter().filter_map(|diagnostic| diagnostic.at.as_ref()) {
            if let Some(text) =
                sources.text(&span.file).filter(|_| !starts.contains_key(&*span.file))
            {
                let after = text.match_indices('\n').map(|(newline, _)| newline + 1);
                starts.insert(&span.file, std::iter::once(0).chain(after).collect());
            }
        }
        Self { sources, starts }
    }

    /// The place of a span, when its file is known. Offsets beyond the text mean its end.
    pub(super) fn find(&self, span: &Span) -> Option<Place<'a>> {
        let text = self.sources.text(&span.file)?;
        let starts = self.starts.get(&*span.file)?;
        let begin = boundary(text, span.start);
        let end = boundary(text, span.end).max(begin);
        let (number, from) = line_of(starts, begin);
        let line = text[from..].split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let within = |offset: usize| boundary(line, offset.saturating_sub(from));
        let start = position(text, number, from, begin);
        let (last, last_from) = line_of(starts, end);
        let end_position = position(text, last, last_from, end);
        Some(Place { start, end: end_position, line, marked: within(begin)..within(end) })
    }
}

fn position(text: &str, line: usize, from: usize, offset: usize) -> Position {
    Position { line, column: text[from..offset].chars().count() + 1 }
}

/// The line's number from 1, and where it starts.
fn line_of(starts: &[usize], offset: usize) -> (usize, usize) {
    let number = starts.partition_point(|start| *start <= offset);
    (number, number.checked_sub(1).and_then(|index| starts.get(index)).copied().unwrap_or(0))
}

/// The nearest character boundary at or before an offset.
fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(
        text: &str,
        range: std::ops::Range<usize>,
    ) -> (usize, usize, String, std::ops::Range<usize>) {
        let mut sources = Sources::default();
        sources.add("f", text);
        let problems = [Diagnostic::error("x").at(&Span::new(&"f".into(), range))];
        let places = Places::new(&problems, &sources);
        let place = problems[0].at.as_ref().and_then(|span| places.find(span)).unwrap();
        (place.start.line, place.start.column, place.line.to_owned(), place.marked)
    }

    #[test]
    fn agrees_with_core_on_every_offset() {
        let text = "é\nüü x\r\n\nend";
        let mut sources = Sources::default();
        sources.add("f", text);
        for start in (0..=text.len()).filter(|start| text.is_char_boundary(*start)) {
            let (line, column, ..) = place(text, start..start);
            let position = sources.position(&Span::new(&"f".into(), start..start)).unwrap();
            assert_eq!((line, column), (position.line, position.column), "{start}");
        }
    }

    #[test]
    fn marks_the_first_line_of_a_longer_span() {
        assert_eq!(place("ab\r\ncd\nef", 1..7), (1, 2, "ab".into(), 1..2));
    }

    #[test]
    fn offsets_out_of_bounds_or_inside_a_character_do_no_harm() {
        assert_eq!(place("aé", 2..99), (1, 2, "aé".into(), 1..3));
        assert_eq!(place("", 5..9), (1, 1, String::new(), 0..0));
    }
}
