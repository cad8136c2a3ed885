//! Reading an answer that was recorded: the same decoder as over SSH, without a host.

use super::frame::{Decoder, FrameError};
use super::{Answer, Output};

/// Reads a host's answer to the request `nonce` from the pieces in which it came. Gives nothing when they end before
/// the answer does, or when its output was too large to be sent.
///
/// # Errors
/// What came is not an answer.
pub fn read_recorded<'a>(
    nonce: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Output>, FrameError> {
    let mut decoder = Decoder::new(nonce.to_owned());
    for piece in pieces {
        if let Some(answer) = decoder.feed(piece)? {
            let Answer { stdout, stderr, exit, too_large } = answer;
            let stderr = String::from_utf8_lossy(&stderr).into_owned();
            return Ok(too_large.is_none().then_some(Output { stdout, stderr, exit }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_in_one_piece_and_byte_by_byte() {
        let bytes = b"Welcome!\nOUT 00ff plain aGVsbG8=\nERR 00ff b29wcw==\nEND 00ff 3\nrest";
        let whole = read_recorded("00ff", [&bytes[..]]).unwrap();
        assert_eq!(whole, read_recorded("00ff", bytes.chunks(1)).unwrap());
        let output = whole.unwrap();
        assert_eq!((output.stdout.as_slice(), output.exit), (&b"hello"[..], 3));
        assert_eq!(read_recorded("00fe", [&bytes[..]]).unwrap(), None);
    }
}
