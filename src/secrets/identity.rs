//! The private keys at hand, looked for where sops looks, so that one key serves both tools.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::ssh::Recipient as SshRecipient;
use zeroize::Zeroizing;

use super::disk::{self, WriteError};
use super::error::SecretsError;
use crate::printed::{self, Bounds};

/// What the surroundings say: environment variables by name. The program hands in its own, a test
/// what it likes.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Private keys that may open a store, and where they came from.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Key>,
    origins: Vec<String>,
    looked_at: Vec<String>,
    warnings: Vec<String>,
}

enum Key {
    X25519(age::x25519::Identity),
    Ssh(age::ssh::Identity),
}

/// The most that is read of a key file or a command's answer; a real one has a few hundred bytes.
const LONGEST: u64 = 1 << 16;
const SSH_VARIABLE: &str = "SOPS_AGE_SSH_PRIVATE_KEY_FILE";

impl<'a> Environment<'a> {
    /// Reads variables through `variable`, which gives `None` for those that are not set.
    #[must_use]
    pub fn new(variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { variable }
    }

    /// A variable; set to nothing counts as not set.
    fn get(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl Identities {
    /// Collects every identity that can be found. All of them are tried, as sops does:
    /// `SOPS_AGE_SSH_PRIVATE_KEY_FILE` or else `~/.ssh/id_ed25519`, `SOPS_AGE_KEY`,
    /// `SOPS_AGE_KEY_FILE`, the output of `SOPS_AGE_KEY_CMD` (words, no shell) and
    /// `$XDG_CONFIG_HOME/sops/age/keys.txt` (<https://getsops.io/docs/usage/identities/age>).
    ///
    /// Finding none is no error here: a stack without stored secrets needs none. Call this only when
    /// something is to be decrypted, because the command may ask a person.
    ///
    /// # Errors
    /// When a place that a variable names cannot be used, or a file of age keys is malformed.
    pub fn discover(environment: &Environment<'_>) -> Result<Self, SecretsError> {
        let mut found = Self::default();
        found.add_ssh(environment)?;
        found.looked_at.push("SOPS_AGE_KEY".to_owned());
        if let Some(text) = environment.text("SOPS_AGE_KEY") {
            found.add_text(&Zeroizing::new(text), "SOPS_AGE_KEY")?;
        }
        found.looked_at.push("SOPS_AGE_KEY_FILE".to_owned());
        if let Some(path) = environment.path("SOPS_AGE_KEY_FILE") {
            found.add_file(&path)?;
        }
        found.looked_at.push("SOPS_AGE_KEY_CMD".to_owned());
        if let Some(command) = environment.text("SOPS_AGE_KEY_CMD") {
            found.add_text(&run(&command)?, "SOPS_AGE_KEY_CMD")?;
        }
        if let Some(path) = default_identity_path(environment) {
            found.looked_at.push(path.display().to_string());
            if path.exists() && environment.path("SOPS_AGE_KEY_FILE").as_ref() != Some(&path) {
                found.add_file(&path)?;
            }
        }
        Ok(found)
    }

    /// Reads the age keys in `text`: one to a line, `#` begins a comment. `origin` says where the
    /// text comes from.
    ///
    /// # Errors
    /// When a line is no `AGE-SECRET-KEY-1…`, or there is none.
    pub fn from_text(text: &str, origin: &str) -> Result<Self, SecretsError> {
        let mut identities = Self::default();
        identities.add_text(text, origin)?;
        Ok(identities)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The public halves, as they would be listed in a store.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.keys.iter().filter_map(Key::recipient).collect()
    }

    /// What was passed over or is kept carelessly, for the user to know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| match key {
            Key::X25519(key) => key as &dyn age::Identity,
            Key::Ssh(key) => key as &dyn age::Identity,
        })
    }

    /// The error for a store that none of these opens.
    pub(super) fn wrong_for(&self, path: &Path, recipients: Vec<String>) -> SecretsError {
        if self.keys.is_empty() {
            return SecretsError::NoIdentity { looked_at: self.looked_at.clone() };
        }
        let mut origins = self.origins.clone();
        origins.dedup();
        SecretsError::WrongIdentity {
            path: path.to_owned(),
            origins,
            own: self.recipients(),
            recipients,
        }
    }

    fn add(&mut self, key: Key, origin: &str) {
        self.keys.push(key);
        self.origins.push(origin.to_owned());
    }

    fn add_text(&mut self, text: &str, origin: &str) -> Result<(), SecretsError> {
        let before = self.keys.len();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("AGE-PLUGIN-") {
                self.warnings.push(format!("{origin}: keys of age plugins are passed over"));
                continue;
            }
            // The reason that the parser gives is left out with the line: both are about a key.
            let key = line.parse::<age::x25519::Identity>().map_err(|_| {
                bad(origin, format!("line {} is no age key (`AGE-SECRET-KEY-1…`)", index + 1))
            })?;
            self.add(Key::X25519(key), origin);
        }
        if self.keys.len() == before {
            return Err(bad(origin, "holds no age key (`AGE-SECRET-KEY-1…`)".to_owned()));
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SecretsError> {
        let text = read(path).map_err(|source| unreadable(path, source))?;
        let origin = path.display().to_string();
        if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            self.warnings
                .push(format!("{origin} is open to other users; run `chmod 600 {origin}`"));
        }
        self.add_text(&text, &origin)
    }

    /// Adds the SSH key: a named one must be usable, the default one is passed over when it is not.
    fn add_ssh(&mut self, environment: &Environment<'_>) -> Result<(), SecretsError> {
        let named = environment.path(SSH_VARIABLE);
        let required = named.is_some();
        let default = || environment.path("HOME").map(|home| home.join(".ssh/id_ed25519"));
        let Some(path) = named.or_else(default) else { return Ok(()) };
        let origin = path.display().to_string();
        self.looked_at.push(origin.clone());
        if !required && !path.exists() {
            return Ok(());
        }
        match ssh_key(&path) {
            Ok(key) => self.add(Key::Ssh(key), &origin),
            Err(error) if required => return Err(error),
            Err(error) => self.warnings.push(format!("passed over as an identity: {error}")),
        }
        Ok(())
    }
}

