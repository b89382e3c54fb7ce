//! `vnis`: a [`crate::table`] from (UDP port, VNI, family of the underlay, VLAN tag of the inner frame) to the index in
//! `domains`.
//!
//! Inner frames have no tag but those of a vxlan device that carries several VLANs: then each VLAN has an entry.
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
/// Where the VLAN ID of the inner frame's tag stands.
const VLAN_SHIFT: u32 = 41;
/// The inner frame has a tag.
const TAGGED: u64 = 1 << (VLAN_SHIFT + 12);

/// Key of a VNI (24 bits) on a UDP port in network byte order. Never 0, because no tunnel has
/// port 0.
#[inline(always)]
#[must_use]
pub const fn key(udp_port_be: u16, vni: u32, ipv6: bool) -> u64 {
    let family = if ipv6 { IPV6 } else { 0 };
    family | (udp_port_be as u64) << 24 | vni as u64
}

/// Key of the frames that have a tag with this VLAN ID (12 bits) in the tunnel with this [`key`]; 0 is that of tags
/// with a priority alone.
#[inline(always)]
#[must_use]
pub const fn tagged(key: u64, vlan: u16) -> u64 {
    key | TAGGED | (vlan as u64) << VLAN_SHIFT
}

/// The VLAN ID of a key's tag, `None` for frames without.
#[must_use]
pub const fn vlan(key: u64) -> Option<u16> {
    match key & TAGGED {
        0 => None,
        _ => Some((key >> VLAN_SHIFT) as u16 & 0xfff),
    }
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
                    let plain = key(port_be, vni, ipv6);
                    assert_eq!(
                        (split_key(plain), super::vlan(plain)),
                        ((port_be, vni, ipv6), None)
                    );
                    for vlan in [0, 1, 0xabc, 0xfff] {
                        let tagged = tagged(plain, vlan);
                        assert_eq!(split_key(tagged), (port_be, vni, ipv6));
                        assert_eq!(super::vlan(tagged), Some(vlan));
                    }
                }
            }
        }
    }
}
