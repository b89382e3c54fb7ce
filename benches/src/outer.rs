//! Before time is taken: is what arrives right?

use std::ops::Range;

use anyhow::{Result, ensure};
use fabric_common::checksum;

use crate::{
    flow::{Captured, OUTER6},
    underlay::Underlay,
};

/// What two VTEPs may choose freely: IP identification and, with it, the header checksum, and the
/// UDP source port (RFC 6864 §4, RFC 7348 §5).
const FREE: [Range<usize>; 3] = [18..20, 24..26, 34..36];
/// Over IPv6: the flow label but for the four bits that share a byte with the traffic class, and the
/// UDP source port (RFC 6438 §3) with the checksum that covers it.
const FREE6: [Range<usize>; 3] = [16..18, 54..56, 60..62];
/// The byte with the other four bits of the flow label, and the bits that are not the label's.
const CLASS6: (usize, u8) = (15, 0xf0);

/// Compares Fabric's packet with the kernel's for the same `frame`: equal but for what is free.
///
/// # Errors
/// With the first difference.
pub fn compare(
    underlay: Underlay,
    ours: &Captured,
    kernels: &Captured,
    frame: &[u8],
) -> Result<()> {
    let outer = underlay.outer();
    let (free, udp) = match underlay {
        Underlay::Ipv4 => (FREE, 34),
        Underlay::Ipv6 { .. } => (FREE6, 54),
    };
    for (who, packet) in [("Fabric", ours), ("the kernel", kernels)] {
        let length = packet.length as usize;
        ensure!(
            length == outer + frame.len(),
            "{who} sent a packet of {length} bytes instead of {}",
            outer + frame.len()
        );
        let bytes = &packet.bytes[..length];
        ensure!(bytes[outer..] == *frame, "{who} changed the inner frame");
        match underlay {
            Underlay::Ipv4 => {
                ensure!(is_valid_ipv4(&bytes[14..34]), "{who} sent a wrong IP header checksum");
            }
            Underlay::Ipv6 { checksum: true } => {
                ensure!(is_valid_udp6(bytes), "{who} sent a wrong UDP checksum");
            }
            Underlay::Ipv6 { checksum: false } => {
                ensure!(bytes[60..62] == [0; 2], "{who} sent a UDP checksum");
            }
        }
        let port = u16::from_be_bytes([bytes[udp], bytes[udp + 1]]);
        ensure!(port >= 49_152, "{who} chose the UDP source port {port}");
    }
    for at in 0..outer {
        let compared = match free.iter().any(|range| range.contains(&at)) {
            true => 0,
            false if underlay.is_ipv6() && at == CLASS6.0 => CLASS6.1,
            false => 0xff,
        };
        ensure!(
            (ours.bytes[at] ^ kernels.bytes[at]) & compared == 0,
            "byte {at} of the outer headers is {:#04x}, the kernel has {:#04x}",
            ours.bytes[at],
            kernels.bytes[at]
        );
    }
    Ok(())
}

