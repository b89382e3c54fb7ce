//! Arrives: a frame for a local circuit, and its length without tag and outer headers, in bytes. Leaves: the
//! same, if the circuit's port can send it.
//!
//! Passes, before anything is changed in them, longer frames (the kernel drops and counts them), frames to
//! a port whose device takes none from XDP programs, and those to a port that is down: the kernel
//! forgets what was behind it and floods. The port's own word says so long before the daemon has
//! taken the circuit away, and a word of the settings that there may be such a port: while there is
//! none, no frame pays for its cache line.

use fabric_common::{reason::Reason, schema::circuits::NOT_A_TARGET};

use crate::{
    ending::stop,
    journey::{CircuitRef, Journey},
    maps,
};

#[inline(always)]
pub fn access_fit(journey: &Journey, to: CircuitRef, length: u32) -> Result<(), Reason> {
    let circuit = to.circuit();
    if length > circuit.max_frame {
        return if circuit.max_frame == NOT_A_TARGET {
            stop(Reason::AccessFitNotATarget)
        } else {
            stop(Reason::AccessFitTooBig)
        };
    }
    if journey.settings.lost_ports != 0 && maps::port(circuit.port.into()).down != 0 {
        return stop(Reason::AccessFitPortDown);
    }
    Ok(())
}
