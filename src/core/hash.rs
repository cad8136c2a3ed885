//! SHA-256 in lower-case hex, the one form in which contents are compared.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 of `data`, 64 lower-case hex digits.
#[must_use]
pub fn sha256_hex(data: &[u8]) -> String {
    to_hex(&Sha256::digest(data))
}

/// The first 16 hex digits of SHA-256: enough to tell versions of one object apart, short enough for a tag.
#[must_use]
pub fn short_hash(data: &[u8]) -> String {
    to_hex(&Sha256::digest(data)[..8])
}

/// [`short_hash`] of a value's JSON, without the JSON ever being there as a whole.
#[must_use]
pub fn short_hash_of<T: Serialize>(value: &T) -> String {
    let mut hasher = Sha256::new();
    // A hasher takes everything, and the values of this crate have only text keys, so nothing can fail.
    let _ = serde_json::to_writer(&mut hasher, value);
    to_hex(&hasher.finalize()[..8])
}

/// Lower-case hex of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_match_the_published_vector() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        assert_eq!(short_hash(b"abc"), abc[..16]);
    }

    #[test]
    fn a_value_is_named_by_its_json() {
        assert_eq!(short_hash_of(&("a", [1, 2])), short_hash(b"[\"a\",[1,2]]"));
    }
}
