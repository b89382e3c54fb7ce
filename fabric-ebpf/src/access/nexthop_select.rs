//! Arrives: a frame for a VTEP. Leaves: the nexthop of the underlay that its flow takes.
//!
//! Passes frames for VTEPs without a usable nexthop: the kernel resolves neighbours and reports.

use fabric_common::{bucket::BUCKETS, flow_hash, reason::Reason};

use crate::{
    journey::{Frame, Journey, NexthopRef, VtepRef},
    maps,
    packet::{Packet, network::Network},
};

/// What the tunnel's outer header takes from the flow.
pub struct Selection {
    pub nexthop: NexthopRef,
    pub network: Network,
}

#[inline(always)]
pub fn nexthop_select(
    packet: &Packet,
    journey: &Journey,
    to: VtepRef,
    frame: &Frame,
) -> Result<Selection, Reason> {
    let network =
        Network::parse(packet, frame, journey.settings.seed).ok_or(Reason::PortInputTruncated)?;
    let group = maps::GROUPS.get(to.vtep.group).ok_or(Reason::NexthopSelectEmptyGroup)?;
    let index = group.buckets[flow_hash::bucket(network.hash) as usize % BUCKETS];
    let nexthop = maps::NEXTHOPS.get(u32::from(index)).ok_or(Reason::NexthopSelectEmptyGroup)?;
    if nexthop.port == 0 {
        return Err(Reason::NexthopSelectEmptyGroup);
    }
    Ok(Selection { nexthop, network })
}
