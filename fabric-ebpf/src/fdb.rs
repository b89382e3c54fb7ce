//! Where the bridge sends a frame, whichever way that came.

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_REMOTE, KIND_SEGMENT, key, split_target};

use crate::{
    journey::{Frame, Journey},
    maps,
    table::{self, Found},
};

/// What a MAC address is behind.
pub enum Place {
    /// A circuit, by its index.
    Circuit(u32),
    /// A VTEP, by its index.
    Vtep(u32),
    /// An Ethernet segment, by its index.
    Segment(u32),
    /// Nothing: it is the box's own. The slot of the gateway whose address it is, 0 for the kernel's.
    Own(u32),
}

/// The place of a frame's destination, if the bridge knows it.
#[inline(always)]
pub fn destination(journey: &Journey, frame: &Frame) -> Option<Place> {
    let key = key(journey.domain_index as u16, frame.destination);
    let found = table::find(&maps::FDB, journey.fdb_mask, key)?;
    Some(match split_target(found.target) {
        (KIND_REMOTE, index) => Place::Vtep(index),
        (KIND_LOCAL, index) => Place::Circuit(index),
        (KIND_SEGMENT, index) => Place::Segment(index),
        (_, gateway) => Place::Own(gateway),
    })
}

/// The entry of a frame's source. One that gives way to another one of the same place at this moment does no
/// harm: the frame was just ahead of that.
#[inline(always)]
pub fn source(journey: &Journey, frame: &Frame) -> Option<Found> {
    let key = key(journey.domain_index as u16, frame.source);
    table::find_relaxed(&maps::FDB, journey.fdb_mask, key)
}

/// Whether the kernel shall see a frame from this source again, which counts as shown then.
#[inline(always)]
pub fn is_to_be_shown(journey: &Journey, source: Found) -> bool {
    let now = journey.now as u32;
    let times = maps::FDB_TIMES.masked(source.bucket, journey.fdb_mask);
    // SAFETY: there are as many times as slots. Two CPUs may both store one: two frames pass.
    unsafe {
        let shown = times.cast::<u32>().add(source.slot as usize);
        let last = shown.read_volatile();
        // 0 is never, also while the lower half of the jiffies is little more: five minutes after a start.
        let is_due = last == 0 || now.wrapping_sub(last) >= journey.domain.refresh_jiffies;
        if is_due {
            shown.write_volatile(now);
        }
        is_due
    }
}
