//! Over IPv6: the flow has a label as well (RFC 6438), and the device's settings say whether there is a
//! UDP checksum (RFC 6935, 6936).

use fabric_common::{
    flow_hash,
    reason::Reason,
    schema::domains::{FLAG_LABEL_INHERIT, FLAG_ZERO_CHECKSUM_TX},
    tunnel::{LONGEST_SUM, OUTER_IP6, UDP_AND_VXLAN},
};

use super::{Inner, OuterFields, count, longest};
use crate::{
    access::nexthop_select::Selection,
    ending::{OrStop, stop},
    journey::{Journey, VtepRef},
    maps,
    nexthop::put_macs,
    packet::{
        Packet,
        network::{ether_type, ip_protocol},
        pair, quad,
        sum::{self, pseudo_header},
        vxlan::{FLAGS_BE, OUTER6},
        word_and_pair,
    },
};

/// The bits of the flow label in the first word of an IPv6 header.
const LABEL_BE: u32 = 0xf_ffff_u32.to_be();

#[inline(always)]
pub fn ipv6<I: Inner>(
    packet: &mut Packet,
    journey: &mut Journey,
    to: VtepRef,
    selection: &Selection,
    inner: &I,
) -> Result<u32, Reason> {
    let domain = journey.domain;
    let inner_length = inner.length();
    let with_checksum = domain.flags & FLAG_ZERO_CHECKSUM_TX == 0;
    let udp_length = inner_length + UDP_AND_VXLAN;
    if inner_length > longest::<I>(journey) || with_checksum && udp_length > LONGEST_SUM {
        return stop(Reason::VxlanOutputTooBig);
    }
    if inner_length + OUTER_IP6 > selection.nexthop.mtu.into() {
        return stop(Reason::VxlanOutputUnderlayTooSmall);
    }
    let label_be = label(packet, journey, selection, inner)?;
    let cut = inner.cut() as i32 - (OUTER6 + I::TAG) as i32;
    packet.move_start(cut).or_stop(Reason::VxlanOutputNoHeadroom)?;
    count(journey, to, inner_length);
    // Past this point nothing may fail: the packet is not what the kernel would expect any more.
    inner
        .write::<OUTER6, { OUTER6 + 8 }, { OUTER6 + 12 }>(packet)
        .or_stop(Reason::OutputTruncated)?;
    let at = (OUTER6 + 14 + I::TAG, inner.ether_type_be());
    let fields = OuterFields::of::<I>(packet, domain, selection.network.tos as u8, at);
    write_outer6(packet, journey, to, selection, &fields, udp_length, label_be)
        .and_then(|()| match with_checksum {
            // Over the finished packet, so that it is right for whatever the host sent.
            true => sum::write_udp6(packet, udp_length, pseudo_header(to.vtep, udp_length)),
            false => Some(()),
        })
        .or_stop(Reason::OutputTruncated)?;
    Ok(inner_length + OUTER6 as u32)
}

/// The flow label of the outer header, as it stands there.
#[inline(always)]
fn label(
    packet: &Packet,
    journey: &Journey,
    selection: &Selection,
    inner: &impl Inner,
) -> Result<u32, Reason> {
    if journey.domain.flags & FLAG_LABEL_INHERIT != 0 {
        return match inner.ether_type_be() {
            ether_type::IPV6 => {
                let first: u32 =
                    packet.read(inner.cut() + 14).or_stop(Reason::PortInputTruncated)?;
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
    put_macs(&mut outer, selection.nexthop);
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
    outer.put::<62, _>(pair(FLAGS_BE, (domain.vni << 8).to_be()));
    Some(())
}
