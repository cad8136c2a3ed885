//! Asks for the passphrase of an encrypted SSH key: once for each key in a run, unseen, and only where somebody can
//! answer.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ipai_host::ssh::{Passphrase, opens};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::edges::Edges;

/// How often a wrong passphrase may be typed, as with OpenSSH.
const TRIES: usize = 3;
/// The longest line that is read, in bytes.
const LONGEST: usize = 4_096;

type Known = BTreeMap<PathBuf, Option<Zeroizing<String>>>;

/// Asks on the terminal; nothing where there is none.
#[must_use]
pub fn asking(edges: &Edges) -> Option<Passphrase> {
    if !edges.can_ask {
        return None;
    }
    let known: Mutex<Known> = Mutex::default();
    Some(Passphrase::new(move |key| {
        // Whoever comes second waits here for the answer to the first.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key.to_owned()).or_insert_with(|| ask(key)).clone()
    }))
}

fn ask(key: &Path) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(std::fs::read_to_string(key).unwrap_or_default());
    let _hidden = Hidden::begin().ok()?;
    for _ in 0..TRIES {
        let typed = line(&format!("Passphrase of {} (not shown): ", key.display())).ok()?;
        if typed.is_empty() {
            return None;
        }
        if opens(&text, &typed) != Some(false) {
            return Some(typed);
        }
        let _ = writeln!(io::stderr(), "That does not open {}.", key.display());
    }
    None
}

/// Reads a line from the terminal that standard input is.
fn line(question: &str) -> io::Result<Zeroizing<String>> {
    let mut talk = io::stderr().lock();
    let _ = write!(talk, "{question}").and_then(|()| talk.flush());
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = [0];
    // Byte by byte past the standard library's buffer, which would keep what it read.
    while bytes.len() < LONGEST && rustix::io::read(io::stdin(), &mut byte)? == 1 {
        if byte[0] == b'\n' {
            break;
        }
        bytes.push(byte[0]);
    }
    let _ = writeln!(talk);
    let text = std::str::from_utf8(&bytes).map_err(io::Error::other)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
