//! The hash of the flow that a packet belongs to: the one place that decides it, for tunnels and for
//! routes.

use core::hint::cold_path;

use fabric_common::{
    flow_hash,
    schema::settings::{HASH_OF_FRAMES, HASH_OF_ROUTED, Settings},
};

use super::{
    Packet, at_byte,
    flow_options::flow_by_options,
    network::{ether_type, ip_protocol},
};
use crate::optional::HASH_OPTIONS;

/// Of an IPv4 header what the flow depends on, as it stands in the packet.
#[derive(Clone, Copy)]
pub struct Flow4 {
    /// Both addresses, as one load has them.
    pub addresses: u64,
    pub protocol: u8,
    /// 0 if it is not a fragment and without options: the ports stand behind 20 bytes. Fragments after
    /// the first have no ports, so none of them may count. No bool: a `Result` would hide itself in that,
    /// and its error in the addresses, which then are copied byte by byte.
    pub odd: u64,
}

/// Of an IPv6 header what the flow depends on, as it stands in the packet.
#[derive(Clone, Copy)]
pub struct Flow6 {
    pub source: [u64; 2],
    pub destination: [u64; 2],
    pub next_header: u8,
}

/// Whose flows are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Frames of hosts.
    Frame,
    /// Packets on their way through: what the kernel's policy says counts, and inner headers may.
    Transit,
}

impl Scope {
    /// The options that these packets go by.
    #[inline(always)]
    const fn options(self, settings: &Settings) -> u32 {
        settings.hash_flags
            & match self {
                Self::Frame => HASH_OF_FRAMES,
                Self::Transit => HASH_OF_ROUTED,
            }
    }
}

/// The hash of the flow of the IPv4 packet that starts at `at`.
#[inline(always)]
pub fn ipv4(packet: &Packet, settings: &Settings, at: usize, flow: &Flow4, scope: Scope) -> u64 {
    let options = scope.options(settings);
    if HASH_OPTIONS && options != 0 {
        cold_path();
        return flow_by_options(packet.context(), at as u32, ether_type::IPV4.into(), options);
    }
    plain4(packet, settings, at, flow)
}

/// As [`ipv4`], where no option counts.
#[inline(always)]
pub fn plain4(packet: &Packet, settings: &Settings, at: usize, flow: &Flow4) -> u64 {
    let ports = ports(packet, at + 20, flow.odd == 0 && has_ports(flow.protocol));
    flow_hash::ipv4_of(settings.seed, flow.addresses, flow.protocol, ports)
}

/// The hash of the flow of the IPv6 packet that starts at `at`.
#[inline(always)]
pub fn ipv6(packet: &Packet, settings: &Settings, at: usize, flow: &Flow6, scope: Scope) -> u64 {
    let options = scope.options(settings);
    if HASH_OPTIONS && options != 0 {
        cold_path();
        return flow_by_options(packet.context(), at as u32, ether_type::IPV6.into(), options);
    }
    plain6(packet, settings, at, flow)
}

/// As [`ipv6`], where no option counts.
#[inline(always)]
pub fn plain6(packet: &Packet, settings: &Settings, at: usize, flow: &Flow6) -> u64 {
    let ports = ports(packet, at + 40, has_ports(flow.next_header));
    flow_hash::ipv6(settings.seed, flow.source, flow.destination, flow.next_header, ports)
}

/// The hash of a frame that is not IP.
#[inline(always)]
pub fn ethernet(settings: &Settings, source: u64, destination: u64, ether_type_be: u16) -> u64 {
    flow_hash::ethernet_by(settings.hash_flags, settings.seed, source, destination, ether_type_be)
}

#[inline(always)]
pub(super) fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP)
}

#[inline(always)]
fn ports(packet: &Packet, at: usize, has_ports: bool) -> u32 {
    if has_ports { packet.read(at).unwrap_or(0) } else { 0 }
}

impl Flow4 {
    #[inline(always)]
    pub fn source(&self) -> u32 {
        if cfg!(target_endian = "little") {
            self.addresses as u32
        } else {
            (self.addresses >> 32) as u32
        }
    }

    #[inline(always)]
    pub fn destination(&self) -> u32 {
        if cfg!(target_endian = "little") {
            (self.addresses >> 32) as u32
        } else {
            self.addresses as u32
        }
    }

    /// Reads the header at `at`.
    #[inline(always)]
    pub fn read(packet: &Packet, at: usize) -> Option<Self> {
        if !packet.has(at + 20) {
            return None;
        }
        Some(Self {
            addresses: packet.read(at + 12)?,
            protocol: packet.read(at + 9)?,
            odd: odd(packet.read(at)?),
        })
    }
}

/// The fragment offset and the flag that more fragments follow, where both stand in an IPv4 header.
pub const FRAGMENT_BE: u16 = 0x3fff_u16.to_be();

/// See [`Flow4::odd`]; `first` are the first eight bytes of the header, as in memory.
#[inline(always)]
pub(super) fn odd(first: u64) -> u64 {
    const VERSION_AND_LENGTH: u64 = at_byte(0, 0xff, 1);
    const FRAGMENT: u64 = at_byte(6, FRAGMENT_BE as u64, 2);
    first & (VERSION_AND_LENGTH | FRAGMENT) ^ at_byte(0, 0x45, 1)
}

impl Flow6 {
    /// Reads the header at `at`.
    #[inline(always)]
    pub fn read(packet: &Packet, at: usize) -> Option<Self> {
        if !packet.has(at + 40) {
            return None;
        }
        Some(Self {
            source: [packet.read(at + 8)?, packet.read(at + 16)?],
            destination: [packet.read(at + 24)?, packet.read(at + 32)?],
            next_header: packet.read(at + 6)?,
        })
    }
}
