//! The one place that text and colours go through on their way out.

use std::fmt;

use annotate_snippets::renderer::{AnsiColor, Effects, Style as Ansi};

use super::Style;
use super::clean::clean;

/// What a piece of text means; the colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Comes into being.
    Add,
    /// Changes.
    Change,
    /// Goes.
    Destroy,
    /// Is wrong.
    Error,
    /// Wants attention.
    Warning,
    /// Helps.
    Hint,
    /// Stands out.
    Strong,
    /// Stands back.
    Faint,
}

impl Ink {
    const fn ansi(self) -> Ansi {
        match self {
            Self::Add => AnsiColor::Green.on_default(),
            Self::Change => AnsiColor::Yellow.on_default(),
            Self::Destroy => AnsiColor::Red.on_default(),
            Self::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Warning => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Self::Hint => AnsiColor::Cyan.on_default(),
            Self::Strong => Ansi::new().effects(Effects::BOLD),
            Self::Faint => Ansi::new().effects(Effects::DIMMED),
        }
    }
}

/// A text that grows. Everything that is put on it is cleaned, so no other part has to remember to.
pub(super) struct Page {
    text: String,
    style: Style,
    shortened: bool,
}

/// The most bytes of a page that is spilled as it grows.
const PIECE: usize = 32 * 1024;

/// Cleans what is formatted into it.
struct Cleaning<'a>(&'a mut String);

impl fmt::Write for Cleaning<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(&clean(text));
        Ok(())
    }
}

impl Page {
    pub(super) fn new(style: &Style) -> Self {
        Self { text: String::new(), style: *style, shortened: false }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Adds text as it is.
    pub(super) fn put(&mut self, text: &str) {
        self.text.push_str(&clean(text));
    }

    /// Makes `write!` and `writeln!` work on a page, without a result: growing a text cannot fail.
    pub(super) fn write_fmt(&mut self, text: fmt::Arguments<'_>) {
        let _ = fmt::write(&mut Cleaning(&mut self.text), text);
    }

    /// Adds text in a colour.
    pub(super) fn paint(&mut self, ink: Ink, text: impl fmt::Display) {
        use fmt::Write as _;
        let ansi = ink.ansi();
        if self.style.colour {
            let _ = write!(self.text, "{ansi}");
        }
        let _ = write!(Cleaning(&mut self.text), "{text}");
        if self.style.colour {
            let _ = write!(self.text, "{ansi:#}");
        }
    }

    /// Remembers that something was left out, so that the end can say how to see it.
    pub(super) fn shorten(&mut self) {
        self.shortened = true;
    }

    pub(super) fn is_shortened(&self) -> bool {
        self.shortened
    }

    /// Sets off what follows from what stands before by one empty line.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Hands over what stands there when it has grown long. The end stays, because what follows may be set off from it.
    pub(super) fn spilled(&mut self) -> Option<String> {
        if self.text.len() < PIECE {
            return None;
        }
        let mut at = self.text.len() - "\n\n".len();
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let rest = self.text.split_off(at);
        Some(std::mem::replace(&mut self.text, rest))
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_escapes_reach_the_text() {
        let mut page = Page::new(&Style { colour: true, ..Style::plain() });
        page.paint(Ink::Add, "a\u{1b}[2Jb");
        let hostile = "c\u{1b}";
        write!(page, " {hostile}");
        page.put("\u{9b}d");
        assert_eq!(page.finish(), "\u{1b}[32ma\\u{1b}[2Jb\u{1b}[0m c\\u{1b}\\u{9b}d");
    }

    #[test]
    fn what_is_spilled_and_what_stays_are_the_whole() {
        let (mut page, mut whole, mut pieces) = (Page::new(&Style::plain()), String::new(), 0);
        let mut all = Page::new(&Style::plain());
        for number in 0..20_000 {
            for page in [&mut page, &mut all] {
                page.gap();
                write!(page, "line {number} ü{}", if number % 3 == 0 { "\n" } else { "" });
            }
            if let Some(piece) = page.spilled() {
                whole.push_str(&piece);
                pieces += 1;
            }
        }
        whole.push_str(&page.finish());
        assert!(pieces > 5 && whole == all.finish(), "{pieces} pieces");
    }

    #[test]
    fn without_colour_there_is_no_escape_at_all() {
        let mut page = Page::new(&Style::plain());
        page.paint(Ink::Error, "x");
        assert_eq!(page.finish(), "x");
    }
}
