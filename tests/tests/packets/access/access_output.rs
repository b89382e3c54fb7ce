//! Tags on the way out of a local port: added, removed, kept, exchanged; local and out of the tunnel.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, STRANGER, VLAN},
    leaf::{Leaf, leaf},
    packet::{Frame, ether_type},
};

/// A slot that no port has.
const NOWHERE: u16 = 100;

fn all_kinds(
    from: &fabric_tests::addresses::Station,
    to: &fabric_tests::addresses::Station,
) -> [Frame; 3] {
    [Frame::ipv4(from, to), Frame::ipv6(from, to), Frame::other(from, to, ether_type::EXPERIMENTAL)]
}

#[test]
fn untagged_to_untagged_leaves_the_frame_as_it_is() {
    leaf(|leaf| {
        for frame in all_kinds(&HOST_A, &HOST_B) {
            leaf.world.send(&leaf.a, &frame.bytes()).is_bridged(&leaf.b, &frame.bytes());
        }
    });
}

#[test]
fn untagged_to_tagged_adds_the_tag() {
    leaf(|leaf| {
        for frame in all_kinds(&HOST_A, &HOST_T) {
            let tagged = frame.clone().tag(VLAN).bytes();
            leaf.world.send(&leaf.a, &frame.bytes()).is_bridged(&leaf.trunk, &tagged);
        }
    });
}

#[test]
fn tagged_to_untagged_removes_the_tag() {
    leaf(|leaf| {
        for frame in all_kinds(&HOST_T, &HOST_B) {
            let tagged = frame.clone().tag(VLAN | 0xb000).bytes();
            leaf.world.send(&leaf.trunk, &tagged).is_bridged(&leaf.b, &frame.bytes());
        }
    });
}

/// A second trunk with another VLAN ID for the same domain: what VLAN devices in one bridge do.
fn second_trunk(leaf: &mut Leaf, vlan: u16) {
    let circuit = leaf.world.circuit(&leaf.b, leaf.domain, vlan);
    leaf.world.learn(leaf.domain, STRANGER.mac, circuit);
}

#[test]
fn tagged_to_tagged_exchanges_the_tag_and_resets_its_priority() {
    leaf(|leaf| {
        second_trunk(leaf, 7);
        for tci in [VLAN, VLAN | 0xa000, VLAN | 0x1000, VLAN | 0xf000] {
            for frame in all_kinds(&HOST_T, &STRANGER) {
                let tagged = frame.clone().tag(tci).bytes();
                let expected = frame.tag(7).bytes();
                leaf.world.send(&leaf.trunk, &tagged).is_bridged(&leaf.b, &expected);
            }
        }
    });
}

#[test]
fn a_vlan_aware_bridge_keeps_the_priority_of_the_tag() {
    leaf(|leaf| {
        second_trunk(leaf, VLAN);
        leaf.world.change_domain(leaf.domain, |domain| domain.vlan = VLAN);
        for tci in [VLAN, VLAN | 0xa000, VLAN | 0x1000, VLAN | 0xf000] {
            for frame in all_kinds(&HOST_T, &STRANGER) {
                let tagged = frame.tag(tci).bytes();
                leaf.world.send(&leaf.trunk, &tagged).is_bridged(&leaf.b, &tagged);
            }
        }
        // A new tag has priority 0.
        let frame = Frame::ipv4(&HOST_A, &HOST_T);
        let tagged = frame.clone().tag(VLAN).bytes();
        leaf.world.send(&leaf.a, &frame.bytes()).is_bridged(&leaf.trunk, &tagged);
    });
}

#[test]
fn untagged_into_and_out_of_the_tunnel_stays_untagged() {
    leaf(|leaf| {
        for frame in all_kinds(&HOST_A, &HOST_R) {
            leaf.encapsulates(&frame, |outer| outer);
        }
        let outer = leaf.from_leaf2();
        for frame in all_kinds(&HOST_R, &HOST_A) {
            leaf.decapsulates(&outer, &frame, &frame);
        }
    });
}

/// RFC 7348 §6.1, RFC 8365 §5.1: the tag does not travel.
#[test]
fn the_tag_is_removed_on_the_way_into_the_tunnel() {
    leaf(|leaf| {
        for tci in [VLAN, VLAN | 0xf000] {
            for frame in all_kinds(&HOST_T, &HOST_R) {
                leaf.encapsulates(&frame.tag(tci), |outer| outer);
            }
        }
    });
}

#[test]
fn the_tag_is_added_on_the_way_out_of_the_tunnel() {
    leaf(|leaf| {
        let outer = leaf.from_leaf2();
        for vlan_aware in [0, VLAN] {
            leaf.world.change_domain(leaf.domain, |domain| domain.vlan = vlan_aware);
            for frame in all_kinds(&HOST_R, &HOST_T) {
                leaf.decapsulates(&outer, &frame, &frame.clone().tag(VLAN));
            }
        }
    });
}

#[test]
pub(crate) fn without_room_for_a_tag_the_frame_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_T).bytes();
        let outcome = leaf.world.send_without_headroom(&leaf.a, &frame);
        outcome.passes(Reason::AccessOutputNoHeadroom);
        // What needs no room is forwarded.
        let frame = Frame::ipv4(&HOST_T, &HOST_B);
        let tagged = frame.clone().tag(VLAN).bytes();
        let outcome = leaf.world.send_without_headroom(&leaf.trunk, &tagged);
        outcome.is_bridged(&leaf.b, &frame.bytes());
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_T).bytes());
        let expected = Frame::ipv4(&HOST_R, &HOST_T).tag(VLAN).bytes();
        let outcome = leaf.world.send_without_headroom(&leaf.up0, &packet);
        outcome.is_decapsulated(&leaf.trunk, leaf.domain, leaf.leaf2, &expected);
    });
}

#[test]
pub(crate) fn a_port_without_a_device_drops_the_frame() {
    leaf(|leaf| {
        for circuit in [leaf.circuit_b, leaf.circuit_t] {
            leaf.world.change_circuit(circuit, |c| c.port = NOWHERE);
        }
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).is_dropped(Reason::AccessOutputNoPort);
        let frame = Frame::ipv4(&HOST_A, &HOST_T);
        let tagged = frame.clone().tag(VLAN).bytes();
        let outcome = leaf.world.send(&leaf.a, &frame.bytes());
        outcome.is_dropped_as(Reason::AccessOutputNoPort, &tagged, None);
        let inner = Frame::ipv4(&HOST_R, &HOST_B).bytes();
        let outcome = leaf.world.send(&leaf.up0, &leaf.from_leaf2().around(&inner));
        outcome.is_dropped_as(Reason::AccessOutputNoPort, &inner, None);
    });
}
