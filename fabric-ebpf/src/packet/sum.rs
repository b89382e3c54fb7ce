//! The Internet checksum's sum over the rest of a packet (RFC 1071), which UDP over IPv6 needs.

use aya_ebpf::{bindings::xdp_md, helpers::generated::bpf_csum_diff};
use fabric_common::{schema::vteps::Vtep, tunnel::LONGEST_SUM};

use super::Packet;

/// The most that the helper took at once before Linux 6.13 (`MAX_BPF_STACK`).
const CHUNK: usize = 512;
/// How many of these.
const CHUNKS: usize = LONGEST_SUM as usize / CHUNK;

/// What [`whole`] returns if the packet is not as long as was said; no sum is that large.
const IMPOSSIBLE: u32 = 1 << 16;

/// Where UDP starts: behind Ethernet and IPv6.
const FROM: usize = 54;
/// Where its checksum is.
const CHECKSUM: usize = FROM + 6;

/// The folded sum of the `length` bytes of the UDP packet in an IPv6 packet and of `seed`; `None` if
/// they are not there or more than [`LONGEST_SUM`].
#[inline(always)]
pub fn udp6(packet: &Packet, length: u32, seed: u32) -> Option<u16> {
    u16::try_from(whole(packet.context(), length, seed)).ok()
}

/// Writes the checksum of the UDP packet in an IPv6 packet, which has 0 there; arguments and result as of
/// [`udp6`].
#[inline(always)]
#[must_use]
pub fn write_udp6(packet: &mut Packet, length: u32, seed: u32) -> Option<()> {
    let sum = udp6(packet, length, seed)?;
    // 0 says that there is none (RFC 8200 §8.1).
    packet.write(CHECKSUM, if sum == 0xffff { 0xffff } else { !sum })
}

/// The sum of the pseudo header of a UDP packet of `length` bytes between the addresses of a VTEP over
/// IPv6 (RFC 8200 §8.1).
#[inline(always)]
pub fn pseudo_header(vtep: &Vtep, length: u32) -> u32 {
    vtep.checksum_base + u32::from((length as u16).to_be())
}

/// A subprogram, as it is long.
#[inline(never)]
fn whole(context: *mut xdp_md, length: u32, seed: u32) -> u32 {
    sum(&Packet::of(context), length, seed).unwrap_or(IMPOSSIBLE)
}

#[inline(always)]
fn sum(packet: &Packet, length: u32, seed: u32) -> Option<u32> {
    let remainder = Remainder { length };
    let mut left = length;
    let mut sum = seed;
    for _ in 0..CHUNKS {
        if left < CHUNK as u32 {
            break;
        }
        sum = chunk::<CHUNK>(packet, remainder.offset(left), sum)?;
        left -= CHUNK as u32;
    }
    if left >= CHUNK as u32 {
        return None;
    }
    // What is left is less than a chunk: its binary digits, so that every size is a constant.
    macro_rules! digits {
        ($($size:literal)+) => {$(
            if left & $size != 0 {
                sum = chunk::<$size>(packet, remainder.offset(left), sum)?;
            }
            left &= $size - 1;
        )+};
    }
    digits!(256 128 64 32 16 8 4);
    let mut sum = u64::from(sum);
    if left & 2 != 0 {
        sum += u64::from(packet.read::<u16>(remainder.offset(left))?);
    }
    left &= 1;
    if left != 0 {
        sum += u64::from(u16::from_ne_bytes([last(packet, remainder.offset(left))?, 0]));
    }
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    Some(sum as u32)
}

/// Where what is left to be summed is.
struct Remainder {
    length: u32,
}

impl Remainder {
    /// The offset of the last `left` bytes.
    ///
    /// Some number below 16,384 to the verifier, whichever way led here. Did it know the number, it
    /// would follow each of the thousands of ways through the lengths by itself, which takes a second.
    #[inline(always)]
    fn offset(&self, left: u32) -> usize {
        FROM + (black_box(self.length as usize).wrapping_sub(left as usize) & 0x3fff)
    }
}

/// The byte at `at`. The compiler would make `at < end` of the check that `at + 1` is not behind the
/// end, by which the verifier learns nothing about a place that it does not know.
#[inline(always)]
fn last(packet: &Packet, at: usize) -> Option<u8> {
    let start = packet.start() + at;
    if black_box(start + 1) > packet.end() {
        return None;
    }
    // SAFETY: in bounds by the check above.
    Some(unsafe { *(start as *const u8) })
}

/// The same value, of which the compiler knows nothing.
#[inline(always)]
fn black_box(value: usize) -> usize {
    // SAFETY: a plain read of what is there.
    unsafe { (&raw const value).read_volatile() }
}

const _: () = assert!(LONGEST_SUM < 0x3fff);

/// Adds the `SIZE` bytes at `at`, a multiple of four.
#[inline(always)]
fn chunk<const SIZE: usize>(packet: &Packet, at: usize, sum: u32) -> Option<u32> {
    let start = packet.start() + at;
    if start + SIZE > packet.end() {
        return None;
    }
    // SAFETY: the helper only reads, and inside the packet by the check above.
    let sum =
        unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, start as *mut u32, SIZE as u32, sum) };
    Some(sum as u32)
}
