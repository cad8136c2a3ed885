//! TOML with positions kept: every key and value knows where it stands.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Span};

/// What a text that is not TOML is called.
pub(crate) const SYNTAX: &str = "Not valid TOML";

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub data: Data,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub enum Data {
    /// A string.
    Text(String),
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// A float or a date, which no attribute takes; its text.
    Other(String),
}

/// A table: entries in the order of their keys, each with the place of its key. Small and many, so they lie side by side.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<(String, Entry)>);

/// A key's place and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    /// The value.
    pub node: Node,
}

impl Data {
    /// What kind of value this is, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Int(_) => "an integer",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(_) => "a float or a date",
        }
    }
}

impl Table {
    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(key))
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value under `key`, with the place of the key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let place = self.place(key).ok()?;
        Some(&mut self.0[place].1.node)
    }

    /// All keys with their entries, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&String, &Entry)> {
        self.0.iter().map(|(key, entry)| (key, entry))
    }

    /// Lays `over` upon this table, key by key; tables merge, everything else is replaced.
    pub fn overlay(&mut self, over: Self) {
        for (key, entry) in over.0 {
            match self.place(&key) {
                Err(place) => self.0.insert(place, (key, entry)),
                Ok(place) => match (&mut self.0[place].1, entry) {
                    (
                        Entry { node: Node { data: Data::Table(mine), .. }, .. },
                        Entry { node: Node { data: Data::Table(theirs), .. }, .. },
                    ) => mine.overlay(theirs),
                    (mine, theirs) => *mine = theirs,
                },
            }
        }
    }
}

impl FromIterator<(String, Entry)> for Table {
    fn from_iter<I: IntoIterator<Item = (String, Entry)>>(entries: I) -> Self {
        let mut entries: Vec<(String, Entry)> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.shrink_to_fit();
        Self(entries)
    }
}

impl IntoIterator for Table {
    type Item = (String, Entry);
    type IntoIter = std::vec::IntoIter<(String, Entry)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Reads a TOML text. Every syntax error is reported; what could be read comes back all the same.
#[must_use]
pub fn parse(file: &str, text: &str) -> (Table, Vec<Diagnostic>) {
    let file: Arc<str> = file.into();
    let (table, errors) = DeTable::parse_recoverable(text);
    let twice: Vec<usize> = errors
        .iter()
        .take(MOST)
        .filter(|error| is_duplicate(error))
        .filter_map(|error| Some(line_start(text, error.span()?.start)))
        .collect();
    // What stands in a table that is written twice is no mistake of its own.
    let follows = |error: &&toml::de::Error| {
        let place = error.span().filter(|_| is_duplicate(error)).map(|span| span.start);
        place.and_then(|place| header_above(text, place)).is_some_and(|at| twice.contains(&at))
    };
    let own = errors.iter().enumerate().filter(|(at, error)| *at >= MOST || !follows(error));
    let problems = own.map(|(at, error)| syntax_error(&file, text, error, at < MOST)).collect();
    (convert_table(&file, table.into_inner()), problems)
}

/// The most errors that are held against the text around them; each costs a walk through it.
const MOST: usize = 100;

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message().contains("duplicate key")
}

/// Where the line begins that this place is in.
fn line_start(text: &str, place: usize) -> usize {
    let before = text.get(..place.min(text.len())).unwrap_or_default();
    before.rfind('\n').map_or(0, |end| end + 1)
}

/// Where the header of the table begins that a key at this place is in; none for a header itself.
fn header_above(text: &str, place: usize) -> Option<usize> {
    let mut at = line_start(text, place);
    if text[at..].trim_start().starts_with('[') {
        return None;
    }
    while at > 0 {
        at = line_start(text, at - 1);
        if text[at..].trim_start_matches([' ', '\t']).starts_with('[') {
            return Some(at);
        }
    }
    None
}

/// The number of the first line with the same words as the one that this place is in, if that is an earlier one.
fn same_line(text: &str, place: usize) -> Option<usize> {
    let start = line_start(text, place);
    let words = text.get(start..)?.lines().next()?.split('#').next()?.trim();
    let same = |line: &str| line.split('#').next().is_some_and(|other| other.trim() == words);
    let first = text.get(..start)?.lines().position(same)?;
    words.starts_with('[').then_some(first + 1)
}

