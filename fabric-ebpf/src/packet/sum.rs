//! The Internet checksum's sum over the rest of a packet (RFC 1071), which UDP over IPv6 needs.

use aya_ebpf::{bindings::xdp_md, helpers::generated::bpf_csum_diff};

use super::Packet;

/// The most that the helper took at once before Linux 6.13 (`MAX_BPF_STACK`).
const CHUNK: usize = 512;
/// How many of these: more than a jumbo frame has.
const CHUNKS: usize = 24;
/// The longest rest of a packet that can be summed, in bytes.
pub const MAX: u32 = (CHUNK * CHUNKS) as u32;

/// What [`rest`] returns if the packet is not as long as was said; no sum is that large.
const IMPOSSIBLE: u32 = 1 << 16;

/// The folded sum of the `length` bytes from `FROM` on and of `seed`; `None` if they are not there or
/// more than [`MAX`].
#[inline(always)]
pub fn from<const FROM: usize>(packet: &Packet, length: u32, seed: u32) -> Option<u16> {
    let sum = rest(packet.context(), FROM, length, seed);
    u16::try_from(sum).ok()
}

/// A subprogram, since the verifier follows every way through it.
#[inline(never)]
fn rest(context: *mut xdp_md, from: usize, length: u32, seed: u32) -> u32 {
    sum(&Packet::of(context), from, length, seed).unwrap_or(IMPOSSIBLE)
}

#[inline(always)]
fn sum(packet: &Packet, from: usize, length: u32, seed: u32) -> Option<u32> {
    let mut at = from;
    let mut left = length;
    let mut sum = seed;
    for _ in 0..CHUNKS {
        if left < CHUNK as u32 {
            break;
        }
        sum = chunk::<CHUNK>(packet, &mut at, sum)?;
        left -= CHUNK as u32;
    }
    // What is left is less than a chunk: its binary digits, so that every size is a constant.
    macro_rules! digits {
        ($($size:literal)+) => {$(
            if left & $size != 0 {
                sum = chunk::<$size>(packet, &mut at, sum)?;
            }
        )+};
    }
    digits!(256 128 64 32 16 8 4);
    let mut sum = u64::from(sum);
    if left & 2 != 0 {
        sum += u64::from(packet.read::<u16>(at)?);
        at += 2;
    }
    if left & 1 != 0 {
        sum += u64::from(u16::from_ne_bytes([packet.read(at)?, 0]));
    }
    if left >= CHUNK as u32 {
        return None;
    }
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    Some(sum as u32)
}

/// Adds `SIZE` bytes, a multiple of four.
#[inline(always)]
fn chunk<const SIZE: usize>(packet: &Packet, at: &mut usize, sum: u32) -> Option<u32> {
    let start = packet.start() + *at;
    if start + SIZE > packet.end() {
        return None;
    }
    *at += SIZE;
    // SAFETY: the helper only reads, and inside the packet by the check above.
    let sum =
        unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, start as *mut u32, SIZE as u32, sum) };
    Some(sum as u32)
}
