//! Arrives: an IP packet on a port that routes. Leaves: the same, if a router may forward it.
//!
//! The rules are those of RFC 1812 §5.2.2 and §5.3 and of RFC 8200 §3, in the kernel's reading of
//! them (`ip_rcv_core`, `ip_route_input_slow`, `ip_forward`; `ip6_rcv_core`, `ip6_forward`). Passes
//! what needs an answer or has options, and wrong header checksums, which the kernel drops and counts.

use fabric_common::{
    checksum, flow_hash,
    martian::{is_martian4, is_martian6},
    reason::Reason,
    schema::ports,
};

use super::transit_route::is_local4;
use crate::{
    access::frame_guard::is_discovery_message,
    ending::{OrStop, stop},
    journey::Journey,
    maps,
    packet::{
        Packet,
        flow::{self, Flow4, Flow6, Scope},
        ipv4::{self, Form, Header},
        network::{ether_type, ip_protocol},
        pair,
    },
};

/// Where the IP header of a packet from a router starts.
pub const NETWORK: usize = 14;
/// Length of the fixed IPv6 header.
const HEADER_6: usize = 40;
/// The next header that every node on the way has to look at (RFC 8200 §4.3).
const HOP_BY_HOP: u8 = 0;

/// Families that are routed.
pub enum Family {
    Ipv4,
    Ipv6,
}

/// What routing needs of an IPv4 header.
#[derive(Clone, Copy)]
pub struct Ipv4 {
    pub flow: Flow4,
    /// TTL, protocol and header checksum as they stand in the packet.
    pub ttl_and_checksum: u32,
    /// Length of the IP packet in bytes.
    pub length: u32,
}

/// What routing needs of an IPv6 header.
#[derive(Clone, Copy)]
pub struct Ipv6 {
    pub flow: Flow6,
    pub hop_limit: u8,
    /// Length of the IP packet in bytes.
    pub length: u32,
}

impl Ipv4 {
    /// TTL, protocol and header checksum when it has been forwarded (`ip_decrease_ttl`).
    #[inline(always)]
    pub fn forwarded(&self) -> u32 {
        let [ttl, protocol, a, b] = self.ttl_and_checksum.to_ne_bytes();
        let [a, b] = checksum::decrement_ttl(u16::from_ne_bytes([a, b])).to_ne_bytes();
        u32::from_ne_bytes([ttl.wrapping_sub(1), protocol, a, b])
    }

    /// What chooses among the nexthops of a group.
    #[inline(always)]
    pub fn hash<const AT: usize>(&self, packet: &Packet, journey: &Journey) -> u32 {
        let hash = flow::ipv4(packet, journey.settings, AT, &self.flow, Scope::Transit);
        flow_hash::routed(hash)
    }
}

impl Ipv6 {
    /// The hop limit when it has been forwarded.
    #[inline(always)]
    pub fn forwarded(&self) -> u8 {
        self.hop_limit.wrapping_sub(1)
    }

    /// What chooses among the nexthops of a group.
    #[inline(always)]
    pub fn hash<const AT: usize>(&self, packet: &Packet, journey: &Journey) -> u32 {
        let hash = flow::ipv6(packet, journey.settings, AT, &self.flow, Scope::Transit);
        flow_hash::routed(hash)
    }
}

/// The family of a packet that may be routed, whose IP header would start at `AT`, or `otherwise`: the
/// port does not route, or the packet is neither.
#[inline(always)]
pub fn transit_input<const AT: usize>(
    packet: &Packet,
    journey: &Journey,
    otherwise: Reason,
) -> Result<Family, Reason> {
    let (flags, view) = (journey.router.flags, ports::view(journey.router.mac_and_view));
    if flags & (ports::FLAG_ROUTE4 | ports::FLAG_ROUTE6) == 0 || view == 0 {
        return Err(otherwise);
    }
    let (family, flag) = match packet.read(AT - 2).or_stop(otherwise)? {
        ether_type::IPV4 => (Family::Ipv4, ports::FLAG_ROUTE4),
        ether_type::IPV6 => (Family::Ipv6, ports::FLAG_ROUTE6),
        _ => return Err(otherwise),
    };
    if flags & flag == 0 {
        return stop(Reason::TransitInputNotForwarding);
    }
    Ok(family)
}