/// The line that this place is in as it may have been meant: a word between quotes, a truth in small letters.
fn quoted(text: &str, place: usize) -> Option<String> {
    let start = line_start(text, place);
    let line = text.get(start..)?.lines().next()?;
    let (key, value) = line.split_once('=').filter(|(key, _)| start + key.len() < place)?;
    let (key, value) = (key.trim(), value.split('#').next()?.trim());
    if let truth @ ("true" | "false") = value.to_ascii_lowercase().as_str() {
        return Some(format!("{key} = {truth}"));
    }
    let plain = |c: char| c.is_alphanumeric() || "._-/:@+".contains(c);
    let is_word = value.starts_with(char::is_alphabetic) && value.chars().all(plain);
    is_word.then(|| format!("{key} = \"{value}\""))
}

fn syntax_error(
    file: &Arc<str>,
    text: &str,
    error: &toml::de::Error,
    searched: bool,
) -> Diagnostic {
    let mut message = error.message().lines().next().unwrap_or("invalid TOML").to_owned();
    let duplicate = is_duplicate(error);
    let end = text.len();
    let range = error.span().map_or(end..end, |r| r.start.min(end)..r.end.min(end));
    let unquoted = if duplicate { None } else { quoted(text, range.start) };
    let hint = match unquoted {
        Some(line) => {
            message = "This is no value of TOML.".to_owned();
            format!("write {line}")
        }
        None if duplicate => {
            "every address and key may be written once; rename one of the two or merge them".into()
        }
        None => "see https://toml.io for the format; strings need quotes".into(),
    };
    let first = || same_line(text, range.start);
    if let Some(line) = (duplicate && searched).then(first).flatten() {
        message = format!("The same table begins in line {line} already.");
    }
    let summary = if duplicate { "Duplicate address or key" } else { SYNTAX };
    Diagnostic::error(summary).detail(message).hint(hint).at(&Span::new(file, range))
}

fn convert_table(file: &Arc<str>, table: DeTable<'_>) -> Table {
    let entry = |(key, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| {
        let span = Span::new(file, key.span());
        (key.into_inner().into_owned(), Entry { key: span, node: convert(file, value) })
    };
    table.into_iter().map(entry).collect()
}

fn convert(file: &Arc<str>, value: Spanned<DeValue<'_>>) -> Node {
    let span = Span::new(file, value.span());
    let data = match value.into_inner() {
        DeValue::String(text) => Data::Text(text.into_owned()),
        DeValue::Boolean(truth) => Data::Bool(truth),
        DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
            Ok(int) => Data::Int(int),
            Err(_) => Data::Other(int.as_str().to_owned()),
        },
        DeValue::Array(items) => Data::List(items.into_iter().map(|i| convert(file, i)).collect()),
        DeValue::Table(table) => Data::Table(convert_table(file, table)),
        DeValue::Float(float) => Data::Other(float.as_str().to_owned()),
        DeValue::Datetime(date) => Data::Other(date.to_string()),
    };
    Node { span, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_syntax_error_is_reported_with_its_place() {
        let (_, problems) = parse("s.toml", "a = \nb = 1\nc = [1,\n\n[x]\ny = 'z");
        assert!(problems.len() >= 2, "{problems:?}");
        assert!(problems.iter().all(|p| p.at.is_some()));
    }

    #[test]
    fn a_text_without_quotes_is_shown_with_them() {
        let hint = |text: &str| parse("s.toml", text).1[0].hint.clone().unwrap();
        assert_eq!(hint("[a]\nregion = fra1 # near\n"), "write region = \"fra1\"");
        assert_eq!(hint("on = True\n"), "write on = true");
        assert!(hint("port = 022\n").contains("strings need quotes"));
        assert!(hint("region = fra\"1\n").contains("toml.io"));
    }

    #[test]
    fn a_repeated_table_is_called_a_duplicate() {
        let (_, problems) = parse("s.toml", "[a.b.c]\nx = 1\n[a.b.c]\nx = 2\n");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].summary, "Duplicate address or key");
        let detail = problems[0].detail.as_deref();
        assert_eq!(detail, Some("The same table begins in line 1 already."));
    }

    #[test]
    fn an_overlay_replaces_values_and_merges_tables() {
        let (mut base, _) = parse("a", "[v]\nx = 1\ny = 2\n");
        let (over, _) = parse("b", "[v]\nx = 3\n");
        base.overlay(over);
        let Data::Table(v) = &base.get("v").unwrap().data else { panic!("a table") };
        assert!(matches!(v.get("x").unwrap().data, Data::Int(3)));
        assert!(matches!(v.get("y").unwrap().data, Data::Int(2)));
        assert_eq!(&*v.get("x").unwrap().span.file, "b");
    }
}
