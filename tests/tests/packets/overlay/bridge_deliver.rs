//! Where an inner frame goes, and where it must not.

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::FLAG_ISOLATED,
        domains::{FLAG_OVERLAY_HAIRPIN, FLAG_OVERLAY_ISOLATED},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, OTHER_VTEP, STRANGER, VLAN},
    leaf::leaf,
    packet::Frame,
};

#[test]
pub(crate) fn a_known_destination_gets_the_inner_frame() {
    leaf(|leaf| {
        let outer = leaf.from_leaf2();
        for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_B)] {
            leaf.decapsulates(&outer, &frame, &frame);
        }
        let frame = Frame::ipv4(&HOST_R, &HOST_T);
        leaf.decapsulates(&outer, &frame, &frame.clone().tag(VLAN));
    });
}

/// R7432-12-1: what came from a PE goes to no PE, neither the same nor another one.
#[test]
pub(crate) fn split_horizon_drops_what_would_go_back_into_the_overlay() {
    leaf(|leaf| {
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_A, &HOST_R).bytes());
        let outcome = leaf.world.send(&leaf.up0, &packet);
        outcome.is_dropped(Reason::SplitHorizonOverlayToOverlay);
        let other = leaf.world.vtep(LEAF1_VTEP, OTHER_VTEP, &[leaf.spine1]);
        leaf.world.learn_remote(leaf.domain, STRANGER.mac, other);
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &STRANGER).bytes());
        let outcome = leaf.world.send(&leaf.up0, &packet);
        outcome.is_dropped(Reason::SplitHorizonOverlayToOverlay);
    });
}

#[test]
pub(crate) fn what_goes_back_into_the_overlay_by_a_hairpin_is_the_kernels() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_HAIRPIN);
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_A, &HOST_R).bytes());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::BridgeDeliverHairpin);
    });
}

#[test]
pub(crate) fn an_unknown_inner_destination_is_flooded_by_the_kernel() {
    leaf(|leaf| {
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &STRANGER).bytes());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::BridgeDeliverUnknown);
    });
}

#[test]
pub(crate) fn an_inner_frame_for_the_box_itself_passes() {
    leaf(|leaf| {
        leaf.world.learn_own(leaf.domain, STRANGER.mac);
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &STRANGER).bytes());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::BridgeDeliverOwnMac);
    });
}

#[test]
pub(crate) fn an_isolated_tunnel_does_not_reach_an_isolated_port() {
    leaf(|leaf| {
        let outer = leaf.from_leaf2();
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        leaf.world.change_circuit(leaf.circuit_a, |c| c.flags |= FLAG_ISOLATED);
        leaf.decapsulates(&outer, &frame, &frame);
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_OVERLAY_ISOLATED);
        let outcome = leaf.world.send(&leaf.up0, &outer.around(&frame.bytes()));
        outcome.passes(Reason::BridgeDeliverIsolated);
        let frame = Frame::ipv4(&HOST_R, &HOST_B);
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

/// The inner source is not looked at: the control plane moves stations, not their frames.
#[test]
fn an_unknown_inner_source_is_delivered() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&STRANGER, &HOST_A);
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
    });
}
