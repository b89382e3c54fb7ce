//! Which tunnel a packet belongs to (RFC 7348 §5 and §7).

use fabric_common::{
    reason::Reason,
    schema::{
        domains::Domain,
        peers,
        ports::{DECAPSULATES_NONE, ROLE_ROUTED, ROLE_UNDERLAY},
        reverse_paths::{self, ReversePath},
        vnis,
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_R, LEAF1_VTEP, LEAF2_VTEP, OTHER_VTEP, VNI},
    leaf::{Leaf, leaf, leaf6},
    packet::{Frame, Vxlan},
    world::tunnel,
};

fn inner() -> Vec<u8> {
    Frame::ipv4(&HOST_R, &HOST_A).bytes()
}

/// Case VXRS-01: the kernel drops packets with any of the 39 reserved bits unless it is told
/// otherwise, so it has to see them.
#[test]
pub(crate) fn any_reserved_bit_passes() {
    leaf(|leaf| {
        let plain = leaf.from_leaf2();
        let flags = (0..8)
            .filter(|bit| *bit != 3)
            .map(|bit| Vxlan { flags: 0x08 | 1 << bit, ..plain.clone() });
        let reserved = (0..24).map(|bit| Vxlan { reserved: 1 << bit, ..plain.clone() });
        let last = (0..8).map(|bit| Vxlan { reserved_last: 1 << bit, ..plain.clone() });
        let all: Vec<_> = flags.chain(reserved).chain(last).collect();
        assert_eq!(all.len(), 39);
        for outer in all {
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputInvalidHeader);
        }
    });
}

/// R7348-5-1.
#[test]
fn a_packet_without_the_i_flag_passes() {
    leaf(|leaf| {
        let outer = Vxlan { flags: 0, ..leaf.from_leaf2() };
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputInvalidHeader);
    });
}

#[test]
pub(crate) fn an_unknown_vni_passes() {
    leaf(|leaf| {
        for vni in [0, 1, VNI - 1, VNI + 1, VNI + 0x1_0000, 0xff_ffff] {
            let outer = Vxlan { vni, ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVni);
        }
    });
}

