//! What tunnels need to know of the host's network header.

use fabric_common::flow_hash;

use super::Packet;
use crate::journey::Frame;

/// EtherTypes (IEEE 802) in network byte order, as they are compared with packet memory.
pub mod ether_type {
    pub const IPV4: u16 = 0x0800_u16.to_be();
    pub const ARP: u16 = 0x0806_u16.to_be();
    pub const VLAN: u16 = 0x8100_u16.to_be();
    pub const IPV6: u16 = 0x86dd_u16.to_be();
    pub const SERVICE_VLAN: u16 = 0x88a8_u16.to_be();
    pub const SLOW_PROTOCOLS: u16 = 0x8809_u16.to_be();
    pub const EAPOL: u16 = 0x888e_u16.to_be();
    pub const LLDP: u16 = 0x88cc_u16.to_be();
}

/// IP protocol numbers (IANA).
pub mod ip_protocol {
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
}

/// The fields that the outer header depends on.
pub struct Network {
    /// Type of service or traffic class, 0 if the frame is not IP.
    pub tos: u8,
    /// TTL or hop limit, 0 if the frame is not IP.
    pub ttl: u8,
    /// The packet must not be fragmented: the DF bit, always for IPv6.
    pub df: bool,
    /// The flow's hash, see `flow_hash`.
    pub hash: u64,
}

impl Network {
    /// Reads the header behind `frame`'s EtherType; `None` if the packet ends inside it.
    #[inline(always)]
    pub fn parse(packet: &Packet, frame: &Frame, seed: u32) -> Option<Self> {
        match frame.ether_type_be {
            ether_type::IPV4 => ipv4(packet, frame.network, seed),
            ether_type::IPV6 => ipv6(packet, frame.network, seed),
            other => Some(Self {
                tos: 0,
                ttl: 0,
                df: false,
                hash: flow_hash::ethernet(seed, frame.source, frame.destination, other),
            }),
        }
    }
}

#[inline(always)]
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP)
}

#[inline(always)]
fn ipv4(packet: &Packet, at: usize, seed: u32) -> Option<Network> {
    if !packet.has(at + 20) {
        return None;
    }
    let [version_and_length, tos]: [u8; 2] = packet.read(at)?;
    let fragment = u16::from_be(packet.read(at + 6)?);
    let [ttl, protocol]: [u8; 2] = packet.read(at + 8)?;
    // Fragments after the first have no ports, so none of them may count. A header with options
    // has its ports elsewhere; such packets are rare and hash by addresses.
    let whole = fragment & 0x3fff == 0 && version_and_length == 0x45;
    let ports = if whole && has_ports(protocol) { packet.read(at + 20).unwrap_or(0) } else { 0 };
    let hash = flow_hash::ipv4(seed, packet.read(at + 12)?, packet.read(at + 16)?, protocol, ports);
    Some(Network { tos, ttl, df: fragment & 0x4000 != 0, hash })
}

#[inline(always)]
fn ipv6(packet: &Packet, at: usize, seed: u32) -> Option<Network> {
    if !packet.has(at + 40) {
        return None;
    }
    let [high, low]: [u8; 2] = packet.read(at)?;
    let [protocol, ttl]: [u8; 2] = packet.read(at + 6)?;
    let ports = if has_ports(protocol) { packet.read(at + 40).unwrap_or(0) } else { 0 };
    let source = [packet.read(at + 8)?, packet.read(at + 16)?];
    let destination = [packet.read(at + 24)?, packet.read(at + 32)?];
    let hash = flow_hash::ipv6(seed, source, destination, protocol, ports);
    Some(Network { tos: high << 4 | low >> 4, ttl, df: true, hash })
}
