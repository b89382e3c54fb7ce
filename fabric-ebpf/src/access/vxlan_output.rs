//! Arrives: a frame, its VTEP and nexthop. Leaves: the VXLAN packet.
//!
//! Writes the outer headers as the kernel's vxlan device with the same settings would
//! (`vxlan_xmit_one` in `drivers/net/vxlan/vxlan_core.c`), with the UDP checksum 0 that RFC 7348
//! §5 recommends over IPv4 and a source port from the range that it recommends. Passes frames that
//! do not fit (RFC 7348 §4.3: a VTEP must not fragment), so that the kernel treats them as ever.

use fabric_common::{
    checksum, ecn, flow_hash,
    reason::Reason,
    schema::domains::{FLAG_DF, FLAG_DF_INHERIT, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT},
};

use super::nexthop_select::Selection;
use crate::{
    account,
    journey::{Frame, Journey, VtepRef},
    maps,
    packet::{Packet, network::ether_type, pair_and_word, quad, word_and_pair},
};

/// Ethernet, IPv4, UDP and VXLAN header: 14 + 20 + 8 + 8.
pub const OUTER: usize = 50;
/// Bytes of the outer IP packet in front of the inner frame.
const OUTER_IP: u32 = 36;
/// The VXLAN flags with nothing but the I flag (RFC 7348 §5).
pub const VXLAN_FLAGS_BE: u32 = 0x0800_0000_u32.to_be();

#[inline(always)]
pub fn vxlan_output(
    packet: &mut Packet,
    journey: &Journey,
    to: VtepRef,
    selection: &Selection,
    frame: &Frame,
) -> Result<(), Reason> {
    let domain = journey.domain;
    let nexthop = selection.nexthop;
    let inner_length = journey.length - journey.tag as u32;
    if inner_length > domain.max_frame || inner_length + OUTER_IP > nexthop.mtu {
        return Err(Reason::VxlanOutputTooBig);
    }
    packet.move_start(journey.tag as i32 - OUTER as i32).ok_or(Reason::VxlanOutputNoHeadroom)?;
    let mut sent_before = 0;
    if let Some(traffic) = maps::VTEP_TRAFFIC.get_ptr_mut(to.index) {
        // SAFETY: a field of the per-CPU entry that was just looked up.
        sent_before = account::add(unsafe { &raw mut (*traffic).encapsulated }, inner_length);
    }
    if let Some(traffic) = maps::DOMAIN_TRAFFIC.get_ptr_mut(journey.domain_index) {
        // SAFETY: as above.
        account::add(unsafe { &raw mut (*traffic).encapsulated }, inner_length);
    }
    // Past this point nothing may fail: the packet is not what the kernel would expect any more.
    write_outer(packet, journey, to, selection, inner_length, sent_before)
        .and_then(|()| if journey.tag == 0 { Some(()) } else { write_addresses(packet, frame) })
        .ok_or(Reason::UnderlayOutputNoPort)
}

#[inline(always)]
fn write_outer(
    packet: &mut Packet,
    journey: &Journey,
    to: VtepRef,
    selection: &Selection,
    inner_length: u32,
    sent_before: u64,
) -> Option<()> {
    let domain = journey.domain;
    let network = &selection.network;
    let has = |flag: u16| domain.flags & flag != 0;
    let tos = if has(FLAG_TOS_INHERIT) { network.tos } else { domain.tos };
    let tos = ecn::encapsulate(tos, network.tos);
    let ttl = if has(FLAG_TTL_INHERIT) && network.ttl != 0 { network.ttl } else { domain.ttl };
    let df = has(FLAG_DF) || (has(FLAG_DF_INHERIT) && network.df);

    // Outer packets may be fragmented on their way, so consecutive ones of a pair of VTEPs need
    // distinct identifications (RFC 6864 §4.3); the flow's hash keeps CPUs apart.
    let identification = (sent_before as u16) ^ (network.hash >> 32) as u16;
    let total_length_be = ((inner_length + OUTER_IP) as u16).to_be();
    let fragment_be = if df { 0x4000_u16.to_be() } else { 0 };
    let header_checksum = !checksum::fold(
        to.vtep.checksum_base
            + u32::from(u16::from_ne_bytes([0, tos]))
            + u32::from(total_length_be)
            + u32::from(identification)
            + u32::from(fragment_be)
            + u32::from(u16::from_ne_bytes([ttl, 0])),
    );

    let mut outer = packet.start_of::<OUTER>()?;
    // Few wide stores.
    let macs = selection.nexthop.macs.as_ptr();
    // SAFETY: the bytes 0 to 7 and 8 to 11 of the 12 of both addresses.
    unsafe {
        outer.put::<0, _>(macs.cast::<u64>().read_unaligned());
        outer.put::<8, _>(macs.add(8).cast::<u32>().read_unaligned());
    }
    outer.put::<12, _>(ether_type::IPV4);
    let version_and_tos = u16::from_ne_bytes([0x45, tos]);
    outer.put::<14, _>(quad(version_and_tos, total_length_be, identification, fragment_be));
    let ttl_and_protocol = u16::from_ne_bytes([ttl, 17]);
    outer.put::<22, _>(pair_and_word(ttl_and_protocol, header_checksum, to.vtep.local_be));
    let source_port_be = flow_hash::source_port(network.hash).to_be();
    outer.put::<30, _>(word_and_pair(to.vtep.remote_be, source_port_be, domain.udp_port_be));
    let udp_length_be = ((inner_length + 16) as u16).to_be();
    outer.put::<38, _>(pair_and_word(udp_length_be, 0, VXLAN_FLAGS_BE));
    outer.put::<46, _>((domain.vni << 8).to_be());
    Some(())
}

/// The tag stood behind the addresses, so without it they start four bytes later.
#[inline(always)]
fn write_addresses(packet: &mut Packet, frame: &Frame) -> Option<()> {
    let mut start = packet.start_of::<{ OUTER + 12 }>()?;
    start.put::<OUTER, _>(frame.destination | frame.source << 48);
    start.put::<{ OUTER + 8 }, _>((frame.source >> 16) as u32);
    Some(())
}
