//! The frames that a benchmark offers. The BPF generator includes this file as well, so it uses
//! nothing but `core` and `fabric_common`.

use fabric_common::{checksum, flow_hash};

pub use super::tunnel::{OUTER, OUTER6, Outer};
use super::tunnel::{VNI, write_outer, write_outer6};

/// Bytes of the shortest Ethernet frame, 64 with its checksum.
pub const LENGTH: usize = 60;
/// Bytes of the longest frame that counts as short, see [`PLACES`].
pub const SHORT: usize = 62;
/// Bytes of the longest frame, 1518 with its checksum.
pub const LONGEST: usize = 1_514;
/// Stations behind the access port; a power of two.
pub const SOURCES: u32 = 32;
/// Bytes of a frame that are written for each one: the Ethernet, IPv4 and UDP header.
pub const HEADERS: usize = 42;
/// Lengths from which a frame's is drawn; the IMIX of 7 : 4 : 1 needs this many.
pub const LENGTHS: usize = 12;

/// Where the two frames of a page start, from the start of the packet that the kernel offers.
///
/// The generator writes one of them while the other, written a round of the page pool earlier, is
/// sent. Otherwise the program under test would read what is still in the processor's store buffer,
/// and pay for loads that span two stores, which frames from a wire never cost. In front of each
/// is room for outer headers; and enough in front of the first that the kernel's own headers leave
/// the 256 bytes that veth wants before an XDP program, or else it copies the packet.
pub const PLACES: [usize; 2] = [128, 320];
/// As [`PLACES`], for frames that are longer than [`SHORT`].
pub const LONG_PLACES: [usize; 2] = [128, 1_792];

const _: () = assert!(PLACES[0] + OUTER6 + SHORT <= PLACES[1]);
const _: () = assert!(LONG_PLACES[0] + OUTER6 + LONGEST <= LONG_PLACES[1]);

/// Frames of a slice, for which time is taken by itself: some tens of microseconds, so that hardly any
/// of them contains a moment in which the host gives the processor to somebody else.
pub const SLICE: u64 = 256;
/// Slices of a turn; later ones are not timed.
pub const SLICES: usize = 4_096;

/// When the slices of a turn began, in nanoseconds of the kernel's monotonic clock.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Slices {
    /// The first frame of each.
    pub began: [u64; SLICES],
}

/// The generator's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Generator {
    /// Counts in steps of an odd constant, so that its hash is a new number each time.
    pub counter: u64,
    /// Number of flows minus one; flows are a power of two.
    pub flow_mask: u64,
    /// Bytes of all frames that were offered so far.
    pub offered_bytes: u64,
    /// Number of frames that were offered so far.
    pub offered: u64,
    /// Number of destinations minus one; destinations are a power of two.
    pub destination_mask: u32,
    /// Number of VTEPs minus one; VTEPs are a power of two.
    pub vtep_mask: u32,
    /// What stands in front of each frame.
    pub outer: Outer,
    /// Not 0: the frames stand at [`LONG_PLACES`].
    pub long: u32,
    /// The frames' lengths: the first [`LENGTHS`] of them, each as likely as the others. The rest
    /// is there because the verifier rounds up.
    pub lengths: [u16; 16],
}

/// What the generator offers next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Whose frame.
    pub flow: Flow,
    /// Its length without outer headers.
    pub length: u16,
    /// From which VTEP it comes, if it is tunnelled.
    pub vtep: u32,
}

impl Generator {
    /// Draws a flow and a length.
    #[inline(always)]
    pub fn draw(&mut self) -> Draw {
        self.counter = self.counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = flow_hash::mix(self.counter);
        // An odd factor keeps the low bits distinct and fills the high ones.
        let chosen = (number & self.flow_mask).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let which = (((number >> 40) as u32 & 0xffff) * LENGTHS as u32) >> 16;
        Draw {
            flow: Flow::from_number(chosen, self.destination_mask),
            length: self.lengths.get(which as usize).copied().unwrap_or(LENGTH as u16),
            vtep: (chosen >> 20) as u32 & self.vtep_mask,
        }
    }
}

impl Draw {
    /// Writes what differs between packets at `at`, with outer headers if `outer` says so. With a
    /// UDP checksum, all bytes behind the [`HEADERS`] must be 0.
    ///
    /// # Safety
    /// [`OUTER6`] and [`HEADERS`] bytes from `at` on must be writable.
    #[inline(always)]
    pub unsafe fn write(&self, at: usize, outer: Outer) {
        let Self { flow, length, vtep } = *self;
        // SAFETY: the caller's promise.
        unsafe {
            match usize::from(outer.bytes) {
                0 => flow.write(at, length),
                OUTER6 => {
                    let sum = if outer.checksum != 0 { Some(flow.sum(length)) } else { None };
                    write_outer6(at, vtep, flow.port, length, sum);
                    flow.write(at + OUTER6, length);
                }
                _ => {
                    write_outer(at, VNI, vtep, flow.port, length);
                    flow.write(at + OUTER, length);
                }
            }
        }
    }
}

