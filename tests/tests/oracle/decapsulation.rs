//! Out of the tunnel.

use fabric_common::{ecn, reason::Reason};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER},
    packet::{DF, Frame, Vxlan, ether_type},
    twins::Twins,
};

use crate::site::{from_leaf2, twins};

/// Case VX1D-07, all 16 pairs of ECN bits: dropped by the kernel if and only if dropped by us. `around`
/// puts an inner frame into a packet of LEAF2's with this TOS or traffic class.
pub(crate) fn every_pair(twins: &mut Twins, around: impl Fn(u8, &[u8]) -> Vec<u8>) {
    for pair in 0..16_u8 {
        let (outer, inner) = (pair >> 2, pair & 3);
        let dropped = ecn::decapsulate(outer, inner).is_none();
        let reason = if dropped { Reason::EcnDecapNotEctCe } else { Reason::Decapsulated };
        for (outer_dscp, inner_dscp) in [(0, 0), (0x28, 0xb8), (0xfc, 0x48)] {
            for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_B)] {
                let frame = frame.tos(inner_dscp | inner).bytes();
                let output = twins.same("up0", &around(outer_dscp | outer, &frame), reason);
                assert_eq!(output.is_empty(), dropped, "outer {outer:02b} inner {inner:02b}");
            }
        }
        let other = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL).bytes();
        twins.same("up0", &around(outer, &other), Reason::Decapsulated);
    }
}

#[test]
fn every_pair_of_ecn_bits_and_dscp_comes_out_as_from_the_kernel() {
    twins(1_600, |twins, _| {
        every_pair(twins, |tos, inner| Vxlan { tos, ..from_leaf2() }.around(inner));
    });
}

/// Where a checksum wraps around, there are two ways to write zero.
#[test]
fn header_checksums_after_a_mark_are_the_kernels_for_any_identification() {
    twins(1_600, |twins, _| {
        let frame = |id| Frame::ipv4(&HOST_R, &HOST_A).tos(0b10).change_ipv4(|ip| ip.id = id);
        let checksum = |id| {
            let bytes = frame(id).bytes();
            u16::from_be_bytes([bytes[24], bytes[25]])
        };
        // Those around the wrap, and a sample of the rest.
        let near = (0..=0xffff).filter(|id| matches!(checksum(*id), 0..=4 | 0xfffa..));
        let ids: Vec<_> = near.chain((0..=0xffff).step_by(641)).collect();
        assert!(ids.iter().any(|id| checksum(*id) == 0), "no checksum is 0");
        for outer in [0b01, 0b11] {
            let header = Vxlan { tos: outer, ..from_leaf2() };
            for id in &ids {
                twins.same("up0", &header.around(&frame(*id).bytes()), Reason::Decapsulated);
            }
        }
    });
}

#[test]
fn outer_fields_that_nobody_looks_at_make_no_difference() {
    twins(1_600, |twins, _| {
        let inner = Frame::ipv4(&HOST_R, &HOST_B).bytes();
        let plain = from_leaf2();
        for outer in [
            Vxlan { ttl: 1, ..plain.clone() },
            Vxlan { id: 0, fragment: DF, ..plain.clone() },
            Vxlan { source_port: 1, ..plain.clone() },
            Vxlan { source_mac: STRANGER.mac, ..plain },
        ] {
            twins.same("up0", &outer.around(&inner), Reason::Decapsulated);
        }
    });
}

#[test]
fn inner_frames_of_all_lengths_come_out_as_from_the_kernel() {
    twins(1_600, |twins, _| {
        for length in (14..60).chain((60..=1_514).step_by(97)).chain([1_513, 1_514]) {
            let frame = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL).length(length);
            let packet = from_leaf2().around(&frame.bytes());
            twins.same("up0", &packet, Reason::Decapsulated);
        }
    });
}

/// R7432-12-1: the kernel's bridge does not send a frame back to the port of its vxlan device.
#[test]
fn split_horizon_is_the_kernels() {
    twins(1_600, |twins, _| {
        let packet = from_leaf2().around(&Frame::ipv4(&HOST_A, &HOST_R).bytes());
        let output = twins.same("up0", &packet, Reason::SplitHorizonOverlayToOverlay);
        assert_eq!(output, []);
    });
}
