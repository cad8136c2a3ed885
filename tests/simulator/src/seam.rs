//! The seam between the cloud half and the half that plays hosts.
//!
//! The cloud decides when a droplet exists, is active, or is gone; whoever implements [`Hosts`]
//! makes something answer SSH at its address meanwhile.

use std::io;
use std::net::Ipv4Addr;

pub use ipai_core::BoxFuture;

/// Everything a host learns from its cloud at first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The droplet's id.
    pub id: u64,
    /// The droplet's name, which becomes the hostname.
    pub name: String,
    /// The loopback address at which the host answers.
    pub address: Ipv4Addr,
    /// The droplet's user-data, as it was sent.
    pub user_data: Option<String>,
    /// The account's public keys that were named at creation, in OpenSSH form.
    pub account_keys: Vec<String>,
}

/// Plays the droplets' machines.
pub trait Hosts: Send + Sync {
    /// Starts a host: its droplet turned active, or was active when the simulator started.
    /// Booting a host that runs already is fine and changes nothing.
    fn boot(&self, boot: Boot) -> BoxFuture<'_, io::Result<()>>;

    /// Powers a host off: it stops answering and keeps its files.
    fn halt(&self, id: u64) -> BoxFuture<'_, io::Result<()>>;

    /// Destroys a host: it stops answering and its files are gone.
    fn delete(&self, id: u64) -> BoxFuture<'_, io::Result<()>>;

    /// Tells whether hosts go on when the simulator stops. Those that cannot are halted then.
    fn outlive(&self) -> bool {
        false
    }
}
