//! The VXLAN tunnels of a benchmark's leaf, and the outer headers of what arrives in them. The BPF
//! generator includes this file as well, so it uses nothing but `core` and `fabric_common`.

use fabric_common::checksum;

/// Bytes of outer headers in front of a tunnelled frame: Ethernet, IPv4, UDP and VXLAN.
pub const OUTER: usize = 50;
/// The same over IPv6.
pub const OUTER6: usize = 70;
/// VXLAN network identifier of the hosts' network.
pub const VNI: u32 = 100;
/// That of routed packets.
pub const L3VNI: u32 = 101;
/// Outer TTL.
pub const TTL: u8 = 64;
/// UDP port of the tunnels (IANA).
pub const UDP_PORT: u16 = 4789;
/// Address of this leaf's VTEP.
pub const LOCAL: [u8; 4] = [10, 253, 0, 1];
/// Address of the first remote VTEP; the others follow.
pub const FIRST_VTEP: [u8; 4] = [10, 254, 0, 1];
/// Address of this leaf's VTEP over IPv6.
pub const LOCAL6: [u8; 16] = [0xfd, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// Address of the first remote VTEP over IPv6; the others follow.
pub const FIRST_VTEP6: [u8; 16] = [0xfd, 0, 0, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// MAC address of the spine behind the underlay port.
pub const SPINE_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 1];
/// MAC address of the underlay port.
pub const UNDERLAY_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 0];

/// Sum of the constant words of the outer IPv4 header in memory order: version and length,
/// TTL and protocol, destination address.
const CONSTANT_SUM: u32 = u16::from_ne_bytes([0x45, 0]) as u32
    + u16::from_ne_bytes([TTL, 17]) as u32
    + u16::from_ne_bytes([LOCAL[0], LOCAL[1]]) as u32
    + u16::from_ne_bytes([LOCAL[2], LOCAL[3]]) as u32;

/// Sum of the constant words that the UDP checksum covers over IPv6, in memory order: local address,
/// address of the VTEPs but for its last four bytes, next header, destination port, VXLAN header.
const CONSTANT_SUM6: u32 = {
    let mut sum = word(0, 17)
        + UDP_PORT.to_be() as u32
        + word(0x08, 0)
        + word((VNI >> 16) as u8, (VNI >> 8) as u8)
        + word(VNI as u8, 0);
    let mut at = 0;
    while at < 16 {
        sum += word(LOCAL6[at], LOCAL6[at + 1]);
        if at < 12 {
            sum += word(FIRST_VTEP6[at], FIRST_VTEP6[at + 1]);
        }
        at += 2;
    }
    sum
};

/// Two bytes as a 16-bit word in memory order.
const fn word(first: u8, second: u8) -> u32 {
    u16::from_ne_bytes([first, second]) as u32
}

/// What a packet has in front of its frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Outer {
    /// Bytes of outer headers: 0, [`OUTER`] or [`OUTER6`].
    pub bytes: u16,
    /// Not 0: over IPv6 there is a UDP checksum.
    pub checksum: u16,
}

/// Address of a remote VTEP, counted from 0, as it stands in memory.
#[inline(always)]
#[must_use]
pub const fn vtep_be(vtep: u32) -> u32 {
    u32::from_be_bytes(FIRST_VTEP).wrapping_add(vtep).to_be()
}

/// Writes the outer headers of a packet from a VTEP to this leaf at `at`, of a VNI and for an inner frame of
/// `length` bytes. `entropy` becomes the low 14 bits of the source port.
///
/// # Safety
/// [`OUTER`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write_outer(at: usize, vni: u32, vtep: u32, entropy: u16, length: u16) {
    const MACS: [u64; 2] = {
        let [a, b, c, d, e, f] = UNDERLAY_MAC;
        let [g, h, i, j, k, l] = SPINE_MAC;
        [
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, 0x08, 0, 0x45, 0]),
        ]
    };
    let total = length + 36;
    let source = vtep_be(vtep);
    let sum = CONSTANT_SUM + total.to_be() as u32 + (source & 0xffff) + (source >> 16);
    let port = 0xc000 | entropy & 0x3fff;
    let [p, q] = UDP_PORT.to_be_bytes();
    let [r, s] = (length + 16).to_be_bytes();
    // SAFETY: the caller's promise; any alignment is allowed.
    unsafe {
        (at as *mut u64).write_unaligned(MACS[0]);
        ((at + 8) as *mut u64).write_unaligned(MACS[1]);
        // Length, identification, fragment; TTL and protocol.
        let [t, u] = total.to_be_bytes();
        let middle = u64::from_ne_bytes([t, u, 0, 0, 0, 0, TTL, 17]);
        ((at + 16) as *mut u64).write_unaligned(middle);
        ((at + 24) as *mut u16).write_unaligned(!checksum::fold(sum));
        ((at + 26) as *mut u32).write_unaligned(source);
        ((at + 30) as *mut u32).write_unaligned(u32::from_ne_bytes(LOCAL));
        // Ports and length; no checksum; the I flag; the VNI.
        let [x, y] = port.to_be_bytes();
        let ports = u64::from_ne_bytes([x, y, p, q, r, s, 0, 0]);
        ((at + 34) as *mut u64).write_unaligned(ports);
        ((at + 42) as *mut u32).write_unaligned(0x0800_0000_u32.to_be());
        ((at + 46) as *mut u32).write_unaligned((vni << 8).to_be());
    }
}

