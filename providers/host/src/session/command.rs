//! Commands and their outputs as values, to be compared in tests without any host.

use std::fmt;
use std::time::Duration;

/// One script to run on a host.
///
/// It runs as root with `sh` (dash or bash) from `/`, with `set -u`, umask 077 and `LC_ALL=C`, and
/// without positional parameters. A secret belongs into `stdin`: the first script of a session is
/// visible in the host's process list. The input may be cut short with the link, so a script that
/// acts on all of it must check that all of it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// What people are told is going on.
    pub name: &'static str,
    /// POSIX shell text.
    pub script: String,
    /// What the script may read; it need not.
    pub stdin: Vec<u8>,
    /// How long it may take until its answer is here, its input's way included.
    pub limit: Duration,
}

impl Command {
    /// Makes a command without input.
    pub fn new(name: &'static str, script: impl Into<String>, limit: Duration) -> Self {
        Self { name, script: script.into(), stdin: Vec::new(), limit }
    }

    /// Gives it input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }
}

impl fmt::Debug for Command {
    /// Leaves the input out: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("script", &self.script)
            .field("stdin", &format_args!("{} bytes", self.stdin.len()))
            .field("limit", &self.limit)
            .finish()
    }
}

/// What a script said, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, as it was.
    pub stdout: Vec<u8>,
    /// The last part of standard error, at most [`super::MAX_ERROR`] bytes, made readable.
    pub stderr: String,
    /// The exit code.
    pub exit: i32,
}

impl Output {
    /// Tells whether the script ended with 0.
    pub fn succeeded(&self) -> bool {
        self.exit == 0
    }

    /// Reads standard output as text, with anything else than UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
