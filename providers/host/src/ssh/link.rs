//! One TCP connection driven without blocking: every wait is ours, has an end, and can be called off.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use ssh2::{BlockDirections, ErrorCode, Session};

use super::time_limit::TimeLimit;

/// libssh2's `LIBSSH2_ERROR_EAGAIN`.
const WOULD_BLOCK: ErrorCode = ErrorCode::Session(-37);

/// Tells whether libssh2 reports that the peer is gone: no banner (-2), a failed send (-7), an
/// orderly or abrupt end of the socket (-13, -43).
pub(super) fn hung_up(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-2 | -7 | -13 | -43))
}

/// A session, a second handle on its socket, and the end of a socket pair that wakes its thread.
pub(super) struct Link {
    pub(super) session: Session,
    socket: Socket,
    wake: UnixStream,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub(super) enum Stop {
    /// libssh2 says no.
    Failed(ssh2::Error),
    /// The time is up.
    Overdue,
    /// The other side of the wake pair is gone: nobody waits for the result.
    Abandoned,
    /// The wait itself failed.
    Poll(io::Error),
}

impl Link {
    /// Takes a connected socket. The session is non-blocking from here to its end, because
    /// dropping a blocking one waits for a peer that may be gone.
    pub(super) fn new(socket: Socket, wake: UnixStream) -> io::Result<Self> {
        wake.set_nonblocking(true)?;
        let mut session = Session::new()?;
        session.set_tcp_stream(socket.try_clone()?);
        session.set_blocking(false);
        Ok(Self { session, socket, wake })
    }

    /// Cuts the link when the time is up, whatever goes on, unless the limit is dropped before.
    pub(super) fn limit(&self, time: Duration) -> io::Result<TimeLimit> {
        TimeLimit::set(&self.socket, time)
    }

    /// Repeats a step until it no longer would block.
    pub(super) fn until<T>(
        &mut self,
        deadline: Instant,
        mut step: impl FnMut(&mut Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Stop> {
        loop {
            match step(&mut self.session) {
                Ok(value) => return Ok(value),
                Err(error) if error.code() == WOULD_BLOCK => self.wait(Some(deadline))?,
                Err(error) => return Err(Stop::Failed(error)),
            }
        }
    }

    /// Waits until the socket is ready, or somebody wakes the thread, or the deadline passes.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Stop> {
        self.acknowledge_quickly();
        let limit = match deadline {
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                Some(left) => Some(timespec(left)),
                None => return Err(Stop::Overdue),
            },
            None => None,
        };
        let mut interest = PollFlags::IN;
        if self.blocked_outbound() {
            interest |= PollFlags::OUT;
        }
        let mut ready =
            [PollFd::new(&self.socket, interest), PollFd::new(&self.wake, PollFlags::IN)];
        match poll(&mut ready, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Stop::Poll(error.into())),
        }
        let woken = !ready[1].revents().is_empty();
        if woken { self.drain_wake() } else { Ok(()) }
    }

    /// Waits until this socket or another one is ready, however long that takes.
    pub(super) fn wait_beside(&self, other: &UnixStream, interest: PollFlags) -> io::Result<()> {
        self.acknowledge_quickly();
        let mut own = PollFlags::IN;
        if self.blocked_outbound() {
            own |= PollFlags::OUT;
        }
        let mut ready = [PollFd::new(&self.socket, own), PollFd::new(other, interest)];
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells whether the last step stopped because the socket takes no more bytes for now.
    pub(super) fn blocked_outbound(&self) -> bool {
        let directions = self.session.block_directions();
        matches!(directions, BlockDirections::Outbound | BlockDirections::Both)
    }

    fn drain_wake(&mut self) -> Result<(), Stop> {
        let mut bytes = [0; 64];
        loop {
            match self.wake.read(&mut bytes) {
                Ok(0) => return Err(Stop::Abandoned),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Poll(error)),
            }
        }
    }

    /// After authentication the server's Nagle holds small answers back until we acknowledge, and
    /// the kernel delays that by some 40 ms. The option does not stick, so it is set before each wait.
    fn acknowledge_quickly(&self) {
        #[cfg(target_os = "linux")]
        // A socket that refuses is slower, not wrong.
        let _ = self.socket.set_tcp_quickack(true);
    }
}

impl Drop for Link {
    /// Says goodbye if the socket takes it at once, then cuts, so that nothing below can wait.
    fn drop(&mut self) {
        let _ = self.session.disconnect(None, "done", None);
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
