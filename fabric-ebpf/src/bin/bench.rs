//! Programs around the ones that `cargo xtask bench` measures: the generator in front of them, the
//! baselines instead of them, the sink behind them.
#![no_std]
#![no_main]

#[path = "../../../benches/src/arp.rs"]
#[expect(dead_code, reason = "only user space makes whole frames")]
mod arp;
#[path = "../../../benches/src/flow.rs"]
mod flow;
#[path = "../../../benches/src/routed.rs"]
#[expect(dead_code, reason = "only user space makes whole frames")]
mod routed;
#[path = "../../../benches/src/tunnel.rs"]
mod tunnel;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, xdp_action},
    btf_maps::{Array, DevMap, PerCpuArray, ProgramArray},
    helpers::{
        bpf_ktime_get_ns, bpf_skb_load_bytes, bpf_xdp_adjust_head, bpf_xdp_adjust_tail,
        generated::bpf_xdp_load_bytes,
    },
    macros::{btf_map, classifier, xdp},
    programs::{TcContext, XdpContext},
};
use fabric_common::schema::MMAPABLE;

use flow::{
    Arrived, CAPTURE, CAPTURES, Captured, Draw, Generator, HEADERS, LONG_PLACES, OUTER, OUTER6,
    Outer, PLACES, SLICE, SLICES, Slices,
};

#[btf_map(name = "generator")]
static GENERATOR: Array<Generator, 1, { MMAPABLE as usize }> = Array::new();
#[btf_map(name = "slices")]
static SLICES_OF_TURN: Array<Slices, 1, { MMAPABLE as usize }> = Array::new();
#[btf_map(name = "contender")]
static CONTENDER: ProgramArray<1> = ProgramArray::new();
#[btf_map(name = "egress")]
static EGRESS: DevMap<1> = DevMap::new();
#[btf_map(name = "arrived")]
static ARRIVED: PerCpuArray<Arrived, 1> = PerCpuArray::new();
#[btf_map(name = "captured")]
static CAPTURED: Array<Captured, CAPTURES> = Array::new();

/// Writes the frame that this page carries the next time, cuts out the one that it carries now, and
/// goes on with the program under test.
#[xdp]
pub fn offer(context: XdpContext) -> u32 {
    go_on(&context, |generator| {
        // SAFETY: `prepare` has looked at the length.
        let write = |draw: &Draw, at, outer| unsafe { draw.write(at, outer) };
        if generator.long == 0 {
            prepare::<{ PLACES[0] }, { PLACES[1] }>(&context, generator, write)
        } else {
            prepare::<{ LONG_PLACES[0] }, { LONG_PLACES[1] }>(&context, generator, write)
        }
    })
}

/// As [`offer`], IPv4 packets for a router.
#[xdp]
pub fn offer4(context: XdpContext) -> u32 {
    go_on(&context, |generator| {
        prepare::<{ PLACES[0] }, { PLACES[1] }>(&context, generator, |draw, at, outer| {
            let fields = routed::Fields4::new(&draw.flow);
            // SAFETY: `prepare` has looked at the length.
            unsafe {
                let at = routed::write_tunnel(at, draw, outer, routed::LENGTH4);
                write_addresses(at);
                ((at + routed::TTL4) as *mut u32).write_unaligned(fields.ttl);
                ((at + routed::ADDRESSES4) as *mut u64).write_unaligned(fields.addresses);
                ((at + routed::PORT4) as *mut u16).write_unaligned(fields.port_be);
            }
        })
    })
}

