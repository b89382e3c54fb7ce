//! Arrives: a frame that could be forwarded. Leaves: the same, if the bridge has nothing to learn.
//!
//! A frame is forwarded only if the bridge's entry for its source is on this very circuit and was
//! shown to the kernel within a quarter of the ageing time. Everything else passes: the bridge
//! learns, refreshes and moves the MAC, zebra advertises it, netlink tells the daemon.

use fabric_common::{
    reason::Reason,
    schema::fdb::{KIND_LOCAL, key, target},
};

use crate::{
    access::frame_guard::unknown_source,
    ending::stop,
    journey::{CircuitRef, Frame, Journey},
    maps, table,
};

#[inline(always)]
pub fn source_check(journey: &Journey, circuit: CircuitRef, frame: &Frame) -> Result<(), Reason> {
    let key = key(journey.domain_index as u16, frame.source);
    // An entry that gives way to another one of this circuit at this moment does no harm: the frame was
    // just ahead of that.
    let Some(found) = table::find_relaxed(&maps::FDB, journey.fdb_mask, key) else {
        unknown_source(frame)?;
        return stop(Reason::SourceCheckUnknown);
    };
    if found.target != target(KIND_LOCAL, circuit.index) {
        return stop(Reason::SourceCheckMoved);
    }
    let now = journey.now as u32;
    let times = maps::FDB_TIMES.masked(found.bucket, journey.fdb_mask);
    // SAFETY: there are as many times as slots. Two CPUs may both store one: two frames pass.
    unsafe {
        let shown = times.cast::<u32>().add(found.slot as usize);
        let last = shown.read_volatile();
        // 0 is never, also while the lower half of the jiffies is little more: five minutes after a start.
        if last == 0 || now.wrapping_sub(last) >= journey.domain.refresh_jiffies {
            shown.write_volatile(now);
            return stop(Reason::SourceCheckRefresh);
        }
    }
    Ok(())
}
