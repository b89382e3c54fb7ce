//! Which frames of hosts the kernel has to see, and which nobody should (case TR-03).

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_T, MULTICAST, VLAN, ZERO},
    leaf::leaf,
    packet::{Frame, ether_type},
};

#[test]
pub(crate) fn a_group_address_as_source_is_dropped() {
    leaf(|leaf| {
        for source in [BROADCAST, MULTICAST, [0x03, 0, 0, 0, 0, 0xa]] {
            let frame = Frame::ipv4(&HOST_A, &HOST_B).from(source).bytes();
            let outcome = leaf.world.send(&leaf.a, &frame);
            outcome.is_dropped(Reason::FrameGuardSourceMulticast);
        }
    });
}

#[test]
pub(crate) fn a_zero_source_is_dropped() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).from(ZERO);
        leaf.world.send(&leaf.a, &frame.bytes()).is_dropped(Reason::FrameGuardSourceZero);
        let frame = frame.tag(VLAN);
        leaf.world.send(&leaf.trunk, &frame.bytes()).is_dropped(Reason::FrameGuardSourceZero);
    });
}

#[test]
pub(crate) fn broadcast_and_multicast_are_flooded_by_the_kernel() {
    leaf(|leaf| {
        for destination in [BROADCAST, MULTICAST, [0x33, 0x33, 0, 0, 0, 1]] {
            let frame = Frame::ipv4(&HOST_A, &HOST_B).to(destination).bytes();
            leaf.world.send(&leaf.a, &frame).passes(Reason::FrameGuardMulticast);
            let frame = Frame::ipv6(&HOST_T, &HOST_B).to(destination).tag(VLAN).bytes();
            leaf.world.send(&leaf.trunk, &frame).passes(Reason::FrameGuardMulticast);
        }
    });
}

/// The kernel's bridge treats 01:80:c2:00:00:0x itself (IEEE 802.1Q table 8-1).
#[test]
pub(crate) fn the_bridge_group_addresses_are_left_to_the_kernel() {
    leaf(|leaf| {
        for last in 0..=0x0f {
            let frame = Frame::other(&HOST_A, &HOST_B, ether_type::EXPERIMENTAL)
                .to([0x01, 0x80, 0xc2, 0, 0, last]);
            leaf.world.send(&leaf.a, &frame.bytes()).passes(Reason::FrameGuardMulticast);
        }
    });
}

#[test]
pub(crate) fn unicast_arp_is_left_to_the_kernel() {
    leaf(|leaf| {
        let frame = Frame::arp(&HOST_A, &HOST_B);
        leaf.world.send(&leaf.a, &frame.bytes()).passes(Reason::FrameGuardArp);
        let frame = Frame::arp(&HOST_T, &HOST_B).tag(VLAN);
        leaf.world.send(&leaf.trunk, &frame.bytes()).passes(Reason::FrameGuardArp);
    });
}

/// Router solicitation and advertisement, neighbour solicitation and advertisement, redirect.
#[test]
pub(crate) fn unicast_neighbour_discovery_is_left_to_the_kernel() {
    leaf(|leaf| {
        for message_type in 133..=137 {
            let frame = Frame::icmpv6(&HOST_A, &HOST_B, message_type);
            let outcome = leaf.world.send(&leaf.a, &frame.bytes());
            outcome.passes(Reason::FrameGuardNeighbourDiscovery);
            let frame = Frame::icmpv6(&HOST_T, &HOST_B, message_type).tag(VLAN);
            let outcome = leaf.world.send(&leaf.trunk, &frame.bytes());
            outcome.passes(Reason::FrameGuardNeighbourDiscovery);
        }
    });
}

#[test]
fn other_icmpv6_is_forwarded() {
    leaf(|leaf| {
        for message_type in [1, 2, 128, 129, 132, 138] {
            let frame = Frame::icmpv6(&HOST_A, &HOST_B, message_type).bytes();
            leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
        }
    });
}

/// A protocol whose number is 58 is neighbour discovery only inside IPv6.
#[test]
fn ipv4_with_the_protocol_number_of_icmpv6_is_forwarded() {
    leaf(|leaf| {
        let mut frame = Frame::ipv4(&HOST_A, &HOST_B)
            .change_ipv4(|ip| {
                ip.protocol = 58;
                ip.payload = vec![135; 64];
            })
            .bytes();
        frame[20] = 58;
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
    });
}

#[test]
pub(crate) fn control_protocols_are_left_to_the_kernel() {
    leaf(|leaf| {
        for protocol in [ether_type::LLDP, ether_type::SLOW_PROTOCOLS, ether_type::EAPOL] {
            let frame = Frame::other(&HOST_A, &HOST_B, protocol);
            let outcome = leaf.world.send(&leaf.a, &frame.bytes());
            outcome.passes(Reason::FrameGuardControlProtocol);
            let frame = Frame::other(&HOST_T, &HOST_B, protocol).tag(VLAN);
            let outcome = leaf.world.send(&leaf.trunk, &frame.bytes());
            outcome.passes(Reason::FrameGuardControlProtocol);
        }
    });
}
