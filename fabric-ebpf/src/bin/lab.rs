//! What a lab puts on an interface to silence it.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

/// Whatever arrives is lost.
#[xdp]
pub fn lab_silence(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Holds the place of [`lab_silence`].
#[xdp]
pub fn lab_placeholder(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
