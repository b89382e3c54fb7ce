//! Programs around the ones that `cargo xtask bench` measures: the generator in front of them, the
//! baselines instead of them, the sink behind them.
#![no_std]
#![no_main]

#[path = "../../../benches/src/flow.rs"]
#[expect(dead_code, reason = "only user space makes whole frames")]
mod flow;

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, DevMap, PerCpuArray, ProgramArray},
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, generated::bpf_xdp_load_bytes},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use fabric_common::schema::MMAPABLE;

#[path = "../../../benches/src/routed.rs"]
#[expect(dead_code, reason = "only user space makes whole frames")]
mod routed;

use flow::{Arrived, CAPTURES, Captured, Generator, LENGTH, OUTER, PLACES, offset};

#[btf_map(name = "generator")]
static GENERATOR: Array<Generator, 1, { MMAPABLE as usize }> = Array::new();
#[btf_map(name = "contender")]
static CONTENDER: ProgramArray<1> = ProgramArray::new();
#[btf_map(name = "uplink")]
static UPLINK: DevMap<1> = DevMap::new();
#[btf_map(name = "arrived")]
static ARRIVED: PerCpuArray<Arrived, 1> = PerCpuArray::new();
#[btf_map(name = "captured")]
static CAPTURED: Array<Captured, CAPTURES> = Array::new();

/// Writes the frame that this page carries the next time, cuts out the one that it carries now, and
/// goes on with the program under test.
#[xdp]
pub fn offer(context: XdpContext) -> u32 {
    offer_frames::<LENGTH>(&context, write)
}

/// As [`offer`], IPv4 packets for a router.
#[xdp]
pub fn offer4(context: XdpContext) -> u32 {
    offer_frames::<{ routed::LENGTH4 }>(&context, |at, flow| {
        let fields = routed::Fields4::new(flow);
        // SAFETY: `offer_frames` has looked at the length.
        unsafe {
            write_addresses(at);
            ((at + routed::TTL4) as *mut u32).write_unaligned(fields.ttl);
            ((at + routed::ADDRESSES4) as *mut u64).write_unaligned(fields.addresses);
            ((at + routed::PORT4) as *mut u16).write_unaligned(fields.port_be);
        }
    })
}

/// As [`offer`], IPv6 packets for a router.
#[xdp]
pub fn offer6(context: XdpContext) -> u32 {
    offer_frames::<{ routed::LENGTH6 }>(&context, |at, flow| {
        let fields = routed::Fields6::new(flow);
        // SAFETY: as in `offer4`.
        unsafe {
            write_addresses(at);
            let lengths = (at + routed::LENGTH_AND_HOP_LIMIT6) as *mut u32;
            lengths.write_unaligned(fields.length_and_hop_limit);
            ((at + routed::SOURCE6) as *mut u64).write_unaligned(fields.source_end);
            ((at + routed::DESTINATION6) as *mut u64).write_unaligned(fields.destination[0]);
            ((at + routed::DESTINATION6 + 8) as *mut u64).write_unaligned(fields.destination[1]);
            ((at + routed::PORT6) as *mut u16).write_unaligned(fields.port_be);
        }
    })
}

/// See [`offer`]; `write` writes what differs between frames, which have `LENGTH` bytes.
#[inline(always)]
fn offer_frames<const LENGTH: usize>(
    context: &XdpContext,
    write: impl Fn(usize, &flow::Flow),
) -> u32 {
    let (start, end) = (context.data(), context.data_end());
    let Some(generator) = GENERATOR.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    if start + PLACES[1] + LENGTH > end {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the map has this entry, and only the one CPU of the benchmark uses it.
    let flow = unsafe { &mut *generator }.next_flow();
    // SAFETY: the start is in the packet, whose end was looked at.
    let second_now = unsafe {
        // The first bytes of the page are in no frame and in no room for headers.
        let turn = start as *mut u64;
        let now = turn.read();
        turn.write(now ^ 1);
        now & 1 != 0
    };
    if second_now {
        write(start + PLACES[0], &flow);
        // SAFETY: the context is this program's.
        if unsafe { bpf_xdp_adjust_head(context.ctx, PLACES[1] as i32) } != 0 {
            return xdp_action::XDP_ABORTED;
        }
    } else {
        write(start + PLACES[1], &flow);
        let behind = (PLACES[1] - PLACES[0]) as i32;
        // SAFETY: as above.
        if unsafe { bpf_xdp_adjust_head(context.ctx, PLACES[0] as i32) } != 0
            || unsafe { bpf_xdp_adjust_tail(context.ctx, -behind) } != 0
        {
            return xdp_action::XDP_ABORTED;
        }
    }
    // SAFETY: no destructors here; an empty slot comes back and drops the frame.
    unsafe { CONTENDER.tail_call(context, 0) };
    xdp_action::XDP_ABORTED
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

/// Writes what differs between frames of hosts.
#[inline(always)]
fn write(at: usize, flow: &flow::Flow) {
    let fields = flow.fields();
    // SAFETY: `offer_frames` has looked at the length.
    unsafe {
        ((at + offset::START) as *mut u64).write_unaligned(fields.start);
        ((at + offset::SOURCE_END) as *mut u32).write_unaligned(fields.source_end);
        ((at + offset::CHECKSUM) as *mut u16).write_unaligned(fields.checksum);
        ((at + offset::ADDRESSES) as *mut u32).write_unaligned(fields.addresses[0]);
        ((at + offset::ADDRESSES + 4) as *mut u32).write_unaligned(fields.addresses[1]);
        ((at + offset::PORT) as *mut u16).write_unaligned(fields.port_be);
    }
}

/// Baseline: sends the frame to the uplink as it is.
#[xdp]
pub fn redirect(_context: XdpContext) -> u32 {
    UPLINK.redirect(0, 0).unwrap_or(xdp_action::XDP_ABORTED)
}

/// Baseline: the kernel's bridge and vxlan device take the frame.
#[xdp]
pub fn kernel(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The floor: what the generator and the kernel's frame loop cost by themselves.
#[xdp]
pub fn discard(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Behind the uplink: counts and drops.
#[xdp]
pub fn sink(context: XdpContext) -> u32 {
    let _before = count(&context);
    xdp_action::XDP_DROP
}

/// Behind the uplink: keeps, counts and drops.
#[xdp]
pub fn capture(context: XdpContext) -> u32 {
    let before = count(&context);
    if let Some(captured) = CAPTURED.get_ptr_mut(before as u32 % CAPTURES as u32) {
        // SAFETY: the entry holds CAPTURE bytes, which is more than either length; the helper
        // refuses to read behind the end of the packet.
        unsafe {
            (*captured).length = (context.data_end() - context.data()) as u64;
            let bytes = (&raw mut (*captured).bytes).cast();
            for length in [OUTER + LENGTH, routed::LENGTH6, LENGTH] {
                if bpf_xdp_load_bytes(context.ctx, 0, bytes, length as u32) == 0 {
                    break;
                }
            }
        }
    }
    xdp_action::XDP_DROP
}

#[inline(always)]
fn count(context: &XdpContext) -> u64 {
    let Some(arrived) = ARRIVED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: an entry of this CPU.
    let arrived = unsafe { &mut *arrived };
    let before = arrived.frames;
    arrived.frames = before + 1;
    arrived.bytes += (context.data_end() - context.data()) as u64;
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
