//! Over IPv4: with the UDP checksum 0 that RFC 7348 §5 recommends.

use fabric_common::{
    checksum, flow_hash,
    reason::Reason,
    tunnel::{OUTER_IP4, UDP_AND_VXLAN},
};

use super::{Inner, OuterFields, count, longest};
use crate::{
    access::nexthop_select::Selection,
    ending::{OrStop, stop},
    journey::{Journey, VtepRef},
    nexthop::put_macs,
    packet::{
        Packet, halves,
        network::{ether_type, ip_protocol},
        pair, pair_and_word,
        vxlan::{FLAGS_BE, OUTER4},
        word_and_pair,
    },
};

#[inline(always)]
pub fn ipv4<I: Inner>(
    packet: &mut Packet,
    journey: &mut Journey,
    to: VtepRef,
    selection: &Selection,
    inner: &I,
) -> Result<u32, Reason> {
    let domain = journey.domain;
    let nexthop = selection.nexthop;
    let inner_length = inner.length();
    if inner_length > longest::<I>(journey) {
        return stop(Reason::VxlanOutputTooBig);
    }
    if inner_length + OUTER_IP4 > nexthop.mtu.into() {
        return stop(Reason::VxlanOutputUnderlayTooSmall);
    }
    let cut = inner.cut() as i32 - (OUTER4 + I::TAG) as i32;
    packet.move_start(cut).or_stop(Reason::VxlanOutputNoHeadroom)?;
    let sent_before = count(journey, to, inner_length);
    // Past this point nothing may fail: the packet is not what the kernel would expect any more.
    inner
        .write::<OUTER4, { OUTER4 + 8 }, { OUTER4 + 12 }>(packet)
        .or_stop(Reason::OutputTruncated)?;
    let at = (OUTER4 + 14 + I::TAG, inner.ether_type_be());
    let fields = OuterFields::of::<I>(packet, domain, selection.network.tos as u8, at);
    write_outer4(packet, journey, to, selection, &fields, inner_length, sent_before)
        .or_stop(Reason::OutputTruncated)?;
    Ok(inner_length + OUTER4 as u32)
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
    put_macs(&mut outer, selection.nexthop);
    outer.put::<12, _>(ether_type::IPV4);
    outer.put::<14, _>(pair(first, second));
    outer.put::<22, _>(pair(third | halves(0, checksum), to.vtep.local_be));
    let source_port_be = flow_hash::source_port_be(network.hash);
    outer.put::<30, _>(word_and_pair(to.vtep.remote_be, source_port_be, domain.udp_port_be));
    let udp_length_be = ((inner_length + UDP_AND_VXLAN) as u16).to_be();
    outer.put::<38, _>(pair_and_word(udp_length_be, 0, FLAGS_BE));
    outer.put::<46, _>((domain.vni << 8).to_be());
    Some(())
}
