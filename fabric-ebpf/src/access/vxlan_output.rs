//! Arrives: a frame, its VTEP and nexthop. Leaves: the VXLAN packet.
//!
//! Writes the outer headers as the kernel's vxlan device with the same settings would
//! (`vxlan_xmit_one` in `drivers/net/vxlan/vxlan_core.c`), with the UDP checksum 0 that RFC 7348
//! §5 recommends over IPv4 and a source port from the range that it recommends. Over IPv6 the flow
//! has a label as well (RFC 6438), and the device's settings say whether there is a UDP checksum
//! (RFC 6935, 6936). Passes frames that do not fit (RFC 7348 §4.3: a VTEP must not fragment), so
//! that the kernel treats them as ever.

use core::hint::cold_path;

use aya_ebpf::bindings::xdp_md;
use fabric_common::{
    checksum, ecn, flow_hash,
    reason::Reason,
    schema::{
        domains::{
            Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_LABEL_INHERIT, FLAG_TOS_INHERIT,
            FLAG_TTL_INHERIT, FLAG_ZERO_CHECKSUM_TX,
        },
        ports,
        vteps::Vtep,
    },
};

use super::nexthop_select::Selection;
use crate::{
    account,
    ending::{OrStop, stop},
    journey::{Frame, Journey, VtepRef},
    maps,
    optional::INHERITED_FIELDS,
    packet::{
        Packet, halves,
        network::{ether_type, ip_protocol},
        pair, pair_and_word, quad, sum, word_and_pair,
    },
};

/// Ethernet, IPv4, UDP and VXLAN header: 14 + 20 + 8 + 8.
pub const OUTER4: usize = 50;
/// Ethernet, IPv6, UDP and VXLAN header: 14 + 40 + 8 + 8.
pub const OUTER6: usize = 70;
/// Bytes of the outer IPv4 packet in front of the inner frame.
const OUTER_IP4: u32 = 36;
/// Bytes of the outer IPv6 packet in front of the inner frame.
const OUTER_IP6: u32 = 56;
/// UDP and VXLAN header.
const UDP_AND_VXLAN: u32 = 16;
/// The bits of the flow label in the first word of an IPv6 header.
const LABEL_BE: u32 = 0xf_ffff_u32.to_be();
/// The DF bit of an IPv4 header, in network byte order.
const DF_BE: u16 = 0x4000_u16.to_be();
/// The VXLAN flags with nothing but the I flag (RFC 7348 §5).
pub const VXLAN_FLAGS_BE: u32 = 0x0800_0000_u32.to_be();

#[inline(always)]
pub fn ipv4(
    packet: &mut Packet,
    journey: &mut Journey,
    to: VtepRef,
    selection: &Selection,
    frame: &Frame,
) -> Result<u32, Reason> {
    let domain = journey.domain;
    let nexthop = selection.nexthop;
    let inner_length = journey.length - journey.tag as u32;
    if inner_length > domain.max_frame || inner_length + OUTER_IP4 > nexthop.mtu {
        return stop(Reason::VxlanOutputTooBig);
    }
    packet.move_start(journey.tag as i32 - OUTER4 as i32).or_stop(Reason::VxlanOutputNoHeadroom)?;
    let sent_before = count(journey, to, inner_length);
    // Past this point nothing may fail: the packet is not what the kernel would expect any more.
    let fields =
        OuterFields::of(packet, domain, selection.network.tos, frame.shifted(OUTER4 - journey.tag));
    write_outer4(packet, journey, to, selection, &fields, inner_length, sent_before)
        .and_then(|()| {
            write_addresses::<OUTER4, { OUTER4 + 8 }, { OUTER4 + 12 }>(packet, journey, frame)
        })
        .or_stop(Reason::UnderlayOutputNoPort)?;
    Ok(inner_length + OUTER4 as u32)
}

#[inline(always)]
pub fn ipv6(
    packet: &mut Packet,
    journey: &mut Journey,
    to: VtepRef,
    selection: &Selection,
    frame: &Frame,
) -> Result<u32, Reason> {
    let domain = journey.domain;
    let inner_length = journey.length - journey.tag as u32;
    if inner_length > domain.max_frame || inner_length + OUTER_IP6 > selection.nexthop.mtu {
        return stop(Reason::VxlanOutputTooBig);
    }
    let with_checksum = domain.flags & FLAG_ZERO_CHECKSUM_TX == 0;
    let udp_length = inner_length + UDP_AND_VXLAN;
    if with_checksum && udp_length > sum::MAX {
        return stop(Reason::VxlanOutputTooBig);
    }
    let label_be = label(packet, journey, selection, frame)?;
    packet.move_start(journey.tag as i32 - OUTER6 as i32).or_stop(Reason::VxlanOutputNoHeadroom)?;
    count(journey, to, inner_length);
    // Past this point nothing may fail: the packet is not what the kernel would expect any more.
    let fields =
        OuterFields::of(packet, domain, selection.network.tos, frame.shifted(OUTER6 - journey.tag));
    write_outer6(packet, journey, to, selection, &fields, udp_length, label_be)
        .and_then(|()| {
            write_addresses::<OUTER6, { OUTER6 + 8 }, { OUTER6 + 12 }>(packet, journey, frame)
        })
        .and_then(|()| match with_checksum {
            true => write_checksum(packet, to, udp_length),
            false => Some(()),
        })
        .or_stop(Reason::UnderlayOutputNoPort)?;
    Ok(inner_length + OUTER6 as u32)
}

