//! What tunnels need to know of the host's network header.

use fabric_common::schema::{ports::mac, settings::Settings};

use super::{
    Packet,
    flow::{self, Flow4, Flow6, Scope},
};
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
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
}

/// The fields that the outer header depends on.
#[derive(Clone, Copy)]
pub struct Network {
    /// Type of service or traffic class, 0 if the frame is not IP.
    pub tos: u8,
    /// The flow's hash, see `flow_hash`.
    pub hash: u64,
}

impl Network {
    /// Reads the header behind `frame`'s EtherType; `None` if the packet ends inside it.
    #[inline(always)]
    pub fn parse(packet: &Packet, frame: &Frame, settings: &Settings) -> Option<Self> {
        match frame.ether_type_be {
            ether_type::IPV4 => ipv4(packet, frame.network, settings),
            ether_type::IPV6 => ipv6(packet, frame.network, settings),
            other => Some(Self {
                tos: 0,
                hash: flow::ethernet(settings, mac(frame.source), mac(frame.destination), other),
            }),
        }
    }
}

#[inline(always)]
fn ipv4(packet: &Packet, at: usize, settings: &Settings) -> Option<Network> {
    let flow = Flow4::read(packet, at)?;
    let tos = packet.read(at + 1)?;
    Some(Network { tos, hash: flow::ipv4(packet, settings, at, &flow, Scope::Frame) })
}

#[inline(always)]
fn ipv6(packet: &Packet, at: usize, settings: &Settings) -> Option<Network> {
    let flow = Flow6::read(packet, at)?;
    let [high, low]: [u8; 2] = packet.read(at)?;
    let hash = flow::ipv6(packet, settings, at, &flow, Scope::Frame);
    Some(Network { tos: high << 4 | low >> 4, hash })
}
