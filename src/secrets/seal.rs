//! Encrypting to recipients and decrypting with identities: all that touches age files.

use std::fmt;
use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use ipai_core::Secret;
use zeroize::Zeroizing;

use super::error::SecretsError;

/// Somebody a store is encrypted to.
#[derive(Clone)]
pub(super) struct Recipient {
    /// The public key in its one canonical spelling.
    pub(super) key: String,
    /// What follows a public key in `id_ed25519.pub`, usually whose it is.
    pub(super) comment: Option<String>,
    public: PublicKey,
}

#[derive(Clone)]
enum PublicKey {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

/// Why an age file did not open.
pub(super) enum OpenError {
    WrongIdentity,
    Damaged(age::DecryptError),
    NotText,
}

impl Recipient {
    /// Reads `age1…` or `ssh-ed25519 BASE64 [COMMENT]`.
    ///
    /// RSA keys are refused: age would take them, but the RSA code under it leaks timing
    /// (RUSTSEC-2023-0071), and every OpenSSH of the last decade has ed25519.
    pub(super) fn parse(text: &str) -> Result<Self, SecretsError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [key, comment @ ..] if key.starts_with("age1") => {
                let public = key.parse::<age::x25519::Recipient>().map_err(|_| {
                    bad(text, "not a valid age X25519 public key (plugins and other kinds are not supported)")
                })?;
                Ok(Self::new(PublicKey::X25519(public), comment))
            }
            ["ssh-ed25519", key, comment @ ..] => {
                let public = format!("ssh-ed25519 {key}")
                    .parse::<age::ssh::Recipient>()
                    .map_err(|_| bad(text, "not a valid ssh-ed25519 public key"))?;
                Ok(Self::new(PublicKey::Ssh(public), comment))
            }
            ["ssh-rsa", ..] => {
                Err(bad("ssh-rsa …", "RSA keys are not supported, ed25519 keys are"))
            }
            _ => Err(bad(text, "neither `age1…` nor `ssh-ed25519 …`")),
        }
    }

    fn new(public: PublicKey, comment: &[&str]) -> Self {
        // Control characters would break the line of the store that shows the comment.
        let comment: String = comment.join(" ").chars().filter(|c| !c.is_control()).collect();
        let comment = Some(comment).filter(|comment| !comment.is_empty());
        Self { key: public.to_string(), comment, public }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X25519(key) => key.fmt(f),
            Self::Ssh(key) => key.fmt(f),
        }
    }
}

/// Names what was given, unless it looks like the private half, which no message may repeat.
fn bad(text: &str, problem: &'static str) -> SecretsError {
    let upper = text.to_ascii_uppercase();
    if upper.contains("SECRET-KEY") || upper.contains("PRIVATE KEY") {
        let problem = "that is a private key; a recipient is the public half";
        return SecretsError::BadRecipient { recipient: "(sensitive value)".to_owned(), problem };
    }
    let recipient = text.chars().take(80).flat_map(char::escape_debug).collect();
    SecretsError::BadRecipient { recipient, problem }
}

/// A short hash of whom a value is encrypted to, whatever their order.
pub(super) fn sealed_for(recipients: &[Recipient]) -> String {
    let mut keys: Vec<&str> = recipients.iter().map(|recipient| recipient.key.as_str()).collect();
    keys.sort_unstable();
    ipai_core::hash::short_hash(keys.join("\n").as_bytes())
}

/// Encrypts `secret` to all `recipients` as an armored age file.
pub(super) fn seal(recipients: &[Recipient], secret: &Secret) -> Result<String, age::EncryptError> {
    let recipients = recipients.iter().map(|recipient| match &recipient.public {
        PublicKey::X25519(key) => key as &dyn age::Recipient,
        PublicKey::Ssh(key) => key as &dyn age::Recipient,
    });
    let encryptor = age::Encryptor::with_recipients(recipients)?;
    let mut armored = Vec::new();
    let armor = ArmoredWriter::wrap_output(&mut armored, Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(secret.expose().as_bytes())?;
    writer.finish()?.finish()?;
    // Armor is base64 between two ASCII lines, so nothing is replaced here.
    Ok(String::from_utf8_lossy(&armored).into_owned())
}

/// Decrypts an armored age file with the first of `identities` that fits.
pub(super) fn open<'a>(
    armored: &str,
    identities: impl Iterator<Item = &'a dyn age::Identity>,
) -> Result<Secret, OpenError> {
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(armored.trim().as_bytes()))?;
    let mut reader = decryptor.decrypt(identities)?;
    // A plaintext is shorter than its armored age file, so this buffer never moves and leaves no
    // copy of the secret behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(armored.len()));
    reader.read_to_end(&mut plain).map_err(age::DecryptError::Io)?;
    match String::from_utf8(std::mem::take(&mut *plain)) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(OpenError::NotText)
        }
    }
}

impl From<age::DecryptError> for OpenError {
    fn from(error: age::DecryptError) -> Self {
        match error {
            age::DecryptError::NoMatchingKeys => Self::WrongIdentity,
            other => Self::Damaged(other),
        }
    }
}
