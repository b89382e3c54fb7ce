//! Arrives: a frame of a known circuit. Leaves: the circuit, VTEP or Ethernet segment behind
//! which its destination is, or the gateway that it is for.
//!
//! Passes unknown destinations (the kernel floods), other MACs of the box's own, and what the bridge would not
//! send (`should_deliver` of `net/bridge/br_forward.c`): back to the port that it came from, unless that
//! is in hairpin mode, or between isolated ports. The kernel learns from
//! all of these, so nobody has to look for their source: what the box itself gets pays for one lookup.

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::{FLAG_HAIRPIN, FLAG_ISOLATED},
        domains::FLAG_OVERLAY_ISOLATED,
    },
};

use crate::{
    ending::{OrStop, stop},
    fdb::{self, Place},
    journey::{CircuitRef, Destination, Frame, Journey, VtepRef},
    maps,
    optional::ISOLATED_PORTS,
    packet::unlikely,
};

#[inline(always)]
pub fn bridge_lookup(
    journey: &Journey,
    from: CircuitRef,
    frame: &Frame,
) -> Result<Destination, Reason> {
    // Asked last: the entry of the circuit that a frame came from is needed for nothing else.
    let isolated = || from.circuit().flags & FLAG_ISOLATED != 0;
    let may_leave = || {
        if ISOLATED_PORTS && journey.domain.flags & FLAG_OVERLAY_ISOLATED != 0 && isolated() {
            return stop(Reason::BridgeLookupIsolated);
        }
        Ok(())
    };
    match fdb::destination(journey, frame).or_stop(Reason::BridgeLookupUnknown)? {
        Place::Vtep(index) => {
            may_leave()?;
            let vtep = maps::VTEPS.get(index);
            Ok(Destination::Vtep(VtepRef { index, vtep }))
        }
        Place::Segment(index) => {
            may_leave()?;
            Ok(Destination::Segment(index))
        }
        Place::Circuit(index) => {
            let to = CircuitRef { index };
            // Not the same number to the compiler: it would take that of `from` for it, whose limit the
            // verifier of Linux 6.1 does not know.
            let same = || CircuitRef { index: unlikely(index as u16).into() };
            if index == from.index && same().circuit().flags & FLAG_HAIRPIN == 0 {
                return stop(Reason::BridgeLookupSamePort);
            }
            if ISOLATED_PORTS && to.circuit().flags & FLAG_ISOLATED != 0 && isolated() {
                return stop(Reason::BridgeLookupIsolated);
            }
            Ok(Destination::Local(to))
        }
        Place::Own(0) => stop(Reason::BridgeLookupOwnMac),
        Place::Own(gateway) => Ok(Destination::Gateway(gateway)),
    }
}
