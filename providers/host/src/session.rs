//! A session on a host: one connection, one channel, one small program that stays, and one round
//! trip for each command after the first, which costs none of its own.

mod command;
mod error;
mod frame;
mod program;
mod quote;
mod recorded;

use std::hash::{BuildHasher as _, RandomState};

use tokio::time::{Instant, timeout_at};

pub use command::{Command, Output};
pub use error::SessionError;
pub use frame::FrameError;
pub use program::GREETING;
pub(crate) use program::needs_sudo;
pub use quote::quote;
pub(crate) use quote::{Part, fill};
pub use recorded::read_recorded;

use crate::ssh::{Backlog, Event, Line, SshError, Target};
use frame::{Answer, Decoder};

/// The most bytes that a script may say on standard output: 16 MiB.
pub const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// The most bytes of standard error that are kept, from its end: 64 KiB.
pub const MAX_ERROR: usize = 64 * 1024;

/// How much of the program's own complaints is kept for an error message, in bytes.
const MAX_TALK: usize = 2_000;

/// Whether the program is started through `sudo -n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sudo {
    /// When the login user is not root.
    #[default]
    Auto,
    /// Always, such as for another account with root's name.
    Always,
    /// Never; scripts run as the login user.
    Never,
}

/// An open session. Dropping it cuts the connection at once; [`Session::close`] is the polite way.
#[derive(Debug)]
pub struct Session {
    target: Target,
    sudo: Sudo,
    line: Line,
    /// The command whose answer has not come yet; still set when its future was dropped.
    waiting_for: Option<&'static str>,
    /// What the program itself said on standard error.
    talk: String,
    nonces: Nonces,
}

impl Session {
    /// Connects, starts the program and runs the first command with it, in one channel and one exec.
    ///
    /// The command's limit counts from when the connection stands; connecting has limits of its own.
    pub async fn open(
        target: &Target,
        sudo: Sudo,
        first: &Command,
    ) -> Result<(Self, Output), SessionError> {
        refuse_nul(first)?;
        let mut nonces = Nonces::default();
        let nonce = nonces.next();
        let through_sudo = program::needs_sudo(sudo, &target.user);
        let opening = program::opening(first, &nonce, through_sudo);
        let line =
            Line::open(target, opening.text, opening.stdin).await.map_err(SessionError::Connect)?;
        let mut session = Self {
            target: target.clone(),
            sudo,
            line,
            waiting_for: None,
            talk: String::new(),
            nonces,
        };
        let output = session.answer(first, nonce).await?;
        Ok((session, output))
    }

    /// Runs one command: one round trip and the script's own time.
    ///
    /// When this future is dropped before it is ready, the session is out of step and every later
    /// call says so; open it again.
    pub async fn run(&mut self, command: &Command) -> Result<Output, SessionError> {
        refuse_nul(command)?;
        if let Some(earlier) = self.waiting_for {
            return Err(SessionError::OutOfStep { at: self.target.at(), earlier });
        }
        let nonce = self.nonces.next();
        self.line.send(frame::request(command, &nonce));
        self.answer(command, nonce).await
    }

    /// Opens a new connection in place of this one and runs a first command on it.
    pub async fn reopen(&mut self, first: &Command) -> Result<Output, SessionError> {
        let (session, output) = Self::open(&self.target, self.sudo, first).await?;
        *self = session;
        Ok(output)
    }

    /// Lets the program end and waits for that, so that it has cleaned up behind itself.
    pub async fn close(mut self, limit: std::time::Duration) {
        self.line.finish();
        let until = Instant::now() + limit;
        while let Ok(Some(Event::Stdout(_) | Event::Stderr(_))) =
            timeout_at(until, self.line.next()).await
        {}
    }

    /// How much of what was sent is still here.
    pub(crate) fn backlog(&self) -> Backlog {
        self.line.backlog().clone()
    }

    /// The host that this session is on.
    pub fn target(&self) -> &Target {
        &self.target
    }

