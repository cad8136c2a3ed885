//! Making secrets: every function draws its randomness from the caller and nowhere else.

use std::fmt;
use std::str::FromStr;

use ipai_core::Secret;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::Entropy;
use super::error::SecretsError;

/// How a secret was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Letters and digits: safe in a URL, a connection string, a shell and YAML.
    Password,
    /// Lower-case hex digits.
    Hex,
    /// The bcrypt hash of another secret.
    Bcrypt,
    /// The private half of an ed25519 key pair.
    KeyPair,
    /// The public half of another secret.
    PublicKey,
}

/// The cost of bcrypt hashes: 2^10 rounds, the default of Go's and of most JavaScript libraries.
const BCRYPT_COST: u32 = 10;
/// Below 12 letters and digits (71 bits) a secret can be guessed offline.
const LENGTHS: std::ops::RangeInclusive<usize> = 12..=4096;
const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX_DIGITS: &[u8] = b"0123456789abcdef";
/// Draws of 64 bytes that yield nothing new before the source counts as broken. With a sound source
/// one draw in 2^320 yields nothing.
const FRUITLESS_DRAWS: usize = 16;

impl Kind {
    const ALL: [Self; 5] =
        [Self::Password, Self::Hex, Self::Bcrypt, Self::KeyPair, Self::PublicKey];

    /// The word for it in stack and store files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Hex => "hex",
            Self::Bcrypt => "bcrypt",
            Self::KeyPair => "keypair",
            Self::PublicKey => "public_key",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = SecretsError;

    fn from_str(text: &str) -> Result<Self, SecretsError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let problem =
                "the kinds are `password`, `hex`, `bcrypt`, `keypair` and `public_key`".to_owned();
            SecretsError::CannotGenerate { problem }
        })
    }
}

/// Generates a secret of `length` characters, each equally likely.
///
/// # Errors
/// When the length is outside 12 to 4096, the kind is made from another secret ([`bcrypt`]), or the
/// source of randomness is broken.
pub fn generate(kind: Kind, length: usize, entropy: Entropy<'_>) -> Result<Secret, SecretsError> {
    if !LENGTHS.contains(&length) {
        return Err(cannot(format!(
            "a length of {length} is outside {} to {}",
            LENGTHS.start(),
            LENGTHS.end()
        )));
    }
    match kind {
        Kind::Password => draw(LETTERS_AND_DIGITS, length, entropy),
        Kind::Hex => draw(HEX_DIGITS, length, entropy),
        Kind::KeyPair => Err(cannot("a key pair has no length".to_owned())),
        Kind::Bcrypt | Kind::PublicKey => {
            Err(cannot(format!("a secret of the kind `{kind}` is made from another one")))
        }
    }
}

/// Generates a password of `length` characters of an alphabet, each equally likely.
///
/// # Errors
/// When the length is above 4096, the alphabet is no ASCII, or the source of randomness is broken.
pub(super) fn password_of(
    alphabet: &str,
    length: usize,
    entropy: Entropy<'_>,
) -> Result<Secret, SecretsError> {
    if length > *LENGTHS.end() || alphabet.is_empty() || !alphabet.is_ascii() {
        return Err(cannot("the length or the alphabet is unusable".to_owned()));
    }
    draw(alphabet.as_bytes(), length, entropy)
}

/// Hashes `password` with bcrypt (`$2b$`, cost 10); the 16 bytes of salt come from `entropy`.
///
/// # Errors
/// When the password is longer than the 71 bytes that bcrypt takes note of, or holds a zero byte,
/// where other implementations stop reading.
pub fn bcrypt(password: &Secret, entropy: Entropy<'_>) -> Result<Secret, SecretsError> {
    if password.expose().contains('\0') {
        return Err(cannot("bcrypt takes no password with a zero byte".to_owned()));
    }
    let mut salt = [0; 16];
    entropy(&mut salt);
    ::bcrypt::non_truncating_hash_with_salt(password.expose(), BCRYPT_COST, salt)
        .map(|hash| Secret::new(hash.to_string()))
        .map_err(|_| cannot("bcrypt takes passwords of at most 71 bytes".to_owned()))
}

/// Says whether `hash` is a bcrypt hash of `password`; a password that was changed makes its hash stale.
#[must_use]
pub fn bcrypt_matches(password: &Secret, hash: &Secret) -> bool {
    ::bcrypt::non_truncating_verify(password.expose(), hash.expose()).unwrap_or(false)
}

/// Makes an ed25519 key pair: the private half in OpenSSH's form, unencrypted, because the store encrypts it.
///
/// # Errors
/// When the key cannot be written down.
pub(super) fn key_pair(comment: &str, entropy: Entropy<'_>) -> Result<Secret, SecretsError> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy(&mut *seed);
    if *seed == [0; 32] {
        return Err(cannot("the source of randomness is broken".to_owned()));
    }
    let key = PrivateKey::new(Ed25519Keypair::from_seed(&seed).into(), comment)
        .and_then(|key| key.to_openssh(LineEnding::LF));
    match key {
        Ok(mut text) => Ok(Secret::new(std::mem::take(&mut *text))),
        Err(error) => Err(cannot(format!("the key cannot be written down: {error}"))),
    }
}

/// The public half of a key pair, one line of OpenSSH's.
///
/// # Errors
/// When the secret is no private key in OpenSSH's form.
pub fn public_key(pair: &Secret) -> Result<Secret, SecretsError> {
    let line =
        PrivateKey::from_openssh(pair.expose()).and_then(|key| key.public_key().to_openssh());
    line.map(Secret::new).map_err(|_| cannot("the other secret is no private key".to_owned()))
}

