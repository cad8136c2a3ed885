//! One store: loaded, asked, changed in memory, saved as a whole or not at all.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use ipai_core::{DigestKey, Secret};

use super::Entropy;
use super::disk::{self, WriteError};
use super::error::SecretsError;
use super::format::{Block, Document, is_name};
use super::generate::{self, Kind};
use super::identity::Identities;
use super::seal::{self, OpenError, Recipient, sealed_for};

/// A stack's secrets, encrypted. Values are decrypted only when asked for, and nothing is written
/// before [`Store::save`].
pub struct Store {
    path: PathBuf,
    /// The text that was loaded; `None` when there was no file.
    loaded: Option<String>,
    document: Document,
}

/// What became of a new list of recipients.
#[derive(Debug, PartialEq, Eq)]
pub struct RecipientsChange {
    /// Who can open the store from now on.
    pub added: Vec<String>,
    /// Who cannot open it any more. They know the values up to now: rotate those that matter.
    pub removed: Vec<String>,
    /// How many values were encrypted anew.
    pub resealed: usize,
    /// Whether the identities that made the change still open the store.
    pub still_opens: bool,
}

/// The secret that keys the digests standing for secrets outside the process.
const FINGERPRINT_KEY: &str = "ipai_fingerprint_key";
/// Decrypting takes a fraction of a millisecond: fewer than this are not worth a thread.
const WORTH_A_THREAD: usize = 16;

impl Store {
    /// Reads a store; a missing file is an empty one.
    ///
    /// # Errors
    /// When the file cannot be read or is not what ipai writes; the error names the line.
    pub fn load(path: &Path) -> Result<Self, SecretsError> {
        let loaded = disk::read(path)
            .map_err(|source| SecretsError::Read { path: path.to_owned(), source })?;
        let document = Document::parse(loaded.as_deref().unwrap_or_default()).map_err(|flaw| {
            SecretsError::Malformed {
                path: path.to_owned(),
                line: flaw.line,
                message: flaw.message,
            }
        })?;
        Ok(Self { path: path.to_owned(), loaded, document })
    }

    /// Makes a new store for `recipients` and writes it.
    ///
    /// # Errors
    /// When there is a file already, or a recipient is none.
    pub fn init(
        path: &Path,
        recipients: &[String],
        entropy: Entropy<'_>,
    ) -> Result<Self, SecretsError> {
        let mut store = Self { path: path.to_owned(), loaded: None, document: Document::default() };
        let recipients = store.parse_recipients(recipients)?;
        store.document.put_recipients(recipients);
        store.add_fingerprint_key(entropy)?;
        match store.save() {
            Err(SecretsError::ChangedMeanwhile { path }) => Err(SecretsError::Exists { path }),
            other => other.map(|()| store),
        }
    }

