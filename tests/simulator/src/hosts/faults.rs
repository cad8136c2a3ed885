//! What a test can break about a host, and what it can count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How one host misbehaves. The default is a healthy host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFaults {
    /// Nothing listens: connections are refused by the kernel.
    pub refuse_connections: bool,
    /// No key is good enough.
    pub refuse_auth: bool,
    /// The host proves itself with a key that it made for this occasion.
    pub other_host_key: bool,
    /// The connection breaks when this many bytes of standard input have reached a program.
    /// Happens once; the fault is then gone.
    pub cut_after_stdin: Option<u64>,
    /// The connection breaks when this many bytes of output have been sent. Happens once.
    pub cut_after_output: Option<u64>,
    /// How long the host thinks before it starts a program.
    pub delay: Duration,
    /// How long each packet of standard input takes: a slow way to the host.
    pub slow_input: Duration,
}

/// What a host has seen since it was first booted by this process.
#[derive(Debug, Default)]
pub struct Counters {
    /// TCP connections that were accepted.
    pub connections: AtomicU64,
    /// Keys that clients offered: what comes first after the key exchange of who believes the host.
    pub offers: AtomicU64,
    /// Logins that succeeded.
    pub auths: AtomicU64,
    /// Session channels that were opened.
    pub channels: AtomicU64,
    /// Programs that were started; refused commands do not count.
    pub execs: AtomicU64,
    /// Bytes of standard input that reached programs.
    pub stdin: AtomicU64,
}

impl Counters {
    /// Returns connections, logins, channels and programs, in this order.
    pub fn all(&self) -> [u64; 4] {
        [&self.connections, &self.auths, &self.channels, &self.execs]
            .map(|counter| counter.load(Ordering::Relaxed))
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
