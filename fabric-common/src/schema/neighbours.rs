//! `neighbours`: IP neighbours in bridge domains whose ARP and neighbour discovery are answered (RFC 9161), and
//! `answers`, a [`crate::table`] from the fingerprint of (network, address) to an index in it.
//!
//! The table's keys have 64 bits. Of two addresses with one fingerprint the writer enters the first, and the
//! packet path compares the whole address.

use bytemuck::{Pod, Zeroable};

use super::{domains, fits};
use crate::{
    flow_hash::mix,
    table::{Narrow, buckets_for},
};

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 65_536;
/// Buckets of `answers`.
pub const BUCKETS: u32 = buckets_for::<Narrow>(MAX);

// Indexes are the table's targets, and the domain stands in the network.
const _: () = assert!(fits(MAX, u16::BITS) && fits(domains::MAX, u16::BITS));

/// The neighbour is a router (`NTF_ROUTER`). In the bits of [`Neighbour::mac_and_flags`] above the MAC address.
pub const FLAG_ROUTER: u64 = 1 << 48;

/// An IP neighbour.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Neighbour {
    /// The address: halves as they stand in a packet, for IPv4 [`ipv4`].
    pub address: [u64; 2],
    /// MAC address as [`super::fdb::mac_number`] gives it (48 bits), 0 if there is none that the kernel would
    /// use now; above it `FLAG_` constants. One word, of which a reader sees all or nothing change.
    pub mac_and_flags: u64,
    /// See [`network`]; 0 marks a free entry.
    pub network: u64,
}

super::map_value!(Neighbour, 32);

/// A domain (index above 0) and a family.
#[inline(always)]
#[must_use]
pub const fn network(domain: u16, v6: bool) -> u64 {
    (v6 as u64) << 16 | domain as u64
}

/// Domain and whether it is IPv6, of a [`network`].
#[must_use]
pub const fn split_network(network: u64) -> (u16, bool) {
    (network as u16, network >> 16 & 1 != 0)
}

/// An IPv4 address, which is given as it stands in a packet.
#[inline(always)]
#[must_use]
pub const fn ipv4(address_be: u32) -> [u64; 2] {
    [address_be as u64, 0]
}

/// MAC address of [`Neighbour::mac_and_flags`], 0 for none.
#[inline(always)]
#[must_use]
pub const fn mac(mac_and_flags: u64) -> u64 {
    mac_and_flags & 0xffff_ffff_ffff
}

/// Fingerprint of an address in a network. Never 0.
#[inline(always)]
#[must_use]
pub const fn key(network: u64, address: [u64; 2]) -> u64 {
    // The table mixes again.
    let key = (mix(address[0] ^ network << 40) ^ address[1]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if key == 0 { 1 } else { key }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_network_is_a_domain_and_a_family() {
        for domain in [1, 77, domains::MAX as u16 - 1] {
            for v6 in [false, true] {
                assert_eq!(split_network(network(domain, v6)), (domain, v6));
            }
        }
    }

    #[test]
    fn neighbouring_addresses_and_domains_have_fingerprints_of_their_own() {
        let mut seen = BTreeSet::new();
        for domain in 1..=64 {
            for host in 0..1_024_u32 {
                let four = ipv4((0x0a00_0000 | host).to_be());
                let six = [0xfd00_u64.swap_bytes(), u64::from(host).to_be()];
                assert!(seen.insert(key(network(domain, false), four)), "{domain} {host}");
                assert!(seen.insert(key(network(domain, true), six)), "{domain} {host}");
            }
        }
    }
}
