//! The outer headers: what the kernel's vxlan device would write with the same settings.

use std::collections::BTreeSet;

use fabric_common::{
    reason::Reason,
    schema::domains::{FLAG_DF, FLAG_DF_INHERIT, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, HOST_T, VLAN},
    leaf::leaf,
    packet::{DF, Frame, Vxlan, ether_type, internet_checksum},
};

fn ipv4() -> Frame {
    Frame::ipv4(&HOST_A, &HOST_R)
}

fn ipv6() -> Frame {
    Frame::ipv6(&HOST_A, &HOST_R)
}

fn other() -> Frame {
    Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL)
}

/// VX1D-04.
#[test]
fn a_fixed_ttl_is_the_outer_ttl_whatever_the_inner_one_is() {
    leaf(|leaf| {
        for outer_ttl in [1, 100, 255] {
            leaf.world.change_domain(leaf.domain, |domain| domain.ttl = outer_ttl);
            for frame in [ipv4().ttl(7), ipv6().ttl(9), other()] {
                leaf.encapsulates(&frame, |outer| Vxlan { ttl: outer_ttl, ..outer });
            }
        }
    });
}

#[test]
fn an_inherited_ttl_is_the_inner_one() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_TTL_INHERIT);
        for ttl in [1, 7, 64, 255] {
            for frame in [ipv4().ttl(ttl), ipv6().ttl(ttl)] {
                leaf.encapsulates(&frame, |outer| Vxlan { ttl, ..outer });
            }
        }
        // Nothing to inherit: the domain's own.
        leaf.encapsulates(&other(), |outer| Vxlan { ttl: 64, ..outer });
        leaf.encapsulates(&ipv4().ttl(0), |outer| Vxlan { ttl: 64, ..outer });
    });
}

#[test]
fn a_fixed_tos_is_the_outer_dscp_whatever_the_inner_one_is() {
    leaf(|leaf| {
        for tos in [0, 0x28, 0xb8, 0xfc] {
            leaf.world.change_domain(leaf.domain, |domain| domain.tos = tos);
            for frame in [ipv4().tos(0x48), ipv6().tos(0x48), other()] {
                leaf.encapsulates(&frame, |outer| Vxlan { tos, ..outer });
            }
        }
    });
}

/// VX1D-05: with `tos inherit` an inner 0x14 is an outer 0x14.
#[test]
fn an_inherited_tos_is_the_inner_dscp() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_TOS_INHERIT);
        for tos in [0, 0x14, 0x18, 0xb8, 0xfc] {
            for frame in [ipv4().tos(tos), ipv6().tos(tos)] {
                leaf.encapsulates(&frame, |outer| Vxlan { tos, ..outer });
            }
        }
        leaf.encapsulates(&other(), |outer| Vxlan { tos: 0, ..outer });
    });
}

/// VX1D-06: the inner bits, but congestion experienced becomes ECT(0).
#[test]
fn the_outer_ecn_bits_are_those_that_linux_writes() {
    leaf(|leaf| {
        for (flags, own_tos, dscp) in [(0, 0, 0), (0, 0xb8, 0xb8), (FLAG_TOS_INHERIT, 0, 0x48)] {
            leaf.world.change_domain(leaf.domain, |domain| {
                domain.tos = own_tos;
                domain.flags = domain.flags & !FLAG_TOS_INHERIT | flags;
            });
            for (inner, expected) in [(0b00, 0b00), (0b01, 0b01), (0b10, 0b10), (0b11, 0b10)] {
                for frame in [ipv4().tos(0x48 | inner), ipv6().tos(0x48 | inner)] {
                    leaf.encapsulates(&frame, |outer| Vxlan { tos: dscp | expected, ..outer });
                }
            }
        }
    });
}

#[test]
fn the_df_bit_is_unset_set_or_inherited() {
    leaf(|leaf| {
        let with_df = ipv4().change_ipv4(|ip| ip.df = true);
        let frames = [ipv4(), with_df, ipv6(), other()];
        for (flags, expected) in [
            (0, [false, false, false, false]),
            (FLAG_DF, [true, true, true, true]),
            (FLAG_DF_INHERIT, [false, true, true, false]),
        ] {
            leaf.world.change_domain(leaf.domain, |domain| {
                domain.flags = domain.flags & !(FLAG_DF | FLAG_DF_INHERIT) | flags;
            });
            for (frame, df) in frames.iter().zip(expected) {
                let fragment = if df { DF } else { 0 };
                leaf.encapsulates(frame, |outer| Vxlan { fragment, ..outer });
            }
        }
    });
}

