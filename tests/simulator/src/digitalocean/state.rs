//! What exists in the account.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::uuid;

/// The account's objects, and the counters that ids come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    ids: BTreeMap<String, u64>,
    pub(crate) droplets: BTreeMap<u64, Droplet>,
    pub(crate) actions: BTreeMap<u64, Action>,
    /// Every tag there is, in its first spelling.
    pub(crate) tags: Vec<String>,
    pub(crate) keys: BTreeMap<u64, Key>,
    pub(crate) firewalls: Vec<Firewall>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) reserved_ips: Vec<ReservedIp>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// Droplets destroyed together with what belonged to them, as the vendor reports it.
    pub(crate) destroyed: BTreeMap<u64, Value>,
}

/// A droplet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Droplet {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) size: String,
    /// The disk in GiB: a size's, but it never shrinks.
    pub(crate) disk: u64,
    /// An id or a slug, as sent.
    pub(crate) image: Value,
    pub(crate) status: Status,
    pub(crate) created_at: String,
    pub(crate) tags: Vec<String>,
    pub(crate) address: Ipv4Addr,
    pub(crate) public: bool,
    pub(crate) ipv6: bool,
    pub(crate) backups: bool,
    pub(crate) monitoring: bool,
    pub(crate) vpc: String,
    pub(crate) user_data: Option<String>,
    /// The public keys named at creation, in OpenSSH form.
    pub(crate) keys: Vec<String>,
    /// The action that holds the droplet.
    pub(crate) event: Option<u64>,
    pub(crate) late: Late,
    /// Reads that will still show the droplet although it was deleted.
    pub(crate) leaving: Option<u32>,
}

/// What a droplet's reads do not show yet, in reads left.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Late {
    pub(crate) list: u32,
    pub(crate) get: u32,
    pub(crate) address: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, u32>,
}

/// A droplet's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    New,
    Active,
    Off,
}

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) id: u64,
    /// As the answer names it, which is not always as it was sent.
    pub(crate) kind: String,
    pub(crate) started_at: String,
    pub(crate) completed_at: Option<String>,
    pub(crate) on: Subject,
    pub(crate) region: String,
    /// Reads left until it is done.
    pub(crate) left: u32,
    /// What happens when it is done.
    pub(crate) then: Then,
}

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Droplet(u64),
    Volume { id: String, droplet: Option<u64> },
    ReservedIp { ip: Ipv4Addr, droplet: Option<u64> },
}

/// What an action does when it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    Nothing,
    Boot,
    PowerOff,
    Rename(String),
    Resize { size: String, disk: bool },
    Rebuild(Value),
    Snapshot(String),
    EnableIpv6,
    Backups(bool),
    Attach(Vec<String>),
    Detach,
    Grow(u64),
    Assign,
    Unassign,
}

/// An SSH key of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) public_key: String,
    pub(crate) fingerprint: String,
    /// GETs that will not find it yet.
    pub(crate) late: u32,
    /// Droplet creates that will not know it yet.
    pub(crate) unknown: u32,
}

/// A firewall.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Firewall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) inbound: Vec<Value>,
    pub(crate) outbound: Vec<Value>,
    pub(crate) droplets: Vec<u64>,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: String,
    /// Reads until its changes have reached the droplets.
    pub(crate) left: u32,
    /// The changes on their way: droplet, and whether it leaves.
    pub(crate) changes: Vec<(u64, bool)>,
}

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) size: u64,
    pub(crate) description: String,
    pub(crate) filesystem_type: String,
    pub(crate) filesystem_label: String,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: String,
    pub(crate) droplet: Option<u64>,
    /// A droplet that is gone and still shows here, and for how many reads.
    pub(crate) ghost: Option<(u64, u32)>,
}

/// A reserved address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReservedIp {
    pub(crate) ip: Ipv4Addr,
    pub(crate) region: String,
    pub(crate) droplet: Option<u64>,
    /// The action that holds it.
    pub(crate) event: Option<u64>,
}

/// A snapshot of a droplet (its id is a number) or of a volume (a UUID).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) of_volume: bool,
    pub(crate) resource: String,
    pub(crate) region: String,
    pub(crate) min_disk_size: u64,
    pub(crate) distribution: String,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: String,
}

impl State {
    /// Draws the next id of a kind. Each kind has its own stream, so that a new object of one
    /// kind does not stir the others' ids.
    pub(crate) fn next(&mut self, kind: &str) -> u64 {
        let first = match kind {
            "droplet" => 3_164_000,
            "action" => 36_804_000,
            "key" => 512_000,
            "snapshot" => 6_372_000,
            _ => 0,
        };
        let number = self.ids.entry(kind.to_owned()).or_insert(first);
        *number += 1;
        *number
    }

    /// Draws the next UUID of a kind.
    pub(crate) fn next_uuid(&mut self, kind: &str) -> String {
        let number = self.next(kind);
        uuid(kind, number)
    }
}
