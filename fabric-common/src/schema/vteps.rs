//! `vteps`: remote VTEPs.

use core::net::{IpAddr, Ipv4Addr};

use bytemuck::{Pod, Zeroable};

use super::peers;
use crate::halves;

/// Number of entries; index 0 is never used.
pub const MAX: u32 = 16_384;

/// A remote tunnel end point with what is constant in the outer header towards it.
///
/// What the packet path needs over IPv4 stands in the first 16 bytes, which never straddle two cache
/// lines.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Vtep {
    /// Remote address, 0 over IPv6.
    pub remote_be: u32,
    /// Local address, 0 over IPv6.
    pub local_be: u32,
    /// Sum of constant 16-bit words in memory order: over IPv4 both addresses of the outer header,
    /// over IPv6 both and the next header UDP (the pseudo header of RFC 8200 §8.1).
    pub checksum_base: u32,
    /// Index of the underlay group; 0 marks a VTEP that is known but cannot be reached.
    pub group: u32,
    /// Local address over IPv6: its halves as they stand in a packet; 0 over IPv4.
    pub local6: [u64; 2],
    /// Remote address over IPv6.
    pub remote6: [u64; 2],
}

super::map_value!(Vtep, 48);

impl Vtep {
    /// A VTEP over IPv4 with its constant sum.
    #[must_use]
    pub fn new(local_be: u32, remote_be: u32, group: u32) -> Self {
        let checksum_base = words16(local_be) + words16(remote_be);
        Self { remote_be, local_be, checksum_base, group, ..Self::default() }
    }

    /// A VTEP over IPv6 with its constant sum; the halves of the addresses are as in a packet.
    #[must_use]
    pub fn new6(local6: [u64; 2], remote6: [u64; 2], group: u32) -> Self {
        let next_header = u32::from(u16::from_ne_bytes([0, 17]));
        let words = [local6, remote6].into_iter().flatten();
        let sum: u32 = words.map(|w| words16(w as u32) + words16((w >> 32) as u32)).sum();
        Self { checksum_base: next_header + sum, group, local6, remote6, ..Self::default() }
    }

    /// A VTEP of either family; `None` if the addresses are of different ones.
    #[must_use]
    pub fn between(local: IpAddr, remote: IpAddr, group: u32) -> Option<Self> {
        match (local, remote) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                Some(Self::new(local.to_bits().to_be(), remote.to_bits().to_be(), group))
            }
            (IpAddr::V6(local), IpAddr::V6(remote)) => {
                Some(Self::new6(halves::of(local), halves::of(remote), group))
            }
            _ => None,
        }
    }

    /// The local address.
    #[must_use]
    pub fn local(&self) -> IpAddr {
        match self.is_ipv6() {
            true => halves::address(self.local6).into(),
            false => Ipv4Addr::from_bits(u32::from_be(self.local_be)).into(),
        }
    }

    /// The remote address.
    #[must_use]
    pub fn remote(&self) -> IpAddr {
        match self.is_ipv6() {
            true => halves::address(self.remote6).into(),
            false => Ipv4Addr::from_bits(u32::from_be(self.remote_be)).into(),
        }
    }

    /// The key of its tunnel in [`peers`].
    #[must_use]
    pub const fn peer(&self) -> u64 {
        match self.is_ipv6() {
            true => peers::key6(self.local6, self.remote6),
            false => peers::key(self.local_be, self.remote_be),
        }
    }

    /// Whether the tunnel is over IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        self.remote_be == 0
    }

    /// Whether the entry holds a VTEP.
    #[must_use]
    pub const fn in_use(&self) -> bool {
        self.remote_be != 0 || self.remote6[0] != 0 || self.remote6[1] != 0
    }
}

const fn words16(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}