/// As [`offer`], IPv6 packets for a router.
#[xdp]
pub fn offer6(context: XdpContext) -> u32 {
    go_on(&context, |generator| {
        prepare::<{ PLACES[0] }, { PLACES[1] }>(&context, generator, |draw, at, outer| {
            let fields = routed::Fields6::new(&draw.flow);
            let [upper, lower] = fields.destination;
            // SAFETY: as in `offer4`.
            unsafe {
                let at = routed::write_tunnel(at, draw, outer, routed::LENGTH6);
                write_addresses(at);
                let lengths = (at + routed::LENGTH_AND_HOP_LIMIT6) as *mut u32;
                lengths.write_unaligned(fields.length_and_hop_limit);
                ((at + routed::SOURCE6) as *mut u64).write_unaligned(fields.source_end);
                ((at + routed::DESTINATION6) as *mut u64).write_unaligned(upper);
                ((at + routed::DESTINATION6 + 8) as *mut u64).write_unaligned(lower);
                ((at + routed::PORT6) as *mut u16).write_unaligned(fields.port_be);
            }
        })
    })
}

/// As [`offer`], ARP requests.
#[xdp]
pub fn offer_arp(context: XdpContext) -> u32 {
    go_on(&context, |generator| {
        prepare::<{ PLACES[0] }, { PLACES[1] }>(&context, generator, |draw, at, _| {
            // SAFETY: `prepare` has looked at the length.
            unsafe { arp::write(&draw.flow, at) }
        })
    })
}

/// Writes the MAC addresses, which a router has changed since the page was used the last time.
///
/// # Safety
/// Twelve bytes from `at` on must be in the packet.
#[inline(always)]
unsafe fn write_addresses(at: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        (at as *mut u64).write_unaligned(routed::ADDRESSES.0);
        ((at + 8) as *mut u32).write_unaligned(routed::ADDRESSES.1);
    }
}

/// Goes on with the program under test if a frame could be prepared.
#[inline(always)]
fn go_on(context: &XdpContext, prepare: impl FnOnce(&mut Generator) -> Option<()>) -> u32 {
    let Some(generator) = GENERATOR.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the map has this entry, and only one CPU uses it.
    let generator = unsafe { &mut *generator };
    if generator.offered % SLICE == 0 {
        begin_slice(generator.offered / SLICE);
    }
    generator.offered += 1;
    if prepare(generator).is_some() {
        // SAFETY: no destructors here; an empty slot comes back and drops the frame.
        unsafe { CONTENDER.tail_call(context, 0) };
    }
    xdp_action::XDP_ABORTED
}

/// Notes the time at which a slice begins. A subprogram: met once in [`SLICE`] frames.
#[inline(never)]
fn begin_slice(number: u64) {
    if let Some(slices) = SLICES_OF_TURN.get_ptr_mut(0)
        && number < SLICES as u64
    {
        // SAFETY: the entry that was just looked up, and a number inside of it.
        unsafe { (*slices).began[number as usize] = bpf_ktime_get_ns() };
    }
}

/// Frames stand at `FIRST` and `SECOND`; `write` writes what differs between them.
#[inline(always)]
fn prepare<const FIRST: usize, const SECOND: usize>(
    context: &XdpContext,
    generator: &mut Generator,
    write: impl Fn(&Draw, usize, Outer),
) -> Option<()> {
    let (start, end) = (context.data(), context.data_end());
    if start + SECOND + OUTER6 + HEADERS > end {
        return None;
    }
    let draw = generator.draw();
    let length = u64::from(draw.length) + u64::from(generator.outer.bytes);
    // The first bytes of the page are in no frame and in no room for headers. Lowest bit: the
    // second frame's turn has come; then 16 bits for the length of either.
    // SAFETY: all offsets are below what was compared with the end.
    let state = unsafe { (start as *const u64).read() };
    let next = state ^ 1;
    let (place, now, next) = if state & 1 != 0 {
        write(&draw, start + FIRST, generator.outer);
        (SECOND, state >> 32, next & !0xffff_0000 | length << 16)
    } else {
        write(&draw, start + SECOND, generator.outer);
        (FIRST, state >> 16, next & !0xffff_0000_0000 | length << 32)
    };
    let now = now & 0xffff;
    // SAFETY: as above.
    unsafe { (start as *mut u64).write(next) };
    generator.offered_bytes += now;
    let behind = (end - start) as i32 - place as i32 - now as i32;
    // SAFETY: the context is this program's.
    unsafe {
        if bpf_xdp_adjust_head(context.ctx, place as i32) != 0
            || bpf_xdp_adjust_tail(context.ctx, -behind) != 0
        {
            return None;
        }
    }
    Some(())
}

