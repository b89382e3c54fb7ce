//! The hash of a flow where options say what counts, see [`super::flow`].

use aya_ebpf::bindings::xdp_md;
use fabric_common::{
    flow_hash,
    schema::settings::{
        HASH_ADDRESSES, HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_FLOW_LABEL, HASH_INNER,
        HASH_OF_FRAMES, HASH_ROUTED_LABEL, Settings, VXLAN_PORT,
    },
};

use super::{
    Packet,
    flow::{Flow4, Flow6, has_ports, odd},
    network::{ether_type, ip_protocol},
};
use crate::maps;

/// Where a header starts, and the EtherType of what it is one of.
type Place = (usize, u16);

/// The hash of the flow of the packet whose network header starts at `at`, if options are switched on. Without
/// them it costs nothing but the test.
///
/// A global function (`BTF_FUNC_GLOBAL` of `Documentation/bpf/btf.rst`): the verifier follows it once, and not
/// again for each state of each place that asks for a hash. So it knows no offset here, and reads by
/// [`Packet::load`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn flow_by_options(
    context: *mut xdp_md,
    at: u32,
    ether_type_be: u32,
    options: u32,
) -> u64 {
    let packet = &Packet::of(context);
    let settings = maps::SETTINGS.get(0);
    let (seed, place) = (settings.seed, (at as usize, ether_type_be as u16));
    if options & HASH_INNER != 0
        && let Some(place) = inner(packet, settings, place)
    {
        return one(packet, seed, options & HASH_OF_FRAMES, place).unwrap_or(0);
    }
    if options & (HASH_ENCAPSULATED4 | HASH_ENCAPSULATED6) != 0
        && let Some(place) = encapsulated(packet, options, place)
    {
        return inner_addresses(packet, seed, options, place).unwrap_or(0);
    }
    let label = if options & HASH_ROUTED_LABEL != 0 { HASH_FLOW_LABEL } else { 0 };
    one(packet, seed, options | label, place).unwrap_or(0)
}

/// The IPv4 header at `at`, as far as the flow depends on it.
#[inline(always)]
fn flow4(packet: &Packet, at: usize) -> Option<Flow4> {
    let [first, second] = packet.load(at)?;
    let [addresses] = packet.load(at + 12)?;
    let [_, protocol, ..] = second.to_ne_bytes();
    Some(Flow4 { addresses, protocol, odd: odd(first) })
}

/// The IPv6 header at `at`, as far as the flow depends on it, and its flow label in host byte order.
#[inline(always)]
fn flow6(packet: &Packet, at: usize) -> Option<(Flow6, u32)> {
    let [first, a, b, c, d] = packet.load(at)?;
    let [version, class, label, more, _, _, next_header, _] = first.to_ne_bytes();
    let label = u32::from_be_bytes([version, class, label, more]) & 0xf_ffff;
    Some((Flow6 { source: [a, b], destination: [c, d], next_header }, label))
}

/// The ports at `at`, as they stand in the packet; 0 if it has none.
#[inline(always)]
fn ports(packet: &Packet, at: usize, has_ports: bool) -> u32 {
    if has_ports { packet.load_after(at).map_or(0, u32::from_ne_bytes) } else { 0 }
}

/// The hash of the addresses of the IP packet at a place somewhere inside another one; `None` if it is cut off.
#[inline(always)]
fn inner_addresses(
    packet: &Packet,
    seed: u32,
    options: u32,
    (at, ether_type_be): Place,
) -> Option<u64> {
    let options = HASH_ADDRESSES | options & HASH_OF_FRAMES;
    if ether_type_be == ether_type::IPV4 {
        let [addresses] = packet.load(at + 12)?;
        let flow = Flow4 { addresses, protocol: 0, odd: 0 };
        return Some(flow_hash::ipv4_by(options, seed, flow.source(), flow.destination(), 0, 0));
    }
    let (Flow6 { source, destination, next_header }, label) = flow6(packet, at)?;
    Some(flow_hash::ipv6_by(options, seed, label, source, destination, next_header, 0))
}

