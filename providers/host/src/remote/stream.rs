//! One command on a host, with its input and output as they come.
//!
//! It has a connection of its own, because the resident session answers one question after the other. Its input is sent
//! in pieces that say how long they are, so that the end of the input and the end of the connection differ: when the
//! connection ends, whatever the reason, the program on the host ends the command, which would otherwise go on unseen.

use std::time::Instant;

use ipai_core::{Address, Fault, Outputs, RemoteError};

use crate::connections::Connections;
use crate::failure;
use crate::session::{GREETING, Part, SessionError, fill, needs_sudo, quote};
use crate::ssh::{Event, Line, SshError};

const PROGRAM: &str = include_str!("stream.sh");

/// A running command's ends. Dropping it ends the command.
#[derive(Debug)]
pub struct Stream {
    line: Line,
    attempted: String,
    begun: Instant,
    /// How much came from the command.
    bytes: usize,
}

/// What a running command does.
#[derive(Debug)]
pub enum Piece {
    /// Some bytes of standard output.
    Output(Vec<u8>),
    /// Some bytes of standard error.
    Talk(Vec<u8>),
    /// It ended, with this exit code; 128 when a signal ended it.
    Ended(i32),
}

/// How many bytes of input may wait to be sent.
const BACKLOG: usize = 1 << 20;

impl Connections {
    /// Starts a command, in the words of a POSIX shell, on the host with these outputs. `attempted` names it in errors.
    ///
    /// # Errors
    /// The host cannot be reached, shows another key than the pinned one, or lets nobody in.
    pub async fn stream(
        &self,
        home: &Address,
        outputs: &Outputs,
        command: &str,
        attempted: &str,
    ) -> Result<Stream, RemoteError> {
        let place = self.place(home, outputs)?;
        let target = place.target(self.settings());
        let text = program(command, needs_sudo(self.settings().sudo, &target.user));
        let opening = Line::open(&target, text, Vec::new());
        let line = self.settings().witness.step(|| attempted.to_owned(), opening).await;
        let attempted = format!("{attempted} on {home}");
        let line = line.map_err(|error| failed(&attempted, error))?;
        Ok(Stream { line, attempted, begun: Instant::now(), bytes: 0 })
    }
}

impl Stream {
    /// Hands the command some input.
    pub fn input(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut framed = format!("{}\n", bytes.len()).into_bytes();
            framed.extend_from_slice(bytes);
            self.line.send(framed);
        }
    }

    /// Tells whether so much input waits to be sent that more should not be read yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.line.backlog().bytes() > BACKLOG
    }

    /// Ends the command's input.
    pub fn end_input(&self) {
        self.line.send(b"0\n".to_vec());
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Piece, RemoteError> {
        match self.line.next().await {
            Some(Event::Stdout(bytes)) => {
                self.bytes += bytes.len();
                Ok(Piece::Output(bytes))
            }
            Some(Event::Stderr(bytes)) => Ok(Piece::Talk(bytes)),
            Some(Event::Ended(exit)) => {
                let (name, bytes) = (self.attempted.as_str(), self.bytes);
                let ms = self.begun.elapsed().as_millis();
                tracing::debug!(target: "ipai::ssh", name, exit, ms, bytes, "exec");
                Ok(Piece::Ended(exit))
            }
            Some(Event::Failed(error)) => Err(failed(&self.attempted, error)),
            None => {
                let cause = "the connection ended without a word";
                Err(RemoteError::new(Fault::Unreachable, &self.attempted, cause))
            }
        }
    }
}

/// The whole command text.
fn program(command: &str, sudo: bool) -> String {
    let program = fill(PROGRAM, &[("COMMAND", Part::Script(command))]);
    let start = if sudo { "exec sudo -n sh -c " } else { "exec sh -c " };
    format!("{GREETING}{start}{}", quote(&program))
}

fn failed(attempted: &str, error: SshError) -> RemoteError {
    let mut failure = failure::of_session(attempted, &SessionError::Connect(error));
    if failure.hint.is_none() && failure.fault == Fault::Unreachable {
        failure.hint = Some("run the command again".to_owned());
    }
    failure
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs the program in `dash`, as a host would.
    fn run(command: &str) -> Command {
        let mut shell = Command::new("dash");
        shell.args(["-c", &program(command, false)]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    #[test]
    fn input_comes_through_in_pieces_and_its_end_is_seen() {
        let mut child = run("sh -c 'cat; echo over; exit 7'").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"3\nab\n2\n0\n0\n").unwrap();
        let mut first = [0; 10];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        assert_eq!(&first, b"ab\n0\nover\n");
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn a_connection_that_ends_ends_the_command() {
        let mut child = run("sleep 600").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"0\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "the end of input is no end of the command");
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }

    #[test]
    fn a_command_that_reads_nothing_may_be_sent_anything() {
        let mut child = run("echo done").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A pipe that nobody reads any more is no concern of the command's.
        let _ = stdin.write_all(format!("200000\n{}0\n", "x".repeat(200_000)).as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(0), b"done\n".to_vec()));
    }
}
