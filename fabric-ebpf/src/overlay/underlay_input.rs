//! Arrives: a packet from the fabric. Leaves: the outer header of a VXLAN packet for this box.
//!
//! Everything else may be routed on; where nothing is, it passes: BGP, BFD, ARP, neighbour discovery,
//! and of VXLAN what only the kernel can treat: fragments, IP options, IPv6 extension headers,
//! contradictory lengths. A wrong IP header checksum as well, which the kernel drops and counts
//! (RFC 1812 §5.2.2; `ip_rcv_core`).

use fabric_common::{checksum, reason::Reason, schema::ports};

use crate::{
    access::vxlan_output::{OUTER4, OUTER6},
    ending::{OrStop, stop},
    journey::Journey,
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
    },
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

/// The IPv4 header without options, word by word: an array would be copied.
#[inline(always)]
pub fn header_words(packet: &Packet) -> Option<[u32; 5]> {
    Some([packet.read(14)?, packet.read(18)?, packet.read(22)?, packet.read(26)?, packet.read(30)?])
}

#[inline(always)]
fn parse4(packet: &Packet, journey: &Journey) -> Option<Result<Outer4, Reason>> {
    if packet.read::<u16>(12)? != ether_type::IPV4 {
        return None;
    }
    let [version_and_length, tos]: [u8; 2] = packet.read(14)?;
    let protocol: u8 = packet.read(23)?;
    if version_and_length >> 4 != 4 || protocol != ip_protocol::UDP {
        return None;
    }
    if version_and_length != 0x45 {
        return Some(stop(Reason::UnderlayInputIpOptions));
    }
    if u16::from_be(packet.read(20)?) & 0x3fff != 0 {
        return Some(stop(Reason::UnderlayInputFragment));
    }
    let udp_port_be: u16 = packet.read(36)?;
    if !journey.settings.has_vxlan_port(udp_port_be) {
        return None;
    }
    if packet.read::<u64>(0)? & 0xffff_ffff_ffff != ports::mac(journey.entry.mac_and_view) {
        return Some(stop(Reason::UnderlayInputOtherHost));
    }
    if checksum::ipv4_words(&header_words(packet)?) != 0 {
        return Some(stop(Reason::UnderlayInputBadChecksum));
    }
    let total_length = u32::from(u16::from_be(packet.read(16)?));
    let udp_length = u32::from(u16::from_be(packet.read(38)?));
    if total_length + 14 != journey.length || udp_length + 20 != total_length {
        return Some(stop(Reason::UnderlayInputTruncated));
    }
    Some(Ok(Outer4 {
        source_be: packet.read(26)?,
        destination_be: packet.read(30)?,
        udp_port_be,
        tos,
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
    if packet.read::<u64>(0)? & 0xffff_ffff_ffff != ports::mac(journey.entry.mac_and_view) {
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
