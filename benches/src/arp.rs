//! ARP requests that a benchmark offers to a leaf. The BPF generator includes this file as well.

use super::flow::{Flow, destination_mac, source_mac};

/// Bytes of a request: the shortest Ethernet frame, 64 with its checksum.
pub const REQUEST: usize = 60;
/// Bytes of the answer, which nothing pads.
pub const REPLY: usize = 42;

/// IPv4 address of a station that is asked for.
#[inline(always)]
#[must_use]
pub const fn asked(destination: u32) -> [u8; 4] {
    let [_, a, b, c] = destination.to_be_bytes();
    [10, a, b, c]
}

/// IPv4 address of a station that asks.
#[inline(always)]
#[must_use]
pub const fn asking(source: u32) -> [u8; 4] {
    [10, 255, 0, source as u8]
}

/// Writes the request of a flow at `at`: all of it, as the answer stands where it stood.
///
/// # Safety
/// [`REPLY`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write(flow: &Flow, at: usize) {
    let [a, b, c, d, e, f] = source_mac(flow.source);
    let [i, j, k, l] = asking(flow.source);
    let [w, x, y, z] = asked(flow.destination);
    let words = [
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, a, b],
        [c, d, e, f, 0x08, 0x06, 0, 1],
        [0x08, 0, 6, 4, 0, 1, a, b],
        [c, d, e, f, i, j, k, l],
        [0, 0, 0, 0, 0, 0, w, x],
    ];
    // SAFETY: the caller's promise; any alignment is allowed.
    unsafe {
        ((at) as *mut u64).write_unaligned(u64::from_ne_bytes(words[0]));
        ((at + 8) as *mut u64).write_unaligned(u64::from_ne_bytes(words[1]));
        ((at + 16) as *mut u64).write_unaligned(u64::from_ne_bytes(words[2]));
        ((at + 24) as *mut u64).write_unaligned(u64::from_ne_bytes(words[3]));
        ((at + 32) as *mut u64).write_unaligned(u64::from_ne_bytes(words[4]));
        ((at + 40) as *mut u16).write_unaligned(u16::from_ne_bytes([y, z]));
    }
}

/// A whole request.
#[must_use]
pub fn request(flow: &Flow) -> [u8; REQUEST] {
    let mut frame = [0; REQUEST];
    // SAFETY: the frame is longer than what is written.
    unsafe { write(flow, frame.as_mut_ptr() as usize) };
    frame
}

/// The answer to it.
#[must_use]
pub fn reply(flow: &Flow) -> [u8; REPLY] {
    let mut frame = [0; REPLY];
    let (asks, answers) = (source_mac(flow.source), destination_mac(flow.destination));
    frame[..6].copy_from_slice(&asks);
    frame[6..12].copy_from_slice(&answers);
    frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2]);
    frame[22..28].copy_from_slice(&answers);
    frame[28..32].copy_from_slice(&asked(flow.destination));
    frame[32..38].copy_from_slice(&asks);
    frame[38..42].copy_from_slice(&asking(flow.source));
    frame
}
