//! Arrives: an inner frame of a tunnel. Leaves: the same, if the kernel has nothing to learn from it.
//!
//! What a tunnel brings from which nobody learns goes on as it is. Where the bridge port or the vxlan device
//! learns (`br_fdb_update` of `net/bridge/br_fdb.c`, `vxlan_snoop` of `drivers/net/vxlan/vxlan_core.c`),
//! hosts' rule holds: both entries for the source lead to the very VTEP that the frame came from, and a frame of it was
//! shown to the kernel within a quarter of the shorter ageing time. Where the vxlan device does not learn, it may as
//! well be behind an Ethernet segment; or the box's own, as the MAC address of a gateway that every leaf has is: from
//! its own addresses the bridge learns nothing. Before anything is dropped, because the kernel learns from that too.

use core::hint::cold_path;

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_SNOOPS},
        fdb::{KIND_OWN, KIND_REMOTE, KIND_SEGMENT, split_target, target},
    },
};

use crate::{
    ending::{OrStop, stop},
    fdb,
    journey::{Frame, Journey},
};

#[inline(always)]
pub fn inner_source(journey: &Journey, frame: &Frame) -> Result<(), Reason> {
    if journey.domain.flags & FLAG_OVERLAY_LEARNING == 0 {
        return Ok(());
    }
    let found = fdb::source(journey, frame).or_stop(Reason::InnerSourceUnknown)?;
    if found.target != target(KIND_REMOTE, journey.peer) {
        cold_path();
        // One that learns has an entry of its own for each source, and drops and counts what comes from one behind an
        // Ethernet segment.
        if journey.domain.flags & FLAG_OVERLAY_SNOOPS != 0 {
            return stop(Reason::InnerSourceMoved);
        }
        match split_target(found.target).0 {
            KIND_OWN => return Ok(()),
            // To the bridge all VTEPs are one port.
            KIND_SEGMENT => {}
            _ => return stop(Reason::InnerSourceMoved),
        }
    }
    if fdb::is_to_be_shown(journey, found) {
        return stop(Reason::InnerSourceRefresh);
    }
    Ok(())
}
