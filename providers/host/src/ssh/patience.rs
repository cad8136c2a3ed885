//! Asking a server again that closes connections before its greeting.
//!
//! That is how OpenSSH answers when too many connections are opening at once (`MaxStartups`), as on every host that the
//! internet scans, and when it holds an address for an attacker's (`PerSourcePenalties`, since 9.8). Nothing was said in
//! either direction, and both pass by themselves.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::link::timespec;
use super::{SshError, Target};

/// The pause before the second try; each one after it is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(4);

/// Repeats `attempt` while it is turned away, within the target's limit.
pub(super) fn ask<T>(
    target: &Target,
    wake: UnixStream,
    attempt: impl Fn(UnixStream) -> Result<T, SshError>,
) -> Result<T, SshError> {
    let end = Instant::now() + target.limits.turned_away;
    let mut pause = FIRST;
    loop {
        let handle = wake.try_clone();
        let handle = handle.map_err(|source| SshError::Unreachable { at: target.at(), source })?;
        match attempt(handle) {
            Err(SshError::TurnedAway { .. }) if Instant::now() + pause < end => {}
            other => return other,
        }
        rest(&wake, pause)?;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Waits, unless whoever asked for the connection has gone.
fn rest(wake: &UnixStream, pause: Duration) -> Result<(), SshError> {
    let end = Instant::now() + pause;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // Bytes that wait there are for the session to come; only the other side's end is looked for.
        let mut ready = [PollFd::new(wake, PollFlags::empty())];
        match poll(&mut ready, Some(&timespec(left))) {
            Ok(_) if ready[0].revents().contains(PollFlags::HUP) => {
                return Err(SshError::Abandoned);
            }
            Err(rustix::io::Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}
