//! Counters, and the one place where a reason becomes an XDP verdict.

use aya_ebpf::{bindings::xdp_action, programs::XdpContext};
use fabric_common::{
    reason::{Reason, Verdict},
    schema::counters::{Counter, reason_index},
};

use crate::{journey::Journey, maps};

/// Adds a packet to a counter of this CPU and returns how many there were before.
#[inline(always)]
pub fn add(counter: *mut Counter, bytes: u32) -> u64 {
    // SAFETY: the pointer comes from a per-CPU map lookup, so nobody else writes here.
    unsafe {
        let before = (*counter).packets;
        (*counter).packets = before + 1;
        (*counter).bytes += u64::from(bytes);
        before
    }
}

/// Counts the packet's reason at the port that it came from and returns the XDP action.
#[inline(always)]
pub fn verdict(_context: &XdpContext, journey: &Journey, reason: Reason) -> u32 {
    if let Some(counter) = maps::REASONS_MAP.get_ptr_mut(reason_index(journey.port, reason as u8)) {
        add(counter, journey.length);
    }
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(_context, "port slot {} {}", journey.port, reason.name());
    match reason.verdict() {
        Verdict::Redirect => xdp_action::XDP_REDIRECT,
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
    }
}
