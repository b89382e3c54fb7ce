//! The packets that a benchmark offers to a router: UDP, as short as Ethernet and UDP allow. The BPF
//! generator includes this file as well.

use super::{
    flow::{Draw, Flow},
    tunnel::{L3VNI, OUTER, Outer, write_outer},
};
use fabric_common::checksum;

/// Bytes of an IPv4 frame: 64 with its checksum.
pub const LENGTH4: usize = 60;
/// Bytes of an IPv6 frame: the shortest UDP datagram, 66 with Ethernet's checksum.
pub const LENGTH6: usize = 62;

/// MAC address of the router's port towards the client.
pub const ROUTER_MAC: [u8; 6] = [0x52, 0x54, 3, 0, 0, 0];
/// MAC address of the client.
pub const CLIENT_MAC: [u8; 6] = [0x52, 0x54, 3, 0, 0, 1];
/// Addresses of a prefix: destinations that share all but the last byte.
pub const PREFIX: u32 = 256;

/// Where TTL, protocol and the IPv4 header checksum are in a frame.
pub const TTL4: usize = 22;
/// Where both IPv4 addresses are.
pub const ADDRESSES4: usize = 26;
/// Where the UDP source port is behind IPv4.
pub const PORT4: usize = 34;
/// Where payload length, next header and hop limit of IPv6 are.
pub const LENGTH_AND_HOP_LIMIT6: usize = 18;
/// Where the lower half of the IPv6 source address is.
pub const SOURCE6: usize = 30;
/// Where the IPv6 destination address is.
pub const DESTINATION6: usize = 38;
/// Where the UDP source port is behind IPv6.
pub const PORT6: usize = 54;

/// EtherType and IPv4 header up to the checksum: 46 bytes of IP, TTL 64, UDP.
const MIDDLE4: [u8; 12] = [0x08, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17];
/// EtherType and IPv6 header up to the addresses: 8 bytes behind it, UDP, hop limit 64.
const MIDDLE6: [u8; 10] = [0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64];

/// Sum of the constant words of the IPv4 header in memory order.
const CONSTANT_SUM: u32 = {
    let mut sum = 0;
    let mut i = 2;
    while i < MIDDLE4.len() {
        sum += u16::from_ne_bytes([MIDDLE4[i], MIDDLE4[i + 1]]) as u32;
        i += 2;
    }
    sum
};

/// What differs between IPv4 frames, or is not what it was after a router had the page.
pub struct Fields4 {
    /// TTL, protocol and header checksum.
    pub ttl: u32,
    /// Source and destination address.
    pub addresses: u64,
    /// UDP source port.
    pub port_be: u16,
}

/// As [`Fields4`], of IPv6 frames.
pub struct Fields6 {
    /// Payload length, next header and hop limit.
    pub length_and_hop_limit: u32,
    /// Lower half of the source address.
    pub source_end: u64,
    /// Destination address.
    pub destination: [u64; 2],
    /// UDP source port.
    pub port_be: u16,
}

/// IPv4 address of a destination.
#[inline(always)]
#[must_use]
pub const fn destination4(destination: u32) -> [u8; 4] {
    let [_, x, y, z] = destination.to_be_bytes();
    [10, x, y, z]
}

/// IPv6 address of a destination: [`PREFIX`] of them in each /64.
#[inline(always)]
#[must_use]
pub const fn destination6(destination: u32) -> [u8; 16] {
    let [_, x, y, z] = destination.to_be_bytes();
    [0x20, 1, 0x0d, 0xb8, 0, 1, x, y, 0, 0, 0, 0, 0, 0, 0, z]
}

/// Both MAC addresses, as the first eight and the next four bytes of a frame.
pub const ADDRESSES: (u64, u32) = {
    let [a, b, c, d, e, f] = ROUTER_MAC;
    let [g, h, i, j, k, l] = CLIENT_MAC;
    (u64::from_ne_bytes([a, b, c, d, e, f, g, h]), u32::from_ne_bytes([i, j, k, l]))
};

const fn half(address: [u8; 16], at: usize) -> u64 {
    let a = address;
    u64::from_ne_bytes([
        a[at],
        a[at + 1],
        a[at + 2],
        a[at + 3],
        a[at + 4],
        a[at + 5],
        a[at + 6],
        a[at + 7],
    ])
}

impl Fields4 {
    /// The fields of a flow.
    #[inline(always)]
    #[must_use]
    pub const fn new(flow: &Flow) -> Self {
        let [a, b, c, d] = destination4(flow.destination);
        let source = [10, 255, 0, flow.source as u8];
        let from = u32::from_ne_bytes(source);
        let to = u32::from_ne_bytes([a, b, c, d]);
        let sum = CONSTANT_SUM + (from & 0xffff) + (from >> 16) + (to & 0xffff) + (to >> 16);
        let [e, f] = (!checksum::fold(sum)).to_ne_bytes();
        Self {
            ttl: u32::from_ne_bytes([MIDDLE4[10], MIDDLE4[11], e, f]),
            addresses: u64::from_ne_bytes([source[0], source[1], source[2], source[3], a, b, c, d]),
            port_be: flow.port.to_be(),
        }
    }
}

