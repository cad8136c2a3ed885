//! One SSH channel, moved a step at a time by its thread.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use super::connect::stopped;
use super::line::{Event, Order};
use super::link::{Link, Stop, hung_up};
use super::{SshError, Target};

const DOING: &str = "a command";

/// libssh2's default windows: 2 MiB may be on their way to us, in packets of 32 KiB.
const PIECE: usize = 32 * 1024;

/// Stream numbers; the second is SSH_EXTENDED_DATA_STDERR (RFC 4254, section 5.2).
const STDOUT: i32 = 0;
const STDERR: i32 = 1;

pub(super) struct Channel<'t> {
    target: &'t Target,
    // Dropped before the link: freeing it sends a close message, which must find the session.
    channel: ssh2::Channel,
    link: Link,
}

/// What one step achieved.
pub(super) enum Turn {
    Read(Event),
    Moved,
    Ended(i32),
    Idle,
}

impl<'t> Channel<'t> {
    /// Opens the channel and has the command started: two round trips.
    pub(super) fn open(target: &'t Target, mut link: Link, text: &str) -> Result<Self, SshError> {
        let deadline = Instant::now() + target.limits.login;
        let failed = |stop| match stop {
            Stop::Failed(error) if !hung_up(&error) => {
                SshError::ChannelRefused { at: target.at(), detail: error.message().to_owned() }
            }
            stop => stopped(target, "the start of a command", target.limits.login, stop),
        };
        let mut channel =
            link.until(deadline, |session| session.channel_session()).map_err(failed)?;
        link.until(deadline, |_| channel.exec(text)).map_err(failed)?;
        Ok(Self { target, channel, link })
    }

    /// Does the first of: read, write, end. Does not wait.
    ///
    /// Every call into libssh2 may take in packets for all the others, after which the socket is
    /// quiet although there is something to read. So writing comes last (it sees the newest window),
    /// and the turn is idle only when nothing is left unread.
    pub(super) fn turn(&mut self, pending: &mut VecDeque<Order>) -> Result<Turn, SshError> {
        if let Some(event) = self.read(STDOUT)? {
            return Ok(Turn::Read(event));
        }
        if let Some(event) = self.read(STDERR)? {
            return Ok(Turn::Read(event));
        }
        if self.write(pending)? {
            return Ok(Turn::Moved);
        }
        // While the socket takes nothing, a read may fail for want of a window message: then wait.
        if self.channel.read_window().available > 0 && !self.link.blocked_outbound() {
            return Ok(Turn::Moved);
        }
        if self.channel.eof() { self.end() } else { Ok(Turn::Idle) }
    }

    fn read(&mut self, stream: i32) -> Result<Option<Event>, SshError> {
        let mut piece = vec![0; PIECE];
        match self.channel.stream(stream).read(&mut piece) {
            Ok(0) => Ok(None),
            Ok(length) => {
                piece.truncate(length);
                let event = if stream == STDERR { Event::Stderr } else { Event::Stdout };
                Ok(Some(event(piece)))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.lost(error.to_string())),
        }
    }

    /// Waits for the socket or for an order, however long that takes; a dead link ends it.
    pub(super) fn wait(&mut self) -> Result<(), SshError> {
        let limit = self.target.limits.dead_link;
        self.link.wait(None).map_err(|stop| stopped(self.target, DOING, limit, stop))
    }

    /// libssh2 wants a write that would block repeated with the very same bytes, so the front of
    /// the queue stays where it is until all of it has gone.
    fn write(&mut self, pending: &mut VecDeque<Order>) -> Result<bool, SshError> {
        let outcome = match pending.front_mut() {
            None => return Ok(false),
            Some(Order::Write(input)) => self.channel.write(input.rest()).map(|length| {
                input.advance(length);
                (length, input.rest().is_empty())
            }),
            Some(Order::Eof) => self.channel.send_eof().map(|()| (0, true)).map_err(Into::into),
        };
        match outcome {
            Ok((_, true)) => {
                pending.pop_front();
                Ok(true)
            }
            Ok((length, false)) => Ok(length > 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            // The command no longer reads, or has ended: what it still says comes by reading.
            Err(_) if self.channel.eof() => {
                pending.clear();
                Ok(false)
            }
            Err(error) => Err(self.lost(error.to_string())),
        }
    }

    /// The exit status comes after the end of output and before the close, so wait for the close.
    fn end(&mut self) -> Result<Turn, SshError> {
        match self.channel.wait_close() {
            Ok(()) => {}
            Err(error) if error.code() == ssh2::ErrorCode::Session(-37) => return Ok(Turn::Idle),
            Err(error) => return Err(self.lost(error.message().to_owned())),
        }
        let signal = self.channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
        match signal {
            Some(_) => Ok(Turn::Ended(128)),
            None => Ok(Turn::Ended(self.channel.exit_status().unwrap_or(128))),
        }
    }

    fn lost(&self, detail: String) -> SshError {
        SshError::Lost { at: self.target.at(), doing: DOING, detail }
    }
}
