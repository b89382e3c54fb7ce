//! When nothing may be forwarded at all: bypass, stale maps, unknown ports.

use std::time::{Duration, Instant};

use fabric_common::{
    reason::Reason,
    schema::ports::{MAX, ROLE_ACCESS, ROLE_ROUTED, ROLE_UNDERLAY},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, STRANGER, VLAN},
    device,
    fabric::PATIENCE,
    leaf::leaf,
    packet::{Frame, ether_type},
    run::action,
    world::PORT_MTU,
};

#[test]
pub(crate) fn everything_passes_while_the_bypass_is_on() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        leaf.world.change_settings(|settings| settings.bypass = 1);
        leaf.world.send(&leaf.a, &frame).passes(Reason::PortInputBypassed);
        leaf.world.send(&leaf.up0, &packet).passes(Reason::PortInputBypassed);
        leaf.world.change_settings(|settings| settings.bypass = 0);
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
    });
}

#[test]
pub(crate) fn everything_passes_when_the_heartbeat_has_expired() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        leaf.world.change_settings(|settings| settings.deadline = 0);
        leaf.world.send(&leaf.a, &frame).passes(Reason::PortInputHeartbeatExpired);
        leaf.world.send(&leaf.up0, &packet).passes(Reason::PortInputHeartbeatExpired);
    });
}

#[test]
fn forwarding_ends_at_the_deadline_and_goes_on_after_the_next_heartbeat() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        leaf.world.change_settings(|settings| settings.timeout_jiffies = 4 * settings.hz);
        let start = Instant::now();
        leaf.world.beat().expect("the heartbeat runs");
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
        let passed_after = loop {
            let run = leaf.world.run(&leaf.a, &frame, 0).expect("the program runs");
            if run.action == action::PASS {
                break start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "the deadline has no effect");
        };
        // Four seconds, less the part of a jiffy that the heartbeat came late in it.
        assert!(passed_after > Duration::from_millis(3_985), "after {passed_after:?} already");
        leaf.world.send(&leaf.a, &frame).passes(Reason::PortInputHeartbeatExpired);
        leaf.world.change_settings(|settings| settings.timeout_jiffies = 100 * settings.hz);
        leaf.world.beat().expect("the heartbeat runs");
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
    });
}

#[test]
pub(crate) fn a_port_that_the_maps_do_not_know_passes_everything() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        for role in [ROLE_ACCESS, ROLE_ROUTED, ROLE_UNDERLAY] {
            let name = format!("new{role}");
            device::veth(&name, STRANGER.mac, PORT_MTU, None).expect("a device can be made");
            let port = leaf.world.adopt(&name, role, STRANGER.mac).expect("the program attaches");
            leaf.world.send(&port, &frame).passes(Reason::PortInputUnknownPort);
            leaf.world.send(&port, &packet).passes(Reason::PortInputUnknownPort);
        }
    });
}

/// A tenant must not get into the tunnel by sending VXLAN itself, nor the fabric around it.
#[test]
fn a_port_in_the_other_role_passes_everything() {
    leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        let packet = leaf.from_leaf2().around(&Frame::ipv4(&HOST_R, &HOST_A).bytes());
        let roles = [
            (&leaf.a, ROLE_ROUTED, &frame),
            (&leaf.a, ROLE_UNDERLAY, &frame),
            (&leaf.up0, ROLE_ACCESS, &packet),
        ];
        for (port, role, sent) in roles {
            leaf.world.maps.ports.update(port.slot, |entry| entry.role = role);
            leaf.world.send(port, sent).passes(Reason::PortInputUnknownPort);
        }
    });
}

/// RFC 7348 §7: VXLAN from a tenant is a tenant's payload and never decapsulated.
#[test]
fn vxlan_packets_of_a_host_are_bridged_as_any_other_frame() {
    leaf(|leaf| {
        let mut outer = leaf.from_leaf2();
        outer.source_mac = HOST_A.mac;
        outer.destination_mac = HOST_B.mac;
        let packet = outer.around(&Frame::ipv4(&HOST_R, &HOST_T).bytes());
        leaf.world.send(&leaf.a, &packet).is_bridged(&leaf.b, &packet);
    });
}

/// Interface indexes that share a slot move on to the next ones.
#[test]
fn ports_whose_interface_indexes_collide_are_all_found() {
    leaf(|leaf| {
        let first = 2 * MAX + 100;
        let colliding = [first, first + MAX, first + 2 * MAX, first + 3 * MAX];
        for (number, index) in colliding.into_iter().enumerate() {
            let name = format!("far{number}");
            let mac = [2, 0, 0, 0xfa, 0, number as u8];
            device::veth(&name, mac, PORT_MTU, Some(index)).expect("a device can be made");
            let port = leaf.world.enter(&name, ROLE_ACCESS, mac, PORT_MTU).expect("a slot is free");
            assert_eq!(port.slot == 100, number == 0, "all of them have the first slot in common");
            let circuit = leaf.world.circuit(&port, leaf.domain, 0);
            leaf.world.settle(circuit, &STRANGER);
            let frame = Frame::ipv4(&STRANGER, &HOST_B).bytes();
            leaf.world.send(&port, &frame).is_bridged(&leaf.b, &frame);
        }
    });
}

#[test]
pub(crate) fn a_frame_that_ends_inside_its_headers_passes() {
    leaf(|leaf| {
        let tagged = Frame::ipv4(&HOST_T, &HOST_B).tag(VLAN).bytes();
        for length in 14..18 {
            let outcome = leaf.world.send(&leaf.trunk, &tagged[..length]);
            outcome.passes(Reason::PortInputTruncated);
        }
        // The tunnel has to look into the IP header, which a bridge does not.
        let ipv4 = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        leaf.world.send(&leaf.a, &ipv4[..14 + 19]).passes(Reason::PortInputTruncated);
        let ipv6 = Frame::ipv6(&HOST_A, &HOST_R).bytes();
        leaf.world.send(&leaf.a, &ipv6[..14 + 39]).passes(Reason::PortInputTruncated);
    });
}

#[test]
fn a_frame_with_headers_and_nothing_else_is_forwarded() {
    leaf(|leaf| {
        let frame = Frame::other(&HOST_A, &HOST_B, ether_type::EXPERIMENTAL).length(14).bytes();
        leaf.world.send(&leaf.a, &frame).is_bridged(&leaf.b, &frame);
        let frame = Frame::other(&HOST_A, &HOST_R, ether_type::EXPERIMENTAL).length(14);
        leaf.encapsulates(&frame, |outer| outer);
    });
}
