//! `domains6`: what bridge domains have beside their entry in [`super::domains`], under the same index:
//! what those over an IPv6 underlay or with tags inside their tunnel need, and what programs do not read.

use core::net::{IpAddr, Ipv4Addr};

use bytemuck::{Pod, Zeroable};

use super::domains::{Domain, FLAG_IPV6};
use crate::halves;

/// What has no place in [`super::domains::Domain`], which stays small.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Domain6 {
    /// Local VTEP address: its halves as they stand in a packet; zero over IPv4, and over IPv6 if each VTEP
    /// has its own.
    pub local: [u64; 2],
    /// Flow label of the outer header, 20 bits in network byte order; 0 lets the flow choose one
    /// (RFC 6438), unless [`super::domains::FLAG_LABEL_INHERIT`].
    pub label_be: u32,
    /// Interface index of the vxlan device, 0 for none.
    pub vxlan: u32,
    /// Largest frame into the tunnel in bytes, with the tag that it has there: the vxlan device's MTU plus 18. 0 for
    /// domains whose frames have none.
    pub max_tagged: u32,
    /// Explicit padding.
    pub padding: u32,
}

super::map_value!(Domain6, 32);

impl Domain6 {
    /// The local VTEP address of a domain, of either family.
    #[must_use]
    pub fn local(&self, domain: &Domain) -> IpAddr {
        match domain.flags & FLAG_IPV6 {
            0 => Ipv4Addr::from_bits(u32::from_be(domain.local_be)).into(),
            _ => halves::address(self.local).into(),
        }
    }
}