#[test]
fn tagged_frames_give_the_same_outer_headers() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| {
            domain.flags |= FLAG_TOS_INHERIT | FLAG_TTL_INHERIT | FLAG_DF_INHERIT;
        });
        let frame = Frame::ipv6(&HOST_T, &HOST_R).tos(0x49).ttl(9).tag(VLAN);
        leaf.encapsulates(&frame, |outer| Vxlan { tos: 0x49, ttl: 9, fragment: DF, ..outer });
        let frame = Frame::ipv4(&HOST_T, &HOST_R).tos(0x4a).ttl(8).tag(VLAN);
        leaf.encapsulates(&frame, |outer| Vxlan { tos: 0x4a, ttl: 8, ..outer });
    });
}

/// R7348-4.3-1: a VTEP must not fragment, so the kernel decides on what does not fit.
#[test]
pub(crate) fn a_frame_one_byte_longer_than_the_vxlan_device_carries_passes() {
    leaf(|leaf| {
        for length in [60, 1513, 1514] {
            leaf.encapsulates(&ipv4().length(length), |outer| outer);
            leaf.encapsulates(&other().length(length), |outer| outer);
        }
        let longer = ipv4().length(1515).bytes();
        leaf.world.send(&leaf.a, &longer).passes(Reason::VxlanOutputTooBig);
    });
}

#[test]
pub(crate) fn a_frame_one_byte_longer_than_the_underlay_carries_passes() {
    leaf(|leaf| {
        for nexthop in [leaf.spine1, leaf.spine2] {
            let mut entry = leaf.world.maps.nexthops.get(nexthop.0.into());
            entry.mtu = 1500;
            leaf.world.maps.nexthops.set(nexthop.0.into(), &entry);
        }
        leaf.encapsulates(&ipv6().length(1464), |outer| outer);
        let longer = ipv6().length(1465).bytes();
        leaf.world.send(&leaf.a, &longer).passes(Reason::VxlanOutputUnderlayTooSmall);
    });
}

#[test]
fn a_tag_does_not_count_for_what_fits_the_tunnel() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_T, &HOST_R);
        leaf.encapsulates(&frame.clone().length(1514).tag(VLAN), |outer| outer);
        let longer = frame.length(1515).tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &longer).passes(Reason::VxlanOutputTooBig);
    });
}

#[test]
pub(crate) fn without_room_for_the_outer_headers_the_frame_passes() {
    leaf(|leaf| {
        let outcome = leaf.world.send_without_headroom(&leaf.a, &ipv4().bytes());
        outcome.passes(Reason::VxlanOutputNoHeadroom);
        let tagged = Frame::ipv4(&HOST_T, &HOST_R).tag(VLAN).bytes();
        let outcome = leaf.world.send_without_headroom(&leaf.trunk, &tagged);
        outcome.passes(Reason::VxlanOutputNoHeadroom);
    });
}

/// R7348-5-3 and RFC 791: seen in the packets themselves, not only in the expectation.
#[test]
fn source_ports_are_in_the_recommended_range_and_header_checksums_are_valid() {
    leaf(|leaf| {
        let mut ports = BTreeSet::new();
        for number in 0..512 {
            let frame = ipv4().ports([number, 53]).tos(number as u8).bytes();
            let packet = leaf.world.run(&leaf.a, &frame, 0).expect("the program runs").bytes;
            assert_eq!(internet_checksum(&[&packet[14..34]]), 0, "flow {number}");
            ports.insert(u16::from_be_bytes([packet[34], packet[35]]));
        }
        assert!(ports.iter().all(|port| *port >= 49_152), "{ports:?}");
        // 512 throws at 16,384 ports: 504 distinct ones are expected.
        assert!(ports.len() > 480, "{} distinct ports", ports.len());
    });
}

/// RFC 6864 §4.3: packets that may be fragmented need distinct identifications.
#[test]
fn consecutive_packets_of_a_flow_have_distinct_identifications() {
    leaf(|leaf| {
        let frame = ipv4().bytes();
        let ids: BTreeSet<_> = (0..1_000)
            .map(|_| {
                let run = leaf.world.run(&leaf.a, &frame, 0).expect("the program runs");
                [run.bytes[18], run.bytes[19]]
            })
            .collect();
        assert_eq!(ids.len(), 1_000);
    });
}

/// R7348-5-2.
#[test]
fn another_udp_port_and_the_largest_vni_are_written() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| {
            domain.udp_port_be = 8472_u16.to_be();
            domain.vni = 0xff_ffff;
        });
        leaf.encapsulates(&ipv4(), |outer| Vxlan {
            destination_port: 8472,
            vni: 0xff_ffff,
            ..outer
        });
    });
}
