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
        ensure!(packet.bytes[OUTER..length] == frame[..], "{who} changed the inner frame");
        ensure!(is_valid_ipv4(&packet.bytes[14..34]), "{who} sent a wrong IP header checksum");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{CAPTURE, Flow, Generator};

    /// The frame in headers as the kernel writes them, with an IP identification and source port.
    fn packet(frame: &[u8; LENGTH], identification: u16, port: u16) -> Captured {
        let mut bytes = [0; CAPTURE];
        bytes[12..18].copy_from_slice(&[0x08, 0, 0x45, 0, 0, 96]);
        bytes[18..20].copy_from_slice(&identification.to_be_bytes());
        bytes[22..24].copy_from_slice(&[64, 17]);
        let mut words = [0; 10];
        for (word, pair) in words.iter_mut().zip(bytes[14..34].chunks_exact(2)) {
            *word = u16::from_ne_bytes([pair[0], pair[1]]);
        }
        bytes[24..26].copy_from_slice(&checksum::ipv4_header(&words).to_ne_bytes());
        bytes[34..36].copy_from_slice(&port.to_be_bytes());
        bytes[OUTER..OUTER + LENGTH].copy_from_slice(frame);
        Captured { length: (OUTER + LENGTH) as u64, bytes }
    }

    #[test]
    fn what_two_vteps_may_choose_makes_no_difference() {
        let frame = Flow::from_number(7, 1_023).frame();
        compare(&packet(&frame, 1, 50_000), &packet(&frame, 2, 60_000), &frame).unwrap();
    }

    #[test]
    fn any_other_byte_does() {
        let frame = Flow::from_number(7, 1_023).frame();
        let kernels = packet(&frame, 1, 50_000);
        for at in (0..OUTER + LENGTH).filter(|at| !(34..36).contains(at)) {
            let mut ours = kernels;
            ours.bytes[at] ^= 0x80;
            assert!(compare(&ours, &kernels, &frame).is_err(), "byte {at} was not noticed");
        }
        let mut short = kernels;
        short.length -= 1;
        assert!(compare(&short, &kernels, &frame).is_err(), "the length was not noticed");
    }

    #[test]
    fn the_generators_frames_have_valid_headers_and_reach_every_destination() {
        let mut generator = Generator { destination_mask: 255, ..Generator::default() };
        let mut reached = [false; 256];
        for _ in 0..10_000 {
            let flow = generator.next_flow();
            assert!(is_valid_ipv4(&flow.frame()[14..34]), "{flow:?}");
            reached[flow.destination as usize] = true;
        }
        assert!(!reached.contains(&false));
    }
}
