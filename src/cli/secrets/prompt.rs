//! Taking a secret in: from a terminal without showing it, or from what standard input is.

use std::io::{self, Read};

use ipai_core::{Diagnostic, Secret};
use zeroize::Zeroizing;

use crate::cli::{Failed, Run};
use crate::hidden;
use crate::vault::without_line_end;

/// No secret is larger; a pipe that never ends is not read to its end.
const LARGEST: u64 = 1 << 20;
/// Room for a usual secret, so that the buffer does not move.
const USUAL: usize = 4_096;

/// Reads the value of a secret. On a terminal it is asked for twice and not shown.
pub(super) fn value(run: &Run<'_>, name: &str) -> Result<Secret, Failed> {
    let value = if run.edges.can_ask { asked(name) } else { piped() };
    value.map_err(|error| {
        let problem = Diagnostic::error("No value")
            .detail(format!("The value of `{name}` cannot be read: {error}. Nothing was changed."));
        run.problem(problem)
    })
}

fn piped() -> io::Result<Secret> {
    let mut text = Zeroizing::new(String::with_capacity(USUAL));
    io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(without_line_end(std::mem::take(&mut *text)))
}

fn asked(name: &str) -> io::Result<Secret> {
    let once = hidden::line(&format!("Value of {name} (not shown): "))?;
    let again = hidden::line("Once more: ")?;
    match once == again {
        true => Ok(without_line_end(once.as_str().to_owned())),
        false => Err(io::Error::other("the two were different")),
    }
}