#[test]
fn a_vni_is_known_on_the_udp_port_of_its_device_only() {
    leaf(|leaf| {
        let outer = Vxlan { destination_port: 8472, ..leaf.from_leaf2() };
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVni);
        let key = vnis::key(8472_u16.to_be(), VNI, false);
        assert!(leaf.world.maps.vnis.table().insert(key, leaf.domain.0.into()));
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

#[test]
pub(crate) fn a_packet_for_another_address_of_the_box_passes() {
    leaf(|leaf| {
        for destination in [OTHER_VTEP, LEAF2_VTEP, [192, 0, 2, 0]] {
            let outer = Vxlan { destination, ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
        }
    });
}

/// The source address of what is sent differs by VTEP there.
#[test]
fn without_a_local_address_what_is_for_any_known_address_of_the_box_is_taken() {
    leaf(|leaf| {
        let outer = Vxlan { destination: OTHER_VTEP, ..leaf.from_leaf2() };
        let [local, remote] = [OTHER_VTEP, LEAF2_VTEP].map(u32::from_ne_bytes);
        let vtep = leaf.leaf2.0;
        assert!(leaf.world.maps.peers.table().insert(peers::key(local, remote), vtep));
        let packet = outer.around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
        leaf.world.change_domain(leaf.domain, |domain| domain.local_be = 0);
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        leaf.decapsulates(&outer, &frame, &frame);
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
        for destination in [LEAF2_VTEP, [192, 0, 2, 0]] {
            let packet = Vxlan { destination, ..leaf.from_leaf2() }.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
        }
    });
}

/// A VNI whose domain is being taken down is not forwarded any more.
#[test]
fn a_domain_that_is_not_in_use_passes() {
    leaf(|leaf| {
        leaf.world.change_domain(leaf.domain, |domain| {
            *domain = Domain { local_be: domain.local_be, ..Domain::default() };
        });
        let packet = leaf.from_leaf2().around(&inner());
        leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputNotLocal);
    });
}

/// R7348-7: only the control plane says who is a VTEP.
#[test]
pub(crate) fn a_packet_of_an_unknown_vtep_passes() {
    leaf(|leaf| {
        for source in [OTHER_VTEP, LEAF1_VTEP, [2, 2, 0, 192]] {
            let outer = Vxlan { source, ..leaf.from_leaf2() };
            let packet = outer.around(&inner());
            leaf.world.send(&leaf.up0, &packet).passes(Reason::VxlanInputUnknownVtep);
        }
    });
}

#[test]
fn traffic_is_counted_with_the_vtep_that_sent_it() {
    leaf(|leaf| {
        let other = leaf.world.vtep(LEAF1_VTEP, OTHER_VTEP, &[leaf.spine1]);
        let outer = Vxlan { source: OTHER_VTEP, ..leaf.from_leaf2() };
        let outcome = leaf.world.send(&leaf.up0, &outer.around(&inner()));
        outcome.is_decapsulated(&leaf.a, leaf.domain, other, &inner());
        let frame = Frame::ipv4(&HOST_R, &HOST_A);
        let outer = leaf.from_leaf2();
        leaf.decapsulates(&outer, &frame, &frame);
    });
}

#[test]
fn the_same_mac_address_is_another_one_in_another_vni() {
    leaf(|leaf| {
        let other = leaf.world.domain(0, tunnel(0xff_ffff, LEAF1_VTEP));
        let circuit = leaf.world.circuit(&leaf.trunk, other, 7);
        leaf.world.learn(other, HOST_A.mac, circuit);
        let outer = Vxlan { vni: 0xff_ffff, ..leaf.from_leaf2() };
        let expected = Frame::ipv4(&HOST_R, &HOST_A).tag(7).bytes();
        let outcome = leaf.world.send(&leaf.up0, &outer.around(&inner()));
        outcome.is_decapsulated(&leaf.trunk, other, leaf.leaf2, &expected);
    });
}

/// What the kernel does with it is the kernel's: it knows the port's VRF, rules and filters.
#[test]
pub(crate) fn where_the_underlay_does_not_lead_no_tunnel_ends() {
    let ends = |leaf: &mut Leaf, packet: &[u8]| {
        for role in [ROLE_ROUTED, ROLE_UNDERLAY] {
            leaf.world.maps.ports.update(leaf.up0.slot, |port| {
                (port.role, port.decapsulates) = (role, DECAPSULATES_NONE);
            });
            leaf.world.send(&leaf.up0, packet).passes(Reason::VxlanInputNotUnderlay);
        }
    };
    leaf(|leaf| ends(leaf, &leaf.from_leaf2().around(&inner())));
    leaf6(|leaf| ends(leaf, &leaf.from_leaf2_over_ipv6().around(&inner())));
}

/// The kernel's reverse path filter as the daemon has judged it.
#[test]
pub(crate) fn a_vtep_is_heard_at_the_ports_that_its_entry_names() {
    let heard = |leaf: &mut Leaf, packet: &[u8]| {
        for number in [1, 2, 33, reverse_paths::PORTS] {
            leaf.world.maps.ports.update(leaf.up0.slot, |port| port.decapsulates = number);
            for (ports, is_heard) in
                [(reverse_paths::bit(number), true), (!reverse_paths::bit(number), false)]
            {
                leaf.world.maps.reverse_paths.set(leaf.leaf2.0, &ReversePath { ports });
                let outcome = leaf.world.send(&leaf.up0, packet);
                match is_heard {
                    true => outcome.is_decapsulated(&leaf.a, leaf.domain, leaf.leaf2, &inner()),
                    false => outcome.passes(Reason::VxlanInputReversePath),
                }
            }
        }
    };
    leaf(|leaf| heard(leaf, &leaf.from_leaf2().around(&inner())));
    leaf6(|leaf| heard(leaf, &leaf.from_leaf2_over_ipv6().around(&inner())));
}
