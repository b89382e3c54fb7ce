//! Arrives: a finished packet. Leaves: through a port.

use aya_ebpf::{bindings::xdp_action, helpers::generated::bpf_redirect_map};

use crate::{
    account,
    journey::Journey,
    maps::{self, limits},
};

/// Sends the packet, of `length` bytes by now, out of the port in `slot` and counts it there; `None` if
/// the device map has no such port.
#[inline(always)]
pub fn port_output(journey: &Journey, slot: u32, length: u32) -> Option<()> {
    let devices = (&raw const maps::TX_PORTS).cast_mut();
    // SAFETY: the map is a device map.
    let action = unsafe { bpf_redirect_map(devices.cast(), slot.into(), 0) };
    if action != xdp_action::XDP_REDIRECT.into() {
        return None;
    }
    let counter = maps::PORT_TX.masked(journey.cpu, slot, limits::ports_mask(), limits::ports());
    account::add(counter, length);
    Some(())
}
