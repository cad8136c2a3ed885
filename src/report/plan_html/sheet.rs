//! The one place that markup and text go through on their way out.

use std::fmt::Display;
use std::io::{self, Write};

use crate::report::markup::{escaped, escaped_lines};

/// Writes markup that stands in the code, and anything else as text.
pub(super) struct Sheet<W> {
    out: W,
}

impl<W: Write> Sheet<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    /// Markup. Nothing that came from outside lives as long as the program.
    pub(super) fn raw(&mut self, markup: &'static str) -> io::Result<&mut Self> {
        self.out.write_all(markup.as_bytes())?;
        Ok(self)
    }

    /// Markup that was put together elsewhere, with all text in it escaped.
    pub(super) fn made(&mut self, markup: &str) -> io::Result<&mut Self> {
        self.out.write_all(markup.as_bytes())?;
        Ok(self)
    }

    /// Text on one line.
    pub(super) fn text(&mut self, text: impl Display) -> io::Result<&mut Self> {
        self.out.write_all(escaped(&text.to_string()).as_bytes())?;
        Ok(self)
    }

    /// Text that may have lines and tabs.
    pub(super) fn lines(&mut self, text: &str) -> io::Result<&mut Self> {
        self.out.write_all(escaped_lines(text).as_bytes())?;
        Ok(self)
    }
}
