//! Arrives: a packet from the fabric. Leaves: the outer header of a VXLAN packet for this box.
//!
//! Everything else may be routed on; where nothing is, it passes: BGP, BFD, ARP, neighbour discovery,
//! and of VXLAN what only the kernel can treat: fragments, IP options, IPv6 extension headers,
//! contradictory lengths. A wrong IP header checksum as well, which the kernel drops and counts
//! (RFC 1812 §5.2.2; `ip_rcv_core`).

use fabric_common::reason::Reason;

use crate::{
    ending::{OrStop, stop},
    journey::Journey,
    packet::{
        Packet,
        ipv4::{Form, Header},
        network::{ether_type, ip_protocol},
        vxlan::{OUTER4, OUTER6},
    },
    port_input::is_for_port,
};

/// What decapsulation needs of an outer IPv6 header.
#[derive(Clone, Copy)]
pub struct Outer6 {
    /// Halves of the addresses as they stand in the packet.
    pub source: [u64; 2],
    pub destination: [u64; 2],
    pub udp_port_be: u16,
    /// Length of the UDP packet in bytes.
    pub udp_length: u32,
    /// UDP checksum as it stands in the packet.
    pub checksum: u16,
    /// Traffic class.
    pub tos: u8,
}

/// What decapsulation needs of an outer IPv4 header.
#[derive(Clone, Copy)]
pub struct Outer4 {
    pub source_be: u32,
    pub destination_be: u32,
    pub udp_port_be: u16,
    pub tos: u8,
}

#[inline(always)]
pub fn ipv4(packet: &Packet, journey: &mut Journey) -> Result<Outer4, Reason> {
    // A VXLAN packet has at least its outer headers; whatever is shorter is something else.
    if !packet.has(OUTER4) {
        return stop(Reason::UnderlayInputNotVxlan);
    }
    let outer = parse4(packet, journey).or_stop(Reason::UnderlayInputNotVxlan)??;
    journey.outer = OUTER4;
    Ok(outer)
}

#[inline(always)]
pub fn ipv6(packet: &Packet, journey: &mut Journey) -> Result<Outer6, Reason> {
    if !packet.has(OUTER6) {
        return stop(Reason::UnderlayInputNotVxlan);
    }
    let outer = parse6(packet, journey).or_stop(Reason::UnderlayInputNotVxlan)??;
    journey.outer = OUTER6;
    Ok(outer)
}

#[inline(always)]
fn parse4(packet: &Packet, journey: &Journey) -> Option<Result<Outer4, Reason>> {
    if packet.read::<u16>(12)? != ether_type::IPV4 {
        return None;
    }
    let header = Header::read(packet, 14)?;
    if header.form() == Form::Other || header.protocol() != ip_protocol::UDP {
        return None;
    }
    if header.form() != Form::Plain {
        return Some(stop(Reason::UnderlayInputIpOptions));
    }
    if header.fragment_be() != 0 {
        return Some(stop(Reason::UnderlayInputFragment));
    }
    let udp_port_be: u16 = packet.read(36)?;
    if !journey.settings.has_vxlan_port(udp_port_be) {
        return None;
    }
    if !is_for_port(packet, journey) {
        return Some(stop(Reason::UnderlayInputOtherHost));
    }
    if !header.is_intact() {
        return Some(stop(Reason::UnderlayInputBadChecksum));
    }
    let total_length = header.total_length();
    let udp_length = u32::from(u16::from_be(packet.read(38)?));
    if total_length + 14 != journey.length || udp_length + 20 != total_length {
        return Some(stop(Reason::UnderlayInputTruncated));
    }
    Some(Ok(Outer4 {
        source_be: header.source_be(),
        destination_be: header.destination_be(),
        udp_port_be,
        tos: header.tos(),
    }))
}

#[inline(always)]
fn parse6(packet: &Packet, journey: &Journey) -> Option<Result<Outer6, Reason>> {
    let [high, low]: [u8; 2] = packet.read(14)?;
    // Whatever has extension headers is not looked into; fragments are among that.
    if high >> 4 != 6 || packet.read::<u8>(20)? != ip_protocol::UDP {
        return None;
    }
    let udp_port_be: u16 = packet.read(56)?;
    if !journey.settings.has_vxlan_port(udp_port_be) {
        return None;
    }
    if !is_for_port(packet, journey) {
        return Some(stop(Reason::UnderlayInputOtherHost));
    }
    let payload_length = u32::from(u16::from_be(packet.read(18)?));
    let udp_length = u32::from(u16::from_be(packet.read(58)?));
    if payload_length + 54 != journey.length || udp_length != payload_length {
        return Some(stop(Reason::UnderlayInputTruncated));
    }
    Some(Ok(Outer6 {
        source: [packet.read(22)?, packet.read(30)?],
        destination: [packet.read(38)?, packet.read(46)?],
        udp_port_be,
        udp_length,
        checksum: packet.read(60)?,
        tos: high << 4 | low >> 4,
    }))
}
