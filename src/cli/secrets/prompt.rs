//! Taking a secret in: from a terminal without showing it, or from what standard input is.

use std::io::{self, Read};

use ipai_core::{Diagnostic, Secret};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::cli::{Failed, Run};
use crate::vault::without_line_end;

/// No secret is larger; a pipe that never ends is not read to its end.
const LARGEST: u64 = 1 << 20;
/// Room for a typed line, so that the buffer does not move: the kernel's own limit is 4,096 bytes.
const TYPED: usize = 4_096;
/// What Ctrl-C types where it sends no signal.
const INTERRUPT: char = '\u{3}';

/// Reads the value of a secret. On a terminal it is asked for twice and not shown.
pub(super) fn value(run: &Run<'_>, name: &str) -> Result<Secret, Failed> {
    let value = if run.edges.can_ask { asked(run, name) } else { piped() };
    value.map_err(|error| {
        let problem = Diagnostic::error("No value")
            .detail(format!("The value of `{name}` cannot be read: {error}. Nothing was changed."));
        run.problem(problem)
    })
}

fn piped() -> io::Result<Secret> {
    let mut text = Zeroizing::new(String::with_capacity(TYPED));
    io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(without_line_end(std::mem::take(&mut *text)))
}

fn asked(run: &Run<'_>, name: &str) -> io::Result<Secret> {
    let once = ask(run, &format!("Value of {name} (not shown): "))?;
    let again = ask(run, "Once more: ")?;
    match once == again {
        true => Ok(once),
        false => Err(io::Error::other("the two were different")),
    }
}

fn ask(run: &Run<'_>, question: &str) -> io::Result<Secret> {
    let _hidden = Hidden::begin()?;
    run.ask(question);
    let mut line = Zeroizing::new(String::with_capacity(TYPED));
    read_line(&mut line)?;
    run.ask("\n");
    if line.contains(INTERRUPT) {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "you interrupted it"));
    }
    Ok(without_line_end(std::mem::take(&mut *line)))
}

/// Reads byte by byte past the standard library's buffer, which keeps what it read.
fn read_line(line: &mut String) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(TYPED));
    let mut byte = [0];
    while bytes.len() < TYPED && rustix::io::read(io::stdin(), &mut byte)? == 1 {
        bytes.push(byte[0]);
        if byte[0] == b'\n' || byte[0] == 3 {
            break;
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    line.push_str(text);
    Ok(())
}

/// A terminal that does not show what is typed. Ctrl-C ends the line instead of the program, so that the terminal is
/// always put back.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VEOL] = 3;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
