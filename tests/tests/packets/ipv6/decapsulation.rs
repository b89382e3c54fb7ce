//! Which packets leave a tunnel, and how.

use fabric_common::{
    ecn, halves,
    reason::Reason,
    schema::{peers, vteps::Vtep},
};
use fabric_tests::{
    addresses::{
        HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6,
        OTHER_VTEP6, STRANGER, VLAN, VNI,
    },
    leaf::leaf6,
    packet::{Frame, Vxlan, Vxlan6},
};

fn inner() -> Vec<u8> {
    Frame::ipv4(&HOST_R, &HOST_A).bytes()
}

#[test]
fn inner_frames_are_delivered_untagged_or_tagged() {
    leaf6(|leaf| {
        let outer = leaf.from_leaf2_over_ipv6();
        for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_B)] {
            leaf.decapsulates_over_ipv6(&outer, &frame, &frame);
        }
        let frame = Frame::ipv4(&HOST_R, &HOST_T);
        let tagged = frame.clone().tag(VLAN);
        leaf.decapsulates_over_ipv6(&outer, &frame, &tagged);
    });
}

/// RFC 6040 §4.2.
#[test]
fn congestion_marks_are_carried_into_the_inner_packet() {
    leaf6(|leaf| {
        for class in 0..=255_u8 {
            for tos in 0..4 {
                let outer = Vxlan6 { class, ..leaf.from_leaf2_over_ipv6() };
                for frame in [Frame::ipv4(&HOST_R, &HOST_A), Frame::ipv6(&HOST_R, &HOST_A)] {
                    match ecn::decapsulate(class, tos) {
                        Some(marked) => {
                            let (frame, expected) = (frame.clone().tos(tos), frame.tos(marked));
                            leaf.decapsulates_over_ipv6(&outer, &frame, &expected);
                        }
                        None => {
                            let packet = outer.around(&frame.tos(tos).bytes());
                            let outcome = leaf.world.send(&leaf.up0, &packet);
                            outcome.passes(Reason::EcnDecapNotEctCe);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn whatever_is_no_plain_vxlan_of_a_known_vtep_for_this_one_passes() {
    leaf6(|leaf| {
        let plain = leaf.from_leaf2_over_ipv6();
        let mut near = LEAF1_VTEP6;
        near[3] ^= 1;
        // Headers of RFC 8200 §4 in front of UDP: hop-by-hop, routing, fragment, destination.
        let extension = |number| Some((number, vec![17, 0, 1, 4, 0, 0, 0, 0]));
        for (outer, reason) in [
            (Vxlan6 { source: OTHER_VTEP6, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan6 { source: LEAF1_VTEP6, ..plain.clone() }, Reason::VxlanInputUnknownVtep),
            (Vxlan6 { destination: OTHER_VTEP6, ..plain.clone() }, Reason::VxlanInputNotLocal),
            (Vxlan6 { destination: near, ..plain.clone() }, Reason::VxlanInputNotLocal),
            (Vxlan6 { destination: LEAF2_VTEP6, ..plain.clone() }, Reason::VxlanInputNotLocal),
            (Vxlan6 { vni: VNI + 1, ..plain.clone() }, Reason::VxlanInputUnknownVni),
            (Vxlan6 { flags: 0, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan6 { reserved: 1, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan6 { reserved_last: 1, ..plain.clone() }, Reason::VxlanInputInvalidHeader),
            (Vxlan6 { destination_port: 53, ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (Vxlan6 { extension: extension(0), ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (Vxlan6 { extension: extension(43), ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (Vxlan6 { extension: extension(44), ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (Vxlan6 { extension: extension(60), ..plain.clone() }, Reason::UnderlayInputNotVxlan),
            (
                Vxlan6 { destination_mac: STRANGER.mac, ..plain.clone() },
                Reason::UnderlayInputOtherHost,
            ),
        ] {
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(reason);
        }
        for at in [19, 59] {
            let mut odd = plain.around(&inner());
            odd[at] ^= 1;
            leaf.world.send(&leaf.up0, &odd).passes(Reason::UnderlayInputTruncated);
        }
        let mut padded = plain.around(&inner());
        padded.push(0);
        leaf.world.send(&leaf.up0, &padded).passes(Reason::UnderlayInputTruncated);
    });
}

/// A domain has one family.
#[test]
fn packets_of_the_other_family_pass() {
    leaf6(|leaf| {
        let outer =
            Vxlan { destination_mac: leaf.up0.mac, ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI) };
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVni);
        let unspecified = Vxlan { destination: [0; 4], source: [0; 4], ..outer };
        let packet = unspecified.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVni);
    });
}

/// The key of the table has 64 bits, an address twice as many.
#[test]
fn another_vtep_with_the_same_fingerprint_is_not_taken_for_a_known_one() {
    leaf6(|leaf| {
        let [local, known] = [LEAF1_VTEP6, LEAF2_VTEP6].map(|a| halves::of(a.into()));
        // The second half goes into the key last, by exclusive or.
        let other = [known[0] ^ 1 << 40, 0];
        let difference = peers::key6(local, known) ^ peers::key6(local, other);
        let twin = [other[0], difference];
        assert_eq!(peers::key6(local, twin), peers::key6(local, known), "a collision");
        let source = halves::address(twin).octets();
        let outer = Vxlan6 { source, ..leaf.from_leaf2_over_ipv6() };
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVtep);
        // Nor is an entry that leads elsewhere.
        let elsewhere = Vtep::new6(local, twin, 0);
        leaf.world.maps.vteps.set(7, &elsewhere);
        assert!(leaf.world.maps.peers.table().insert(elsewhere.peer(), 7));
        let packet = leaf.from_leaf2_over_ipv6().around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVtep);
    });
}

#[test]
fn without_a_local_address_what_is_for_any_known_address_of_the_box_is_taken() {
    leaf6(|leaf| {
        let outer = Vxlan6 { destination: OTHER_VTEP6, ..leaf.from_leaf2_over_ipv6() };
        let [local, remote] = [OTHER_VTEP6, LEAF2_VTEP6].map(|a| halves::of(a.into()));
        let vtep = leaf.leaf2.0;
        assert!(leaf.world.maps.peers.table().insert(peers::key6(local, remote), vtep));
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
        let index = leaf.domain.0.into();
        leaf.world.maps.domains6.update(index, |entry| entry.local = [0; 2]);
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        leaf.decapsulates_over_ipv6(&outer, &frame, &frame);
        let outer = leaf.from_leaf2_over_ipv6();
        leaf.decapsulates_over_ipv6(&outer, &frame, &frame);
        let packet = Vxlan6 { destination: LEAF2_VTEP6, ..outer }.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
    });
}