/// True if an Ethernet frame holds an IPv6 packet with the right UDP checksum, and not with none.
#[must_use]
pub fn is_valid_udp6(frame: &[u8]) -> bool {
    let Some(udp) = frame.get(OUTER6 - 16..) else {
        return false;
    };
    // Both addresses, then the pseudo header's length and next header (RFC 8200 §8.1).
    let pseudo =
        frame[22..54].iter().copied().chain((udp.len() as u16).to_be_bytes()).chain([0, 17]);
    let mut sum = 0_u64;
    for (at, byte) in pseudo.chain(udp.iter().copied()).enumerate() {
        sum += u64::from(byte) << if at % 2 == 0 { 8 } else { 0 };
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff && udp[6..8] != [0; 2]
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
        flow::{CAPTURE, Draw, LENGTH, OUTER},
        routed::{LENGTH4, LENGTH6},
        traffic::{Offer, Size, Traffic},
        tunnel::L3VNI,
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
        compare(Underlay::Ipv4, &packet(&frame, 1, 50_000), &packet(&frame, 2, 60_000), &frame)
            .unwrap();
    }

    #[test]
    fn any_other_byte_does() {
        let (traffic, draw) = draw();
        let frame = traffic.packet(&draw);
        let kernels = packet(&frame, 1, 50_000);
        for at in (0..OUTER + LENGTH).filter(|at| !(34..36).contains(at)) {
            let mut ours = kernels;
            ours.bytes[at] ^= 0x80;
            assert!(compare(Underlay::Ipv4, &ours, &kernels, &frame).is_err(), "byte {at}");
        }
        let mut short = kernels;
        short.length -= 1;
        assert!(compare(Underlay::Ipv4, &short, &kernels, &frame).is_err(), "the length");
    }

    #[test]
    fn what_is_offered_over_ipv6_is_valid_and_names_its_vtep() {
        for checksum in [false, true] {
            let underlay = Underlay::Ipv6 { checksum };
            let sizes = [Size::Imix, Size::Fixed(64), Size::Fixed(1_518)];
            for size in sizes {
                let traffic = Traffic { size, vteps: Some(512), underlay, ..Traffic::default() };
                let mut generator = traffic.generator(65_536, 3);
                for _ in 0..2_000 {
                    let draw = generator.draw();
                    let packet = traffic.packet(&draw);
                    assert_eq!(packet.len(), OUTER6 + usize::from(draw.length));
                    assert_eq!(is_valid_udp6(&packet), checksum, "{draw:?}");
                    assert_eq!(underlay.sender(&packet), Some(draw.vtep));
                    let length = (draw.length + 16).to_be_bytes();
                    assert_eq!([&packet[18..20], &packet[58..60]], [length, length]);
                }
            }
        }
    }

    #[test]
    fn over_ipv6_a_label_and_a_port_with_its_checksum_make_no_difference_but_all_else_does() {
        let underlay = Underlay::Ipv6 { checksum: true };
        let traffic = Traffic { vteps: Some(4), underlay, ..Traffic::default() };
        let draw = traffic.generator(256, 7).draw();
        let bytes = traffic.packet(&draw);
        let captured = |change: &dyn Fn(&mut [u8])| {
            let mut packet = Captured { length: bytes.len() as u64, bytes: [0; CAPTURE] };
            packet.bytes[..bytes.len()].copy_from_slice(&bytes);
            change(&mut packet.bytes);
            packet
        };
        let (frame, kernels) = (&bytes[OUTER6..], captured(&|_| {}));
        // One more in the port, one less in the checksum.
        let other = captured(&|bytes| {
            bytes[15..18].copy_from_slice(&[0x0f, 0xff, 0xff]);
            let [port, sum] = [54, 60].map(|at| u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            let [port, sum] =
                if port == u16::MAX { [port - 1, sum + 1] } else { [port + 1, sum - 1] };
            bytes[54..56].copy_from_slice(&port.to_be_bytes());
            bytes[60..62].copy_from_slice(&sum.to_be_bytes());
        });
        compare(underlay, &other, &kernels, frame).unwrap();
        for at in (0..bytes.len()).filter(|at| !(16..18).contains(at)) {
            let other = captured(&|bytes| bytes[at] ^= 0x80);
            assert!(compare(underlay, &other, &kernels, frame).is_err(), "byte {at}");
        }
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
    fn routed_packets_in_a_tunnel_are_of_the_l3vni_and_name_their_vtep() {
        for (offer, length) in [(Offer::Routed4, LENGTH4), (Offer::Routed6, LENGTH6)] {
            let traffic = Traffic { vteps: Some(64), ..Traffic::of(offer) };
            let mut generator = traffic.generator(1_024, 5);
            for _ in 0..2_000 {
                let draw = generator.draw();
                let packet = traffic.packet(&draw);
                assert_eq!(packet.len(), OUTER + length);
                assert!(is_valid_ipv4(&packet[14..34]), "{draw:?}");
                assert_eq!(packet[38..40], (length as u16 + 16).to_be_bytes());
                assert_eq!(packet[46..50], (L3VNI << 8).to_be_bytes());
                assert_eq!(traffic.underlay.sender(&packet), Some(draw.vtep));
                assert_eq!(offer.flow(&packet[OUTER..]), Some(draw.flow));
            }
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
