//! Arrives: a frame for a VTEP. Leaves: the nexthop of the underlay that its flow takes.
//!
//! Passes frames for VTEPs without a usable nexthop: the kernel resolves neighbours and reports. What
//! a blackhole discards is an error of the vxlan device, so that is the kernel's as well.

use fabric_common::reason::Reason;

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
    let network = Network::parse(packet, frame, journey.settings, to.vtep)
        .or_stop(Reason::PortInputTruncated)?;
    let blackhole = Reason::NexthopSelectEmptyGroup;
    let nexthop = nexthop::choose(journey, to.vtep.group, blackhole, || network.bucket)?;
    Ok(Selection { nexthop, network })
}
