//! `segments`: Ethernet segments of other leafs (EVPN multihoming, RFC 7432 §5), behind each of which are
//! several VTEPs.

use core::net::{IpAddr, Ipv4Addr};

use bytemuck::{Pod, Zeroable};

use super::fits;
use crate::halves;

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 4_096;

const _: () = assert!(fits(MAX, super::fdb::INDEX_BITS) && fits(super::vteps::MAX, u16::BITS));

/// A nexthop group of the kernel for FDB entries, as tunnels from one local address use it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Segment {
    /// Index in `groups`, whose nexthops are indexes in `vteps` here; 0 leaves the segment to the kernel. The
    /// only word that changes.
    pub group: u32,
    /// The kernel's ID of the nexthop group; 0 marks a free entry.
    pub id: u32,
    /// Local address of the tunnels: its halves as they stand in a packet, an IPv4 one as an IPv6 one that
    /// stands for it (RFC 4291 §2.5.5.2).
    pub local: [u64; 2],
}

super::map_value!(Segment, 24);

impl Segment {
    /// A segment.
    #[must_use]
    pub fn new(local: IpAddr, id: u32, group: u32) -> Self {
        let local = match local {
            IpAddr::V4(local) => local.to_ipv6_mapped(),
            IpAddr::V6(local) => local,
        };
        Self { group, id, local: halves::of(local) }
    }

    /// The local address of the tunnels.
    #[must_use]
    pub fn local(&self) -> IpAddr {
        let local = halves::address(self.local);
        local.to_ipv4_mapped().map_or(local.into(), |v4: Ipv4Addr| v4.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_of_either_family_is_read_as_it_was_written() {
        for local in ["10.0.0.1", "2001:db8::1", "0.0.0.0", "::"] {
            let local: IpAddr = local.parse().unwrap();
            assert_eq!(Segment::new(local, 7, 1).local(), local);
        }
    }
}