#[inline(always)]
pub fn ipv4<const AT: usize>(packet: &Packet, journey: &Journey) -> Result<Ipv4, Reason> {
    if !packet.has(AT + ipv4::LENGTH) {
        return stop(Reason::TransitInputBadHeader);
    }
    let header = Header::read(packet, AT).or_stop(Reason::TransitInputBadHeader)?;
    match header.form() {
        Form::Plain => {}
        Form::Options => return stop(Reason::TransitInputOptions),
        Form::Short | Form::Other => return stop(Reason::TransitInputBadHeader),
    }
    let length = header.total_length();
    if length < ipv4::LENGTH as u32 || length + AT as u32 > journey.length {
        return stop(Reason::TransitInputBadHeader);
    }
    if !header.is_intact() {
        return stop(Reason::TransitInputBadChecksum);
    }
    if header.ttl() <= 1 {
        return stop(Reason::TransitInputTtl);
    }
    let [source, destination] = [header.source_be(), header.destination_be()];
    if is_martian4(source) || is_martian4(destination) || is_own(journey, source) {
        return stop(Reason::TransitInputMartian);
    }
    let flow = Flow4 {
        addresses: pair(source, destination),
        protocol: header.protocol(),
        odd: header.fragment_be().into(),
    };
    Ok(Ipv4 { flow, ttl_and_checksum: header.ttl_and_checksum(), length })
}

/// The filter tells almost all addresses that are not our own.
#[inline(always)]
fn is_own(journey: &Journey, source: u32) -> bool {
    maps::LOCAL_ADDRESSES.get(0).may_have(source.into())
        && is_local4(u32::from(ports::view(journey.router.mac_and_view)), source)
}

#[inline(always)]
pub fn ipv6<const AT: usize>(packet: &Packet, journey: &Journey) -> Result<Ipv6, Reason> {
    if !packet.has(AT + HEADER_6) {
        return stop(Reason::TransitInputBadHeader);
    }
    read6::<AT>(packet, journey.length).or_stop(Reason::TransitInputBadHeader)?
}

/// `None` never: the caller has looked at the length.
#[inline(always)]
fn read6<const AT: usize>(packet: &Packet, frame_length: u32) -> Option<Result<Ipv6, Reason>> {
    let [version, ..]: [u8; 4] = packet.read::<u32>(AT)?.to_ne_bytes();
    let [high, low, next_header, hop_limit] = packet.read::<u32>(AT + 4)?.to_ne_bytes();
    let length = HEADER_6 as u32 + u32::from(u16::from_be_bytes([high, low]));
    if version >> 4 != 6 || length + AT as u32 > frame_length {
        return Some(stop(Reason::TransitInputBadHeader));
    }
    // Jumbograms (RFC 2675), whose payload length is 0, are among them.
    if next_header == HOP_BY_HOP {
        return Some(stop(Reason::TransitInputOptions));
    }
    if hop_limit <= 1 {
        return Some(stop(Reason::TransitInputTtl));
    }
    // To a host that the kernel is a proxy for, it answers itself (`ip6_forward_proxy_check`).
    if next_header == ip_protocol::ICMPV6 && is_discovery_message(packet, AT) {
        return Some(stop(Reason::TransitInputNeighbourDiscovery));
    }
    let source = [packet.read(AT + 8)?, packet.read(AT + 16)?];
    let destination = [packet.read(AT + 24)?, packet.read(AT + 32)?];
    if is_martian6(source[0]) || is_martian6(destination[0]) {
        return Some(stop(Reason::TransitInputMartian));
    }
    Some(Ok(Ipv6 { flow: Flow6 { source, destination, next_header }, hop_limit, length }))
}
