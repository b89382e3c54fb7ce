//! Arrives: a frame for a VTEP. Leaves: the nexthop of the underlay that its flow takes.
//!
//! Passes frames for VTEPs without a usable nexthop: the kernel resolves neighbours and reports. What
//! a blackhole discards is an error of the vxlan device, so that is the kernel's as well.

use fabric_common::{
    flow_hash,
    reason::Reason,
    schema::{
        settings::{HASH_TUNNEL4, HASH_TUNNEL6, Settings},
        vteps::Vtep,
    },
};

use crate::{
    ending::OrStop,
    journey::{Frame, Journey, NexthopRef, VtepRef},
    nexthop,
    packet::{Packet, network::Network},
};

/// What the tunnel's outer header takes from the flow.
#[derive(Clone, Copy)]
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
        Network::parse(packet, frame, journey.settings).or_stop(Reason::PortInputTruncated)?;
    let hash = || of_tunnel(journey.settings, to.vtep, network.hash);
    let nexthop = nexthop::choose(journey, to.vtep.group, Reason::NexthopSelectEmptyGroup, hash)?;
    Ok(Selection { nexthop, network })
}

/// What chooses a bucket for a frame: its flow, or its tunnel where the kernel's policy counts nothing
/// else.
#[inline(always)]
fn of_tunnel(settings: &Settings, vtep: &Vtep, flow: u64) -> u32 {
    if settings.hash_flags & (HASH_TUNNEL4 | HASH_TUNNEL6) == 0 {
        return flow_hash::bucket(flow);
    }
    by_addresses(settings, vtep, flow)
}

/// A subprogram: a fabric that spreads nothing over its spines is none that counts nanoseconds.
#[inline(never)]
fn by_addresses(settings: &Settings, vtep: &Vtep, flow: u64) -> u32 {
    let policy = if vtep.is_ipv6() { HASH_TUNNEL6 } else { HASH_TUNNEL4 };
    match settings.hash_flags & policy {
        0 => flow_hash::bucket(flow),
        _ => flow_hash::tunnel(settings.seed, vtep.peer()),
    }
}
