//! An end to what libssh2 does without coming back: a peer that never stops sending keeps it inside one call, where no
//! deadline of ours is looked at.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use socket2::Socket;

/// Shuts a socket when its time is up, unless this is dropped before.
pub(super) struct TimeLimit {
    over: Arc<AtomicBool>,
    _wanted: Sender<()>,
}

impl TimeLimit {
    /// From now on.
    pub(super) fn set(socket: &Socket, time: Duration) -> io::Result<Self> {
        let (socket, over) = (socket.try_clone()?, Arc::<AtomicBool>::default());
        let (wanted, dropped) = channel::<()>();
        let tell = over.clone();
        thread::Builder::new().name("ssh time limit".to_owned()).spawn(move || {
            if dropped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                tell.store(true, Ordering::SeqCst);
                // One that has ended by itself needs no end.
                let _ = socket.shutdown(Shutdown::Both);
            }
        })?;
        Ok(Self { over, _wanted: wanted })
    }

    /// Tells whether the time was up.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