/// Where the IP header of the packet inside an IP packet starts, by itself or in GRE version 0 without
/// routing (RFC 2784, RFC 2890): as far as the kernel's flow dissector goes.
#[inline(always)]
fn encapsulated(packet: &Packet, options: u32, (at, ether_type_be): Place) -> Option<Place> {
    const IP_IN_IP: u8 = 4;
    const IPV6_IN_IP: u8 = 41;
    const GRE: u8 = 47;
    let (next, protocol) = if ether_type_be == ether_type::IPV4 {
        let flow = flow4(packet, at)?;
        (options & HASH_ENCAPSULATED4 != 0 && flow.odd == 0).then_some((at + 20, flow.protocol))?
    } else {
        let (flow, _) = flow6(packet, at)?;
        (options & HASH_ENCAPSULATED6 != 0).then_some((at + 40, flow.next_header))?
    };
    match protocol {
        IP_IN_IP => Some((next, ether_type::IPV4)),
        IPV6_IN_IP => Some((next, ether_type::IPV6)),
        GRE => {
            let [flags, version, high, low] = packet.load_after(next)?;
            let inner = u16::from_ne_bytes([high, low]);
            let is_ip = matches!(inner, ether_type::IPV4 | ether_type::IPV6);
            // Checksum, key and sequence number take four bytes each; bit 6 says that there is a route.
            let plain = version & 7 == 0 && flags & 0x4f == 0;
            let fields = (flags >> 7 & 1) + (flags >> 5 & 1) + (flags >> 4 & 1);
            (is_ip && plain).then_some((next + 4 + 4 * usize::from(fields), inner))
        }
        _ => None,
    }
}

/// The hash of the packet at a place, of whatever kind; `None` if it ends inside its header.
#[inline(always)]
fn one(packet: &Packet, seed: u32, options: u32, (at, ether_type_be): Place) -> Option<u64> {
    match ether_type_be {
        ether_type::IPV4 => {
            let flow = flow4(packet, at)?;
            let ports = ports(packet, at + 20, flow.odd == 0 && has_ports(flow.protocol));
            let (source, destination) = (flow.source(), flow.destination());
            Some(flow_hash::ipv4_by(options, seed, source, destination, flow.protocol, ports))
        }
        ether_type::IPV6 => {
            let (Flow6 { source, destination, next_header }, label) = flow6(packet, at)?;
            let ports = ports(packet, at + 40, has_ports(next_header));
            let hash =
                flow_hash::ipv6_by(options, seed, label, source, destination, next_header, ports);
            Some(hash)
        }
        _ => {
            const ADDRESS: u64 = 0xffff_ffff_ffff;
            let [destination] = packet.load(at - 14)?;
            let [source] = packet.load(at - 8)?;
            Some(flow_hash::ethernet_by(
                options,
                seed,
                source & ADDRESS,
                destination & ADDRESS,
                ether_type_be,
            ))
        }
    }
}

/// Where the network header of the frame inside a VXLAN packet starts.
#[inline(always)]
fn inner(packet: &Packet, settings: &Settings, (at, ether_type_be): Place) -> Option<Place> {
    let (udp, is_udp) = if ether_type_be == ether_type::IPV4 {
        let flow = flow4(packet, at)?;
        (at + 20, flow.odd == 0 && flow.protocol == ip_protocol::UDP)
    } else {
        (at + 40, flow6(packet, at)?.0.next_header == ip_protocol::UDP)
    };
    let [.., high, low] = packet.load_after(udp)?;
    let port_be = u16::from_ne_bytes([high, low]);
    let is_vxlan = is_udp && (port_be == VXLAN_PORT.to_be() || settings.has_vxlan_port(port_be));
    // UDP and VXLAN header, and the addresses of the frame.
    let network = udp + 16 + 14;
    let [.., high, low] = packet.load_after(network - 4)?;
    is_vxlan.then_some((network, u16::from_ne_bytes([high, low])))
}
