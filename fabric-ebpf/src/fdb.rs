//! Where the bridge sends a frame, whichever way that came.

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_REMOTE, key, split_target};

use crate::{
    journey::{Frame, Journey},
    maps, table,
};

/// What a MAC address is behind.
pub enum Place {
    /// A circuit, by its index.
    Circuit(u32),
    /// A VTEP, by its index.
    Vtep(u32),
    /// Nothing: it is the box's own.
    Own,
}

/// The place of a frame's destination, if the bridge knows it.
#[inline(always)]
pub fn destination(journey: &Journey, frame: &Frame) -> Option<Place> {
    let key = key(journey.domain_index as u16, frame.destination);
    let found = table::find(&maps::FDB, journey.fdb_mask, key)?;
    Some(match split_target(found.target) {
        (KIND_REMOTE, index) => Place::Vtep(index),
        (KIND_LOCAL, index) => Place::Circuit(index),
        _ => Place::Own,
    })
}
