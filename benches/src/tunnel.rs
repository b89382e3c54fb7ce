//! The VXLAN tunnels of a benchmark's leaf, and the outer headers of what arrives in them. The BPF
//! generator includes this file as well, so it uses nothing but `core` and `fabric_common`.

use fabric_common::checksum;

/// Bytes of outer headers in front of a tunnelled frame: Ethernet, IPv4, UDP and VXLAN.
pub const OUTER: usize = 50;
/// VXLAN network identifier.
pub const VNI: u32 = 100;
/// Outer TTL.
pub const TTL: u8 = 64;
/// UDP port of the tunnels (IANA).
pub const UDP_PORT: u16 = 4789;
/// Address of this leaf's VTEP.
pub const LOCAL: [u8; 4] = [10, 253, 0, 1];
/// Address of the first remote VTEP; the others follow.
pub const FIRST_VTEP: [u8; 4] = [10, 254, 0, 1];
/// MAC address of the spine behind the uplink.
pub const SPINE_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 1];
/// MAC address of the uplink.
pub const UPLINK_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 0];

/// Sum of the constant words of the outer IPv4 header in memory order: version and length,
/// TTL and protocol, destination address.
const CONSTANT_SUM: u32 = u16::from_ne_bytes([0x45, 0]) as u32
    + u16::from_ne_bytes([TTL, 17]) as u32
    + u16::from_ne_bytes([LOCAL[0], LOCAL[1]]) as u32
    + u16::from_ne_bytes([LOCAL[2], LOCAL[3]]) as u32;

/// Address of a remote VTEP, counted from 0, as it stands in memory.
#[inline(always)]
#[must_use]
pub const fn vtep_be(vtep: u32) -> u32 {
    u32::from_be_bytes(FIRST_VTEP).wrapping_add(vtep).to_be()
}

/// Writes the outer headers of a packet from a VTEP to this leaf at `at`, for an inner frame of
/// `length` bytes. `entropy` becomes the low 14 bits of the source port.
///
/// # Safety
/// [`OUTER`] bytes from `at` on must be writable.
#[inline(always)]
pub unsafe fn write_outer(at: usize, vtep: u32, entropy: u16, length: u16) {
    const MACS: [u64; 2] = {
        let [a, b, c, d, e, f] = UPLINK_MAC;
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
        ((at + 46) as *mut u32).write_unaligned((VNI << 8).to_be());
    }
}
