//! Secrets: values that redact themselves, and the keyed digests that stand for them outside the process.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret text. It shows itself as `(sensitive value)` in every printed or serialised form and
/// wipes its memory when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text as a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Gives the text itself. Only what hands the secret over to where it belongs may call this.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive value)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive value)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(sensitive value)")
    }
}

/// The key that turns secrets into digests which nobody without the key can guess from.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<Vec<u8>>);

impl DigestKey {
    /// Takes key material of any length; 32 bytes are usual.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// HMAC-SHA-256 of `data` under this key, as the first 16 bytes in lower-case hex.
    #[must_use]
    pub fn digest(&self, data: &[u8]) -> String {
        // An HMAC takes keys of every length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(data);
        crate::hash::to_hex(&mac.finalize().into_bytes()[..16])
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_printed_form_of_a_secret_contains_it() {
        let secret = Secret::new("hunter2".into());
        let json = serde_json::to_string(&secret).unwrap();
        for form in
            [format!("{secret}"), format!("{secret:?}"), format!("{:?}", Some(&secret)), json]
        {
            assert!(!form.contains("hunter2"), "{form}");
        }
    }

    #[test]
    fn digests_depend_on_the_key() {
        let one = DigestKey::new(vec![1; 32]);
        let two = DigestKey::new(vec![2; 32]);
        assert_eq!(one.digest(b"x"), one.digest(b"x"));
        assert_ne!(one.digest(b"x"), two.digest(b"x"));
    }
}
