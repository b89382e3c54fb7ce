//! Congestion marks out of the tunnel: RFC 6040 §4.2, figure 4 (cases VX1D-07, TR-01).

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R, HOST_T, VLAN},
    leaf::leaf,
    packet::{Frame, Vxlan, ether_type},
};

const NOT_ECT: u8 = 0b00;
const ECT_1: u8 = 0b01;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

/// Rows: inner; columns: outer not-ECT, ECT(0), ECT(1), CE.
const FIGURE_4: [(u8, [Option<u8>; 4]); 4] = [
    (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
    (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
    (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
    (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
];

#[test]
pub(crate) fn ipv4_and_ipv6_follow_the_table() {
    leaf(|leaf| {
        for (inner, row) in FIGURE_4 {
            for (outer, expected) in [NOT_ECT, ECT_0, ECT_1, CE].into_iter().zip(row) {
                for (inner_dscp, outer_dscp) in [(0, 0), (0xb8, 0x28), (0xfc, 0xfc)] {
                    let header = Vxlan { tos: outer_dscp | outer, ..leaf.from_leaf2() };
                    for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_A)] {
                        let frame = frame.tos(inner_dscp | inner);
                        if let Some(ecn) = expected {
                            let marked = frame.clone().tos(inner_dscp | ecn);
                            leaf.decapsulates(&header, &frame, &marked);
                        } else {
                            let packet = header.around(&frame.bytes());
                            let outcome = leaf.world.send(&leaf.up0, &packet);
                            outcome.passes(Reason::EcnDecapNotEctCe);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn a_mark_is_written_where_a_tag_is_added_as_well() {
    leaf(|leaf| {
        let header = Vxlan { tos: CE, ..leaf.from_leaf2() };
        for frame in [Frame::ipv4(&HOST_R, &HOST_T), Frame::ipv6(&HOST_R, &HOST_T)] {
            let frame = frame.tos(ECT_0);
            leaf.decapsulates(&header, &frame, &frame.clone().tos(CE).tag(VLAN));
        }
    });
}

/// The builder computes the checksum from nothing, the program from the old one: both must agree
/// for any header, also where the sum wraps.
#[test]
fn the_header_checksum_is_right_after_a_mark_for_every_identification() {
    leaf(|leaf| {
        let frame = |id| Frame::ipv4(&HOST_R, &HOST_A).change_ipv4(|ip| ip.id = id);
        for (outer, inner, expected) in [(CE, ECT_0, CE), (CE, ECT_1, CE), (ECT_1, ECT_0, ECT_1)] {
            let header = Vxlan { tos: outer, ..leaf.from_leaf2() };
            let checksum = |id| {
                let bytes = frame(id).tos(inner).bytes();
                u16::from_be_bytes([bytes[24], bytes[25]])
            };
            let near = (0..=0xffff).filter(|id| matches!(checksum(*id), 0..=4 | 0xfffa..));
            for id in near.chain((0..=0xffff).step_by(257)) {
                let packet = header.around(&frame(id).tos(inner).bytes());
                let run = leaf.world.run(&leaf.up0, &packet, 0).expect("the program runs");
                let expected = frame(id).tos(expected).bytes();
                assert_eq!(run.bytes, expected, "identification {id}");
            }
        }
    });
}

#[test]
fn a_frame_that_is_not_ip_has_no_place_for_a_mark() {
    leaf(|leaf| {
        let frame = Frame::other(&HOST_R, &HOST_A, ether_type::EXPERIMENTAL);
        for outer in [NOT_ECT, ECT_0, ECT_1, CE] {
            let header = Vxlan { tos: outer, ..leaf.from_leaf2() };
            leaf.decapsulates(&header, &frame, &frame);
        }
    });
}
