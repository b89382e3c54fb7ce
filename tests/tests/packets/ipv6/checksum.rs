//! The UDP checksum over IPv6 (RFC 6935, RFC 6936, RFC 8200 §8.1).

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R},
    leaf::leaf6,
    packet::{Frame, UdpChecksum, Vxlan6, ether_type},
};

/// Every way through the sum: whole chunks, and every binary digit of what is left.
#[test]
fn checksums_are_right_for_frames_of_all_lengths() {
    leaf6(|leaf| {
        for length in (14..540).chain((1_000..1_514).step_by(7)).chain([1_513, 1_514]) {
            let frame = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(length);
            leaf.encapsulates_over_ipv6(&frame, |outer| outer);
            let frame = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL).length(length);
            let outer = leaf.from_leaf2_over_ipv6();
            leaf.decapsulates_over_ipv6(&outer, &frame, &frame);
        }
    });
}

/// 0 stands for no checksum, so a sum of 0 is written as 0xffff.
#[test]
fn a_checksum_that_would_be_zero_is_all_ones() {
    leaf6(|leaf| {
        let mut met = 0;
        for id in 0..=0xffff {
            let frame = Frame::ipv4(&HOST_A, &HOST_R).change_ipv4(|ip| {
                ip.id = id;
                ip.protocol = 99;
                ip.payload = vec![0; 2];
            });
            // The header checksum makes up for the identification, so something else has to vary.
            let frame = frame.change_ipv4(|ip| ip.payload = id.to_be_bytes().to_vec());
            let bytes = frame.bytes();
            let packet = leaf.to_leaf2_over_ipv6(&bytes).around(&bytes);
            if packet[60..62] == [0xff, 0xff] {
                met += 1;
                leaf.encapsulates_over_ipv6(&frame, |outer| outer);
            }
        }
        assert!(met > 0, "no identification gives the sum 0");
    });
}

#[test]
pub(crate) fn a_wrong_checksum_is_left_to_the_kernel() {
    leaf6(|leaf| {
        for length in [14, 15, 60, 61, 511, 512, 513, 1_514] {
            let inner = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL).length(length);
            for bit in 0..16 {
                let checksum = UdpChecksum::Wrong(1 << bit);
                let outer = Vxlan6 { checksum, ..leaf.from_leaf2_over_ipv6() };
                let packet = outer.around(&inner.bytes());
                leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputBadChecksum);
            }
            // And every byte that it protects, but those that other checks look at.
            let packet = leaf.from_leaf2_over_ipv6().around(&inner.bytes());
            for at in [54, 55].into_iter().chain((70..packet.len()).step_by(13)) {
                let mut packet = packet.clone();
                packet[at] ^= 0x10;
                leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputBadChecksum);
            }
        }
    });
}

/// RFC 6935 §5: only where it was allowed.
#[test]
fn no_checksum_is_accepted_where_the_device_does() {
    leaf6(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        let outer = Vxlan6 { checksum: UdpChecksum::None, ..leaf.from_leaf2_over_ipv6() };
        for flags in [0, FLAG_ZERO_CHECKSUM_TX] {
            leaf.world.change_domain(leaf.domain, |d| d.flags |= flags);
            let packet = outer.around(&frame.bytes());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputBadChecksum);
        }
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_ZERO_CHECKSUM_RX);
        leaf.decapsulates_over_ipv6(&outer, &frame, &frame);
        // One that is there has to be right all the same.
        let checksum = UdpChecksum::Wrong(1);
        let packet = Vxlan6 { checksum, ..outer }.around(&frame.bytes());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputBadChecksum);
    });
}