    async fn answer(&mut self, command: &Command, nonce: String) -> Result<Output, SessionError> {
        let begun = Instant::now();
        let result = self.hear(command, nonce).await;
        self.tell(command, begun, &result);
        result
    }

    /// Tells of a command and its answer: its name, and never its script, its input or what it said.
    fn tell(&self, command: &Command, begun: Instant, result: &Result<Output, SessionError>) {
        let (host, name) = (self.target.at(), command.name);
        let sent = command.script.len() + command.stdin.len();
        let ms = begun.elapsed().as_millis();
        match result {
            Ok(Output { stdout, exit, .. }) => {
                let bytes = stdout.len();
                tracing::debug!(target: "ipai::ssh", host, name, exit, ms, sent, bytes, "exec");
            }
            Err(_) => {
                tracing::debug!(target: "ipai::ssh", host, name, ms, sent, lost = true, "exec")
            }
        }
    }

    async fn hear(&mut self, command: &Command, nonce: String) -> Result<Output, SessionError> {
        self.waiting_for = Some(command.name);
        let until = Instant::now() + command.limit;
        let answer =
            timeout_at(until, self.decode(command.name, nonce)).await.map_err(|_| {
                SessionError::TimedOut {
                    at: self.target.at(),
                    name: command.name,
                    limit: command.limit,
                }
            })??;
        self.waiting_for = None;
        if let Some(size) = answer.too_large {
            let (at, name) = (self.target.at(), command.name);
            return Err(SessionError::OutputTooLarge { at, name, size });
        }
        let stderr = String::from_utf8_lossy(&answer.stderr).into_owned();
        Ok(Output { stdout: answer.stdout, stderr, exit: answer.exit })
    }

    async fn decode(&mut self, name: &'static str, nonce: String) -> Result<Answer, SessionError> {
        let mut decoder = Decoder::new(nonce);
        loop {
            match self.line.next().await {
                Some(Event::Stdout(piece)) => {
                    let answer = decoder.feed(&piece).map_err(|source| SessionError::Protocol {
                        at: self.target.at(),
                        name,
                        source,
                    })?;
                    if let Some(answer) = answer {
                        return Ok(answer);
                    }
                }
                Some(Event::Stderr(piece)) => self.note(&piece),
                Some(Event::Ended(exit)) => return Err(self.ended(name, exit)),
                Some(Event::Failed(SshError::Lost { detail, .. })) => {
                    return Err(self.lost(name, detail));
                }
                Some(Event::Failed(error)) => return Err(self.lost(name, error.to_string())),
                None => return Err(self.lost(name, "it had ended before".to_owned())),
            }
        }
    }

    fn note(&mut self, piece: &[u8]) {
        if self.talk.len() < MAX_TALK {
            let piece = &piece[..piece.len().min(MAX_TALK)];
            self.talk.push_str(&String::from_utf8_lossy(piece));
        }
    }

    fn ended(&self, during: &'static str, exit: i32) -> SessionError {
        let talk = self.talk.trim();
        if let Some(detail) = talk.lines().find_map(|line| line.strip_prefix("sudo: ")) {
            let (at, user) = (self.target.at(), self.target.user.clone());
            return SessionError::SudoRefused { at, user, detail: detail.to_owned() };
        }
        let said = if talk.is_empty() { "it said nothing" } else { talk };
        self.lost(during, format!("the program on the host ended with code {exit}: {said}"))
    }

    fn lost(&self, during: &'static str, detail: String) -> SessionError {
        SessionError::ConnectionLost { at: self.target.at(), during, detail }
    }
}

fn refuse_nul(command: &Command) -> Result<(), SessionError> {
    match command.script.contains('\0') {
        true => Err(SessionError::NotAScript { name: command.name }),
        false => Ok(()),
    }
}

/// Words that no earlier output can hold: the process's random hash keys, and a count.
#[derive(Debug, Default)]
struct Nonces {
    keys: RandomState,
    count: u64,
}

impl Nonces {
    fn next(&mut self) -> String {
        self.count += 1;
        format!("{:016x}", self.keys.hash_one(self.count))
    }
}
