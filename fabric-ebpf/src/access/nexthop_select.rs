//! Arrives: a frame for a VTEP. Leaves: the nexthop of the underlay that its flow takes.
//!
//! Passes frames for VTEPs without a usable nexthop: the kernel resolves neighbours and reports.

use fabric_common::{flow_hash, reason::Reason};

use crate::{
    ending::OrStop,
    journey::{Frame, Journey, NexthopRef, VtepRef},
    nexthop,
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
        Network::parse(packet, frame, journey.settings).or_stop(Reason::PortInputTruncated)?;
    let nexthop = nexthop::choose(journey, to.vtep.group, || flow_hash::bucket(network.hash))?;
    Ok(Selection { nexthop, network })
}
