//! `peers`: a [`crate::table`] from the addresses of a tunnel to the index in `vteps`.
//!
//! Over IPv6 the 64 bits of a key are a fingerprint, and the packet path compares the whole
//! addresses with the VTEP's entry. The writer finds two tunnels with one fingerprint; what arrives
//! by the second is left to the kernel.
//!
//! A vxlan device without a local address takes what is for any address of this box: a VTEP of such a
//! device has an entry for each, of which only the remote address is compared.

use core::net::Ipv4Addr;

use crate::flow_hash::mix;

/// Number of buckets.
pub const BUCKETS: u32 = crate::table::buckets_for::<crate::table::Narrow>(super::vteps::MAX);

// A target is the index and nothing else.
const _: () = assert!(super::fits(super::vteps::MAX, u16::BITS));

/// Where IPv4 keys have the first octet of the local address; no host has the address 255.x.x.x
/// (RFC 1112 §4), so keys of the two families are never the same.
const IPV6: u64 = (u32::from_ne_bytes([0xff, 0, 0, 0]) as u64) << 32;

/// Key of a tunnel from `remote_be` to `local_be`, both in network byte order. Never 0, because no
/// tunnel ends at 0.0.0.0.
#[inline(always)]
#[must_use]
pub const fn key(local_be: u32, remote_be: u32) -> u64 {
    (local_be as u64) << 32 | remote_be as u64
}

/// Key of a tunnel between IPv6 addresses, whose halves are as they stand in a packet. Never 0.
#[inline(always)]
#[must_use]
pub const fn key6(local: [u64; 2], remote: [u64; 2]) -> u64 {
    // The table mixes again.
    let h = mix(local[0] ^ local[1].rotate_left(32)).wrapping_add(remote[0]);
    mix(h) ^ remote[1] | IPV6
}

/// Local and remote address of a key over IPv4; `None` for a fingerprint.
#[must_use]
pub const fn addresses(key: u64) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if key & IPV6 == IPV6 {
        return None;
    }
    let [local, remote] = [(key >> 32) as u32, key as u32];
    Some((Ipv4Addr::from_bits(u32::from_be(local)), Ipv4Addr::from_bits(u32::from_be(remote))))
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::collections::HashSet;

    #[test]
    fn addresses_that_count_up_have_keys_of_their_own() {
        let prefix = 0x2001_0db8_0000_0000_u64.to_be();
        let loopback = |n: u64| [prefix, n.to_be()];
        let subnet = |n: u64| [prefix | n.to_be(), 1_u64.to_be()];
        let keys: HashSet<u64> = (1..20_000)
            .flat_map(|n| {
                [
                    key6(loopback(0), loopback(n)),
                    key6(subnet(n), loopback(0)),
                    key6(loopback(7), subnet(n)),
                ]
            })
            .collect();
        assert_eq!(keys.len(), 3 * 19_999);
    }

    #[test]
    fn keys_of_the_two_families_differ() {
        for n in 0..1_000_u32 {
            let key6 = key6([n.into(), 0], [0, n.into()]);
            let [first, ..] = ((key6 >> 32) as u32).to_ne_bytes();
            assert_eq!(first, 255);
            assert_eq!(addresses(key6), None);
        }
        for [local, remote] in [[[10, 0, 0, 1], [10, 0, 0, 2]], [[1, 255, 255, 255], [255; 4]]] {
            let key = key(u32::from_ne_bytes(local), u32::from_ne_bytes(remote));
            assert_eq!(addresses(key), Some((local.into(), remote.into())));
        }
    }
}
