//! Arrives: an inner frame. Leaves: the local circuit behind which its destination is, or the gateway that
//! it is for.
//!
//! Split horizon: what came from a VTEP never goes back to a VTEP of the same VNI (RFC 7432 §12);
//! the kernel's bridge does not send a frame back to its vxlan port either, unless that is in hairpin
//! mode, of which the kernel takes care. Passes unknown
//! destinations, other MACs of the box's own and isolated ports.

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::FLAG_ISOLATED,
        domains::{FLAG_OVERLAY_HAIRPIN, FLAG_OVERLAY_ISOLATED},
    },
};

use crate::{
    ending::{OrStop, stop},
    fdb::{self, Place},
    journey::{CircuitRef, Destination, Frame, Journey},
};

#[inline(always)]
pub fn bridge_deliver(journey: &Journey, frame: &Frame) -> Result<Destination, Reason> {
    let index = match fdb::destination(journey, frame).or_stop(Reason::BridgeDeliverUnknown)? {
        Place::Circuit(index) => index,
        Place::Vtep(_) | Place::Segment(_) if journey.domain.flags & FLAG_OVERLAY_HAIRPIN != 0 => {
            return stop(Reason::BridgeDeliverHairpin);
        }
        Place::Vtep(_) | Place::Segment(_) => return stop(Reason::SplitHorizonOverlayToOverlay),
        Place::Own(0) => return stop(Reason::BridgeDeliverOwnMac),
        Place::Own(gateway) => return Ok(Destination::Gateway(gateway)),
    };
    let to = CircuitRef { index };
    if to.circuit().flags & FLAG_ISOLATED != 0 && journey.domain.flags & FLAG_OVERLAY_ISOLATED != 0
    {
        return stop(Reason::BridgeDeliverIsolated);
    }
    Ok(Destination::Local(to))
}
