//! Between two ports of the leaf.

use fabric_common::{reason::Reason, schema::circuits::FLAG_ISOLATED};
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, MULTICAST, ZERO},
    device,
    packet::{Frame, ether_type, protocol},
};

use crate::site::twins;

#[test]
fn frames_of_every_kind_are_bridged_as_by_the_kernel() {
    twins(1_600, |twins, _| {
        for frame in [
            Frame::ipv4(&HOST_A, &HOST_B),
            Frame::ipv4(&HOST_A, &HOST_B).tos(0xbb).ttl(1),
            Frame::ipv4(&HOST_A, &HOST_B).change_ipv4(|ip| ip.protocol = protocol::TCP),
            Frame::ipv6(&HOST_A, &HOST_B).tos(0xbb).ttl(1),
            Frame::icmpv6(&HOST_A, &HOST_B, 128),
            Frame::other(&HOST_A, &HOST_B, ether_type::EXPERIMENTAL),
            Frame::other(&HOST_A, &HOST_B, ether_type::EXPERIMENTAL).length(14),
            Frame::ipv4(&HOST_A, &HOST_B).length(1_514),
        ] {
            let output = twins.same("acc0", &frame.bytes(), Reason::Bridged);
            assert_eq!(output, [("acc1", frame.bytes())]);
        }
        let back = Frame::ipv4(&HOST_B, &HOST_A).bytes();
        assert_eq!(twins.same("acc1", &back, Reason::Bridged), [("acc0", back)]);
    });
}

#[test]
fn what_we_drop_the_kernel_drops() {
    twins(1_600, |twins, _| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B);
        for (source, reason) in [
            (BROADCAST, Reason::FrameGuardSourceMulticast),
            (MULTICAST, Reason::FrameGuardSourceMulticast),
            (ZERO, Reason::FrameGuardSourceZero),
        ] {
            let frame = frame.clone().from(source).bytes();
            assert_eq!(twins.same("acc0", &frame, reason), []);
        }
    });
}

/// Case BR-02.
#[test]
fn isolated_ports_are_the_kernels() {
    twins(1_600, |twins, site| {
        let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        for (ports, reason, delivered) in
            [("acc0", Reason::Bridged, 1), ("acc1", Reason::BridgeLookupIsolated, 0)]
        {
            let command = format!("link set dev {ports} isolated on\n");
            twins.change(|| device::bridge(&command)).expect("ports can be isolated");
            let circuit = if ports == "acc0" { site.acc0 } else { site.acc1 };
            let world = &mut twins.fabric().world;
            world.change_circuit(circuit, |circuit| circuit.flags |= FLAG_ISOLATED);
            if delivered == 0 {
                // Isolation stops broadcasts as well.
                twins.expect_marker("acc0", vec!["up0"]);
            }
            assert_eq!(twins.same("acc0", &frame, reason).len(), delivered);
        }
    });
}
