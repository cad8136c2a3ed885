//! Reading a TOML table field by field: wrong types, missing and unknown keys are collected, not thrown.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::tree::{Data, Node, Table};

/// A table that is being read.
pub struct Fields<'a> {
    table: &'a Table,
    what: &'a str,
    header: Span,
    problems: &'a mut Vec<Diagnostic>,
    known: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    /// Starts reading; `what` names the table for messages, `header` is where it stands.
    pub fn new(
        table: &'a Table,
        what: &'a str,
        header: &Span,
        problems: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self { table, what, header: header.clone(), problems, known: BTreeSet::new() }
    }

    /// The raw value of a key.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.insert(key);
        self.table.get(key)
    }

    /// A text, with its place.
    pub fn text(&mut self, key: &'static str) -> Option<(String, Span)> {
        let node = self.node(key)?;
        match &node.data {
            Data::Text(text) => Some((text.clone(), node.span.clone())),
            _ => self.wrong(key, node, "a string"),
        }
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'static str) -> Option<(String, Span)> {
        if self.table.get(key).is_none() {
            self.known.insert(key);
            let problem = Diagnostic::error(format!("Missing key `{key}`"))
                .detail(format!("{} needs it.", self.what))
                .hint(format!("add `{key} = \"…\"` below this line"))
                .at(&self.header);
            self.problems.push(problem);
            return None;
        }
        self.text(key)
    }

    /// A whole number within bounds, both inclusive.
    pub fn int(&mut self, key: &'static str, low: i64, high: i64) -> Option<i64> {
        let node = self.node(key)?;
        match node.data {
            Data::Int(int) if (low..=high).contains(&int) => Some(int),
            _ => self.wrong(key, node, &format!("an integer from {low} to {high}")),
        }
    }

    /// Truth.
    pub fn bool(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.data {
            Data::Bool(truth) => Some(truth),
            _ => self.wrong(key, node, "true or false"),
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        let text =
            |item: &Node| if let Data::Text(t) = &item.data { Some(t.clone()) } else { None };
        let texts = match &node.data {
            Data::List(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        texts.or_else(|| self.wrong(key, node, "an array of strings"))
    }

    /// A table.
    pub fn table(&mut self, key: &'static str) -> Option<&'a Table> {
        let node = self.node(key)?;
        match &node.data {
            Data::Table(table) => Some(table),
            _ => self.wrong(key, node, "a table"),
        }
    }

    /// Adds a problem.
    pub fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    fn wrong<T>(&mut self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        self.problems.push(wrong_type(key, node, wanted));
        None
    }

    /// Ends reading: keys that nobody asked for are errors, with the nearest known one suggested.
    pub fn finish(self) {
        for (key, entry) in self.table.iter() {
            if !self.known.contains(key.as_str()) {
                self.problems.push(unknown_key(
                    key,
                    self.what,
                    self.known.iter().copied(),
                    &entry.key,
                ));
            }
        }
    }
}

/// The error for a value of the wrong type.
#[must_use]
pub fn wrong_type(key: &str, node: &Node, wanted: &str) -> Diagnostic {
    let found = node.data.kind();
    let mut problem = Diagnostic::error(format!("Wrong type for `{key}`"))
        .detail(format!("This is {found}; `{key}` takes {wanted}."))
        .at(&node.span);
    problem.hint = as_wanted(&node.data, wanted).map(|value| format!("write {value}"));
    problem
}

fn is_texts(wanted: &str) -> bool {
    let items = ["a string", "one of", "the address"];
    let each = wanted.strip_prefix("an array, each item ");
    wanted == "an array of strings"
        || each.is_some_and(|each| items.iter().any(|item| each.starts_with(item)))
}

/// The same value as the wanted type, where it is plain what is meant.
fn as_wanted(data: &Data, wanted: &str) -> Option<String> {
    let plain = |text: &str| text.len() <= 80 && !text.contains(['"', '\\', '\n', '{']);
    match data {
        Data::Int(int) if wanted.starts_with("a string") => Some(format!("\"{int}\"")),
        Data::Int(int) if wanted.starts_with("a duration") => Some(format!("\"{int}s\"")),
        Data::Text(text) if is_texts(wanted) && plain(text) => Some(format!("[\"{text}\"]")),
        Data::Text(text) if wanted.starts_with("an integer") => {
            text.parse::<i64>().ok().map(|int| int.to_string())
        }
        Data::Text(text) if wanted.starts_with("true or false") => {
            text.parse::<bool>().ok().map(|truth| truth.to_string())
        }
        _ => None,
    }
}

/// The error for a key that does not exist, with the nearest that does.
pub fn unknown_key<'k>(
    key: &str,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    at: &Span,
) -> Diagnostic {
    let all = known.clone().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match nearest(key, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {all}"),
    };
    Diagnostic::error(format!("Unknown key `{key}`"))
        .detail(format!("{what} has no such key."))
        .hint(hint)
        .at(at)
}
