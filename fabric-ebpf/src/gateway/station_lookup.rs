//! Arrives: a routed packet whose next hop is behind a bridge. Leaves: the circuit, VTEP or Ethernet segment where
//! the bridge has the next hop's MAC address.
//!
//! As the bridge sends what comes from itself (`br_dev_xmit` of `net/bridge/br_device.c`): no port is the one
//! that it came from, and none is isolated from it. Passes what the bridge floods. What the FDB says stands in the
//! next hop as well, so that there is one access to memory less to wait for.

use fabric_common::{
    reason::Reason,
    schema::{
        fdb::{KIND_LOCAL, KIND_REMOTE, KIND_SEGMENT, split_target},
        ports::Port,
    },
};

use crate::{
    ending::stop,
    journey::{CircuitRef, Destination, Journey, NexthopRef, VtepRef},
    maps,
    table::after,
};

/// The domain of the gateway becomes that of the journey. It is read before the place and after it: next hops have
/// none while their gateway goes from one domain to another, so that no place of one meets the other.
#[inline(always)]
pub fn station_lookup(
    journey: &mut Journey,
    gateway: &'static Port,
    nexthop: NexthopRef,
) -> Result<Destination, Reason> {
    // SAFETY: aligned half words, which the daemon may store to at this moment.
    let (domain, place, again) = unsafe {
        let domain_of = (&raw const gateway.untagged_domain).cast_mut();
        let domain = domain_of.read_volatile();
        let place = after((&raw const nexthop.place).cast_mut(), domain.into()).read_volatile();
        (domain, place, after(domain_of, place.into()).read_volatile())
    };
    journey.domain_index = domain.into();
    journey.domain = maps::DOMAINS.get(journey.domain_index);
    if domain == 0 || domain != again {
        return stop(Reason::StationLookupUnknown);
    }
    match split_target(place.into()) {
        (KIND_REMOTE, index) => {
            Ok(Destination::Vtep(VtepRef { index, vtep: maps::VTEPS.get(index) }))
        }
        (KIND_LOCAL, index) => Ok(Destination::Local(CircuitRef { index })),
        (KIND_SEGMENT, index) if index != 0 => Ok(Destination::Segment(index)),
        _ => stop(Reason::StationLookupUnknown),
    }
}
