//! Encapsulations of next hops (`RTA_ENCAP`, `NHA_ENCAP`; `linux/lwtunnel.h`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    address::ip,
    attributes::{Attributes, u8_, u16_},
};

/// What packets to a next hop are put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encap {
    /// The tunnel of the interface, with these settings instead of the interface's own.
    Tunnel(TunnelEncap),
    /// Labels, segments, or anything else.
    Other,
}

impl Encap {
    /// The other end of the tunnel, if it is one.
    pub(crate) const fn end(self) -> Option<IpAddr> {
        match self {
            Self::Tunnel(tunnel) => Some(tunnel.destination),
            Self::Other => None,
        }
    }
}

/// What a next hop tells a tunnel device in external mode (`LWTUNNEL_ENCAP_IP`, `LWTUNNEL_ENCAP_IP6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TunnelEncap {
    /// Tunnel ID; of a vxlan device, the VNI in its low 24 bits.
    pub id: u64,
    /// The other end.
    pub destination: IpAddr,
    /// This end; none if the way to the other one says.
    pub source: Option<IpAddr>,
    /// Outer TTL or hop limit, 0 if the way to the other end says.
    pub ttl: u8,
    /// Outer TOS byte or traffic class.
    pub tos: u8,
    /// `TUNNEL_*` of `linux/if_tunnel.h`, host order.
    pub flags: u16,
}

impl TunnelEncap {
    /// UDP checksums are computed (`TUNNEL_CSUM`).
    pub const CHECKSUM: u16 = 0x0001;
    /// The outer packet must not be fragmented (`TUNNEL_DONT_FRAGMENT`).
    pub const DONT_FRAGMENT: u16 = 0x0100;
}

/// Types of encapsulation (`LWTUNNEL_ENCAP_*`).
const IP: u16 = 2;
const IP6: u16 = 4;

/// Decodes the encapsulation of a next hop from its type and its attributes, of which the kernel writes the type
/// last.
pub(super) fn decode(kind: Option<u16>, payload: &[u8]) -> Encap {
    let tunnel = matches!(kind, Some(IP | IP6)).then(|| tunnel(payload)).flatten();
    tunnel.map_or(Encap::Other, Encap::Tunnel)
}

/// `enum lwtunnel_ip_t` and `enum lwtunnel_ip6_t`, whose numbers are the same. None if it has options, or no
/// destination.
fn tunnel(payload: &[u8]) -> Option<TunnelEncap> {
    const ID: u16 = 1;
    const DST: u16 = 2;
    const SRC: u16 = 3;
    const TTL: u16 = 4;
    const TOS: u16 = 5;
    const FLAGS: u16 = 6;
    const OPTS: u16 = 8;
    let (mut id, mut destination, mut source) = (0, None, None);
    let (mut ttl, mut tos, mut flags) = (0, 0, 0);
    for (attribute, payload) in Attributes(payload) {
        match attribute {
            ID => id = u64::from_be_bytes(*payload.first_chunk()?),
            DST => destination = ip(payload),
            SRC => source = ip(payload),
            TTL => ttl = u8_(payload)?,
            TOS => tos = u8_(payload)?,
            FLAGS => flags = u16::from_be(u16_(payload)?),
            OPTS => return None,
            _ => {}
        }
    }
    let stated = |address: &IpAddr| !address.is_unspecified();
    let destination = destination.filter(stated)?;
    Some(TunnelEncap { id, destination, source: source.filter(stated), ttl, tos, flags })
}
