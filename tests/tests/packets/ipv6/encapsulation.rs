//! The outer headers that frames of hosts get.

use std::collections::BTreeSet;

use fabric_common::{
    ecn,
    reason::Reason,
    schema::{
        domains::{
            FLAG_DF, FLAG_LABEL_INHERIT, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT, FLAG_ZERO_CHECKSUM_TX,
        },
        domains6::Domain6,
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, HOST_T, VLAN},
    leaf::{Leaf, leaf6},
    packet::{Frame, UdpChecksum, Vxlan6, ether_type},
};

fn frames() -> Vec<Frame> {
    vec![
        Frame::ipv4(&HOST_A, &HOST_R),
        Frame::ipv6(&HOST_A, &HOST_R),
        Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL),
        Frame::ipv4(&HOST_T, &HOST_R).tag(VLAN),
        Frame::ipv6(&HOST_T, &HOST_R).tag(VLAN),
    ]
}

fn set_label(leaf: &Leaf, label: u32) {
    let index = leaf.domain.0.into();
    let entry = leaf.world.maps.domains6.get(index);
    leaf.world.maps.domains6.set(index, &Domain6 { label_be: label.to_be(), ..entry });
}

#[test]
fn frames_are_wrapped_with_a_right_checksum_or_with_none_as_the_device_is_set() {
    leaf6(|leaf| {
        for frame in frames() {
            leaf.encapsulates_over_ipv6(&frame, |outer| outer);
        }
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_ZERO_CHECKSUM_TX | FLAG_DF);
        for frame in frames() {
            leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 {
                checksum: UdpChecksum::None,
                ..outer
            });
        }
    });
}

#[test]
fn traffic_class_and_hop_limit_are_the_devices_or_the_inner_packets() {
    leaf6(|leaf| {
        for tos in 0..=255 {
            let ecn = ecn::encapsulate(0, tos);
            leaf.world.change_domain(leaf.domain, |d| {
                d.flags &= !(FLAG_TOS_INHERIT | FLAG_TTL_INHERIT);
                (d.tos, d.ttl) = (0xb8, 9);
            });
            for frame in [Frame::ipv4(&HOST_A, &HOST_R), Frame::ipv6(&HOST_A, &HOST_R)] {
                let frame = frame.tos(tos).ttl(77);
                leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 {
                    class: 0xb8 | ecn,
                    hop_limit: 9,
                    ..outer
                });
            }
            leaf.world.change_domain(leaf.domain, |d| {
                d.flags |= FLAG_TOS_INHERIT | FLAG_TTL_INHERIT;
                d.tos = 0;
            });
            for frame in [Frame::ipv4(&HOST_A, &HOST_R), Frame::ipv6(&HOST_A, &HOST_R)] {
                let frame = frame.tos(tos).ttl(77);
                leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 {
                    class: tos & 0xfc | ecn,
                    hop_limit: 77,
                    ..outer
                });
            }
        }
    });
}

/// RFC 6438 §3: one label for a flow, never 0, and many for many flows.
#[test]
fn flows_choose_their_label_and_keep_it() {
    leaf6(|leaf| {
        let mut labels = BTreeSet::new();
        for port in 1..400 {
            let frame = Frame::ipv4(&HOST_A, &HOST_R).ports([port, 443]);
            let label = leaf.to_leaf2_over_ipv6(&frame.bytes()).label;
            assert_ne!(label, 0);
            labels.insert(label);
            leaf.encapsulates_over_ipv6(&frame, |outer| outer);
            leaf.encapsulates_over_ipv6(&frame.length(900), |outer| Vxlan6 { label, ..outer });
        }
        assert!(labels.len() > 395, "{} labels", labels.len());
    });
}

#[test]
fn a_label_that_the_device_sets_or_inherits_is_used() {
    leaf6(|leaf| {
        set_label(leaf, 0xfedcb);
        for frame in frames() {
            leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 { label: 0xfedcb, ..outer });
        }
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_LABEL_INHERIT);
        for label in [0, 1, 0xf_ffff, 0x8_0001] {
            let frame = Frame::ipv6(&HOST_A, &HOST_R).change_ipv6(|ip| ip.flow_label = label);
            leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 { label, ..outer });
            let frame = frame.from(HOST_T.mac).tag(VLAN);
            leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 { label, ..outer });
        }
        let frame = Frame::ipv4(&HOST_A, &HOST_R);
        leaf.encapsulates_over_ipv6(&frame, |outer| Vxlan6 { label: 0, ..outer });
    });
}

/// RFC 7348 §4.3; 56 bytes stand in front of the inner frame.
#[test]
fn a_frame_that_the_underlay_cannot_carry_passes() {
    leaf6(|leaf| {
        leaf.world.change_domain(leaf.domain, |d| d.max_frame = 9_000);
        let fits = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(1_600 - 56);
        leaf.encapsulates_over_ipv6(&fits, |outer| outer);
        let long = fits.length(1_600 - 55);
        leaf.world.send(&leaf.a, &long.bytes()).passes(Reason::VxlanOutputUnderlayTooSmall);
        leaf.world.change_domain(leaf.domain, |d| d.max_frame = 1_514);
        let fits = long.length(1_514);
        leaf.encapsulates_over_ipv6(&fits, |outer| outer);
        let long = fits.length(1_515);
        leaf.world.send(&leaf.a, &long.bytes()).passes(Reason::VxlanOutputTooBig);
    });
}
