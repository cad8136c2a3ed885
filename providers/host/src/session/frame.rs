//! The framed protocol: requests as bytes, and a decoder for answers that trusts nothing.
//!
//! Request: `RUN <nonce> <script bytes> <stdin bytes>`, a newline, the script, the input. The
//! script's last line is `#<nonce>`, so that one that was cut short is recognised.
//! Answer, one line each: `OUT <nonce> plain|gzip <base64>` or `BIG <nonce> <bytes>` (too much to
//! send), `ERR <nonce> <base64>`, and last `END <nonce> <exit code>`. Empty streams have no line.

use std::fmt;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

use super::{Command, MAX_ERROR, MAX_OUTPUT};

/// Base64 of the largest output, the words before it, and what gzip adds to noise (5 bytes for each
/// stored block of at least 16 KiB).
const MAX_LINE: usize = (MAX_OUTPUT + MAX_OUTPUT / 1024) / 3 * 4 + 1024;

/// How much a host may say that is no answer, such as a greeting from a login script.
const MAX_NOISE: usize = 64 * 1024;

/// What a script left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) exit: i32,
    /// The size of an output that was too large to be sent.
    pub(super) too_large: Option<u64>,
}

/// An answer stream that is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// A line of the answer does not follow the protocol.
    Malformed(&'static str),
    /// A line or an unpacked output is longer than the largest allowed output.
    TooLong,
    /// The host talks, and does not answer; this is how it began.
    Noise(String),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "the host's answer has a broken {what} line"),
            Self::TooLong => write!(f, "the host's answer is longer than {MAX_OUTPUT} bytes"),
            Self::Noise(begin) => write!(f, "the host talks and does not answer: {begin}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Encodes one request.
pub(super) fn request(command: &Command, nonce: &str) -> Vec<u8> {
    let script = format!("{}\n#{nonce}", command.script);
    let mut bytes = format!("RUN {nonce} {} {}\n", script.len(), command.stdin.len()).into_bytes();
    bytes.extend_from_slice(script.as_bytes());
    bytes.extend_from_slice(&command.stdin);
    bytes
}

/// Puts answers together from pieces of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    nonce: String,
    line: Vec<u8>,
    answer: Answer,
    noise: Vec<u8>,
    noise_length: usize,
}

impl Decoder {
    /// Expects the answer to one request.
    pub(super) fn new(nonce: String) -> Self {
        let (line, noise) = (Vec::new(), Vec::new());
        Self { nonce, line, answer: Answer::default(), noise, noise_length: 0 }
    }

    /// Takes the next piece; gives the answer when the piece ends it. What follows the end is dropped:
    /// the program says nothing without being asked.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Option<Answer>, FrameError> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > MAX_LINE {
                return Err(FrameError::TooLong);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if self.read(line.strip_suffix(b"\n").unwrap_or(&line))? {
                    return Ok(Some(std::mem::take(&mut self.answer)));
                }
            }
        }
        Ok(None)
    }

    fn read(&mut self, line: &[u8]) -> Result<bool, FrameError> {
        let Some((word, rest)) = self.ours(line) else {
            return self.note(line).map(|()| false);
        };
        match word {
            Word::Out => self.answer.stdout = output(rest)?,
            Word::Err => {
                self.answer.stderr = base64(rest, "ERR")?;
                if self.answer.stderr.len() > MAX_ERROR {
                    return Err(FrameError::TooLong);
                }
            }
            Word::Big => self.answer.too_large = Some(number(rest, "BIG")?),
            Word::End => self.answer.exit = number(rest, "END")?,
        }
        Ok(word == Word::End)
    }

    /// Splits a line that carries our nonce.
    fn ours<'l>(&self, line: &'l [u8]) -> Option<(Word, &'l [u8])> {
        let (word, rest) = line.split_at_checked(4)?;
        let word = match word {
            b"OUT " => Word::Out,
            b"ERR " => Word::Err,
            b"BIG " => Word::Big,
            b"END " => Word::End,
            _ => return None,
        };
        let rest = rest.strip_prefix(self.nonce.as_bytes())?.strip_prefix(b" ")?;
        Some((word, rest))
    }

    fn note(&mut self, line: &[u8]) -> Result<(), FrameError> {
        self.noise_length = self.noise_length.saturating_add(line.len() + 1);
        let room = 200_usize.saturating_sub(self.noise.len());
        self.noise.extend_from_slice(&line[..line.len().min(room)]);
        match self.noise_length > MAX_NOISE {
            true => Err(FrameError::Noise(String::from_utf8_lossy(&self.noise).into_owned())),
            false => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Out,
    Err,
    Big,
    End,
}

fn output(rest: &[u8]) -> Result<Vec<u8>, FrameError> {
    if let Some(plain) = rest.strip_prefix(b"plain ") {
        return base64(plain, "OUT");
    }
    let packed = rest.strip_prefix(b"gzip ").ok_or(FrameError::Malformed("OUT"))?;
    let packed = base64(packed, "OUT")?;
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know; a small packed text can unpack to anything.
    MultiGzDecoder::new(packed.as_slice())
        .take(MAX_OUTPUT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| FrameError::Malformed("OUT"))?;
    if bytes.len() > MAX_OUTPUT { Err(FrameError::TooLong) } else { Ok(bytes) }
}

fn base64(text: &[u8], line: &'static str) -> Result<Vec<u8>, FrameError> {
    STANDARD.decode(text).map_err(|_| FrameError::Malformed(line))
}

fn number<N: std::str::FromStr>(text: &[u8], line: &'static str) -> Result<N, FrameError> {
    let text = std::str::from_utf8(text).map_err(|_| FrameError::Malformed(line))?;
    text.parse().map_err(|_| FrameError::Malformed(line))
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
