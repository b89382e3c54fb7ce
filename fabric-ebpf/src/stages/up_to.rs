//! A checkpoint that ends the journey, and what it leaves.

use core::arch::asm;

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use fabric_common::schema::MMAPABLE;

use super::ring::Left;
use crate::{
    checkpoint::{Checkpoint, Stage},
    journey::Journey,
};

/// Ends journeys after the stage with this number.
pub struct UpTo<const LAST: u8>;

impl<const LAST: u8> Checkpoint for UpTo<LAST> {
    #[inline(always)]
    fn after<T>(stage: Stage, journey: &Journey, made: T) {
        if stage as u8 != LAST {
            return;
        }
        leave(journey, made);
        // SAFETY: the program's end, as of a packet that goes on its way (`XDP_REDIRECT`). No stage is a
        // subprogram, which this would return from.
        unsafe { asm!("r0 = 4", "exit", options(noreturn)) };
    }
}

#[btf_map(name = "left")]
static LEFT: Array<Left, 1, { MMAPABLE as usize }> = Array::new();

/// Counts the journey, and keeps what it has found out as if somebody read it, so that no compiler
/// leaves out finding it.
#[inline(always)]
pub fn leave<T>(journey: &Journey, made: T) {
    let Some(left) = LEFT.get_ptr_mut(0) else { return };
    // Copies of what there is by now: the journey itself would be kept on the stack from its beginning.
    // Words, because the compiler would join smaller ones to such that are not aligned there.
    let found = [
        address(journey.entry),
        u64::from(journey.length) | u64::from(journey.tci) << 32,
        u64::from(journey.domain_index) | u64::from(journey.peer) << 32,
        address(journey.domain),
        journey.now,
        address(journey.settings),
    ];
    keep(&found);
    keep(&made);
    // SAFETY: the entry that was just looked up; one CPU runs the benchmark.
    unsafe {
        let reached = &raw mut (*left).reached;
        reached.write_volatile(reached.read_volatile() + 1);
    }
}

#[inline(always)]
fn address<T>(of: &T) -> u64 {
    core::ptr::from_ref(of) as u64
}

/// As if somebody read the value.
#[inline(always)]
fn keep<T>(value: &T) {
    // SAFETY: a move of a register to itself.
    unsafe { asm!("{0} = {0}", in(reg) core::ptr::from_ref(value), options(nostack, readonly)) };
}
