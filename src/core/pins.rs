//! The host keys that a home may prove itself with, and how a key moves: one provider keeps the pins, another knows the
//! host, and neither knows the other.

use crate::BoxFuture;
use crate::address::{Address, StackId};
use crate::live::Outputs;
use crate::provider::{Events, RemoteError};

/// Keeps the pins of homes where everybody who works on the stack sees them.
pub trait Pins: Send + Sync {
    /// Accepts one more key, by its SHA-256 fingerprint in hex. It is seen by others when this is done.
    fn accept<'a>(&'a self, home: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), RemoteError>>;
    /// Accepts this key and no other. `home` is the provider's own id.
    fn accept_only<'a>(
        &'a self,
        home: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), RemoteError>>;
}

/// A home whose key is to be replaced by one that the host makes itself.
#[derive(Clone, Copy)]
pub struct Renewal<'a> {
    /// Which stack works on it.
    pub stack: &'a StackId,
    /// Which home.
    pub home: &'a Address,
    /// Its outputs: `id`, its address, the accepted keys, and those that travelled.
    pub outputs: &'a Outputs,
    /// Who keeps its pins.
    pub pins: &'a dyn Pins,
    /// Where the news goes.
    pub events: &'a dyn Events,
}

/// Gives hosts keys of their own.
pub trait HostKeys: Send + Sync {
    /// Replaces the key that came from outside. Killed anywhere, old and new key are both accepted, and the same call
    /// goes on from there.
    fn renew<'a>(&'a self, renewal: Renewal<'a>) -> BoxFuture<'a, Result<(), RemoteError>>;
}
