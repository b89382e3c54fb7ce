//! Arrives: a frame for a local circuit. Leaves: the same, if it fits the circuit's port.
//!
//! Passes longer frames before anything is changed in them; the kernel drops and counts them.

use fabric_common::reason::Reason;

use crate::{
    ending::stop,
    journey::{CircuitRef, Journey},
};

#[inline(always)]
pub fn access_fit(journey: &Journey, to: CircuitRef) -> Result<(), Reason> {
    let inner_length = journey.length - (journey.outer + journey.tag) as u32;
    if inner_length > to.circuit.max_frame {
        return stop(Reason::AccessFitTooBig);
    }
    Ok(())
}
