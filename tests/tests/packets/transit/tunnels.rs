//! VXLAN packets on a leaf that routes as well: for whom they are decides.

use std::net::{IpAddr, Ipv4Addr};

use fabric_common::{
    reason::Reason,
    schema::{
        ports::{FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{KIND_NEXTHOP, target},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, LEAF1_VTEP, LEAF2_VTEP, OTHER_VTEP, SPINE2_MAC, STRANGER, VNI},
    leaf::{Leaf, leaf},
    packet::{Frame, Vxlan, fix_ipv4_checksum},
};

const VIEW: u16 = 3;

/// The leaf forwards between its underlay ports: everything to the second spine but its own address.
fn routing_leaf(test: impl FnOnce(&mut Leaf) + Send) {
    leaf(|leaf| {
        for port in [leaf.up0.clone(), leaf.up1.clone()] {
            leaf.world.route_on(&port, VIEW, FLAG_ROUTE4 | FLAG_ROUTE6);
        }
        let any: IpAddr = Ipv4Addr::UNSPECIFIED.into();
        let spine2 = target(KIND_NEXTHOP, leaf.spine2.0.into());
        leaf.world.route(VIEW, (any, 0), spine2);
        leaf.world.own(VIEW, Ipv4Addr::from(LEAF1_VTEP).into());
        test(leaf);
    });
}

fn inner() -> Vec<u8> {
    Frame::ipv4(&HOST_R, &HOST_A).bytes()
}

#[test]
fn packets_for_this_vtep_are_decapsulated() {
    routing_leaf(|leaf| {
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        for ttl in [0, 1, 2, 255] {
            let outer = Vxlan { ttl, ..leaf.from_leaf2() };
            leaf.decapsulates(&outer, &frame, &frame);
        }
    });
}

/// What is VXLAN by its port alone: the destination is a router's business, whatever the VNI.
#[test]
fn packets_for_another_vtep_are_routed() {
    routing_leaf(|leaf| {
        let plain = leaf.from_leaf2();
        for destination in [OTHER_VTEP, LEAF2_VTEP] {
            let plain = Vxlan { destination, ..plain.clone() };
            for outer in [
                plain.clone(),
                Vxlan { vni: VNI + 1, ..plain.clone() },
                Vxlan { flags: 0, ..plain.clone() },
                Vxlan { reserved: 7, ..plain.clone() },
                Vxlan { udp_checksum: 7, ..plain.clone() },
                Vxlan { fragment: 0x2000, ..plain.clone() },
                Vxlan { source: STRANGER.ipv4, ..plain.clone() },
            ] {
                let expected = Vxlan {
                    destination_mac: SPINE2_MAC,
                    source_mac: leaf.up1.mac,
                    ttl: outer.ttl - 1,
                    ..outer.clone()
                };
                let outcome = leaf.world.send(&leaf.up0, &outer.around(&inner()));
                outcome.is_routed(&leaf.up1, &expected.around(&inner()));
            }
        }
    });
}

/// The tunnel's stages say more than "for this box".
#[test]
fn packets_for_this_box_that_are_no_plain_vxlan_keep_their_reason() {
    routing_leaf(|leaf| {
        let plain = leaf.from_leaf2();
        for (outer, reason) in [
            (Vxlan { vni: VNI + 1, ..plain.clone() }, Reason::VxlanInputUnknownVni),
            (Vxlan { flags: 0, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan { source: OTHER_VTEP, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan { fragment: 0x2000, ..plain.clone() }, Reason::UnderlayInputFragment),
            (Vxlan { options: vec![1; 4], ..plain.clone() }, Reason::TransitInputOptions),
            (Vxlan { destination_port: 53, ..plain.clone() }, Reason::TransitRouteLocal),
        ] {
            leaf.world.send(&leaf.up0, &outer.around(&inner())).passes(reason);
        }
        // Another address of this box.
        leaf.world.own(VIEW, Ipv4Addr::from(OTHER_VTEP).into());
        let outer = Vxlan { destination: OTHER_VTEP, ..plain.clone() };
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
        // A UDP length that is not that of the packet.
        let mut odd = plain.around(&inner());
        odd[39] ^= 1;
        leaf.world.send(&leaf.up0, &odd).passes(Reason::UnderlayInputTruncated);
        let mut wrong = plain.around(&inner());
        wrong[24] ^= 1;
        let outcome = leaf.world.send(&leaf.up0, &wrong);
        outcome.passes(Reason::TransitInputBadChecksum);
    });
}

/// A port that routes IPv6 alone leaves VXLAN as it was.
#[test]
fn without_ipv4_routing_the_tunnels_reasons_stay() {
    routing_leaf(|leaf| {
        let up0 = leaf.up0.clone();
        leaf.world.route_on(&up0, VIEW, FLAG_ROUTE6);
        let outer = Vxlan { destination: OTHER_VTEP, ..leaf.from_leaf2() };
        let packet = outer.around(&inner());
        leaf.world.send(&up0, &packet).passes(Reason::VxlanInputNotLocal);
        let mut other = outer.around(&inner());
        other[36..38].copy_from_slice(&53_u16.to_be_bytes());
        leaf.world.send(&up0, &other).passes(Reason::TransitInputNotForwarding);
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

/// Padded to 64 bytes and more behind the IP packet: the kernel gets it if it is for this box.
#[test]
fn padding_behind_vxlan_is_left_behind_on_the_way_through() {
    routing_leaf(|leaf| {
        let outer = Vxlan { destination: OTHER_VTEP, ..leaf.from_leaf2() };
        let mut packet = outer.around(&inner());
        packet.extend([0; 7]);
        let expected = Vxlan {
            destination_mac: SPINE2_MAC,
            source_mac: leaf.up1.mac,
            ttl: outer.ttl - 1,
            ..outer.clone()
        };
        let outcome = leaf.world.send(&leaf.up0, &packet);
        outcome.is_routed(&leaf.up1, &expected.around(&inner()));
        let mut local = leaf.from_leaf2().around(&inner());
        local.extend([0; 7]);
        fix_ipv4_checksum(&mut local[14..34]);
        leaf.world.send(&leaf.up0, &local).passes(Reason::UnderlayInputTruncated);
    });
}
