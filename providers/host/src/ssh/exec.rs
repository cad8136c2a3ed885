//! One command on a connection of its own, with its whole output.

use std::io;

use super::{Event, Line, SshError, Target};

/// The most bytes of each stream that [`exec`] keeps: 64 MiB.
pub const MAX_EXEC_OUTPUT: usize = 64 * 1024 * 1024;

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The exit code; 128 when a signal ended it.
    pub exit: i32,
}

/// Runs a command as the login user's shell understands it, and waits for its end.
///
/// To show output as it comes, use [`Line`].
pub async fn exec(target: &Target, text: String, stdin: Vec<u8>) -> Result<Spoken, SshError> {
    let mut line = Line::open(target, text, stdin).await?;
    line.finish();
    let mut spoken = Spoken { stdout: Vec::new(), stderr: Vec::new(), exit: 0 };
    let lost = |detail| SshError::Lost { at: target.at(), doing: "a command", detail };
    loop {
        let kept = match line.next().await {
            Some(Event::Stdout(bytes)) => append(&mut spoken.stdout, &bytes, MAX_EXEC_OUTPUT),
            Some(Event::Stderr(bytes)) => append(&mut spoken.stderr, &bytes, MAX_EXEC_OUTPUT),
            Some(Event::Ended(exit)) => {
                spoken.exit = exit;
                return Ok(spoken);
            }
            Some(Event::Failed(error)) => return Err(error),
            None => return Err(lost("it ended without a word".to_owned())),
        };
        kept.map_err(|error| lost(format!("the command said {error}")))?;
    }
}

/// Keeps bytes, up to a limit.
fn append(buffer: &mut Vec<u8>, bytes: &[u8], limit: usize) -> io::Result<()> {
    if buffer.len().saturating_add(bytes.len()) > limit {
        return Err(io::Error::other(format!("more than {limit} bytes")));
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}