/// Counts the frame and returns how many were sent to the VTEP before.
#[inline(always)]
fn count(journey: &mut Journey, to: VtepRef, inner_length: u32) -> u64 {
    journey.cpu = account::cpu();
    let domain = maps::DOMAIN_TRAFFIC.get(journey.cpu, journey.domain_index);
    let vtep = maps::VTEP_TRAFFIC.get(journey.cpu, to.index);
    // SAFETY: fields of this CPU's entries.
    unsafe {
        account::add(&raw mut (*domain).encapsulated, inner_length);
        account::add(&raw mut (*vtep).encapsulated, inner_length)
    }
}

/// What of the outer header the vxlan device's settings and the inner header decide.
struct OuterFields {
    /// Type of service or traffic class.
    tos: u8,
    /// TTL or hop limit.
    ttl: u8,
    /// IPv4: the DF bit, in the place and byte order of the header's word.
    df_be: u16,
}

impl OuterFields {
    /// `at` is where the packet has the inner network header by now, and its EtherType.
    #[inline(always)]
    fn of(packet: &Packet, domain: &Domain, inner_tos: u8, at: (usize, u16)) -> Self {
        const ANY: u16 = FLAG_TOS_INHERIT | FLAG_TTL_INHERIT | FLAG_DF | FLAG_DF_INHERIT;
        let fields = if !INHERITED_FIELDS || domain.flags & ANY == 0 {
            u32::from_ne_bytes([domain.ttl, domain.tos, 0, 0])
        } else {
            cold_path();
            inherit(packet.context(), domain, inner_tos, at.0 as u32, at.1)
        };
        let [ttl, tos, a, b] = fields.to_ne_bytes();
        Self { tos: ecn::encapsulate(tos, inner_tos), ttl, df_be: u16::from_ne_bytes([a, b]) }
    }
}

/// TOS, TTL and DF for devices that inherit any of them, byte by byte. A subprogram that looks at the
/// inner header once more, so that no other frame has to carry along what it says.
#[inline(never)]
fn inherit(
    context: *mut xdp_md,
    domain: &Domain,
    inner_tos: u8,
    at: u32,
    ether_type_be: u16,
) -> u32 {
    let packet = Packet::of(context);
    let at = at as usize;
    let (inner_ttl, inner_df_be) = match ether_type_be {
        ether_type::IPV4 => {
            let df_be = packet.read::<u16>(at + 6).unwrap_or(0) & DF_BE;
            (packet.read(at + 8).unwrap_or(0), df_be)
        }
        ether_type::IPV6 => (packet.read(at + 7).unwrap_or(0), DF_BE),
        _ => (0, 0),
    };
    let has = |flag: u16| domain.flags & flag != 0;
    let tos = if has(FLAG_TOS_INHERIT) { inner_tos } else { domain.tos };
    let ttl = if has(FLAG_TTL_INHERIT) && inner_ttl != 0 { inner_ttl } else { domain.ttl };
    let [a, b] = match (has(FLAG_DF), has(FLAG_DF_INHERIT)) {
        (true, _) => DF_BE,
        (false, true) => inner_df_be,
        (false, false) => 0,
    }
    .to_ne_bytes();
    u32::from_ne_bytes([ttl, tos, a, b])
}

#[inline(always)]
fn write_outer4(
    packet: &mut Packet,
    journey: &Journey,
    to: VtepRef,
    selection: &Selection,
    fields: &OuterFields,
    inner_length: u32,
    sent_before: u64,
) -> Option<()> {
    let domain = journey.domain;
    let network = &selection.network;
    let OuterFields { tos, ttl, df_be: fragment_be } = *fields;

    // Outer packets may be fragmented on their way, so consecutive ones of a pair of VTEPs need
    // distinct identifications (RFC 6864 §4.3); the flow's hash keeps CPUs apart.
    let identification = (sent_before as u16) ^ (network.hash >> 32) as u16;
    let total_length_be = ((inner_length + OUTER_IP4) as u16).to_be();
    let first = halves(u16::from_ne_bytes([0x45, tos]), total_length_be);
    let second = halves(identification, fragment_be);
    let third = halves(u16::from_ne_bytes([ttl, ip_protocol::UDP]), 0);
    let checksum = !checksum::fold_words([first, second, third, to.vtep.checksum_base]);

    let mut outer = packet.start_of::<OUTER4>()?;
    // Few wide stores.
    let macs = selection.nexthop.macs.as_ptr();
    // SAFETY: the bytes 0 to 7 and 8 to 11 of the 12 of both addresses.
    unsafe {
        outer.put::<0, _>(macs.cast::<u64>().read_unaligned());
        outer.put::<8, _>(macs.add(8).cast::<u32>().read_unaligned());
    }
    outer.put::<12, _>(ether_type::IPV4);
    outer.put::<14, _>(pair(first, second));
    outer.put::<22, _>(pair(third | halves(0, checksum), to.vtep.local_be));
    let source_port_be = flow_hash::source_port_be(network.hash);
    outer.put::<30, _>(word_and_pair(to.vtep.remote_be, source_port_be, domain.udp_port_be));
    let udp_length_be = ((inner_length + UDP_AND_VXLAN) as u16).to_be();
    outer.put::<38, _>(pair_and_word(udp_length_be, 0, VXLAN_FLAGS_BE));
    outer.put::<46, _>((domain.vni << 8).to_be());
    Some(())
}

