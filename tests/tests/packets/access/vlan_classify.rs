//! Which circuit a frame belongs to (IEEE 802.1Q §6.9, case TR-03).

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_T, VLAN},
    leaf::leaf,
    packet::{Frame, ether_type},
};
use fabric_user::model::Domain;

#[test]
pub(crate) fn a_vlan_without_a_circuit_passes() {
    leaf(|leaf| {
        for vlan in [1, VLAN - 1, VLAN + 1, 4094] {
            let frame = Frame::ipv4(&HOST_T, &HOST_B).tag(vlan).bytes();
            leaf.world.send(&leaf.trunk, &frame).passes(Reason::VlanClassifyNotMember);
        }
    });
}

#[test]
fn untagged_frames_pass_on_a_port_without_pvid() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_T, &HOST_B).bytes();
        leaf.world.send(&leaf.trunk, &frame).passes(Reason::VlanClassifyNotMember);
    });
}

#[test]
fn tagged_frames_pass_on_a_port_without_vlans() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).tag(VLAN).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::VlanClassifyNotMember);
    });
}

/// A tag with VLAN 0 carries a priority only; the kernel knows what the port makes of it.
#[test]
fn priority_tagged_frames_pass() {
    leaf(|leaf| {
        for tci in [0x0000, 0x7000, 0xe000] {
            let frame = Frame::ipv4(&HOST_A, &HOST_B).tag(tci).bytes();
            leaf.world.send(&leaf.a, &frame).passes(Reason::VlanClassifyNotMember);
            let frame = Frame::ipv4(&HOST_T, &HOST_B).tag(tci).bytes();
            leaf.world.send(&leaf.trunk, &frame).passes(Reason::VlanClassifyNotMember);
        }
    });
}

#[test]
pub(crate) fn a_second_tag_or_a_service_tag_passes() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_T, &HOST_B);
        for stacked in [
            frame.clone().tag(VLAN).tag(7),
            frame.clone().tag(VLAN).tag_of(ether_type::SERVICE_VLAN, 7),
            frame.clone().tag_of(ether_type::SERVICE_VLAN, VLAN),
            frame.clone().tag_of(ether_type::SERVICE_VLAN, VLAN).tag(7),
        ] {
            let outcome = leaf.world.send(&leaf.trunk, &stacked.bytes());
            outcome.passes(Reason::VlanClassifyStackedTag);
            let untrunked = stacked.from(HOST_A.mac).bytes();
            leaf.world.send(&leaf.a, &untrunked).passes(Reason::VlanClassifyStackedTag);
        }
    });
}

#[test]
fn a_port_carries_untagged_and_tagged_circuits_of_different_domains() {
    leaf(|leaf| {
        let other = leaf.world.domain(0, Domain { ageing_ms: 300_000, ..Domain::default() });
        let untagged = leaf.world.circuit(&leaf.trunk, other, 0);
        let circuit_b = leaf.world.circuit(&leaf.b, other, 7);
        leaf.world.settle(untagged, &HOST_T);
        leaf.world.learn(other, HOST_B.mac, circuit_b);
        // The same two hosts: VLAN 100 leads to the first domain, no tag to the second.
        let frame = Frame::ipv4(&HOST_T, &HOST_B);
        let tagged = frame.clone().tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &tagged).is_bridged(&leaf.b, &frame.bytes());
        let expected = frame.clone().tag(7).bytes();
        leaf.world.send(&leaf.trunk, &frame.bytes()).is_bridged(&leaf.b, &expected);
    });
}