/// Baseline: sends the frame to the port where it is to leave, as it is.
#[xdp]
pub fn redirect(_context: XdpContext) -> u32 {
    to_egress()
}

#[inline(always)]
fn to_egress() -> u32 {
    EGRESS.redirect(0, 0).unwrap_or(xdp_action::XDP_ABORTED)
}

/// Baseline: as [`redirect`], behind [`OUTER`] bytes that are always the same: what any program pays that
/// puts a frame into a tunnel over IPv4.
#[xdp]
pub fn lengthen(context: XdpContext) -> u32 {
    // SAFETY: the context is valid; pointers into the packet are derived anew.
    if unsafe { bpf_xdp_adjust_head(context.ctx, -(OUTER as i32)) } != 0 {
        return xdp_action::XDP_ABORTED;
    }
    let start = context.data();
    if start + OUTER > context.data_end() {
        return xdp_action::XDP_ABORTED;
    }
    // No byte twice, or the compiler would call a function that sets memory.
    const WORD: u64 = 0x0123_4567_89ab_cdef;
    for at in (0..OUTER).step_by(8) {
        // The last one ends where the frame begins.
        let at = at.min(OUTER - 8);
        // SAFETY: inside the packet by the check above.
        unsafe { ((start + at) as *mut u64).write_unaligned(WORD) };
    }
    to_egress()
}

/// Baseline: the kernel takes the frame.
#[xdp]
pub fn kernel(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The floor: what the generator and the kernel's frame loop cost by themselves.
#[xdp]
pub fn discard(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Where frames end: counts and drops.
#[xdp]
pub fn sink(context: XdpContext) -> u32 {
    let _before = count(context.data_end() - context.data());
    xdp_action::XDP_DROP
}

/// Where frames end: keeps, counts and drops.
#[xdp]
pub fn capture(context: XdpContext) -> u32 {
    let length = context.data_end() - context.data();
    keep(length, |bytes, kept| {
        // SAFETY: there is room for so many bytes; the helper refuses to read behind the end.
        unsafe { bpf_xdp_load_bytes(context.ctx, 0, bytes, kept) };
    });
    xdp_action::XDP_DROP
}

/// The first thing in the kernel that a packet reaches: counts and drops.
#[classifier]
pub fn reached(context: TcContext) -> i32 {
    let _before = count(context.len() as usize);
    TC_ACT_SHOT as i32
}

/// As `reached`, and keeps.
#[classifier]
pub fn reached_capture(context: TcContext) -> i32 {
    keep(context.len() as usize, |bytes, kept| {
        // SAFETY: as in `capture`.
        unsafe { bpf_skb_load_bytes(context.skb.skb.cast(), 0, bytes, kept) };
    });
    TC_ACT_SHOT as i32
}

#[inline(always)]
fn keep(length: usize, load: impl FnOnce(*mut core::ffi::c_void, u32)) {
    let before = count(length);
    if let Some(captured) = CAPTURED.get_ptr_mut(before as u32 % CAPTURES as u32) {
        // What the verifier understands: 1 to CAPTURE.
        let kept = (length - 1) % CAPTURE + 1;
        // SAFETY: the entry that was just looked up.
        unsafe {
            (*captured).length = length as u64;
            load((&raw mut (*captured).bytes).cast(), kept as u32);
        }
    }
}

#[inline(always)]
fn count(length: usize) -> u64 {
    let Some(arrived) = ARRIVED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: an entry of this CPU.
    let arrived = unsafe { &mut *arrived };
    let before = arrived.frames;
    arrived.frames = before + 1;
    arrived.bytes += length as u64;
    before
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