impl Fields6 {
    /// The fields of a flow.
    #[inline(always)]
    #[must_use]
    pub const fn new(flow: &Flow) -> Self {
        let destination = destination6(flow.destination);
        Self {
            length_and_hop_limit: u32::from_ne_bytes([0, 8, 17, 64]),
            source_end: u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, flow.source as u8]),
            destination: [half(destination, 0), half(destination, 8)],
            port_be: flow.port.to_be(),
        }
    }
}

/// UDP behind IPv4 from the destination port on: to port 443, 26 bytes, no checksum.
const UDP4: [u8; 6] = [1, 0xbb, 0, 26, 0, 0];
/// As [`UDP4`], behind IPv6: 8 bytes, and a checksum, which is no business of routers.
const UDP6: [u8; 6] = [1, 0xbb, 0, 8, 0xff, 0xff];
/// Upper half of the IPv6 source address.
const SOURCE6_START: [u8; 8] = [0x20, 1, 0x0d, 0xb8, 0, 2, 0, 0];

const fn udp(port_be: u16, rest: [u8; 6]) -> u64 {
    let ([a, b], [c, d, e, f, g, h]) = (port_be.to_ne_bytes(), rest);
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// Writes the outer headers of a routed packet of `length` bytes at `at`, if it is to have any, which are over
/// IPv4 then. Returns where its frame starts.
///
/// # Safety
/// [`OUTER`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write_tunnel(at: usize, draw: &Draw, outer: Outer, length: usize) -> usize {
    if outer.bytes == 0 {
        return at;
    }
    // SAFETY: the caller's promise.
    unsafe { write_outer(at, L3VNI, draw.vtep, draw.flow.port, length as u16) };
    at + OUTER
}

/// Writes the headers of a flow's IPv4 frame at `at`.
///
/// # Safety
/// 42 bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write4(at: usize, flow: &Flow) {
    let fields = Fields4::new(flow);
    let [a, b, c, d, e, f, g, h, i, j, ..] = MIDDLE4;
    // SAFETY: the caller's promise; any alignment is allowed.
    unsafe {
        (at as *mut u64).write_unaligned(ADDRESSES.0);
        ((at + 8) as *mut u32).write_unaligned(ADDRESSES.1);
        ((at + 12) as *mut u64).write_unaligned(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
        ((at + 20) as *mut u16).write_unaligned(u16::from_ne_bytes([i, j]));
        ((at + TTL4) as *mut u32).write_unaligned(fields.ttl);
        ((at + ADDRESSES4) as *mut u64).write_unaligned(fields.addresses);
        ((at + PORT4) as *mut u64).write_unaligned(udp(fields.port_be, UDP4));
    }
}

/// Writes a flow's IPv6 frame at `at`.
///
/// # Safety
/// [`LENGTH6`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write6(at: usize, flow: &Flow) {
    let fields = Fields6::new(flow);
    let [upper, lower] = fields.destination;
    let [a, b, c, d, e, f, ..] = MIDDLE6;
    // SAFETY: the caller's promise; any alignment is allowed.
    unsafe {
        (at as *mut u64).write_unaligned(ADDRESSES.0);
        ((at + 8) as *mut u32).write_unaligned(ADDRESSES.1);
        ((at + 12) as *mut u32).write_unaligned(u32::from_ne_bytes([a, b, c, d]));
        ((at + 16) as *mut u16).write_unaligned(u16::from_ne_bytes([e, f]));
        let lengths = (at + LENGTH_AND_HOP_LIMIT6) as *mut u32;
        lengths.write_unaligned(fields.length_and_hop_limit);
        ((at + 22) as *mut u64).write_unaligned(u64::from_ne_bytes(SOURCE6_START));
        ((at + SOURCE6) as *mut u64).write_unaligned(fields.source_end);
        ((at + DESTINATION6) as *mut u64).write_unaligned(upper);
        ((at + DESTINATION6 + 8) as *mut u64).write_unaligned(lower);
        ((at + PORT6) as *mut u64).write_unaligned(udp(fields.port_be, UDP6));
    }
}

/// A whole IPv4 frame of the flow.
#[must_use]
pub fn frame4(flow: &Flow) -> [u8; LENGTH4] {
    let mut frame = [0; LENGTH4];
    // SAFETY: the frame is longer than its headers.
    unsafe { write4(frame.as_mut_ptr() as usize, flow) };
    frame
}

/// A whole IPv6 frame of the flow.
#[must_use]
pub fn frame6(flow: &Flow) -> [u8; LENGTH6] {
    let mut frame = [0; LENGTH6];
    // SAFETY: the frame has this length.
    unsafe { write6(frame.as_mut_ptr() as usize, flow) };
    frame
}
