//! The daemon's sign of life. The daemon runs this program itself; it never sees a packet.

use aya_ebpf::{bindings::xdp_action, helpers::bpf_jiffies64, macros::xdp, programs::XdpContext};

use crate::maps;

/// Extends the time until which the maps may be used.
#[xdp]
pub fn fabric_heartbeat(_context: XdpContext) -> u32 {
    let settings = maps::SETTINGS.get_ptr_mut(0);
    // SAFETY: both fields are aligned words.
    unsafe {
        let timeout = (&raw const (*settings).timeout_jiffies).read_volatile();
        (&raw mut (*settings).deadline).write_volatile(bpf_jiffies64() + u64::from(timeout));
    }
    xdp_action::XDP_PASS
}
