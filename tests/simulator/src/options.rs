//! What a caller may choose about a simulator.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Clock;
use crate::seam::Hosts;

/// How a simulator starts.
#[derive(Clone)]
pub struct Options {
    /// Where the world is kept, as `world.json`; `None` keeps it in memory only.
    pub folder: Option<PathBuf>,
    /// The HTTP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The port at which every host's SSH listens on its own address; 0 picks a free one.
    pub ssh_port: u16,
    /// Who plays the machines; with `None` droplets become active and nothing answers there.
    pub hosts: Option<Arc<dyn Hosts>>,
    /// How late things happen.
    pub pace: Pace,
    /// How many requests are let through, and how many objects.
    pub limits: Limits,
    /// Where times come from.
    pub clock: Clock,
    /// Names of the Cloudflare zones to be there from the start.
    pub zones: Vec<String>,
    /// The first droplet address; later droplets count up from it. Lies in 127.0.0.0/8.
    pub first_address: Ipv4Addr,
    /// Hands a deleted droplet's address to the next one, as a cloud sometimes does.
    pub reuse_addresses: bool,
    /// Keeps the bodies of all exchanges in the log. They hold secrets: for tests.
    pub record_bodies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            folder: None,
            port: 0,
            ssh_port: 0,
            hosts: None,
            pace: Pace::prompt(),
            limits: Limits::default(),
            clock: Clock::System,
            zones: Vec::new(),
            first_address: Ipv4Addr::new(127, 16, 0, 1),
            reuse_addresses: false,
            record_bodies: false,
        }
    }
}

/// How late things happen, counted in the requests that could have shown them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Lists that leave a new droplet out.
    pub list_lag: u32,
    /// GETs of a new droplet that answer 404.
    pub get_lag: u32,
    /// Reads (of a droplet, of droplets, or of the action) until a create is done.
    pub active_after: u32,
    /// Further reads of an active droplet until its addresses show.
    pub address_lag: u32,
    /// Reads of a droplet that do not show a new tag yet.
    pub tag_lag: u32,
    /// Reads until any other action is done.
    pub action_polls: u32,
    /// Reads that still show a deleted droplet.
    pub delete_lag: u32,
    /// GETs of a new SSH key that answer 404, and as many droplet creates that do not know it.
    pub key_lag: u32,
    /// Reads of a firewall until its status leaves `waiting`.
    pub firewall_lag: u32,
    /// Reads of a volume that still show it attached after its droplet was deleted.
    pub detach_lag: u32,
    /// Creates that fail because a conflicting DNS record, deleted already, lingers.
    pub dns_linger: u32,
    /// Shows a volume's file system only in the answer to its creation.
    pub filesystem_fades: bool,
    /// Turns orders round that nobody promised: addresses, firewall rules, tags, records.
    pub shuffle: bool,
}

impl Pace {
    /// As late as teaches a client to wait, and no later: for the sandbox.
    pub fn prompt() -> Self {
        Pace {
            list_lag: 1,
            get_lag: 0,
            active_after: 2,
            address_lag: 1,
            tag_lag: 1,
            action_polls: 1,
            delete_lag: 1,
            key_lag: 0,
            firewall_lag: 1,
            detach_lag: 0,
            dns_linger: 0,
            filesystem_fades: false,
            shuffle: false,
        }
    }

    /// Everything late at once, and in the order least expected: for tests.
    pub fn nasty() -> Self {
        Pace {
            list_lag: 3,
            get_lag: 2,
            active_after: 4,
            address_lag: 2,
            tag_lag: 3,
            action_polls: 3,
            delete_lag: 3,
            key_lag: 2,
            firewall_lag: 3,
            detach_lag: 2,
            dns_linger: 2,
            filesystem_fades: true,
            shuffle: true,
        }
    }

    /// Nothing late: what was asked for is there at the next read.
    pub fn instant() -> Self {
        Pace {
            list_lag: 0,
            get_lag: 0,
            active_after: 0,
            address_lag: 0,
            tag_lag: 0,
            action_polls: 0,
            delete_lag: 0,
            key_lag: 0,
            firewall_lag: 0,
            detach_lag: 0,
            dns_linger: 0,
            filesystem_fades: false,
            shuffle: false,
        }
    }
}

/// The vendors' limits; the default is what they publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// DigitalOcean requests per token and hour.
    pub hourly: u32,
    /// DigitalOcean requests per token and minute.
    pub minutely: u32,
    /// DigitalOcean calls of the SSH key list per token and minute.
    pub key_lists: u32,
    /// Cloudflare requests per token and five minutes; then all are blocked for five minutes.
    pub five_minutely: u32,
    /// Droplets in the account.
    pub droplets: usize,
    /// DNS records in a zone.
    pub records: usize,
    /// DNS record changes in one batch.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            hourly: 5000,
            minutely: 250,
            key_lists: 10,
            five_minutely: 1200,
            droplets: 100,
            records: 200,
            batch: 200,
        }
    }
}

impl Limits {
    /// No limits, for tests of something else.
    pub fn none() -> Self {
        Limits {
            hourly: u32::MAX,
            minutely: u32::MAX,
            key_lists: u32::MAX,
            five_minutely: u32::MAX,
            droplets: usize::MAX,
            records: usize::MAX,
            batch: usize::MAX,
        }
    }
}
