//! DigitalOcean: droplets, volumes, reserved addresses and firewalls.
//!
//! What exists is recognised by its marker: a droplet or volume by tags, a firewall by name, a reserved address by a tag that
//! claims it. [`DigitalOceanObserver`] reads and
//! has nothing to write with; [`DigitalOceanExecutor`] carries out planned actions.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod droplet;
mod execute;
mod firewall;
mod marker;
mod observe;
mod offers;
mod probe;
mod reserved_ip;
mod settings;
mod snapshots;
mod volume;

use ipai_core::ResourceType;

pub use droplet::{Birth, DropletType};
pub use execute::{BirthMaker, DigitalOceanExecutor};
pub use firewall::FirewallType;
pub use observe::{DigitalOceanObserver, Reading, read_recorded};
pub use probe::DigitalOceanProbe;
pub use reserved_ip::ReservedIpType;
pub use settings::{DEFAULT_BASE_URL, Jitter, Limits, Settings};
pub use snapshots::DigitalOceanSnapshots;
pub use volume::VolumeType;

/// The provider's name, the first part of its addresses.
pub const PROVIDER: &str = "digitalocean";

/// The types of this provider, in the order in which their objects are created.
#[must_use]
pub fn types() -> Vec<Box<dyn ResourceType>> {
    vec![
        Box::new(DropletType),
        Box::new(VolumeType),
        Box::new(ReservedIpType),
        Box::new(FirewallType),
    ]
}
