//! Arrives: a frame that could be forwarded. Leaves: the same, if the bridge has nothing to learn.
//!
//! A frame is forwarded only if the bridge's entry for its source is on this very circuit and was
//! shown to the kernel within a quarter of the ageing time. Everything else passes: the bridge
//! learns, refreshes and moves the MAC, zebra advertises it, netlink tells the daemon.

use fabric_common::{
    reason::Reason,
    schema::fdb::{KIND_LOCAL, target},
};

use crate::{
    access::frame_guard::unknown_source,
    ending::stop,
    fdb,
    journey::{CircuitRef, Frame, Journey},
};

#[inline(always)]
pub fn source_check(journey: &Journey, circuit: CircuitRef, frame: &Frame) -> Result<(), Reason> {
    let Some(found) = fdb::source(journey, frame) else {
        unknown_source(frame)?;
        return stop(Reason::SourceCheckUnknown);
    };
    if found.target != target(KIND_LOCAL, circuit.index) {
        return stop(Reason::SourceCheckMoved);
    }
    if fdb::is_to_be_shown(journey, found) {
        return stop(Reason::SourceCheckRefresh);
    }
    Ok(())
}
