//! `vnis`: a [`crate::table`] from (UDP port, VNI, family of the underlay) to the index in `domains`.
//!
//! The kernel has a socket for each family, and a vxlan device belongs to one of them: two devices may
//! have one VNI and one port.

use super::{domains, fits};
use crate::table::{Narrow, buckets_for};

/// Number of buckets.
pub const BUCKETS: u32 = buckets_for::<Narrow>(domains::MAX);

// A target is the index and nothing else.
const _: () = assert!(fits(domains::MAX, u16::BITS));

/// Above the port, where IPv4 has nothing to add.
const IPV6: u64 = 1 << 40;

/// Key of a VNI (24 bits) on a UDP port in network byte order. Never 0, because no tunnel has
/// port 0.
#[inline(always)]
#[must_use]
pub const fn key(udp_port_be: u16, vni: u32, ipv6: bool) -> u64 {
    let family = if ipv6 { IPV6 } else { 0 };
    family | (udp_port_be as u64) << 24 | vni as u64
}

/// UDP port in network byte order, VNI and whether the underlay is IPv6, of a key.
#[must_use]
pub const fn split_key(key: u64) -> (u16, u32, bool) {
    ((key >> 24) as u16, key as u32 & 0xff_ffff, key & IPV6 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart_as_they_were_put_together() {
        for port_be in [1, 4789_u16.to_be(), u16::MAX] {
            for vni in [1, 0x12_3456, 0xff_ffff] {
                for ipv6 in [false, true] {
                    assert_eq!(split_key(key(port_be, vni, ipv6)), (port_be, vni, ipv6));
                }
            }
        }
    }
}
