//! The hash of the flow that a packet belongs to: the one place that decides it, for tunnels and for
//! routes.

use core::hint::cold_path;

use aya_ebpf::bindings::xdp_md;
use fabric_common::{
    flow_hash,
    schema::settings::{
        HASH_ADDRESSES, HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_FLOW_LABEL, HASH_INNER,
        HASH_OF_FRAMES, HASH_OF_ROUTED, HASH_ROUTED_LABEL, Settings, VXLAN_PORT,
    },
};

use super::{
    Packet, at_byte,
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
    if HASH_OPTIONS && scope.options(settings) != 0 {
        cold_path();
        return by_options(packet.context(), settings, at, ether_type::IPV4, scope);
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
    if HASH_OPTIONS && scope.options(settings) != 0 {
        cold_path();
        return by_options(packet.context(), settings, at, ether_type::IPV6, scope);
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
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP)
}

#[inline(always)]
fn ports(packet: &Packet, at: usize, has_ports: bool) -> u32 {
    if has_ports { packet.read(at).unwrap_or(0) } else { 0 }
}

/// The hash if options are switched on. A subprogram: without options it costs nothing but the
/// test.
#[inline(never)]
fn by_options(
    context: *mut xdp_md,
    settings: &Settings,
    at: usize,
    ether_type_be: u16,
    scope: Scope,
) -> u64 {
    let packet = &Packet::of(context);
    let (options, seed) = (scope.options(settings), settings.seed);
    if options & HASH_INNER != 0
        && let Some((at, ether_type_be)) = inner(packet, settings, at, ether_type_be)
    {
        return one(packet, seed, options & HASH_OF_FRAMES, at, ether_type_be).unwrap_or(0);
    }
    if options & (HASH_ENCAPSULATED4 | HASH_ENCAPSULATED6) != 0
        && let Some((at, ether_type_be)) = encapsulated(packet, options, at, ether_type_be)
    {
        return inner_addresses(packet, seed, options, at, ether_type_be).unwrap_or(0);
    }
    let label = if options & HASH_ROUTED_LABEL != 0 { HASH_FLOW_LABEL } else { 0 };
    one(packet, seed, options | label, at, ether_type_be).unwrap_or(0)
}

/// The hash of the addresses of the IP packet that starts at `at`, somewhere inside another one; `None`
/// if it is cut off.
#[inline(always)]
fn inner_addresses(
    packet: &Packet,
    seed: u32,
    options: u32,
    at: usize,
    ether_type_be: u16,
) -> Option<u64> {
    let options = HASH_ADDRESSES | options & HASH_OF_FRAMES;
    if ether_type_be == ether_type::IPV4 {
        let [addresses] = packet.load(at + 12)?;
        let flow = Flow4 { addresses, protocol: 0, odd: 0 };
        return Some(flow_hash::ipv4_by(options, seed, flow.source(), flow.destination(), 0, 0));
    }
    let [first, a, b, c, d] = packet.load(at)?;
    let [version, class, label, more, _, _, next_header, _] = first.to_ne_bytes();
    let label = u32::from_be_bytes([version, class, label, more]) & 0xf_ffff;
    Some(flow_hash::ipv6_by(options, seed, label, [a, b], [c, d], next_header, 0))
}

/// Where the IP header of the packet inside an IP packet starts, by itself or in GRE version 0 without
/// routing (RFC 2784, RFC 2890), and its EtherType: as far as the kernel's flow dissector goes.
#[inline(always)]
fn encapsulated(
    packet: &Packet,
    options: u32,
    at: usize,
    ether_type_be: u16,
) -> Option<(usize, u16)> {
    const IP_IN_IP: u8 = 4;
    const IPV6_IN_IP: u8 = 41;
    const GRE: u8 = 47;
    let (next, protocol) = if ether_type_be == ether_type::IPV4 {
        let flow = Flow4::read(packet, at)?;
        (options & HASH_ENCAPSULATED4 != 0 && flow.odd == 0).then_some((at + 20, flow.protocol))?
    } else {
        let flow = Flow6::read(packet, at)?;
        (options & HASH_ENCAPSULATED6 != 0).then_some((at + 40, flow.next_header))?
    };
    match protocol {
        IP_IN_IP => Some((next, ether_type::IPV4)),
        IPV6_IN_IP => Some((next, ether_type::IPV6)),
        GRE => {
            let [flags, version]: [u8; 2] = packet.read(next)?;
            let inner: u16 = packet.read(next + 2)?;
            let is_ip = matches!(inner, ether_type::IPV4 | ether_type::IPV6);
            // Checksum, key and sequence number take four bytes each; bit 6 says that there is a route.
            let plain = version & 7 == 0 && flags & 0x4f == 0;
            let fields = (flags >> 7 & 1) + (flags >> 5 & 1) + (flags >> 4 & 1);
            (is_ip && plain).then_some((next + 4 + 4 * usize::from(fields), inner))
        }
        _ => None,
    }
}

/// The hash of the packet at `at`, of whatever kind; `None` if it ends inside its header.
#[inline(always)]
fn one(packet: &Packet, seed: u32, options: u32, at: usize, ether_type_be: u16) -> Option<u64> {
    match ether_type_be {
        ether_type::IPV4 => {
            let flow = Flow4::read(packet, at)?;
            let ports = ports(packet, at + 20, flow.odd == 0 && has_ports(flow.protocol));
            let (source, destination) = (flow.source(), flow.destination());
            Some(flow_hash::ipv4_by(options, seed, source, destination, flow.protocol, ports))
        }
        ether_type::IPV6 => {
            let Flow6 { source, destination, next_header } = Flow6::read(packet, at)?;
            let ports = ports(packet, at + 40, has_ports(next_header));
            let label = u32::from_be(packet.read(at)?) & 0xf_ffff;
            let hash =
                flow_hash::ipv6_by(options, seed, label, source, destination, next_header, ports);
            Some(hash)
        }
        _ => {
            const ADDRESS: u64 = 0xffff_ffff_ffff;
            let destination = packet.read::<u64>(at - 14)? & ADDRESS;
            let source = packet.read::<u64>(at - 8)? & ADDRESS;
            Some(flow_hash::ethernet_by(options, seed, source, destination, ether_type_be))
        }
    }
}

/// Where the network header of the frame inside a VXLAN packet starts, and its EtherType.
#[inline(always)]
fn inner(
    packet: &Packet,
    settings: &Settings,
    at: usize,
    ether_type_be: u16,
) -> Option<(usize, u16)> {
    let (udp, is_udp) = if ether_type_be == ether_type::IPV4 {
        let flow = Flow4::read(packet, at)?;
        (at + 20, flow.odd == 0 && flow.protocol == ip_protocol::UDP)
    } else {
        (at + 40, Flow6::read(packet, at)?.next_header == ip_protocol::UDP)
    };
    let port_be: u16 = packet.read(udp + 2)?;
    let is_vxlan = is_udp && (port_be == VXLAN_PORT.to_be() || settings.has_vxlan_port(port_be));
    // UDP and VXLAN header, and the addresses of the frame.
    let ether_type_at = udp + 16 + 12;
    is_vxlan.then_some((ether_type_at + 2, packet.read(ether_type_at)?))
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
fn odd(first: u64) -> u64 {
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
