//! A droplet's addresses.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::state::{Droplet, State};
use crate::address;
use crate::world::Cx;

/// Where reserved addresses begin: far from the droplets' own.
const FIRST_RESERVED: Ipv4Addr = Ipv4Addr::new(127, 200, 0, 1);

/// Chooses a new droplet's address: by its number, so that the same story gives the same address.
pub(super) fn allocate(cx: &Cx<'_>, id: u64) -> Option<Ipv4Addr> {
    let taken: Vec<Ipv4Addr> =
        cx.world.digitalocean.droplets.values().filter(|d| d.public).map(|d| d.address).collect();
    let number = u32::try_from(id % 50_000).unwrap_or(0);
    let origin = u32::try_from(3_164_001_u64 % 50_000).unwrap_or(0);
    let wanted = match cx.setup.reuse_addresses {
        true => 0,
        false => (number + 50_000 - origin) % 50_000,
    };
    address::free(cx.setup.first_address, wanted, &taken)
}

/// Chooses a new reserved address.
pub(super) fn reserve(state: &mut State) -> Ipv4Addr {
    let number = u32::try_from(state.next("reserved_ip") - 1).unwrap_or(0);
    address::nth(FIRST_RESERVED, number % 50_000)
}

/// The addresses as answers show them. The private one comes first, because nothing promises
/// that it does not; a reserved address is one more public entry.
pub(super) fn render(cx: &Cx<'_>, droplet: &Droplet, shown: bool) -> Value {
    if !shown {
        return json!({"v4": [], "v6": []});
    }
    let mut v4 = vec![json!({
        "ip_address": private(droplet.id), "netmask": "255.255.0.0", "gateway": "10.110.0.1",
        "type": "private",
    })];
    if droplet.public {
        v4.push(public(droplet.address));
    }
    let reserved = cx.world.digitalocean.reserved_ips.iter();
    v4.extend(reserved.filter(|r| r.droplet == Some(droplet.id)).map(|r| public(r.ip)));
    if cx.setup.pace.shuffle {
        v4.reverse();
    }
    let v6 = if droplet.ipv6 && droplet.public { vec![sixth(droplet.id)] } else { Vec::new() };
    json!({"v4": v4, "v6": v6})
}

fn public(address: Ipv4Addr) -> Value {
    let [first, second, third, _] = address.octets();
    json!({
        "ip_address": address, "netmask": "255.255.255.0",
        "gateway": Ipv4Addr::new(first, second, third, 1), "type": "public",
    })
}

fn private(id: u64) -> Ipv4Addr {
    let byte = |value: u64| u8::try_from(value % 254 + 1).unwrap_or(1);
    Ipv4Addr::new(10, 110, byte(id / 254), byte(id))
}

fn sixth(id: u64) -> Value {
    json!({
        "ip_address": format!("2001:db8::{:x}:{:x}", (id >> 16) & 0xffff, id & 0xffff),
        "netmask": 64, "gateway": "2001:db8::1", "type": "public",
    })
}
