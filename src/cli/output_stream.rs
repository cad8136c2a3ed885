//! What a command on a host says, shown as it comes; what is typed or piped here, handed to it.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::{Failed, Outcome, Run, exit};
use crate::providers::{Piece, Stream};
use crate::report;

/// How much is read of standard input at once.
const PIECE: usize = 32 * 1024;
/// How long to wait before looking whether input may be read again.
const LULL: Duration = Duration::from_millis(5);

/// How a command's output reaches whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// As text that cannot steer a terminal.
    Clean,
    /// Byte by byte: it goes into a file or another program.
    Raw,
}

/// Shows a command's output to its end and gives its exit code; an interrupt ends both.
pub(super) async fn show(run: &Run<'_>, stream: Stream, show: Show, feed: bool) -> Outcome {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return Err(Failed::new("error: interrupts cannot be watched here"));
    };
    // Dropping the stream, whichever way this ends, is what ends the command on the host.
    tokio::select! {
        outcome = pump(run, stream, show, feed) => outcome,
        _ = interrupt.recv() => Ok(130),
        _ = terminate.recv() => Ok(143),
    }
}

async fn pump(run: &Run<'_>, mut stream: Stream, show: Show, feed: bool) -> Outcome {
    let (mut output, mut talk) = (Cleaner::default(), Cleaner::default());
    let (mut input, mut piece, mut open) = (tokio::io::stdin(), vec![0; PIECE], feed);
    if !feed {
        stream.end_input();
    }
    loop {
        let behind = stream.is_behind();
        tokio::select! {
            biased;
            next = stream.next() => match next.map_err(|error| run.remote(&[error]))? {
                Piece::Output(bytes) => {
                    if !write(run, &mut std::io::stdout(), &output.take(bytes, show)) {
                        return Ok(exit::OK);
                    }
                }
                Piece::Talk(bytes) => {
                    let _ = write(run, &mut std::io::stderr(), &talk.take(bytes, Show::Clean));
                }
                Piece::Ended(code) => return Ok(u8::try_from(code).unwrap_or(exit::ERROR)),
            },
            read = input.read(&mut piece), if open && !behind => match read {
                Ok(length @ 1..) => stream.input(&piece[..length]),
                // A standard input that cannot be read has nothing more to give.
                Ok(0) | Err(_) => {
                    open = false;
                    stream.end_input();
                }
            },
            () = sleep(LULL), if open && behind => {}
        }
    }
}

/// Writes at once; tells whether somebody still reads.
fn write(run: &Run<'_>, place: &mut impl Write, bytes: &[u8]) -> bool {
    match place.write_all(bytes).and_then(|()| place.flush()) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::BrokenPipe {
                run.unwritten.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            false
        }
    }
}

/// Cleans text that comes in pieces, which may end in the middle of a character.
#[derive(Default)]
pub(super) struct Cleaner {
    rest: Vec<u8>,
}

impl Cleaner {
    fn take(&mut self, bytes: Vec<u8>, show: Show) -> Vec<u8> {
        if show == Show::Raw { bytes } else { self.clean(&bytes).into_bytes() }
    }

    /// What may be shown of the bytes so far.
    pub(super) fn clean(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(_) => self.rest.len(),
            // Only a character that may still be completed is kept back; what is wrong stays wrong.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.rest.len() - unfinished(&self.rest),
        };
        let ready: Vec<u8> = self.rest.drain(..whole).collect();
        report::clean(&String::from_utf8_lossy(&ready)).into_owned()
    }
}

/// How many bytes at the end begin a character that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let begun = tail.iter().rposition(|byte| byte & 0xc0 == 0xc0);
    begun.map_or(0, |place| match std::str::from_utf8(&tail[place..]) {
        Err(error) if error.error_len().is_none() => tail.len() - place,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_whole_again() {
        for (text, shown) in [
            ("größer → kleiner\n".as_bytes(), "größer → kleiner\n"),
            (b"\x1b[31mred\xff\xe2\x86\n".as_slice(), "\\u{1b}[31mred\u{fffd}\u{fffd}\n"),
        ] {
            for cut in 0..text.len() {
                let mut cleaner = Cleaner::default();
                let first = cleaner.clean(&text[..cut]);
                assert_eq!(first + &cleaner.clean(&text[cut..]), shown, "cut at {cut}");
            }
        }
    }
}
