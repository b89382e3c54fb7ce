//! Behind which port or VTEP a destination is, and what the bridge would not send there.

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::{FLAG_HAIRPIN, FLAG_ISOLATED},
        domains::FLAG_OVERLAY_ISOLATED,
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, MULTICAST, STRANGER, VLAN, ZERO},
    leaf::leaf,
    packet::Frame,
};

#[test]
pub(crate) fn a_known_destination_gets_the_frame_as_it_was_sent() {
    leaf(|leaf| {
        for frame in [Frame::ipv4(&HOST_A, &HOST_B), Frame::ipv6(&HOST_A, &HOST_B)] {
            leaf.world.send(&leaf.a, &frame.bytes()).is_bridged(&leaf.b, &frame.bytes());
        }
        let back = Frame::ipv4(&HOST_B, &HOST_A).bytes();
        leaf.world.send(&leaf.b, &back).is_bridged(&leaf.a, &back);
    });
}

#[test]
pub(crate) fn an_unknown_destination_is_flooded_by_the_kernel() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &STRANGER);
        leaf.world.send(&leaf.a, &frame.bytes()).passes(Reason::BridgeLookupUnknown);
        leaf.world.forget(leaf.domain, HOST_B.mac);
        let frame = Frame::ipv4(&HOST_T, &HOST_B).tag(VLAN);
        leaf.world.send(&leaf.trunk, &frame.bytes()).passes(Reason::BridgeLookupUnknown);
    });
}

/// Case BR-07: the host stack gets what is for it.
#[test]
pub(crate) fn frames_for_the_box_itself_pass() {
    leaf(|leaf| {
        leaf.world.learn_own(leaf.domain, STRANGER.mac);
        let frame = Frame::ipv4(&HOST_A, &STRANGER).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::BridgeLookupOwnMac);
        let frame = Frame::ipv6(&HOST_T, &STRANGER).tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &frame).passes(Reason::BridgeLookupOwnMac);
    });
}

/// The bridge learns from what passes, whoever sent it, and drops what nobody can have sent.
#[test]
fn nobody_looks_for_the_source_of_a_frame_that_passes_anyway() {
    leaf(|leaf| {
        leaf.world.learn_own(leaf.domain, STRANGER.mac);
        for source in [HOST_B.mac, HOST_R.mac, ZERO, MULTICAST, [2, 0, 0, 0, 0, 0x77]] {
            let frame = Frame::ipv4(&HOST_A, &STRANGER).from(source);
            leaf.world.send(&leaf.a, &frame.bytes()).passes(Reason::BridgeLookupOwnMac);
            let frame = frame.to([2, 0, 0, 0, 0, 0x78]).bytes();
            leaf.world.send(&leaf.a, &frame).passes(Reason::BridgeLookupUnknown);
        }
    });
}

/// Case TR-03: port_loopback_filter.
#[test]
pub(crate) fn a_frame_is_not_sent_back_to_the_port_that_it_came_from() {
    leaf(|leaf| {
        leaf.world.learn(leaf.domain, STRANGER.mac, leaf.circuit_a);
        let frame = Frame::ipv4(&HOST_A, &STRANGER).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::BridgeLookupSamePort);
        let frame = Frame::ipv4(&HOST_T, &HOST_T).tag(VLAN).bytes();
        leaf.world.send(&leaf.trunk, &frame).passes(Reason::BridgeLookupSamePort);
    });
}

#[test]
fn a_hairpin_port_gets_back_what_is_for_its_other_hosts_if_that_fits_and_it_is_not_isolated() {
    leaf(|leaf| {
        for (circuit, port, frame, longest) in [
            (leaf.circuit_a, leaf.a.clone(), Frame::ipv4(&HOST_A, &STRANGER), 1_514),
            (leaf.circuit_t, leaf.trunk.clone(), Frame::ipv6(&HOST_T, &STRANGER).tag(VLAN), 1_518),
        ] {
            leaf.world.learn(leaf.domain, STRANGER.mac, circuit);
            leaf.world.change_circuit(circuit, |c| c.flags |= FLAG_HAIRPIN);
            let bytes = frame.clone().length(longest).bytes();
            leaf.world.send(&port, &bytes).is_bridged(&port, &bytes);
            let longer = frame.length(longest + 1).bytes();
            leaf.world.send(&port, &longer).passes(Reason::AccessFitTooBig);
            leaf.world.change_circuit(circuit, |c| c.flags |= FLAG_ISOLATED);
            leaf.world.send(&port, &bytes).passes(Reason::BridgeLookupIsolated);
        }
    });
}

/// Case BR-02.
#[test]
pub(crate) fn isolated_ports_do_not_reach_each_other() {
    leaf(|leaf| {
        for circuit in [leaf.circuit_a, leaf.circuit_b] {
            leaf.world.change_circuit(circuit, |c| c.flags |= FLAG_ISOLATED);
        }
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::BridgeLookupIsolated);
    });
}

#[test]
fn an_isolated_port_reaches_one_that_is_not_and_the_other_way_round() {
    leaf(|leaf| {
        leaf.world.change_circuit(leaf.circuit_a, |c| c.flags |= FLAG_ISOLATED);
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
        let back = Frame::ipv4(&HOST_B, &HOST_A).bytes();
        leaf.world.send(&leaf.b, &back).is_bridged(&leaf.a, &back);
        leaf.encapsulates(&Frame::ipv4(&HOST_A, &HOST_R), |outer| outer);
    });
}

#[test]
fn an_isolated_port_does_not_reach_an_isolated_tunnel() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |d| d.flags |= FLAG_OVERLAY_ISOLATED);
        leaf.encapsulates(&Frame::ipv4(&HOST_A, &HOST_R), |outer| outer);
        leaf.world.change_circuit(leaf.circuit_a, |c| c.flags |= FLAG_ISOLATED);
        let frame = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        leaf.world.send(&leaf.a, &frame).passes(Reason::BridgeLookupIsolated);
        leaf.encapsulates(&Frame::ipv4(&HOST_B, &HOST_R), |outer| outer);
    });
}
