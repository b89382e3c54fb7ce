//! Before time is taken: is what arrives right?

use anyhow::{Result, ensure};
use fabric_common::checksum;

use crate::flow::{Captured, LENGTH, OUTER};

/// What two VTEPs may choose freely: IP identification and, with it, the header checksum, and the
/// UDP source port (RFC 6864 §4, RFC 7348 §5).
const FREE: [std::ops::Range<usize>; 3] = [18..20, 24..26, 34..36];

/// Compares Fabric's packet with the kernel's for the same `frame`: equal but for what is free.
///
/// # Errors
/// With the first difference.
pub fn compare(ours: &Captured, kernels: &Captured, frame: &[u8; LENGTH]) -> Result<()> {
    for (who, packet) in [("Fabric", ours), ("the kernel", kernels)] {
        let length = packet.length as usize;
        ensure!(
            length == OUTER + LENGTH,
            "{who} sent a packet of {length} bytes instead of {}",
            OUTER + LENGTH
        );
        ensure!(
            packet.bytes[OUTER..length] == frame[..],
            "{who} changed the inner frame"
        );
        ensure!(
            is_valid_ipv4(&packet.bytes[14..34]),
            "{who} sent a wrong IP header checksum"
        );
        let port = u16::from_be_bytes([packet.bytes[34], packet.bytes[35]]);
        ensure!(port >= 49_152, "{who} chose the UDP source port {port}");
    }
    for at in 0..OUTER {
        if !FREE.iter().any(|range| range.contains(&at)) {
            ensure!(
                ours.bytes[at] == kernels.bytes[at],
                "byte {at} of the outer headers is {:#04x}, the kernel has {:#04x}",
                ours.bytes[at],
                kernels.bytes[at]
            );
        }
    }
    Ok(())
}

/// True if the 20 bytes are an IPv4 header with the right checksum.
#[must_use]
pub fn is_valid_ipv4(header: &[u8]) -> bool {
    let mut words = [0; 10];
    for (word, bytes) in words.iter_mut().zip(header.chunks_exact(2)) {
        *word = u16::from_ne_bytes([bytes[0], bytes[1]]);
    }
    header.len() == 20 && header[0] == 0x45 && checksum::ipv4_header(&words) == 0
}
