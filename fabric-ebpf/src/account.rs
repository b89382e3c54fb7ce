//! Counters, and the one place where a reason becomes an XDP verdict.

use core::arch::asm;

use aya_ebpf::{
    bindings::xdp_action, helpers::generated::bpf_get_smp_processor_id, programs::XdpContext,
};
use fabric_common::{
    reason::{REASONS, Reason, Verdict},
    schema::counters::{Counter, reason_index},
};

use crate::{
    block::Cpu,
    journey::Journey,
    maps::{self, limits},
};

/// The CPU that this packet is on. One that was not among the possible ones when the maps were made,
/// of which no kernel is known, counts with the first.
#[inline(always)]
pub fn cpu() -> Cpu {
    // SAFETY: the helper only reads.
    let mut cpu = unsafe { bpf_get_smp_processor_id() } as usize;
    // Spelt out: the compiler would go on with a copy of the number from before the comparison, of which
    // Linux 6.1 then knows nothing.
    // SAFETY: a comparison of two registers and a store to one.
    unsafe {
        asm!(
            "if {0} < {1} goto +1",
            "{0} = 0",
            inout(reg) cpu,
            in(reg) limits::cpus(),
            options(pure, nomem, nostack),
        );
    }
    Cpu(cpu)
}

/// Adds a packet to a counter of this CPU and returns how many there were before.
#[inline(always)]
pub fn add(counter: *mut Counter, bytes: u32) -> u64 {
    // SAFETY: the pointer is this CPU's part of a map, so nobody else writes here.
    unsafe {
        let before = (*counter).packets;
        (*counter).packets = before + 1;
        (*counter).bytes += u64::from(bytes);
        before
    }
}

/// The XDP action of each reason. A load: tests of numbers would be three times as long.
static ACTIONS: [u8; REASONS as usize] = {
    let mut actions = [xdp_action::XDP_PASS as u8; REASONS as usize];
    let mut number = 0;
    while number < Reason::ALL.len() {
        let reason = Reason::ALL[number];
        actions[reason as usize] = match reason.verdict() {
            Verdict::Redirect => xdp_action::XDP_REDIRECT as u8,
            Verdict::Pass => xdp_action::XDP_PASS as u8,
            Verdict::Drop => xdp_action::XDP_DROP as u8,
            Verdict::Reply => xdp_action::XDP_REDIRECT as u8,
        };
        number += 1;
    }
    actions
};

/// As [`verdict`] for a packet from a port that the maps do not know. A subprogram: hardly ever met, and
/// the other one shall not have to ask where to count.
#[inline(never)]
pub fn unknown_port(length: u32) -> u32 {
    add(counter(cpu(), 0, Reason::PortInputUnknownPort), length);
    xdp_action::XDP_PASS
}

/// Counts the packet's reason at the port that it came from and returns the XDP action.
#[inline(always)]
pub fn verdict(context: &XdpContext, journey: &Journey, reason: Reason) -> u32 {
    count(context, journey, cpu(), reason);
    ACTIONS[reason as usize % REASONS as usize].into()
}

/// As [`verdict`] for a packet that goes on its way: what the journey's last stage has done.
#[inline(always)]
pub fn redirected(context: &XdpContext, journey: &Journey, reason: Reason) -> u32 {
    count(context, journey, journey.cpu, reason);
    xdp_action::XDP_REDIRECT
}

/// The counter of a reason in a row.
#[inline(always)]
fn counter(cpu: Cpu, row: u32, reason: Reason) -> *mut Counter {
    let index = reason_index(row, reason as u8);
    maps::REASONS.masked(cpu, index, limits::reasons_mask(), limits::reasons())
}

#[inline(always)]
fn count(_context: &XdpContext, journey: &Journey, cpu: Cpu, reason: Reason) {
    add(counter(cpu, journey.entry.row.into(), reason), journey.length);
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(_context, "interface {} {}", journey.entry.ifindex, reason.name());
}
