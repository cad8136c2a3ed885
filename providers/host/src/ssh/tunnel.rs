//! Through a bastion: a channel of its session carries the bytes of another session, and a thread moves them.
//!
//! libssh2 wants a socket, so the inner session gets one end of a pair. Neither end ever blocks: a session that waits
//! while the other has something to say would wait for itself.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use rustix::event::PollFlags;
use socket2::Socket;

use super::connect::{connect, stopped};
use super::link::{Link, Stop, hung_up};
use super::{SshError, Target};

const DOING: &str = "the way through a bastion";

/// How many bytes wait in each direction at most.
const PIECE: usize = 64 * 1024;

/// Connects to the bastion, checks its key, logs in, and opens the way to `target` from there.
pub(super) fn open(bastion: &Target, target: &Target) -> Result<Socket, SshError> {
    let lost = |error: io::Error| SshError::Lost {
        at: target.at(),
        doing: DOING,
        detail: error.to_string(),
    };
    let (kept, wake) = UnixStream::pair().map_err(lost)?;
    let (inner, outer) = UnixStream::pair().map_err(lost)?;
    inner.set_nonblocking(true).map_err(lost)?;
    outer.set_nonblocking(true).map_err(lost)?;
    let on_the_way = |source| SshError::Bastion { at: target.at(), source: Box::new(source) };
    let mut link = connect(bastion, wake).map_err(on_the_way)?;
    let deadline = Instant::now() + target.limits.connect;
    let channel = link
        .until(deadline, |s| s.channel_direct_tcpip(&target.address, target.port, None))
        .map_err(|stop| not_through(bastion, target, stop))?;
    let pump = Pump { channel, link, inner, _kept: kept, up: Half::new(), down: Half::new() };
    thread::Builder::new()
        .name(format!("ssh via {}", bastion.at()))
        .spawn(move || pump.run())
        .map_err(lost)?;
    Ok(Socket::from(OwnedFd::from(outer)))
}

fn not_through(bastion: &Target, target: &Target, stop: Stop) -> SshError {
    match stop {
        Stop::Failed(error) if !hung_up(&error) => {
            let detail = format!("{} (its sshd must allow TCP forwarding there)", error.message());
            SshError::NotThrough { at: target.at(), via: bastion.at(), detail }
        }
        stop => {
            let source = Box::new(stopped(bastion, DOING, target.limits.connect, stop));
            SshError::Bastion { at: target.at(), source }
        }
    }
}

/// The thread's belongings. Whatever ends it closes the pair, which ends the inner session.
struct Pump {
    // Dropped before the link: freeing it sends a close message, which must find the session.
    channel: ssh2::Channel,
    link: Link,
    inner: UnixStream,
    /// The bastion's link counts as abandoned when this end is gone.
    _kept: UnixStream,
    /// From the inner session to the bastion.
    up: Half,
    /// From the bastion to the inner session.
    down: Half,
}

impl Pump {
    fn run(mut self) {
        // An error is the end of the way, which the inner session notices by itself.
        while let Ok(moved) = self.turn() {
            if !moved && self.wait().is_err() {
                return;
            }
        }
    }

    /// Moves what can be moved at once; tells whether anything was.
    fn turn(&mut self) -> io::Result<bool> {
        let filled = self.up.fill(&mut self.inner)?;
        let sent = self.up.drain(&mut self.channel)?;
        // Every call into libssh2 may take packets in, so reading comes last.
        let taken = self.down.fill_unless_ended(&mut self.channel)?;
        let given = self.down.drain(&mut self.inner)?;
        if !taken && self.down.is_empty() && self.channel.eof() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(filled || sent || taken || given)
    }

    fn wait(&self) -> io::Result<()> {
        let mut interest = PollFlags::empty();
        if self.up.is_empty() {
            interest |= PollFlags::IN;
        }
        if !self.down.is_empty() {
            interest |= PollFlags::OUT;
        }
        self.link.wait_beside(&self.inner, interest)
    }
}

/// Bytes on their way in one direction. What was offered to libssh2 and not taken is offered again unchanged.
struct Half {
    bytes: Vec<u8>,
    gone: usize,
}

impl Half {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(PIECE), gone: 0 }
    }

    fn is_empty(&self) -> bool {
        self.gone == self.bytes.len()
    }

    /// Reads more once everything has gone; the end of the source is an error.
    fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        match self.read(source)? {
            Some(0) => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read.is_some()),
        }
    }

    /// The same for a channel, which reads nothing although it has not ended.
    fn fill_unless_ended(&mut self, source: &mut impl Read) -> io::Result<bool> {
        Ok(self.read(source)?.is_some_and(|length| length > 0))
    }

    fn read(&mut self, source: &mut impl Read) -> io::Result<Option<usize>> {
        if !self.is_empty() {
            return Ok(None);
        }
        self.gone = 0;
        self.bytes.resize(PIECE, 0);
        let result = ready(source.read(&mut self.bytes));
        let length = result.as_ref().ok().copied().flatten().unwrap_or(0);
        self.bytes.truncate(length);
        result
    }

    fn drain(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let taken = ready(sink.write(&self.bytes[self.gone..]))?.unwrap_or(0);
        self.gone += taken;
        Ok(taken > 0)
    }
}

/// Tells "not now" from what really happened.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(length) => Ok(Some(length)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
