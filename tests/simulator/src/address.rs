//! Which loopback address plays a droplet's public one.

use std::net::Ipv4Addr;

/// How many addresses a world hands out before it starts again.
const POOL: u32 = 50_000;

/// Returns the address number `index` after `first`, leaving out those whose last part is 0 or
/// 255, which some programs take for a network's own.
pub(crate) fn nth(first: Ipv4Addr, index: u32) -> Ipv4Addr {
    let [_, second, third, fourth] = first.octets();
    let start = u32::from(second) * 256 * 254
        + u32::from(third) * 254
        + u32::from(fourth.clamp(1, 254) - 1);
    let place = start + index;
    let byte = |value: u32| u8::try_from(value % 256).unwrap_or(0);
    Ipv4Addr::new(127, byte(place / (254 * 256)), byte(place / 254), byte(place % 254 + 1))
}

/// Chooses an address that is not taken: number `wanted`, or the first free one after it.
pub(crate) fn free(first: Ipv4Addr, wanted: u32, taken: &[Ipv4Addr]) -> Option<Ipv4Addr> {
    (0..POOL)
        .map(|step| nth(first, (wanted + step) % POOL))
        .find(|address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Ipv4Addr = Ipv4Addr::new(127, 16, 0, 1);

    #[test]
    fn leaves_out_addresses_that_look_like_a_network() {
        assert_eq!(nth(FIRST, 0), FIRST);
        assert_eq!(nth(FIRST, 253), Ipv4Addr::new(127, 16, 0, 254));
        assert_eq!(nth(FIRST, 254), Ipv4Addr::new(127, 16, 1, 1));
        assert_eq!(nth(FIRST, 254 * 256), Ipv4Addr::new(127, 17, 0, 1));
    }

    #[test]
    fn skips_what_is_taken() {
        assert_eq!(free(FIRST, 0, &[FIRST]), Some(Ipv4Addr::new(127, 16, 0, 2)));
    }
}
