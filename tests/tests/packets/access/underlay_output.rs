//! The last step into the fabric.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R},
    leaf::leaf,
    packet::Frame,
};

/// A slot that no port has.
const NOWHERE: u16 = 100;

#[test]
pub(crate) fn a_port_without_a_device_drops_the_packet() {
    leaf(|leaf| {
        for nexthop in [leaf.spine1, leaf.spine2] {
            let mut entry = leaf.world.maps.nexthops.get(nexthop.0.into());
            entry.port = NOWHERE;
            leaf.world.maps.nexthops.set(nexthop.0.into(), &entry);
        }
        let inner = Frame::ipv4(&HOST_A, &HOST_R).bytes();
        let packet = leaf.to_leaf2(&inner).around(&inner);
        let outcome = leaf.world.send(&leaf.a, &inner);
        let tunnel = Some((leaf.domain, leaf.leaf2));
        outcome.is_dropped_as(Reason::UnderlayOutputNoPort, &packet, tunnel);
    });
}

#[test]
fn what_leaves_is_counted_with_its_outer_headers() {
    leaf(|leaf| {
        let inner = Frame::ipv4(&HOST_A, &HOST_R).length(1000).bytes();
        let underlay = leaf.underlay_of(&inner);
        let before = leaf.world.counters();
        for _ in 0..10 {
            leaf.world.run(&leaf.a, &inner, 0).expect("the program runs");
        }
        let counted = leaf.world.counters().since(&before);
        let sent = counted.port_tx[&underlay.slot];
        assert_eq!((sent.packets, sent.bytes), (10, 10 * 1050));
        let traffic = counted.vteps[&leaf.leaf2.0].encapsulated;
        assert_eq!((traffic.packets, traffic.bytes), (10, 10 * 1000));
    });
}
