//! What is wrong or worth knowing, where it is, and what to do about it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// How bad it is. Errors stop ipai before anything is contacted or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing goes on.
    Error,
    /// Worth mending; ipai goes on.
    Warning,
}

/// A piece of a source file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file's name as the user knows it, relative to the stack's folder.
    pub file: Arc<str>,
    /// Byte offsets into the file.
    pub start: usize,
    /// The end, exclusive.
    pub end: usize,
}

impl Span {
    /// Builds a span from a range of byte offsets.
    #[must_use]
    pub fn new(file: &Arc<str>, range: Range<usize>) -> Self {
        Self { file: Arc::clone(file), start: range.start, end: range.end }
    }
}

/// One message to the user: a short fixed summary, then why, then what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A short sentence without the particulars of this case being needed to understand it.
    pub summary: String,
    /// What exactly, and why it matters.
    pub detail: Option<String>,
    /// What to do; a command or a line to paste where there is one.
    pub hint: Option<String>,
    /// Where, when a file is at fault.
    pub at: Option<Span>,
    /// What few diagnostics say; on the heap, because errors are handed on by value.
    pub trail: Option<Box<Trail>>,
}

/// Where a diagnostic leads to, for those that work on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The line, from 1, of the text that was rendered for what stands at `at`.
    pub rendered_line: Option<u32>,
    /// The address, or the name behind it, that was referred to in vain.
    pub sought: Option<String>,
}

impl Diagnostic {
    /// Starts an error.
    #[must_use]
    pub fn error(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: None,
            hint: None,
            at: None,
            trail: None,
        }
    }

    /// Starts a warning.
    #[must_use]
    pub fn warning(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary) }
    }

    /// Adds the particulars.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.at = Some(span.clone());
        self
    }

    /// Says on which line of a rendered text it is, from 1; the line is then sought in the template.
    #[must_use]
    pub fn on_rendered_line(mut self, line: u32) -> Self {
        self.trail.get_or_insert_default().rendered_line = Some(line);
        self
    }

    /// An error for a reference to what the stack does not have.
    #[must_use]
    pub fn nothing_there(sought: &str, detail: impl Into<String>) -> Self {
        let mut problem = Self::error("Reference to nothing").detail(detail);
        problem.trail.get_or_insert_default().sought = Some(sought.to_owned());
        problem
    }

    /// The line of the rendered text, if that is known.
    #[must_use]
    pub fn rendered_line(&self) -> Option<u32> {
        self.trail.as_ref()?.rendered_line
    }

    /// What was referred to in vain.
    #[must_use]
    pub fn sought(&self) -> Option<&str> {
        self.trail.as_ref()?.sought.as_deref()
    }

    /// Tells whether this stops ipai.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Tells whether any of them is an error.
#[must_use]
pub fn any_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// Puts diagnostics into the order of the files and lines they speak of, those without a place last,
/// and drops repetitions.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let place = |d: &Diagnostic| (d.at.is_none(), d.at.clone());
        place(a).cmp(&place(b)).then_with(|| a.summary.cmp(&b.summary))
    });
    diagnostics.dedup();
}

/// Line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// The texts of all files that diagnostics may point into, by name.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub BTreeMap<Arc<str>, Arc<str>>);

impl Sources {
    /// Adds a file's text.
    pub fn add(&mut self, name: &str, text: &str) {
        self.0.insert(name.into(), text.into());
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| &**text)
    }

    /// Where the span begins, if its file is known.
    #[must_use]
    pub fn position(&self, span: &Span) -> Option<Position> {
        let before = self.text(&span.file)?.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Some(Position { line, column: before[line_start..].chars().count() + 1 })
    }
}

/// The known name nearest to `wanted`, when it is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wanted.chars().count();
    let limit = (length / 3).max(1);
    // The distance is at least the difference in length, which is much cheaper to see.
    known
        .into_iter()
        .filter(|name| name.chars().count().abs_diff(length) <= limit)
        .map(|name| (distance(wanted, name, limit), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Damerau-Levenshtein distance (restricted: neighbours swap once), or more than `limit` as soon as it is known to be.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        // A swap reaches over one row.
        let least = |row: &Vec<usize>| row.iter().min().copied().unwrap_or(0);
        if least(&row) > limit && least(&rows[i - 1]) > limit {
            return limit + 1;
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name_only_when_it_is_near() {
        let known = ["region", "image", "size"];
        assert_eq!(nearest("regoin", known), Some("region"));
        assert_eq!(nearest("imgae", known), Some("image"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn positions_count_characters_not_bytes() {
        let mut sources = Sources::default();
        sources.add("a", "é\nüü x");
        let file: Arc<str> = "a".into();
        let position = sources.position(&Span::new(&file, 8..9)).unwrap();
        assert_eq!(position, Position { line: 2, column: 4 });
    }

    #[test]
    fn sorts_by_place_and_drops_repetitions() {
        let file: Arc<str> = "a".into();
        let late = Diagnostic::error("b").at(&Span::new(&file, 9..10));
        let early = Diagnostic::error("c").at(&Span::new(&file, 1..2));
        let mut all = vec![Diagnostic::error("a"), late.clone(), early.clone(), late.clone()];
        sort(&mut all);
        assert_eq!(all, vec![early, late, Diagnostic::error("a")]);
    }
}
