//! The generator: puts the packet on the next frame and goes on with the program under test.

use core::arch::asm;

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, ProgramArray},
    helpers::{bpf_ktime_get_ns, bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use fabric_common::schema::MMAPABLE;

use super::{
    flow::{Draw, LENGTH},
    ring::{PLACES, Ring, STRIDE},
    routed::{self, LENGTH4, LENGTH6},
    tunnel::{OUTER, Outer},
};

/// Bytes of a frame in a tunnel.
const TUNNELLED: usize = OUTER + LENGTH;
const _: () = assert!(TUNNELLED <= STRIDE && OUTER + LENGTH6 <= STRIDE);

#[btf_map(name = "ring")]
static RING: Array<Ring, 1, { MMAPABLE as usize }> = Array::new();
#[btf_map(name = "contender")]
static CONTENDER: ProgramArray<1> = ProgramArray::new();

/// Frames from hosts.
#[xdp]
pub fn offer_frames(context: XdpContext) -> u32 {
    // SAFETY: `next` has looked at the length.
    next::<LENGTH>(&context, |draw, at| unsafe { draw.write(at, Outer::default()) })
}

/// Frames in tunnels.
#[xdp]
pub fn offer_tunnelled(context: XdpContext) -> u32 {
    // SAFETY: as above.
    next::<TUNNELLED>(&context, |draw, at| unsafe {
        draw.write(at, Outer { bytes: OUTER as u16, checksum: 0 })
    })
}

/// IPv4 packets for a router.
#[xdp]
pub fn offer_routed4(context: XdpContext) -> u32 {
    // SAFETY: as above.
    next::<LENGTH4>(&context, |draw, at| unsafe { routed::write4(at, &draw.flow) })
}

/// IPv6 packets for a router.
#[xdp]
pub fn offer_routed6(context: XdpContext) -> u32 {
    // SAFETY: as above.
    next::<LENGTH6>(&context, |draw, at| unsafe { routed::write6(at, &draw.flow) })
}

/// Goes on with the program under test on the next frame of `LENGTH` bytes.
///
/// The helpers are called as often whatever the program before has done to its frame, so that this
/// costs the same in front of every program.
#[inline(always)]
fn next<const LENGTH: usize>(context: &XdpContext, write: impl Fn(&Draw, usize)) -> u32 {
    let Some(ring) = RING.get_ptr_mut(0) else { return xdp_action::XDP_ABORTED };
    // SAFETY: the map has this entry; only the one CPU of the benchmark uses it.
    let ring = unsafe { &mut *ring };
    let now = ring.runs;
    ring.runs = now + 1;
    if now == ring.from {
        // SAFETY: the helper only reads the kernel's clock.
        ring.first_ns = unsafe { bpf_ktime_get_ns() };
    }
    if now == ring.to {
        // SAFETY: as above.
        ring.last_ns = unsafe { bpf_ktime_get_ns() };
    }
    // Where the frame's start has gone, if its end is still where it was.
    let moved = (context.data_end() - context.data()) as i32 - LENGTH as i32;
    let ready = if ring.left == 0 {
        ring.left = PLACES - 1;
        fill::<LENGTH>(context, ring, moved, write)
    } else {
        ring.left -= 1;
        go_back(context, moved)
    };
    if ready.is_none() {
        return xdp_action::XDP_ABORTED;
    }
    if ring.apart != 0 {
        wait(&raw mut ring.fence);
    }
    // SAFETY: no destructors here; an empty slot comes back.
    unsafe { CONTENDER.tail_call(context, 0) };
    xdp_action::XDP_ABORTED
}

/// Waits until all loads and stores so far are done: what an atomic addition does on x86. The
/// target has it, but `core` does not offer it there.
#[inline(always)]
fn wait(fence: *mut u64) {
    // SAFETY: an aligned word of the map that nobody else uses.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) fence, in(reg) 1_u64) };
}

/// To the frame in front.
#[inline(always)]
fn go_back(context: &XdpContext, moved: i32) -> Option<()> {
    adjust(context, moved - STRIDE as i32, -(STRIDE as i32))
}

/// Writes all frames, the first to be used first, and goes to that one.
#[inline(always)]
fn fill<const LENGTH: usize>(
    context: &XdpContext,
    ring: &mut Ring,
    moved: i32,
    write: impl Fn(&Draw, usize),
) -> Option<()> {
    const LAST: usize = (PLACES as usize - 1) * STRIDE;
    // What comes in behind the end is zero.
    adjust(context, moved, LAST as i32)?;
    let start = context.data();
    if start + LAST + LENGTH > context.data_end() {
        return None;
    }
    for place in (0..u64::from(PLACES)).rev() {
        write(&ring.generator.draw(), start + place as usize * STRIDE);
    }
    adjust(context, LAST as i32, 0)
}

/// Moves the packet's start and end.
#[inline(always)]
fn adjust(context: &XdpContext, start: i32, end: i32) -> Option<()> {
    // SAFETY: the context is this program's.
    let refused = unsafe {
        bpf_xdp_adjust_head(context.ctx, start) != 0 || bpf_xdp_adjust_tail(context.ctx, end) != 0
    };
    (!refused).then_some(())
}
