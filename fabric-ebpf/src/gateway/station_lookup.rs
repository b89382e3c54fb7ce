//! Arrives: a routed packet whose next hop is behind a bridge. Leaves: the circuit, VTEP or Ethernet segment where
//! the bridge has the next hop's MAC address.
//!
//! As the bridge sends what comes from itself (`br_dev_xmit` of `net/bridge/br_device.c`): no port is the one
//! that it came from, and none is isolated from it. Passes what the bridge floods.

use fabric_common::{
    reason::Reason,
    schema::{fdb::mac_number, ports::Port},
};

use crate::{
    ending::{OrStop, stop},
    fdb::{self, Place},
    journey::{CircuitRef, Destination, Frame, Journey, NexthopRef, VtepRef},
    maps,
};

/// The domain of the gateway becomes that of the journey.
#[inline(always)]
pub fn station_lookup(
    journey: &mut Journey,
    gateway: &'static Port,
    nexthop: NexthopRef,
) -> Result<Destination, Reason> {
    journey.domain_index = gateway.untagged_domain.into();
    journey.domain = maps::DOMAINS.get(journey.domain_index);
    let [a, b, c, d, e, f, ..] = nexthop.macs;
    let destination = mac_number([a, b, c, d, e, f]);
    let frame = Frame { destination, source: 0, ether_type_be: 0, network: 0 };
    match fdb::destination(journey, &frame).or_stop(Reason::StationLookupUnknown)? {
        Place::Vtep(index) => {
            Ok(Destination::Vtep(VtepRef { index, vtep: maps::VTEPS.get(index) }))
        }
        Place::Segment(index) => Ok(Destination::Segment(index)),
        Place::Circuit(index) => Ok(Destination::Local(CircuitRef { index })),
        Place::Own(_) => stop(Reason::StationLookupUnknown),
    }
}
