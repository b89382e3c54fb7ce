//! Before time is taken: is what arrives right?

use anyhow::{Result, ensure};
use fabric_common::checksum;

use crate::flow::{Captured, OUTER};

/// What two VTEPs may choose freely: IP identification and, with it, the header checksum, and the
/// UDP source port (RFC 6864 §4, RFC 7348 §5).
const FREE: [std::ops::Range<usize>; 3] = [18..20, 24..26, 34..36];

/// Compares Fabric's packet with the kernel's for the same `frame`: equal but for what is free.
///
/// # Errors
/// With the first difference.
pub fn compare(ours: &Captured, kernels: &Captured, frame: &[u8]) -> Result<()> {
    for (who, packet) in [("Fabric", ours), ("the kernel", kernels)] {
        let length = packet.length as usize;
        ensure!(
            length == OUTER + frame.len(),
            "{who} sent a packet of {length} bytes instead of {}",
            OUTER + frame.len()
        );
        ensure!(packet.bytes[OUTER..length] == *frame, "{who} changed the inner frame");
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
    use crate::{
        flow::{CAPTURE, Draw, LENGTH},
        traffic::{Size, Traffic},
    };

    fn draw() -> (Traffic, Draw) {
        let traffic = Traffic::default();
        (traffic, traffic.generator(1_024, 7).draw())
    }

    /// The frame in headers as the kernel writes them, with an IP identification and source port.
    fn packet(frame: &[u8], identification: u16, port: u16) -> Captured {
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
        let (traffic, draw) = draw();
        let frame = traffic.packet(&draw);
        compare(&packet(&frame, 1, 50_000), &packet(&frame, 2, 60_000), &frame).unwrap();
    }

    #[test]
    fn any_other_byte_does() {
        let (traffic, draw) = draw();
        let frame = traffic.packet(&draw);
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
    fn frames_of_every_length_have_valid_headers_and_reach_every_destination() {
        for vteps in [None, Some(4)] {
            let traffic = Traffic { size: Size::Imix, vteps, ..Traffic::default() };
            let mut generator = traffic.generator(256, 1);
            let mut reached = [false; 256];
            let mut bytes = 0;
            for _ in 0..12_000 {
                let draw = generator.draw();
                let packet = traffic.packet(&draw);
                let frame = &packet[traffic.outer()..];
                assert_eq!(frame.len(), usize::from(draw.length));
                assert!(is_valid_ipv4(&frame[14..34]), "{draw:?}");
                assert_eq!(frame[16..18], (draw.length - 14).to_be_bytes());
                assert_eq!(frame[38..40], (draw.length - 34).to_be_bytes());
                if vteps.is_some() {
                    assert!(is_valid_ipv4(&packet[14..34]), "{draw:?}");
                    assert_eq!(packet[38..40], (draw.length + 16).to_be_bytes());
                }
                reached[draw.flow.destination as usize] = true;
                bytes += frame.len() + 4;
            }
            assert!(!reached.contains(&false));
            let mean = bytes as f64 / 12_000.0;
            assert!((mean / Size::Imix.mean() - 1.0).abs() < 0.05, "the mean length is {mean}");
        }
    }

    #[test]
    fn few_flows_still_reach_as_many_destinations() {
        let traffic = Traffic { flows: Some(256), ..Traffic::default() };
        let mut generator = traffic.generator(256, 1);
        let flows: std::collections::BTreeSet<_> = (0..10_000)
            .map(|_| generator.draw().flow)
            .map(|flow| (flow.destination, flow.source, flow.port))
            .collect();
        let destinations: std::collections::BTreeSet<_> = flows.iter().map(|flow| flow.0).collect();
        assert_eq!((flows.len(), destinations.len()), (256, 256));
    }
}
