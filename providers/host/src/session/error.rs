//! What can go wrong with a command on a host.

use std::fmt;
use std::time::Duration;

use super::MAX_OUTPUT;
use super::frame::FrameError;
use crate::ssh::SshError;

/// Why a command has no output to show. `name` and `during` are the command's name.
#[derive(Debug)]
pub enum SessionError {
    /// There is no connection to run it on.
    Connect(SshError),
    /// The connection or the program on the host ended while the command ran, or while nothing did.
    /// The command may go on on the host. Opening again is possible.
    ConnectionLost { at: String, during: &'static str, detail: String },
    /// The login user may not become root without a password.
    SudoRefused { at: String, user: String, detail: String },
    /// The command took longer than its own limit. It may go on on the host.
    TimedOut { at: String, name: &'static str, limit: Duration },
    /// The command said more than an answer may hold. The session stays usable.
    OutputTooLarge { at: String, name: &'static str, size: u64 },
    /// The host's answer makes no sense.
    Protocol { at: String, name: &'static str, source: FrameError },
    /// An earlier command was abandoned half-way, so its answer would be taken for this one's.
    OutOfStep { at: String, earlier: &'static str },
    /// The script holds a NUL byte, which no shell can read.
    NotAScript { name: &'static str },
}

impl SessionError {
    /// Tells whether opening the session again can help.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::ConnectionLost { .. } | Self::TimedOut { .. } | Self::OutOfStep { .. })
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => fmt::Display::fmt(error, f),
            Self::ConnectionLost { at, during, detail } => write!(
                f,
                "{at}: connection lost during `{during}` ({detail}); the command may have been carried out"
            ),
            Self::SudoRefused { at, user, detail } => write!(
                f,
                "{at}: user {user} may not become root without a password ({detail}); \
                 log in as root, or allow it with `{user} ALL=(ALL) NOPASSWD:ALL` in /etc/sudoers.d"
            ),
            Self::TimedOut { at, name, limit } => write!(
                f,
                "{at}: `{name}` took longer than {} s; it may still be running there",
                limit.as_secs_f32()
            ),
            Self::OutputTooLarge { at, name, size } => {
                write!(f, "{at}: `{name}` said {size} bytes, more than the {MAX_OUTPUT} allowed")
            }
            Self::Protocol { at, name, source } => write!(f, "{at}: `{name}`: {source}"),
            Self::OutOfStep { at, earlier } => write!(
                f,
                "{at}: the session was left in the middle of `{earlier}` and must be opened again"
            ),
            Self::NotAScript { name } => write!(f, "the script of `{name}` holds a NUL byte"),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            _ => None,
        }
    }
}
