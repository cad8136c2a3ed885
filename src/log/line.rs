//! One line of the log: when, how grave, within what, what, and its fields.

use std::fmt;

use tracing::Level;
use tracing::field::{Field, Visit};

use crate::report::one_line;

/// The fields of a span or an event, as text.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: Option<String>,
    pub(super) name: Option<String>,
    pub(super) vendor: Option<String>,
    others: String,
}

impl Fields {
    /// What happened, and its fields.
    pub(super) fn words(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        let vendor = self.vendor.iter().map(|vendor| format!(" vendor={vendor}"));
        let name = self.name.iter().map(|name| format!(" name={}", value(name)));
        let named: String = vendor.chain(name).collect();
        format!("{}{named}{}", one_line(message), self.others)
    }

    fn take(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = Some(text),
            "name" => self.name = Some(text),
            "vendor" => self.vendor = Some(text),
            other => self.others += &format!(" {other}={}", value(&text)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, text: &str) {
        self.take(field, text.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

/// A value as one word, in quotation marks where it would be several.
fn value(text: &str) -> String {
    let text = one_line(text);
    let plain =
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"=".contains(c));
    if plain { text.to_string() } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

pub(super) fn line(level: &Level, within: &str, words: &str) -> String {
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let now = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    format!("{now} {level:<5} {}: {words}\n", one_line(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_look_like_another_field_or_line() {
        assert_eq!(value("cf-ray"), "cf-ray");
        assert_eq!(value("a b"), "\"a b\"");
        assert_eq!(value("x status=200"), "\"x status=200\"");
        assert_eq!(value("a\"b\n"), "\"a\\\"b\\n\"");
        assert_eq!(value(""), "\"\"");
        assert_eq!(value("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }

    #[test]
    fn a_line_says_when_how_grave_within_what_and_what() {
        let text = line(&Level::INFO, "apply:observe", "over ms=3");
        assert!(text.ends_with("Z INFO  apply:observe: over ms=3\n"), "{text}");
    }
}