    /// Where the store lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all secrets in the order of the file; ipai's own are left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks().map(|block| block.name.as_str())
    }

    /// Says whether there is a secret of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.blocks().any(|block| block.name == name)
    }

    /// How a secret was made, if the store knows.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.document.find(name).and_then(|block| block.kind)
    }

    /// The line in which a secret stands, counted from 1; nothing for one that was not read from the file.
    #[must_use]
    pub fn line(&self, name: &str) -> Option<usize> {
        self.document.find(name).map(|block| block.line).filter(|line| *line > 0)
    }

    /// The public keys that the store is encrypted to.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.document.recipients.iter().map(|recipient| recipient.key.as_str())
    }

    /// The secrets that are encrypted to other recipients than the file lists, ipai's own included:
    /// the list was edited by hand, or a merge brought together two branches. Setting the same
    /// recipients again mends it.
    pub fn stale(&self) -> impl Iterator<Item = &str> {
        let current = sealed_for(&self.document.recipients);
        let blocks = self.document.blocks.iter();
        blocks.filter(move |block| is_stale(block, &current)).map(|block| block.name.as_str())
    }

    /// Decrypts one secret.
    ///
    /// # Errors
    /// When there is none of this name, no identity opens it, or its text is damaged.
    pub fn decrypt(&self, name: &str, identities: &Identities) -> Result<Secret, SecretsError> {
        let block = self.document.find(name).ok_or_else(|| self.not_found(name))?;
        self.open(block, identities)
    }

    /// Decrypts all secrets, side by side when there are many; ipai's own are left out.
    ///
    /// # Errors
    /// Everything that is wrong, by name; but that no identity fits is said once.
    pub fn decrypt_all(
        &self,
        identities: &Identities,
    ) -> Result<BTreeMap<String, Secret>, Vec<SecretsError>> {
        let (mut secrets, mut errors) = (BTreeMap::new(), Vec::new());
        for (block, opened) in self.open_all(self.blocks().collect(), identities) {
            match opened {
                Ok(secret) => drop(secrets.insert(block.name.clone(), secret)),
                Err(error) => errors.push(error),
            }
        }
        let general = |error: &SecretsError| {
            matches!(error, SecretsError::WrongIdentity { .. } | SecretsError::NoIdentity { .. })
        };
        let mut said = false;
        errors.retain(|error| !general(error) || !std::mem::replace(&mut said, true));
        if errors.is_empty() { Ok(secrets) } else { Err(errors) }
    }

    /// The key for digests of secrets; `None` in a store that never held any.
    ///
    /// # Errors
    /// As [`Store::decrypt`], or when the key is not hex.
    pub fn fingerprint_key(
        &self,
        identities: &Identities,
    ) -> Result<Option<DigestKey>, SecretsError> {
        let Some(block) = self.document.find(FINGERPRINT_KEY) else { return Ok(None) };
        let bytes = generate::from_hex(self.open(block, identities)?.expose());
        let (path, line) = (self.path.clone(), block.line);
        let not_hex = || SecretsError::NotText { path, line, name: FINGERPRINT_KEY.to_owned() };
        bytes.map(DigestKey::new).map(Some).ok_or_else(not_hex)
    }

    /// Adds or changes a secret. No identity is needed: whoever can read the file can add to it. The
    /// first secret of a store brings the key for digests along, which `entropy` is for.
    ///
    /// # Errors
    /// When the name cannot be one, the value is empty, or there are no recipients.
    pub fn set(
        &mut self,
        name: &str,
        value: &Secret,
        kind: Option<Kind>,
        entropy: Entropy<'_>,
    ) -> Result<(), SecretsError> {
        self.check_name(name)?;
        if value.expose().is_empty() {
            return Err(SecretsError::Empty { name: name.to_owned() });
        }
        self.add_fingerprint_key(entropy)?;
        self.put(name, value, kind)
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// When there is none of this name, or ipai keeps it for itself.
    pub fn remove(&mut self, name: &str) -> Result<(), SecretsError> {
        self.check_name(name)?;
        if self.document.remove(name) { Ok(()) } else { Err(self.not_found(name)) }
    }

    /// Sets whom the store is encrypted to, and encrypts every value anew that is not yet encrypted
    /// to exactly those. On an error nothing has changed.
    ///
    /// # Errors
    /// When a recipient is none, the list is empty, or a value cannot be decrypted.
    pub fn set_recipients(
        &mut self,
        recipients: &[String],
        identities: &Identities,
    ) -> Result<RecipientsChange, SecretsError> {
        let wanted = self.parse_recipients(recipients)?;
        let current = sealed_for(&wanted);
        let stale: Vec<&Block> =
            self.document.blocks.iter().filter(|block| is_stale(block, &current)).collect();
        let resealed = stale.len();
        let mut document = self.document.clone();
        let (added, removed) = difference(&self.document.recipients, &wanted);
        if !(added.is_empty() && removed.is_empty()) {
            document.put_recipients(wanted);
        }
        for (block, opened) in self.open_all(stale, identities) {
            let value = encrypt(&document.recipients, &block.name, &opened?)?;
            document.put(&block.name, value, block.kind);
        }
        self.document = document;
        let still_opens =
            self.document.blocks.first().is_none_or(|block| self.open(block, identities).is_ok());
        Ok(RecipientsChange { added, removed, resealed, still_opens })
    }

    /// Writes the store, whole or not at all; nothing is written when nothing changed.
    ///
    /// # Errors
    /// When the file is not the one that was loaded, or cannot be written. It is as it was then.
    pub fn save(&mut self) -> Result<(), SecretsError> {
        let text = self.document.to_text();
        if self.loaded.as_deref().unwrap_or_default() == text {
            return Ok(());
        }
        disk::replace(&self.path, self.loaded.as_deref(), &text).map_err(|error| {
            let path = self.path.clone();
            match error {
                WriteError::Busy => SecretsError::Busy { path },
                WriteError::Changed => SecretsError::ChangedMeanwhile { path },
                WriteError::Io(source) => SecretsError::Write { path, source },
            }
        })?;
        self.loaded = Some(text);
        Ok(())
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.document.blocks.iter().filter(|block| block.name != FINGERPRINT_KEY)
    }

    fn not_found(&self, name: &str) -> SecretsError {
        SecretsError::NotFound { path: self.path.clone(), name: name.to_owned() }
    }

    fn check_name(&self, name: &str) -> Result<(), SecretsError> {
        match name {
            FINGERPRINT_KEY => Err(SecretsError::Reserved { name: name.to_owned() }),
            _ if is_name(name) => Ok(()),
            _ => Err(SecretsError::BadName { name: name.to_owned() }),
        }
    }

    fn add_fingerprint_key(&mut self, entropy: Entropy<'_>) -> Result<(), SecretsError> {
        if self.document.find(FINGERPRINT_KEY).is_some() {
            return Ok(());
        }
        self.put(FINGERPRINT_KEY, &generate::key(entropy)?, Some(Kind::Hex))
    }

    fn put(&mut self, name: &str, value: &Secret, kind: Option<Kind>) -> Result<(), SecretsError> {
        if self.document.recipients.is_empty() {
            return Err(SecretsError::NoRecipients { path: self.path.clone() });
        }
        let value = encrypt(&self.document.recipients, name, value)?;
        self.document.put(name, value, kind);
        Ok(())
    }

    /// Reads a list of recipients; one that is listed already keeps its comment.
    fn parse_recipients(&self, texts: &[String]) -> Result<Vec<Recipient>, SecretsError> {
        let mut recipients: Vec<Recipient> = Vec::with_capacity(texts.len());
        for text in texts {
            let mut recipient = Recipient::parse(text)?;
            let old = self.document.recipients.iter().find(|old| old.key == recipient.key);
            recipient.comment = recipient.comment.or(old.and_then(|old| old.comment.clone()));
            if recipients.iter().all(|other| other.key != recipient.key) {
                recipients.push(recipient);
            }
        }
        if recipients.is_empty() {
            return Err(SecretsError::NoRecipients { path: self.path.clone() });
        }
        Ok(recipients)
    }

    fn open(&self, block: &Block, identities: &Identities) -> Result<Secret, SecretsError> {
        let (path, line, name) = (self.path.clone(), block.line, block.name.clone());
        seal::open(&block.value, identities.keys()).map_err(|error| match error {
            OpenError::WrongIdentity => {
                identities.wrong_for(&path, self.recipients().map(str::to_owned).collect())
            }
            OpenError::Damaged(source) => SecretsError::Damaged { path, line, name, source },
            OpenError::NotText => SecretsError::NotText { path, line, name },
        })
    }

    /// Opens blocks on as many threads as are worth it; the answers come in the order asked.
    fn open_all<'a>(
        &self,
        blocks: Vec<&'a Block>,
        identities: &Identities,
    ) -> Vec<(&'a Block, Result<Secret, SecretsError>)> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = blocks.len().div_ceil(threads).max(WORTH_A_THREAD);
        let open_each = |blocks: &[&'a Block]| -> Vec<_> {
            blocks.iter().map(|block| (*block, self.open(block, identities))).collect()
        };
        if blocks.len() <= share {
            return open_each(&blocks);
        }
        thread::scope(|scope| {
            let shares: Vec<_> =
                blocks.chunks(share).map(|blocks| scope.spawn(move || open_each(blocks))).collect();
            shares
                .into_iter()
                .flat_map(|share| {
                    share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }
}

/// Shows where the store lives and what it holds, not the encrypted text.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

fn encrypt(recipients: &[Recipient], name: &str, value: &Secret) -> Result<String, SecretsError> {
    seal::seal(recipients, value)
        .map_err(|source| SecretsError::Encrypt { name: name.to_owned(), source: Box::new(source) })
}

fn is_stale(block: &Block, current: &str) -> bool {
    block.sealed_for.as_deref() != Some(current)
}

/// Who is in the second list alone, and who in the first alone.
fn difference(old: &[Recipient], new: &[Recipient]) -> (Vec<String>, Vec<String>) {
    let missing = |from: &[Recipient], other: &[Recipient]| {
        let absent = |key: &String| other.iter().all(|recipient| recipient.key != *key);
        from.iter().map(|recipient| recipient.key.clone()).filter(absent).collect()
    };
    (missing(new, old), missing(old, new))
}
