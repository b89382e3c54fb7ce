//! Which inner frames the kernel has to see, and which nobody should (case TR-01, TR-02).

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_LOCKED, mac_end},
        fdb::mac_number,
    },
};
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_R, MULTICAST, VLAN, ZERO},
    leaf::{Leaf, leaf},
    packet::{Frame, ether_type},
};

fn passes(leaf: &mut Leaf, frame: &Frame, reason: Reason) {
    let packet = leaf.from_leaf2().around(&frame.bytes());
    leaf.world.send(&leaf.up0, &packet).passes(reason);
}

fn is_dropped(leaf: &mut Leaf, frame: &Frame, reason: Reason) {
    let packet = leaf.from_leaf2().around(&frame.bytes());
    leaf.world.send(&leaf.up0, &packet).is_dropped(reason);
}

#[test]
pub(crate) fn a_group_address_as_inner_source_is_dropped() {
    leaf(|leaf| {
        for source in [BROADCAST, MULTICAST] {
            let frame = Frame::ipv4(&HOST_R, &HOST_A).from(source);
            is_dropped(leaf, &frame, Reason::InnerGuardSourceMulticast);
        }
    });
}

#[test]
pub(crate) fn a_zero_inner_source_is_dropped() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A).from(ZERO);
        is_dropped(leaf, &frame, Reason::InnerGuardSourceZero);
    });
}

#[test]
pub(crate) fn inner_broadcast_and_multicast_are_flooded_by_the_kernel() {
    leaf(|leaf| {
        for destination in [BROADCAST, MULTICAST, [0x01, 0x80, 0xc2, 0, 0, 0x0e]] {
            let frame = Frame::ipv4(&HOST_R, &HOST_A).to(destination);
            passes(leaf, &frame, Reason::InnerGuardMulticast);
        }
    });
}

/// RFC 7348 §6.1, RFC 8365 §5.1.
#[test]
pub(crate) fn an_inner_tag_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        for tagged in [
            frame.clone().tag(VLAN),
            frame.clone().tag(0),
            frame.clone().tag_of(ether_type::SERVICE_VLAN, VLAN),
            frame.clone().tag(VLAN).tag(7),
        ] {
            passes(leaf, &tagged, Reason::InnerGuardTagged);
        }
    });
}

#[test]
pub(crate) fn inner_arp_is_left_to_the_kernel() {
    leaf(|leaf| passes(leaf, &Frame::arp(&HOST_R, &HOST_A), Reason::InnerGuardArp));
}

#[test]
pub(crate) fn inner_neighbour_discovery_is_left_to_the_kernel() {
    leaf(|leaf| {
        for message_type in 133..=137 {
            let frame = Frame::icmpv6(&HOST_R, &HOST_A, message_type);
            passes(leaf, &frame, Reason::InnerGuardNeighbourDiscovery);
        }
        let frame = Frame::icmpv6(&HOST_R, &HOST_A, 128);
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

#[test]
pub(crate) fn inner_control_protocols_are_left_to_the_kernel() {
    leaf(|leaf| {
        for protocol in [ether_type::LLDP, ether_type::SLOW_PROTOCOLS, ether_type::EAPOL] {
            let frame = Frame::other(&HOST_R, &HOST_A, protocol);
            passes(leaf, &frame, Reason::InnerGuardControlProtocol);
        }
    });
}

#[test]
pub(crate) fn a_tunnel_whose_bridge_port_is_locked_passes() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_LOCKED);
        passes(leaf, &Frame::ipv4(&HOST_R, &HOST_A), Reason::InnerGuardLocked);
        leaf.encapsulates(&Frame::ipv4(&HOST_A, &HOST_R), |outer| outer);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_LEARNING);
        passes(leaf, &Frame::ipv4(&HOST_R, &HOST_A), Reason::InnerGuardLocked);
    });
}

#[test]
pub(crate) fn what_seems_to_come_from_the_vxlan_device_passes() {
    leaf(|leaf| {
        const OWN: [u8; 6] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];
        let end = mac_end(mac_number(OWN));
        leaf.world.change_domain(leaf.domain, |domain| domain.vxlan_mac_end = end);
        let frame = Frame::ipv4(&HOST_R, &HOST_A).from(OWN);
        passes(leaf, &frame, Reason::InnerGuardLoop);
        // What is next to it comes through.
        for byte in 2..6 {
            let mut other = OWN;
            other[byte] ^= 1;
            let frame = frame.clone().from(other);
            let outer = leaf.from_leaf2();
            leaf.decapsulates(&outer, &frame, &frame);
        }
    });
}

#[test]
pub(crate) fn an_inner_frame_without_a_whole_ethernet_header_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A).bytes();
        for length in 0..14 {
            let packet = leaf.from_leaf2().around(&frame[..length]);
            leaf.world.send(&leaf.up0, &packet).passes(Reason::InnerGuardTruncated);
        }
    });
}
