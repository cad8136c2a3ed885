//! What others wrote must not steer the terminal that it is shown on.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value as Json;

/// Whether a service reads along that takes lines for commands.
static OBEYED: AtomicBool = AtomicBool::new(false);

/// From now on, no line that others wrote looks like a command to GitHub's runner: it obeys lines that begin with `::`
/// behind blanks, and `##[` anywhere.
pub fn tame_commands() {
    OBEYED.store(true, Ordering::Relaxed);
}

fn tame(text: Cow<'_, str>) -> Cow<'_, str> {
    if !OBEYED.load(Ordering::Relaxed) || !(text.contains("::") || text.contains("##[")) {
        return text;
    }
    let line = |line: &str| {
        let words = line.trim_start();
        let blanks = &line[..line.len() - words.len()];
        match words.strip_prefix("::") {
            Some(rest) => format!("{blanks}: :{rest}"),
            None => line.to_owned(),
        }
    };
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n").replace("##[", "## [").into()
}

/// Writes control characters other than newline and tab as `\u{1b}`, and with them the invisible characters
/// that change the direction or the place of text.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    tame(replace(text, is_harmful))
}

/// As [`clean`], and newlines and tabs are written out as well: a value cannot pretend to be a line of ours.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    tame(replace(text, |c| is_harmful(c) || c == '\n' || c == '\t'))
}

/// JSON on one line, or indented. Loses nothing: inside a JSON string every character has an escape.
#[must_use]
pub fn json_text(value: &Json, indented: bool) -> String {
    let text = if indented { format!("{value:#}") } else { value.to_string() };
    if !text.chars().any(is_harmful) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a text cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Tells whether a character must not reach a terminal. Newline and tab may.
pub(super) fn is_harmful(c: char) -> bool {
    let steers = c.is_control() && c != '\n' && c != '\t';
    steers
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
}

fn replace(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_but_newline_and_tab_survives() {
        let hostile: String = (0..=0xa0).chain(0x2000..0x2070).filter_map(char::from_u32).collect();
        let survivors: String = clean(&hostile).chars().filter(|c| c.is_control()).collect();
        assert_eq!(survivors, "\t\n");
        assert!(!one_line(&hostile).chars().any(char::is_control));
        assert!(!clean(&hostile).chars().any(is_harmful));
    }

    #[test]
    fn escapes_are_shown_as_what_they_are() {
        assert_eq!(clean("a\u{1b}[31mred\u{9b}0m\r\n"), "a\\u{1b}[31mred\\u{9b}0m\\r\n");
        assert_eq!(one_line("x\nPlan: 0 to add\t"), "x\\nPlan: 0 to add\\t");
        assert_eq!(clean("abc\u{202e}cba"), "abc\\u{202e}cba");
        assert!(matches!(clean("größer → kleiner"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = Json::from("\u{1b}]0;x\u{7}\u{9b}\u{7f}\u{202e}\u{e0001}é");
        let text = json_text(&value, false);
        assert!(!text.chars().any(is_harmful), "{text}");
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), value);
    }
}
