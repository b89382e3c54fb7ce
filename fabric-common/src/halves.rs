//! IPv6 addresses as the two words that the maps have: their halves as they stand in a packet.

use core::net::Ipv6Addr;

/// The halves of an address.
#[must_use]
pub const fn of(address: Ipv6Addr) -> [u64; 2] {
    let bits = address.to_bits();
    [((bits >> 64) as u64).to_be(), (bits as u64).to_be()]
}

/// The address of two halves.
#[must_use]
pub const fn address(halves: [u64; 2]) -> Ipv6Addr {
    let [high, low] = [u64::from_be(halves[0]), u64::from_be(halves[1])];
    Ipv6Addr::from_bits((high as u128) << 64 | low as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_stand_in_memory_as_in_a_packet() {
        let one: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 0xfffe);
        let [high, low] = of(one);
        assert_eq!([high.to_ne_bytes(), low.to_ne_bytes()].as_flattened(), one.octets());
        assert_eq!(address([high, low]), one);
    }
}
