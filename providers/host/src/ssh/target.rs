//! Where to connect, whom to trust there, and who we are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Fingerprint;

/// One host and everything that a connection to it needs; nothing is read from the environment.
#[derive(Clone, Debug)]
pub struct Target {
    /// An IP address or a name to resolve.
    pub address: String,
    /// The TCP port of the SSH server.
    pub port: u16,
    /// The login name.
    pub user: String,
    /// Which host keys are accepted.
    pub pin: HostKeyPin,
    /// What to authenticate with, in this order.
    pub identities: Vec<Identity>,
    /// Asked for the passphrase of an encrypted identity file.
    pub passphrase: Option<Passphrase>,
    /// How long each phase may take.
    pub limits: Limits,
    /// The bastion through which the host is reached, which may have one before it in turn.
    pub via: Option<Box<Target>>,
}

impl Target {
    /// Returns `address:port` for messages, with brackets around IPv6 addresses.
    pub fn at(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }
}

/// Which host keys are accepted. There is deliberately no variant that accepts any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeyPin {
    /// The host must show an ed25519 key with one of these fingerprints (ipai makes such keys).
    Fingerprints(Vec<Fingerprint>),
    /// The host must show a key that one of these OpenSSH `known_hosts` files lists for it.
    ///
    /// The files are only read. A file that does not exist counts as empty.
    KnownHosts(Vec<PathBuf>),
}

/// One thing to authenticate with.
#[derive(Clone)]
pub enum Identity {
    /// Every key of the ssh-agent that listens on this socket.
    Agent(PathBuf),
    /// Those keys of the agent on this socket whose public halves are in these files: `FILE.pub` beside a private
    /// key, or the private key's own.
    AgentKeys {
        /// The agent's socket.
        socket: PathBuf,
        /// Private key files.
        files: Vec<PathBuf>,
    },
    /// A private key file in OpenSSH or PEM form.
    File(PathBuf),
    /// An unencrypted private key held in memory.
    Key {
        /// What messages call it.
        label: String,
        /// The private key, in OpenSSH or PEM form.
        text: Arc<Zeroizing<String>>,
    },
}

impl Identity {
    /// Lists the agent, when there is one, before the files.
    pub fn agent_then_files(agent: Option<PathBuf>, files: Vec<PathBuf>) -> Vec<Self> {
        agent.map(Self::Agent).into_iter().chain(files.into_iter().map(Self::File)).collect()
    }

    /// Holds a private key in memory.
    pub fn key(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Key { label: label.into(), text: Arc::new(Zeroizing::new(text.into())) }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(socket) => write!(f, "Agent({})", socket.display()),
            Self::AgentKeys { socket, files } => {
                write!(f, "AgentKeys({}, {files:?})", socket.display())
            }
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Key { label, .. } => write!(f, "Key({label})"),
        }
    }
}

type Ask = dyn Fn(&Path) -> Option<Zeroizing<String>> + Send + Sync;

/// Asks somebody for the passphrase of an identity file; `None` means that there is none to be had.
///
/// It is called on the connection's own thread and may block there.
#[derive(Clone)]
pub struct Passphrase(Arc<Ask>);

impl Passphrase {
    /// Wraps the function that asks.
    pub fn new(ask: impl Fn(&Path) -> Option<Zeroizing<String>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self, path: &Path) -> Option<Zeroizing<String>> {
        (self.0)(path)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// How long each phase of a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Resolving the name and opening the TCP connection, for all its addresses together.
    pub connect: Duration,
    /// How long a server is asked again that closes connections before its greeting; with zero, once.
    pub turned_away: Duration,
    /// The server's greeting and the key exchange, until its key can be checked. Nobody types anything here.
    pub exchange: Duration,
    /// Key exchange and authentication together, an agent's confirmation included.
    pub login: Duration,
    /// How long bytes may stay unacknowledged before the link counts as cut.
    pub dead_link: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            turned_away: Duration::from_secs(25),
            exchange: Duration::from_secs(8),
            login: Duration::from_secs(30),
            dead_link: Duration::from_secs(15),
        }
    }
}