/// A UDP flow between two stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Number of the station that it goes to.
    pub destination: u32,
    /// Number of the station that it comes from.
    pub source: u32,
    /// UDP source port in host byte order, 32768 to 65535.
    pub port: u16,
}

/// MAC address of a destination: 52:54:00 and its number, as hypervisors count.
#[inline(always)]
#[must_use]
pub const fn destination_mac(destination: u32) -> [u8; 6] {
    let [_, a, b, c] = destination.to_be_bytes();
    [0x52, 0x54, 0, a, b, c]
}

/// MAC address of a source: 52:54:01 and its number.
#[inline(always)]
#[must_use]
pub const fn source_mac(source: u32) -> [u8; 6] {
    let [_, a, b, c] = source.to_be_bytes();
    [0x52, 0x54, 1, a, b, c]
}

/// Sum of the constant words of the IPv4 header in memory order: version and length, TTL and
/// protocol.
const CONSTANT_SUM: u32 =
    u16::from_ne_bytes([0x45, 0]) as u32 + u16::from_ne_bytes([64, 17]) as u32;
/// UDP destination port.
const PORT: u16 = 4_791;

impl Flow {
    /// The flow that a random number stands for.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u64, destination_mask: u32) -> Self {
        Self {
            destination: number as u32 & destination_mask,
            source: (number >> 32) as u32 & (SOURCES - 1),
            port: (number >> 48) as u16 | 0x8000,
        }
    }

    /// Sum of the 16-bit words of a frame of `length` bytes, in memory order. A whole IPv4 header
    /// adds nothing, because of its own checksum.
    #[inline(always)]
    #[must_use]
    pub const fn sum(&self, length: u16) -> u32 {
        let mut sum = 0;
        let macs = [destination_mac(self.destination), source_mac(self.source)];
        let mut which = 0;
        while which < 2 {
            let [a, b, c, d, e, f] = macs[which];
            sum += u16::from_ne_bytes([a, b]) as u32
                + u16::from_ne_bytes([c, d]) as u32
                + u16::from_ne_bytes([e, f]) as u32;
            which += 1;
        }
        sum + 0x0800_u16.to_be() as u32
            + self.port.to_be() as u32
            + PORT.to_be() as u32
            + (length - 34).to_be() as u32
    }

    /// Writes the headers of a frame of `length` bytes at `at`: all of them, as some of what is
    /// measured changes them, and the kernel offers a page again as it was left.
    ///
    /// # Safety
    /// [`HEADERS`] bytes from `at` on must be writable.
    #[inline(always)]
    pub unsafe fn write(&self, at: usize, length: u16) {
        let [_, _, a, b, c, d] = source_mac(self.source);
        let [e, f, g, h, i, j] = destination_mac(self.destination);
        let [_, x, y, z] = self.destination.to_be_bytes();
        let source = u32::from_ne_bytes([10, 255, 0, self.source as u8]);
        let destination = u32::from_ne_bytes([10, x, y, z]);
        let total = length - 14;
        let sum = CONSTANT_SUM
            + total.to_be() as u32
            + (source & 0xffff)
            + (source >> 16)
            + (destination & 0xffff)
            + (destination >> 16);
        let [m, n] = total.to_be_bytes();
        let [o, p] = self.port.to_be_bytes();
        let [q, r] = PORT.to_be_bytes();
        let [s, t] = (length - 34).to_be_bytes();
        // SAFETY: the caller's promise; any alignment is allowed.
        unsafe {
            (at as *mut u64).write_unaligned(u64::from_ne_bytes([e, f, g, h, i, j, 0x52, 0x54]));
            let middle = u64::from_ne_bytes([a, b, c, d, 0x08, 0, 0x45, 0]);
            ((at + 8) as *mut u64).write_unaligned(middle);
            // Length, identification, fragment; TTL 64 and UDP.
            let middle = u64::from_ne_bytes([m, n, 0, 0, 0, 0, 64, 17]);
            ((at + 16) as *mut u64).write_unaligned(middle);
            ((at + 24) as *mut u16).write_unaligned(!checksum::fold(sum));
            ((at + 26) as *mut u32).write_unaligned(source);
            ((at + 30) as *mut u32).write_unaligned(destination);
            // Ports and length; no checksum.
            let udp = u64::from_ne_bytes([o, p, q, r, s, t, 0, 0]);
            ((at + 34) as *mut u64).write_unaligned(udp);
        }
    }
}

/// Frames and bytes that arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Number of frames.
    pub frames: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Longest packet that is captured; a power of two.
pub const CAPTURE: usize = 2_048;
/// How many packets a capture holds; the later ones overwrite the first.
pub const CAPTURES: usize = 1_024;

/// A captured packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    /// Bytes on the wire; 0 for a free entry.
    pub length: u64,
    /// The packet.
    pub bytes: [u8; CAPTURE],
}