/// The last four bytes of the address of a remote VTEP over IPv6, as they stand in memory.
#[inline(always)]
const fn vtep6_end_be(vtep: u32) -> u32 {
    let [.., a, b, c, d] = FIRST_VTEP6;
    u32::from_be_bytes([a, b, c, d]).wrapping_add(vtep).to_be()
}

/// As [`write_outer`], over IPv6 and of [`VNI`]. With `frame_sum`, the sum of the 16-bit words of the inner frame
/// in memory order, there is a UDP checksum.
///
/// # Safety
/// [`OUTER6`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write_outer6(
    at: usize,
    vtep: u32,
    entropy: u16,
    length: u16,
    frame_sum: Option<u32>,
) {
    const MACS: [u64; 2] = {
        let [a, b, c, d, e, f] = UNDERLAY_MAC;
        let [g, h, i, j, k, l] = SPINE_MAC;
        [
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, 0x86, 0xdd, 0x60, 0]),
        ]
    };
    const ADDRESSES: [u64; 3] = {
        let [a, b, c, d, e, f, g, h, ..] = FIRST_VTEP6;
        let [i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = LOCAL6;
        [
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
            u64::from_ne_bytes([q, r, s, t, u, v, w, x]),
        ]
    };
    const MIDDLE: u32 = {
        let [.., a, b, c, d, _, _, _, _] = FIRST_VTEP6;
        u32::from_ne_bytes([a, b, c, d])
    };
    let total_be = (length + 16).to_be();
    let port_be = (0xc000 | entropy & 0x3fff).to_be();
    let end = vtep6_end_be(vtep);
    let checksum = match frame_sum {
        None => 0,
        Some(frame) => {
            let outer = 2 * total_be as u32 + port_be as u32 + (end & 0xffff) + (end >> 16);
            match !checksum::fold(CONSTANT_SUM6 + outer + frame) {
                // 0 says that there is none (RFC 8200 §8.1).
                0 => 0xffff,
                checksum => checksum,
            }
        }
    };
    let [p, q] = UDP_PORT.to_be_bytes();
    let [r, s] = total_be.to_ne_bytes();
    // SAFETY: the caller's promise; any alignment is allowed.
    unsafe {
        (at as *mut u64).write_unaligned(MACS[0]);
        ((at + 8) as *mut u64).write_unaligned(MACS[1]);
        // The rest of the flow label, length, next header and hop limit; the source address.
        let middle = u64::from_ne_bytes([0, 0, r, s, 17, TTL, 0, 0]);
        ((at + 16) as *mut u64).write_unaligned(middle);
        ((at + 22) as *mut u64).write_unaligned(ADDRESSES[0]);
        ((at + 30) as *mut u32).write_unaligned(MIDDLE);
        ((at + 34) as *mut u32).write_unaligned(end);
        ((at + 38) as *mut u64).write_unaligned(ADDRESSES[1]);
        ((at + 46) as *mut u64).write_unaligned(ADDRESSES[2]);
        // Ports, length and checksum; the I flag; the VNI.
        let [x, y] = port_be.to_ne_bytes();
        let [z, w] = checksum.to_ne_bytes();
        let ports = u64::from_ne_bytes([x, y, p, q, r, s, z, w]);
        ((at + 54) as *mut u64).write_unaligned(ports);
        ((at + 62) as *mut u32).write_unaligned(0x0800_0000_u32.to_be());
        ((at + 66) as *mut u32).write_unaligned((VNI << 8).to_be());
    }
}
