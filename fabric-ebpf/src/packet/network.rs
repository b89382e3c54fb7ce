//! What tunnels need to know of the host's network header.

use core::hint::cold_path;

use fabric_common::{
    flow_hash,
    schema::{
        ports::mac,
        settings::{HASH_OF_FRAMES, HASH_TUNNEL4, HASH_TUNNEL6, Settings},
        vteps::Vtep,
    },
};

use super::{
    Packet,
    flow::{self, Flow4, Flow6, Scope},
};
use crate::{journey::Frame, optional::HASH_OPTIONS};

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

/// The fields that the outer header depends on. Without padding, which the compiler would fill by stores
/// that are not aligned where a checkpoint looks at it.
#[derive(Clone, Copy)]
pub struct Network {
    /// Type of service or traffic class, 0 if the frame is not IP; a byte.
    pub tos: u32,
    /// The flow's hash, see `flow_hash`.
    pub hash: u64,
    /// What chooses a bucket: of the flow, or of its tunnel where the kernel's policy counts nothing else.
    pub bucket: u32,
}

/// What of the settings changes the hashes of frames.
const OPTIONS: u32 = if HASH_OPTIONS { HASH_OF_FRAMES | HASH_TUNNEL4 | HASH_TUNNEL6 } else { 0 };

impl Network {
    /// Reads the header behind `frame`'s EtherType; `None` if the packet ends inside it.
    #[inline(always)]
    pub fn parse(packet: &Packet, frame: &Frame, settings: &Settings, vtep: &Vtep) -> Option<Self> {
        let (tos, hash) = match frame.ether_type_be {
            ether_type::IPV4 => {
                let flow = Flow4::read(packet, frame.network)?;
                let tos = packet.read(frame.network + 1)?;
                if settings.hash_flags & OPTIONS == 0 {
                    return Some(Self::of_flow(
                        tos,
                        flow::plain4(packet, settings, frame.network, &flow),
                    ));
                }
                (tos, flow::ipv4(packet, settings, frame.network, &flow, Scope::Frame))
            }
            ether_type::IPV6 => {
                let flow = Flow6::read(packet, frame.network)?;
                let [high, low]: [u8; 2] = packet.read(frame.network)?;
                let tos = high << 4 | low >> 4;
                if settings.hash_flags & OPTIONS == 0 {
                    return Some(Self::of_flow(
                        tos,
                        flow::plain6(packet, settings, frame.network, &flow),
                    ));
                }
                (tos, flow::ipv6(packet, settings, frame.network, &flow, Scope::Frame))
            }
            other => {
                (0, flow::ethernet(settings, mac(frame.source), mac(frame.destination), other))
            }
        };
        cold_path();
        Some(Self { tos: u32::from(tos), hash, bucket: by_addresses(settings, vtep, hash) })
    }

    #[inline(always)]
    fn of_flow(tos: u8, hash: u64) -> Self {
        Self { tos: u32::from(tos), hash, bucket: flow_hash::bucket(hash) }
    }
}

/// [`Network::bucket`] by the settings. A subprogram: a fabric that spreads nothing over its spines is none
/// that counts nanoseconds.
#[inline(never)]
fn by_addresses(settings: &Settings, vtep: &Vtep, flow: u64) -> u32 {
    settings.tunnel_bucket(vtep, flow)
}
