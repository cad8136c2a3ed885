//! Which version a service is, and which it must be.

use std::cmp::Ordering;

use super::{Answer, Question, Reading};
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::Fields;
use crate::tree::Table;

/// How a service's version is found out, and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionQuestion {
    /// What is asked; absent when the answer that shows the service to be there tells it.
    pub question: Option<Question>,
    /// Where in the answer it stands.
    pub source: Source,
    /// What it must be.
    pub compatible: Range,
}

/// Where in an answer a version stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a header.
    Header(String),
    /// In the JSON body, by a pointer such as `/info/version` (RFC 6901).
    Pointer(String),
    /// Anywhere in the body: the first digits.
    Text,
}

/// Versions that will do, such as `>=11.7, <12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: String,
    bounds: Vec<(Bound, Vec<u64>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    AtLeast,
    Above,
    AtMost,
    Below,
    Exactly,
}

/// The longest spelling first, because one begins another.
const BOUNDS: [(&str, Bound); 5] = [
    (">=", Bound::AtLeast),
    ("<=", Bound::AtMost),
    (">", Bound::Above),
    ("<", Bound::Below),
    ("=", Bound::Exactly),
];

impl VersionQuestion {
    pub(super) fn read(
        table: &Table,
        span: &Span,
        has_service: bool,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, "`version` of a check", span, reading.problems);
        fields.node("when");
        let header = fields.text("header").map(|header| header.0.to_ascii_lowercase());
        let pointer = fields.text("pointer").map(|pointer| pointer.0);
        let compatible = fields.required_text("compatible");
        let parts = Question::fields(&mut fields);
        fields.finish();
        let asks = table.get("url").is_some() || table.get("command").is_some();
        let question = match asks {
            true => Some(Question::read(parts, span, has_service, reading)?),
            false => None,
        };
        let source = match (header, pointer) {
            (Some(header), None) => Source::Header(header),
            (None, Some(pointer)) => Source::Pointer(pointer),
            (None, None) => Source::Text,
            (Some(_), Some(_)) => {
                let problem = Diagnostic::error("A version stands in one place")
                    .hint("keep one of `header` and `pointer`");
                reading.problems.push(problem.at(span));
                return None;
            }
        };
        let (text, at) = compatible?;
        let range = Range::parse(&text);
        if range.is_none() {
            let problem = Diagnostic::error("Not a range of versions")
                .detail(format!("`{text}` is not understood."))
                .hint("write bounds with commas between them: compatible = \">=11.7, <12\"");
            reading.problems.push(problem.at(&at));
        }
        Some(Self { question, source, compatible: range? })
    }

    /// The version in an answer.
    #[must_use]
    pub fn find(&self, answer: &Answer) -> Option<String> {
        match &self.source {
            Source::Header(name) => version_in(answer.headers.get(name)?),
            Source::Pointer(pointer) => {
                let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
                version_in(body.pointer(pointer)?.as_str()?)
            }
            Source::Text => version_in(&answer.body),
        }
    }
}

/// The first version in a text: digits, with dots between them. `v2.11.4 h1:…` has 2.11.4.
#[must_use]
pub fn version_in(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let version = rest[..end].trim_end_matches('.');
    numbers(version).map(|_| version.to_owned())
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

impl Range {
    /// Reads bounds with commas between them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bound = |part: &str| {
            let part = part.trim();
            let (sign, bound) = BOUNDS.iter().find(|(sign, _)| part.starts_with(sign))?;
            Some((*bound, numbers(part[sign.len()..].trim())?))
        };
        let bounds: Option<Vec<_>> = text.split(',').map(bound).collect();
        Some(Self { text: text.to_owned(), bounds: bounds? })
    }

    /// Tells whether a version lies within. Missing numbers count as 0, except for `=`, which compares those it has:
    /// 7.11.4 is `=7.11`.
    #[must_use]
    pub fn holds(&self, version: &str) -> bool {
        let Some(version) = numbers(version) else { return false };
        self.bounds.iter().all(|(bound, wanted)| {
            let order = compare(&version, wanted);
            match bound {
                Bound::AtLeast => order != Ordering::Less,
                Bound::Above => order == Ordering::Greater,
                Bound::AtMost => order != Ordering::Greater,
                Bound::Below => order == Ordering::Less,
                Bound::Exactly => wanted.iter().enumerate().all(|(i, n)| version.get(i) == Some(n)),
            }
        })
    }
}

fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let number = |version: &[u64], place: usize| version.get(place).copied().unwrap_or(0);
    let places = 0..one.len().max(other.len());
    places
        .map(|place| number(one, place).cmp(&number(other, place)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("v2.11.4 h1:XKxcH=", "2.11.4"),
            ("11.7.10.18234.abc.true", "11.7.10.18234"),
            ("postgres (PostgreSQL) 17.11 (Debian 17.11-1)", "17.11"),
            ("2.41.7\n", "2.41.7"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!(version_in("latest"), None);
    }

    #[test]
    fn a_range_holds_what_lies_within_all_its_bounds() {
        let range = Range::parse(">=11.7, <12").unwrap();
        for (version, holds) in
            [("11.7", true), ("11.11.1", true), ("11.6.99", false), ("12.0", false), ("x", false)]
        {
            assert_eq!(range.holds(version), holds, "{version}");
        }
        let exact = Range::parse("=7.11").unwrap();
        assert!(exact.holds("7.11.4") && !exact.holds("7.1") && !exact.holds("7"));
        for text in ["", "11.7", ">=", ">=11.x", "~11", ">=1,"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}
