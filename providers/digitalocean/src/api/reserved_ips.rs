//! Reserved addresses: what the API shows of them, and the requests about them.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::objects::Region;
use super::pages::Listed;
use super::requests::{Change, Get};

/// A reserved address.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReservedIp {
    pub(crate) ip: Ipv4Addr,
    #[serde(default)]
    pub(crate) region: Option<Region>,
    /// The droplet that it leads to.
    #[serde(default)]
    pub(crate) droplet: Option<Holder>,
    /// An event holds it.
    #[serde(default)]
    pub(crate) locked: bool,
}

/// A droplet, as far as an address needs it: it may be one that the rest of the API shows otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Holder {
    pub(crate) id: u64,
}

impl ReservedIp {
    /// The number of the droplet that it leads to.
    pub(crate) fn leads_to(&self) -> Option<u64> {
        self.droplet.map(|droplet| droplet.id)
    }

    /// The slug of its region.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_ref().map(|region| region.slug.as_str())
    }
}

impl Listed for ReservedIp {
    const KEY: &'static str = "reserved_ips";
    fn key(&self) -> String {
        self.ip.to_string()
    }
}

impl Get {
    /// All reserved addresses.
    pub(crate) fn reserved_ips() -> Self {
        Self::new("/v2/reserved_ips", "list the reserved IPs", "reserved_ip:read")
    }

    /// One reserved address.
    pub(crate) fn reserved_ip(ip: Ipv4Addr) -> Self {
        let path = format!("/v2/reserved_ips/{ip}");
        Self::new(path, format!("look at the reserved IP {ip}"), "reserved_ip:read")
    }
}

impl Change {
    /// Reserves an address for a droplet.
    pub(crate) fn reserve_for(droplet: u64) -> Self {
        let attempt = format!("reserve an IP for droplet {droplet}");
        let body = json!({ "droplet_id": droplet });
        Self::post("/v2/reserved_ips".into(), body, attempt, "reserved_ip:create")
    }

    /// Starts an action on a reserved address, such as `{"type": "unassign"}`.
    pub(crate) fn reserved_ip_action(ip: Ipv4Addr, body: Json) -> Self {
        let attempt = format!("{} the reserved IP {ip}", body["type"].as_str().unwrap_or_default());
        let path = format!("/v2/reserved_ips/{ip}/actions");
        Self::post(path, body, attempt, "reserved_ip:update")
    }

    /// Gives a reserved address back, for good.
    pub(crate) fn release_ip(ip: Ipv4Addr) -> Self {
        let path = format!("/v2/reserved_ips/{ip}");
        Self::delete(path, None, format!("release the reserved IP {ip}"), "reserved_ip:delete")
    }
}
