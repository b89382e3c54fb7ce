//! What tunnels are made over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::tunnel::{self, FIRST_VTEP, FIRST_VTEP6, LOCAL, LOCAL6, OUTER, OUTER6};

/// The family of the VTEPs' addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underlay {
    /// IPv4, without UDP checksums (RFC 7348 §5).
    Ipv4,
    /// IPv6.
    Ipv6 {
        /// Packets have a UDP checksum; without, both VTEPs have agreed that it is 0 (RFC 6935).
        checksum: bool,
    },
}

impl Underlay {
    /// Bytes of outer headers.
    #[must_use]
    pub const fn outer(self) -> usize {
        match self {
            Self::Ipv4 => OUTER,
            Self::Ipv6 { .. } => OUTER6,
        }
    }

    /// Whether packets have a UDP checksum.
    #[must_use]
    pub const fn has_checksum(self) -> bool {
        matches!(self, Self::Ipv6 { checksum: true })
    }

    /// Whether it is IPv6.
    #[must_use]
    pub const fn is_ipv6(self) -> bool {
        matches!(self, Self::Ipv6 { .. })
    }

    /// Address of the leaf's VTEP.
    #[must_use]
    pub fn local(self) -> IpAddr {
        match self {
            Self::Ipv4 => Ipv4Addr::from(LOCAL).into(),
            Self::Ipv6 { .. } => Ipv6Addr::from(LOCAL6).into(),
        }
    }

    /// Address of a remote VTEP, counted from 0.
    #[must_use]
    pub fn vtep(self, vtep: u32) -> IpAddr {
        match self {
            Self::Ipv4 => Ipv4Addr::from_bits(u32::from_be(tunnel::vtep_be(vtep))).into(),
            Self::Ipv6 { .. } => {
                let first = u128::from_be_bytes(FIRST_VTEP6);
                Ipv6Addr::from_bits(first + u128::from(vtep)).into()
            }
        }
    }

    /// The VTEP that a packet claims to come from; `None` if it is too short to say.
    #[must_use]
    pub fn sender(self, packet: &[u8]) -> Option<u32> {
        let (at, first) = match self {
            Self::Ipv4 => (26, FIRST_VTEP),
            Self::Ipv6 { .. } => (34, *FIRST_VTEP6.last_chunk()?),
        };
        let end = u32::from_be_bytes(*packet.get(at..)?.first_chunk()?);
        Some(end.wrapping_sub(u32::from_be_bytes(first)))
    }

    /// In words for the report.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4, one nexthop, no UDP checksum",
            Self::Ipv6 { checksum: false } => "IPv6, one nexthop, UDP checksum 0 (RFC 6935)",
            Self::Ipv6 { checksum: true } => {
                "IPv6, one nexthop, UDP checksum; no port computes or checks one for the kernel"
            }
        }
    }
}
