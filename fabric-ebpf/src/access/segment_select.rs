//! Arrives: a frame for an Ethernet segment. Leaves: the VTEP of the segment that its flow takes.
//!
//! As `vxlan_xmit_nh` of `drivers/net/vxlan/vxlan_core.c`: one of the nexthop group's members by weight, the
//! same for all of a flow, whether it can be reached or not (`nexthop_select_path` of `net/ipv4/nexthop.c`
//! asks that of no member that is for FDB entries). A segment without members that can be expressed is index 0,
//! a VTEP that no group of next hops leads to, so its frames pass.

use core::hint::cold_path;

use fabric_common::{
    bucket, flow_hash,
    schema::{groups::Choice, ports::mac, settings::HASH_OF_FRAMES},
};

use crate::{
    journey::{Frame, Journey, VtepRef},
    maps, nexthop,
    packet::{Packet, flow, flow_options::flow_by_options, network::ether_type},
};

/// Looks at the flow by itself, so that frames for other VTEPs pay nothing for it.
#[inline(always)]
pub fn segment_select(packet: &Packet, journey: &Journey, segment: u32, frame: &Frame) -> VtepRef {
    cold_path();
    let settings = journey.settings;
    let hash = match frame.ether_type_be {
        ip @ (ether_type::IPV4 | ether_type::IPV6) => {
            let options = settings.hash_flags & HASH_OF_FRAMES;
            flow_by_options(packet.context(), frame.network as u32, ip.into(), options)
        }
        other => flow::ethernet(settings, mac(frame.source), mac(frame.destination), other),
    };
    let index = member(segment, flow_hash::segment(hash), journey.now);
    VtepRef { index, vtep: maps::VTEPS.get(index) }
}

/// The VTEP of a segment that flows with this hash take, or 0. A subprogram: it ends in one number.
#[inline(never)]
fn member(segment: u32, hash: u32, now: u64) -> u32 {
    let group = maps::GROUPS.get(maps::SEGMENTS.get(segment).group);
    match (group.spread(), group.choice()) {
        (Some((first, count)), _) => {
            let at = first.wrapping_add(bucket::index(hash, 0, count));
            if group.is_timed() {
                nexthop::note_use(now, at);
            }
            nexthop::in_bucket(at)
        }
        (None, Choice::Single { nexthop: vtep }) => vtep,
        _ => 0,
    }
}
