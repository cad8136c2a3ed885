//! What can go wrong with secrets. No message ever holds a value, nor a line of a file with values.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a secret could not be read, made or kept. `Display` says what was attempted, `source` why it
/// failed underneath, [`SecretsError::hint`] what to do next.
#[derive(Debug)]
pub enum SecretsError {
    /// A file could not be read.
    Read { path: PathBuf, source: io::Error },
    /// A file could not be written; the old one is untouched.
    Write { path: PathBuf, source: io::Error },
    /// The store is not what ipai writes.
    Malformed { path: PathBuf, line: usize, message: String },
    /// Something that is only ever created exists already.
    Exists { path: PathBuf },
    /// Somebody else changed the store after it was loaded.
    ChangedMeanwhile { path: PathBuf },
    /// Another process is writing in the same folder at this moment.
    Busy { path: PathBuf },
    /// A name outside `[a-z0-9][a-z0-9_-]{0,39}`.
    BadName { name: String },
    /// A name that ipai keeps for itself.
    Reserved { name: String },
    /// No secret has this name.
    NotFound { path: PathBuf, name: String },
    /// An empty value, which is a failed pipe more often than a wish.
    Empty { name: String },
    /// The store lists nobody to encrypt to.
    NoRecipients { path: PathBuf },
    /// A recipient that is no public key of a supported kind.
    BadRecipient { recipient: String, problem: &'static str },
    /// No identity was found in any of the places.
    NoIdentity { looked_at: Vec<String> },
    /// A place that was named explicitly, or a file of age keys, holds no usable identity.
    BadIdentity { origin: String, problem: String },
    /// No identity at hand opens the secret.
    WrongIdentity { path: PathBuf, origins: Vec<String>, own: Vec<String>, recipients: Vec<String> },
    /// The encrypted text of a secret is cut short or altered.
    Damaged { path: PathBuf, line: usize, name: String, source: age::DecryptError },
    /// A secret decrypted to bytes that are no text.
    NotText { path: PathBuf, line: usize, name: String },
    /// Encrypting failed.
    Encrypt { name: String, source: Box<age::EncryptError> },
    /// A secret of this kind cannot be generated as asked.
    CannotGenerate { problem: String },
}

impl SecretsError {
    /// What went wrong, in a few words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Cannot read a file of secrets",
            Self::Write { .. } | Self::ChangedMeanwhile { .. } | Self::Busy { .. } => {
                "The secret file was not written"
            }
            Self::Malformed { .. } => "Not a secret file",
            Self::Exists { .. } => "There is one already",
            Self::BadName { .. } | Self::Reserved { .. } => "Not a name for a secret",
            Self::NotFound { .. } => "No such secret",
            Self::Empty { .. } => "An empty secret",
            Self::NoRecipients { .. } => "A secret file without recipients",
            Self::BadRecipient { .. } => "Not a recipient",
            Self::NoIdentity { .. } | Self::BadIdentity { .. } => "No age identity",
            Self::WrongIdentity { .. } => "Not one of the recipients",
            Self::Damaged { .. } | Self::NotText { .. } => "A damaged secret",
            Self::Encrypt { .. } => "Cannot encrypt",
            Self::CannotGenerate { .. } => "Cannot make a secret",
        }
    }

    /// What to do about it, with commands that can be pasted.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::ChangedMeanwhile { .. } | Self::Busy { .. } => {
                "run the command again: it starts from the file as it is now"
            }
            Self::Malformed { message, .. } if message == super::format::CONFLICT => {
                "keep the newer block of each secret, remove the `<<<<<<<`, `=======` and `>>>>>>>` lines"
            }
            Self::Malformed { .. } => {
                "mend the line, or return to the last commit with `git checkout`"
            }
            Self::NotFound { .. } => {
                "`ipai secrets list` shows the names; `ipai secrets set NAME` adds one"
            }
            Self::Empty { .. } => "`ipai secrets remove NAME` removes a secret",
            Self::NoRecipients { .. } => {
                "`ipai secrets init` makes an age identity and lists it here"
            }
            Self::BadRecipient { .. } => {
                "a recipient is an `age1…` public key (`age-keygen -y FILE`) or the text of `~/.ssh/id_ed25519.pub`"
            }
            Self::NoIdentity { .. } => {
                "bring a recipient's age key here, in SOPS_AGE_KEY or in the last of these files; \
                 `ipai secrets init` makes a key for a recipient who is new"
            }
            Self::WrongIdentity { own, .. } => {
                return Some(format!(
                    "ask somebody who can open it to run `ipai secrets recipients add {}`",
                    own.first().map_or("PUBLIC_KEY", String::as_str)
                ));
            }
            Self::Damaged { .. } | Self::NotText { .. } => {
                "take the block from an older commit, or set the secret anew with `ipai secrets set NAME`"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

impl fmt::Display for SecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Write { path, .. } => write!(f, "cannot write {}", path.display()),
            Self::Malformed { path, line, message } => {
                write!(f, "{}:{line}: {message}", path.display())
            }
            Self::Exists { path } => {
                write!(f, "{} exists already and is never overwritten", path.display())
            }
            Self::ChangedMeanwhile { path } => write!(
                f,
                "{} was changed by somebody else meanwhile; nothing was written",
                path.display()
            ),
            Self::Busy { path } => write!(
                f,
                "another process is writing {} at this moment; nothing was written",
                path.display()
            ),
            Self::BadName { name } => write!(
                f,
                "`{}` is no name for a secret: 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit",
                name.escape_debug()
            ),
            Self::Reserved { name } => write!(f, "`{name}` is kept by ipai itself"),
            Self::NotFound { path, name } => {
                write!(f, "{} holds no secret `{}`", path.display(), name.escape_debug())
            }
            Self::Empty { name } => write!(f, "secret `{name}` was given an empty value"),
            Self::NoRecipients { path } => {
                write!(f, "{} lists no recipients to encrypt to", path.display())
            }
            Self::BadRecipient { recipient, problem } => {
                write!(f, "cannot encrypt to `{recipient}`: {problem}")
            }
            Self::NoIdentity { looked_at } => {
                write!(f, "no age identity to decrypt with; looked at {}", looked_at.join(", "))
            }
            Self::BadIdentity { origin, problem } => write!(f, "{origin}: {problem}"),
            Self::WrongIdentity { path, origins, own, recipients } => write!(
                f,
                "none of your identities ({} from {}) opens {}; it is encrypted to: {}",
                own.len(),
                origins.join(", "),
                path.display(),
                recipients.join(", ")
            ),
            Self::Damaged { path, line, name, .. } => write!(
                f,
                "{}:{line}: the encrypted text of secret `{name}` is cut short or altered",
                path.display()
            ),
            Self::NotText { path, line, name } => {
                write!(f, "{}:{line}: secret `{name}` holds bytes that are no text", path.display())
            }
            Self::Encrypt { name, .. } => write!(f, "cannot encrypt secret `{name}`"),
            Self::CannotGenerate { problem } => write!(f, "cannot generate a secret: {problem}"),
        }
    }
}

impl std::error::Error for SecretsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Damaged { source, .. } => Some(source),
            Self::Encrypt { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
