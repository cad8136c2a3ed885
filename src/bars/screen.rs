//! The terminal that standard error is, as far as drawing needs it. A terminal that has gone away is no reason to fail:
//! what cannot be drawn is not missed, and the run goes on.

use std::io::{self, Write};

use indicatif::{ProgressDrawTarget, TermLike};

/// Drawings in a second at most.
const RATE: u8 = 20;

/// Room for the `^C` that a terminal shows where the cursor is: it must not begin a line that nobody wipes.
const ECHO: u16 = 2;

/// Standard error as a terminal.
#[derive(Debug)]
pub(super) struct Screen;

/// Where bars are drawn.
pub(super) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen), RATE)
}

impl Screen {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        rustix::termios::tcgetwinsize(io::stderr())
            .ok()
            .map(|size| usize::from(size.ws_row))
            .filter(|rows| *rows > 0)
            .unwrap_or(24)
    }

    fn put(text: &str) -> io::Result<()> {
        let _ = io::stderr().lock().write_all(text.as_bytes());
        Ok(())
    }

    fn moved(count: usize, way: char) -> io::Result<()> {
        if count > 0 { Self::put(&format!("\u{1b}[{count}{way}")) } else { Ok(()) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        crate::edges::columns(io::stderr()).unwrap_or(80).saturating_sub(ECHO).max(1)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.rows()).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        Self::put(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Self::put(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::put("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let _ = io::stderr().lock().flush();
        Ok(())
    }
}
