//! SHA-256 fingerprints of SSH host keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of a public key in SSH wire form (RFC 4253, section 6.6).
///
/// Shown as `SHA256:base64`, as OpenSSH shows it; droplet tags carry the hexadecimal form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Digests a public key blob.
    pub fn of(blob: &[u8]) -> Self {
        Self(Sha256::digest(blob).into())
    }

    /// Writes 64 lowercase hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is neither `SHA256:` and base64 nor 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAFingerprint(pub String);

impl fmt::Display for NotAFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no host key fingerprint: write SHA256:… as `ssh-keygen -l` prints it, or 64 hexadecimal digits",
            self.0
        )
    }
}

impl std::error::Error for NotAFingerprint {}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// Reads either form; base64 may carry its padding.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let bytes = match text.strip_prefix("SHA256:") {
            Some(base64) => STANDARD_NO_PAD.decode(base64.trim_end_matches('=')).ok(),
            None => from_hex(text),
        };
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| NotAFingerprint(text.to_owned()))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_both_of_its_own_forms() {
        let print = Fingerprint::of(b"key");
        assert_eq!(print.to_hex().parse(), Ok(print));
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(format!("{print}=").parse(), Ok(print));
    }

    #[test]
    fn refuses_what_is_no_fingerprint() {
        for text in ["", "SHA256:", "SHA256:AAAA", "MD5:00", &"0".repeat(63), &"é".repeat(32)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
