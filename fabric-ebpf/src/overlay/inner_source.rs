//! Arrives: an inner frame of a tunnel. Leaves: the same, if the kernel has nothing to learn from it.
//!
//! What a tunnel brings from which nobody learns goes on as it is. Where the bridge port or the vxlan device
//! learns (`br_fdb_update` of `net/bridge/br_fdb.c`, `vxlan_snoop` of `drivers/net/vxlan/vxlan_core.c`),
//! hosts' rule holds: both entries for the source lead to the very VTEP that the frame came from, or, where the
//! vxlan device does not learn, to an Ethernet segment, and a frame of it was shown to the kernel within a quarter of the shorter ageing time. Before anything is
//! dropped, because the kernel learns from that too.

use core::hint::cold_path;

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_SNOOPS},
        fdb::{KIND_REMOTE, KIND_SEGMENT, split_target, target},
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
    if found.target != target(KIND_REMOTE, journey.peer) && !may_be_segment(journey, found.target) {
        return stop(Reason::InnerSourceMoved);
    }
    if fdb::is_to_be_shown(journey, found) {
        return stop(Reason::InnerSourceRefresh);
    }
    Ok(())
}

/// Whether a source is behind an Ethernet segment, and nobody but the bridge learns, to which all VTEPs are one
/// port. A vxlan device that learns drops and counts what comes from such a source.
#[inline(always)]
fn may_be_segment(journey: &Journey, target: u32) -> bool {
    cold_path();
    split_target(target).0 == KIND_SEGMENT && journey.domain.flags & FLAG_OVERLAY_SNOOPS == 0
}