/// Shows where the keys come from and nothing of them.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("origins", &self.origins).finish_non_exhaustive()
    }
}

impl Key {
    fn recipient(&self) -> Option<String> {
        match self {
            Self::X25519(key) => Some(key.to_public().to_string()),
            Self::Ssh(key) => SshRecipient::try_from(key.clone()).ok().map(|key| key.to_string()),
        }
    }
}

/// Where sops, and so ipai, expects age keys: `$XDG_CONFIG_HOME/sops/age/keys.txt`, by default below
/// `~/.config`. `None` when not even a home is known.
#[must_use]
pub fn default_identity_path(environment: &Environment<'_>) -> Option<PathBuf> {
    let configured = environment.path("XDG_CONFIG_HOME");
    let folder =
        configured.or_else(|| environment.path("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("sops/age/keys.txt"))
}

/// Makes a new age identity and keeps it in a file for its owner alone; gives the public key.
///
/// # Errors
/// When the file exists, because overwriting a key loses all that was encrypted to it, or cannot be
/// written.
pub fn create_identity_file(path: &Path) -> Result<String, SecretsError> {
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let private = identity.to_string();
    let text = Zeroizing::new(format!("# public key: {public}\n{}\n", private.expose_secret()));
    disk::create_private(path, text.as_bytes()).map_err(|error| {
        let path = path.to_owned();
        match error {
            WriteError::Busy => SecretsError::Busy { path },
            WriteError::Changed => SecretsError::Exists { path },
            WriteError::Io(source) => SecretsError::Write { path, source },
        }
    })?;
    Ok(public)
}

fn ssh_key(path: &Path) -> Result<age::ssh::Identity, SecretsError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let origin = path.display().to_string();
    let key = age::ssh::Identity::from_buffer(BufReader::new(file.take(LONGEST)), None)
        .map_err(|_| bad(&origin, "is no SSH private key".to_owned()))?;
    let ed25519 = matches!(SshRecipient::try_from(key.clone()), Ok(SshRecipient::SshEd25519(..)));
    let problem = match key {
        age::ssh::Identity::Unencrypted(_) if ed25519 => return Ok(key),
        age::ssh::Identity::Encrypted(_) if ed25519 => "is protected by a passphrase",
        _ => "is not an ed25519 key",
    };
    Err(bad(&origin, problem.to_owned()))
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > LONGEST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "too long for a file of keys"));
    }
    // Room for all of it at once, so that no reallocation leaves a copy of a key behind; a pipe
    // says 0 and gets the most.
    let room = if size == 0 { LONGEST } else { size + 1 };
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(room).unwrap_or_default()));
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Runs a command for its output. Its words are split at blanks, quotes hold words together; what it
/// says on standard error goes to the user, what it prints is a key and goes nowhere else.
fn run(command: &str) -> Result<Zeroizing<String>, SecretsError> {
    let origin = "SOPS_AGE_KEY_CMD";
    let words = words(command).ok_or_else(|| bad(origin, "a quote is not closed".to_owned()))?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(bad(origin, "names no command".to_owned()));
    };
    let bounds = Bounds { size: 1 << 16, ..Bounds::default() };
    printed::by(program, arguments, None, bounds)
        .map_err(|why| bad(origin, format!("`{program}` {why}")))
}

/// Splits a command at blanks; `'…'` and `"…"` hold together. `None` when a quote is left open.
#[must_use]
pub fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn bad(origin: &str, problem: String) -> SecretsError {
    SecretsError::BadIdentity { origin: origin.to_owned(), problem }
}

fn unreadable(path: &Path, source: io::Error) -> SecretsError {
    SecretsError::Read { path: path.to_owned(), source }
}