/// 32 random bytes as 64 hex digits.
pub(super) fn key(entropy: Entropy<'_>) -> Result<Secret, SecretsError> {
    draw(HEX_DIGITS, 64, entropy)
}

/// The bytes that an even number of hex digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some((digit(high)? << 4) | digit(low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

/// Draws characters by rejection: a byte is cut to the bits that the alphabet needs and thrown away
/// when it still points past the end, so that no character is likelier than another.
fn draw(alphabet: &[u8], length: usize, entropy: Entropy<'_>) -> Result<Secret, SecretsError> {
    let mask = alphabet.len().next_power_of_two() - 1;
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0; 64]);
    let mut fruitless = 0;
    while text.len() < length {
        entropy(&mut *bytes);
        let picked = bytes.iter().filter_map(|byte| alphabet.get(usize::from(*byte) & mask));
        let before = text.len();
        text.extend(picked.take(length - before).map(|letter| char::from(*letter)));
        fruitless = if text.len() == before { fruitless + 1 } else { 0 };
        if fruitless == FRUITLESS_DRAWS {
            return Err(cannot("the source of randomness is broken".to_owned()));
        }
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}

fn cannot(problem: String) -> SecretsError {
    SecretsError::CannotGenerate { problem }
}

#[cfg(test)]
mod tests {
    use super::super::tests::stream;
    use super::*;

    #[test]
    fn a_password_of_an_own_alphabet_holds_nothing_else_and_each_character_alike() {
        let secret = password_of("abc!", 24, &mut stream()).unwrap();
        assert_eq!(secret.expose().len(), 24);
        assert!(secret.expose().chars().all(|letter| "abc!".contains(letter)));
        let mut all_bytes = {
            let mut next = 0_u8;
            move |bytes: &mut [u8]| {
                bytes.fill_with(|| {
                    next = next.wrapping_add(1);
                    next
                })
            }
        };
        let secret = password_of("0123456789", 160, &mut all_bytes).unwrap();
        for digit in "0123456789".chars() {
            assert_eq!(secret.expose().matches(digit).count(), 16, "{digit}");
        }
    }

    #[test]
    fn passwords_have_the_length_asked_for_and_only_letters_and_digits() {
        for length in [12, 32, 64, 65, 4096] {
            let secret = generate(Kind::Password, length, &mut stream()).unwrap();
            assert_eq!(secret.expose().len(), length);
            assert!(secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn hex_secrets_are_lower_case_hex() {
        let secret = generate(Kind::Hex, 33, &mut stream()).unwrap();
        assert_eq!(secret.expose().len(), 33);
        assert!(secret.expose().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }

    #[test]
    fn every_character_is_equally_likely() {
        // Each byte value once: 62 characters are met four times each, the rest is thrown away.
        let mut next = 0_u8;
        let mut all_bytes = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        };
        let secret = generate(Kind::Password, 4 * 62, &mut all_bytes).unwrap();
        for letter in LETTERS_AND_DIGITS {
            assert_eq!(secret.expose().bytes().filter(|byte| byte == letter).count(), 4);
        }
    }

    #[test]
    fn lengths_that_can_be_guessed_are_refused() {
        for length in [0, 11, 4097] {
            generate(Kind::Password, length, &mut stream()).unwrap_err();
        }
    }

    #[test]
    fn a_broken_source_of_randomness_is_an_error_and_no_endless_loop() {
        let error = generate(Kind::Password, 32, &mut |bytes| bytes.fill(0xff)).unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
    }

    #[test]
    fn bcrypt_hashes_verify_against_their_password_alone() {
        let password = Secret::new("correct horse".to_owned());
        let hash = bcrypt(&password, &mut stream()).unwrap();
        assert!(hash.expose().starts_with("$2b$10$"), "{}", hash.expose());
        assert!(bcrypt_matches(&password, &hash));
        assert!(!bcrypt_matches(&Secret::new("correct house".to_owned()), &hash));
        assert!(!bcrypt_matches(&password, &Secret::new("no hash".to_owned())));
    }

    #[test]
    fn bcrypt_refuses_what_it_would_silently_cut() {
        bcrypt(&Secret::new("x".repeat(71)), &mut stream()).unwrap();
        bcrypt(&Secret::new("x".repeat(72)), &mut stream()).unwrap_err();
        bcrypt(&Secret::new("a\0b".to_owned()), &mut stream()).unwrap_err();
    }

    #[test]
    fn a_key_pair_is_openssh_s_and_its_public_half_belongs_to_it() {
        let pair = key_pair("ops", &mut stream()).unwrap();
        assert!(pair.expose().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        let public = public_key(&pair).unwrap();
        assert!(
            public.expose().starts_with("ssh-ed25519 AAAA") && public.expose().ends_with(" ops")
        );
        public_key(&Secret::new("no key".to_owned())).unwrap_err();
        key_pair("ops", &mut |bytes| bytes.fill(0)).unwrap_err();
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>().unwrap(), kind);
        }
        "Password".parse::<Kind>().unwrap_err();
    }

    #[test]
    fn keys_are_thirty_two_bytes() {
        let text = key(&mut stream()).unwrap();
        assert_eq!(from_hex(text.expose()).unwrap().len(), 32);
        assert_eq!(from_hex("00ff7f"), Some(vec![0, 255, 127]));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
