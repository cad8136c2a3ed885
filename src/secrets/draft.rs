//! The plain text that a person edits, and what they changed in it.

use std::collections::BTreeMap;

use ipai_core::Secret;
use zeroize::Zeroizing;

use super::Entropy;
use super::error::SecretsError;
use super::format::is_name;
use super::store::Store;

/// A store's secrets as TOML for an editor.
pub struct Draft {
    before: BTreeMap<String, Secret>,
}

/// What was changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// New and changed values.
    pub set: BTreeMap<String, Secret>,
    /// Names that are gone.
    pub removed: Vec<String>,
}

const HEAD: &str = "\
# One secret to a line: name = \"value\". Save and close to store what you changed; delete a line to remove its secret.
# A value with several lines stands between two lines of three quotes. Close without a change to leave all as it is.\n\n";

impl Draft {
    /// Begins with these secrets.
    #[must_use]
    pub fn new(before: BTreeMap<String, Secret>) -> Self {
        Self { before }
    }

    /// The text for the editor. `notes` stand on top of it, as comments.
    #[must_use]
    pub fn text(&self, notes: &[String]) -> Zeroizing<String> {
        let room: usize = self.before.values().map(|secret| secret.expose().len() * 6 + 64).sum();
        let mut text = Zeroizing::new(String::with_capacity(room + HEAD.len()));
        text.push_str(&notes_text(notes));
        text.push_str(HEAD);
        for (name, secret) in &self.before {
            text.push_str(name);
            text.push_str(" = ");
            quote(&mut text, secret.expose());
            text.push('\n');
        }
        text
    }

    /// Reads what came back.
    ///
    /// # Errors
    /// What is wrong and in which line; never a value.
    pub fn read(&self, text: &str) -> Result<Edits, String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            // The parser's own words may quote a part of a value.
            format!("line {line} is not TOML: write name = \"value\"")
        })?;
        let mut after = BTreeMap::new();
        for (name, value) in table {
            let toml::Value::String(value) = value else {
                return Err(format!("`{}` is not a string: write it in quotes", shown(&name)));
            };
            let value = Secret::new(value);
            if !is_name(&name) {
                return Err(format!(
                    "`{}` cannot be a name: lower-case letters, digits, `_` and `-`, at most 40",
                    shown(&name)
                ));
            }
            if value.expose().is_empty() {
                return Err(format!("`{name}` is empty: delete its line to remove it"));
            }
            after.insert(name, value);
        }
        let removed = self.before.keys().filter(|name| !after.contains_key(*name)).cloned();
        let removed = removed.collect();
        after.retain(|name, value| self.before.get(name) != Some(value));
        Ok(Edits { set: after, removed })
    }
}

/// Comments that stand on top of a draft.
#[must_use]
pub fn notes_text(notes: &[String]) -> String {
    notes.iter().map(|note| format!("# ! {note}\n")).collect()
}

impl Edits {
    /// Tells whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// The names that were touched.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.set.keys().chain(&self.removed)
    }

    /// Carries the edits into a store. What was not edited keeps its encrypted text, byte for byte.
    ///
    /// # Errors
    /// As [`Store::set`].
    pub fn carry(&self, store: &mut Store, entropy: Entropy<'_>) -> Result<(), SecretsError> {
        for (name, value) in &self.set {
            store.set(name, value, None, entropy)?;
        }
        for name in
            self.removed.iter().filter(|name| store.contains(name)).cloned().collect::<Vec<_>>()
        {
            store.remove(&name)?;
        }
        Ok(())
    }
}

/// Writes a TOML string: several lines as a block, with everything that TOML wants escaped.
fn quote(text: &mut String, value: &str) {
    use std::fmt::Write as _;
    let block = value.contains('\n');
    text.push_str(if block { "\"\"\"\n" } else { "\"" });
    for letter in value.chars() {
        match letter {
            '\n' if block => text.push('\n'),
            '"' | '\\' => text.extend(['\\', letter]),
            '\t' => text.push_str("\\t"),
            // Writing to a text cannot fail.
            _ if letter.is_control() => drop(write!(text, "\\u{:04X}", u32::from(letter))),
            _ => text.push(letter),
        }
    }
    text.push_str(if block { "\"\"\"" } else { "\"" });
}

/// The beginning of a name: somebody may have put a value where the name belongs.
fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(4).flat_map(char::escape_debug).collect();
    if name.chars().nth(4).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let hard = "q\"uo\\te\ttab\u{7f}end";
        let before =
            [("hard", hard), ("key", "-----BEGIN\nline\"\"\"\\\n-----END\n"), ("plain", "abc")];
        Draft::new(before.map(|(n, v)| (n.to_owned(), Secret::new(v.to_owned()))).into())
    }

    #[test]
    fn what_is_not_touched_comes_back_as_it_was() {
        let draft = draft();
        let edits = draft.read(&draft.text(&["a note".to_owned()])).unwrap();
        assert!(edits.is_empty(), "{edits:?}");
    }

    #[test]
    fn changes_additions_and_removals_are_found() {
        let edits = draft().read("plain = \"abcd\"\nnew = 'x'\nkey = \"k\"\n").unwrap();
        assert_eq!(edits.set.keys().collect::<Vec<_>>(), ["key", "new", "plain"]);
        assert_eq!(edits.removed, ["hard"]);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        for (text, says) in [
            ("a = 1\n\nplain = telltale\n", "line 3"),
            ("plain = \"telltale\nx = \"\"", "line 1"),
            ("plain = 5", "not a string"),
            ("Plain = \"x\"", "cannot be a name"),
            ("plain = \"\"", "empty"),
            ("[telltale_section]\nx = \"telltale\"", "not a string"),
        ] {
            let problem = draft().read(text).unwrap_err();
            assert!(problem.contains(says) && !problem.contains("telltale"), "{problem}");
        }
    }
}