/// The flow label of the outer header, as it stands there.
#[inline(always)]
fn label(
    packet: &Packet,
    journey: &Journey,
    selection: &Selection,
    frame: &Frame,
) -> Result<u32, Reason> {
    if journey.domain.flags & FLAG_LABEL_INHERIT != 0 {
        return match frame.ether_type_be {
            ether_type::IPV6 => {
                let first: u32 = packet.read(frame.network).or_stop(Reason::PortInputTruncated)?;
                Ok(first & LABEL_BE)
            }
            _ => Ok(0),
        };
    }
    let set_be = maps::DOMAINS6.get(journey.domain_index).label_be;
    Ok(match set_be {
        0 => flow_hash::label(selection.network.hash).to_be(),
        label_be => label_be & LABEL_BE,
    })
}

#[inline(always)]
fn write_outer6(
    packet: &mut Packet,
    journey: &Journey,
    to: VtepRef,
    selection: &Selection,
    fields: &OuterFields,
    udp_length: u32,
    label_be: u32,
) -> Option<()> {
    let domain = journey.domain;
    let OuterFields { tos: class, ttl: hop_limit, .. } = *fields;
    let mut outer = packet.start_of::<OUTER6>()?;
    let macs = selection.nexthop.macs.as_ptr();
    // SAFETY: the bytes 0 to 7 and 8 to 11 of the 12 of both addresses.
    unsafe {
        outer.put::<0, _>(macs.cast::<u64>().read_unaligned());
        outer.put::<8, _>(macs.add(8).cast::<u32>().read_unaligned());
    }
    outer.put::<12, _>(ether_type::IPV6);
    let first = u32::from_ne_bytes([0x60 | class >> 4, class << 4, 0, 0]) | label_be;
    let length_be = (udp_length as u16).to_be();
    let next_header = u16::from_ne_bytes([ip_protocol::UDP, hop_limit]);
    outer.put::<14, _>(word_and_pair(first, length_be, next_header));
    let [local, remote] = [to.vtep.local6, to.vtep.remote6];
    outer.put::<22, _>(local[0]);
    outer.put::<30, _>(local[1]);
    outer.put::<38, _>(remote[0]);
    outer.put::<46, _>(remote[1]);
    let source_port_be = flow_hash::source_port_be(selection.network.hash);
    outer.put::<54, _>(quad(source_port_be, domain.udp_port_be, length_be, 0));
    outer.put::<62, _>(pair(VXLAN_FLAGS_BE, (domain.vni << 8).to_be()));
    Some(())
}

/// Over the finished packet, so that it is right for whatever the host sent.
#[inline(always)]
fn write_checksum(packet: &mut Packet, to: VtepRef, udp_length: u32) -> Option<()> {
    let sum = sum::udp6(packet, udp_length, pseudo_header(to.vtep, udp_length))?;
    // 0 says that there is none (RFC 8200 §8.1).
    packet.write(60, if sum == 0xffff { 0xffff } else { !sum })
}

/// The sum of the pseudo header of a UDP packet between the addresses of a VTEP (RFC 8200 §8.1).
#[inline(always)]
pub fn pseudo_header(vtep: &Vtep, udp_length: u32) -> u32 {
    vtep.checksum_base + u32::from((udp_length as u16).to_be())
}

/// The tag stood behind the addresses, so without it they start four bytes later.
#[inline(always)]
fn write_addresses<const FIRST: usize, const SECOND: usize, const END: usize>(
    packet: &mut Packet,
    journey: &Journey,
    frame: &Frame,
) -> Option<()> {
    if journey.tag == 0 {
        return Some(());
    }
    let mut start = packet.start_of::<END>()?;
    start.put::<FIRST, _>(ports::mac(frame.destination) | frame.source << 48);
    start.put::<SECOND, _>((frame.source >> 16) as u32);
    Some(())
}
