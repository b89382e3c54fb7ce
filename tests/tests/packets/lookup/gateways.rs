//! What gateways route, and what comes out of tunnels.

use std::{collections::BTreeMap, net::Ipv4Addr};

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::FLAG_ISOLATED,
        domains::{FLAG_OVERLAY_HAIRPIN, FLAG_OVERLAY_ISOLATED},
        fdb::{KIND_LOCAL, KIND_REMOTE, split_target},
        routes::{KIND_LOCAL as THIS_BOX, target},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, STRANGER, Station},
    leaf::{Leaf, leaf, leaf6},
    random::Random,
    router::VIEW,
    world::{DomainId, World},
};
use fabric_user::{
    cli::lookup::{Arrival, Bridged, Origin, Payload, bridged},
    mac,
};

use super::{FLOWS, SEED, assert_tunnel, end, flow, for_all_states};
use crate::{
    fuzz::assert_seen,
    gateway::{GATEWAY, Gateways, OTHER_GATEWAY, TAG, gateways},
};

/// An address of the box, to which packets of any host may go by its gateway.
const OWN: Station = Station { mac: GATEWAY, ipv4: [10, 7, 7, 7], ..STRANGER };
const NOWHERE: Station = Station { mac: GATEWAY, ipv4: [10, 7, 7, 8], ipv6: [0x20; 16] };

#[test]
fn packets_for_gateways_and_out_of_tunnels_go_where_lookup_says() {
    leaf(|leaf| compare(leaf, |leaf, inner| leaf.from_leaf2().around(inner)));
}

#[test]
fn packets_for_gateways_and_out_of_tunnels_go_where_lookup_says_over_ipv6() {
    leaf6(|leaf| compare(leaf, |leaf, inner| leaf.from_leaf2_over_ipv6().around(inner)));
}

fn compare(leaf: &mut Leaf, around: impl Fn(&Leaf, &[u8]) -> Vec<u8>) {
    let Gateways { leaf, other } = gateways(leaf);
    let mut random = Random::new(SEED);
    let mut seen = BTreeMap::new();
    let theirs = DomainId(leaf.domain.0 + 1);
    leaf.world.route(VIEW, (Ipv4Addr::from(OWN.ipv4).into(), 32), target(THIS_BOX, 0));
    let stranger = u32::from(leaf.circuit_t.0) + 1;
    let packets: Vec<_> = (0..8 * FLOWS)
        .map(|_| {
            let to = *random.choose(&[HOST_R, HOST_A, HOST_T, STRANGER, STRANGER, OWN, NOWHERE]);
            let (from, gateway) = match random.below(3) {
                0 => (HOST_A, GATEWAY),
                1 => (STRANGER, OTHER_GATEWAY),
                _ => (HOST_R, GATEWAY),
            };
            let (frame, payload) = flow(&mut random, &from, &to);
            // Out of a tunnel and not for the gateway.
            let destination = match from == HOST_R && random.below(2) == 0 {
                true => random.choose(&[HOST_A, HOST_B, HOST_R, STRANGER]).mac,
                false => gateway,
            };
            let frame = frame.to(destination);
            let frame =
                if random.below(4) == 0 { frame.length(1_400 + random.below(300)) } else { frame };
            let inner = frame.clone().bytes();
            let packet = if from == STRANGER { frame.tag(TAG).bytes() } else { inner.clone() };
            let packet = if from == HOST_R { around(leaf, &inner) } else { packet };
            (from, destination, payload, inner.len() as u32 - 14, packet)
        })
        .collect();
    let (domain, spines) = (leaf.domain, [leaf.spine1, leaf.spine2]);
    let (a, up0, circuit_a) = (leaf.a.clone(), leaf.up0.clone(), u32::from(leaf.circuit_a.0));
    for isolated in [0, FLAG_OVERLAY_ISOLATED, FLAG_OVERLAY_HAIRPIN] {
        leaf.world.change_domain(domain, |domain| domain.flags ^= isolated);
        leaf.world.change_circuit(leaf.circuit_b, |circuit| circuit.flags ^= FLAG_ISOLATED);
        for_all_states(&mut leaf.world, spines, |world| {
            for nexthop in spines {
                world.maps.nexthops.update(nexthop.0.into(), |entry| entry.mtu = 1_470);
            }
            for _ in 0..FLOWS / 4 {
                let (from, destination, flow, length, packet) = random.choose(&packets);
                let (port, of, origin) = match *from {
                    HOST_A => (&a, domain, Origin::Circuit(circuit_a)),
                    STRANGER => (&other, theirs, Origin::Circuit(stranger)),
                    _ => (&up0, domain, Origin::Tunnel),
                };
                let arrival = Arrival { port: Some(port.slot), length: Some(*length), inner: None };
                let (payload, to) = (Payload::Ip(*flow), mac::Mac(*destination));
                let answer = bridged(&world.maps, of.0, origin, &arrival, to, &payload);
                let (reason, left, sent) = end(world.send(port, packet));
                assert_eq!(answer.reason, reason, "seed {SEED}: {origin:?} {flow:?} to {to}");
                *seen.entry(reason).or_insert(0) += 1;
                if reason == Reason::Routed {
                    let routed = answer.routed.expect("a gateway has routed it");
                    assert_frame(world, &routed.frame.expect("to a station"), left, &sent);
                }
            }
        });
    }
    assert_seen(
        &seen,
        &[
            Reason::Routed,
            Reason::Decapsulated,
            Reason::BridgeDeliverUnknown,
            Reason::BridgeDeliverIsolated,
            Reason::BridgeDeliverHairpin,
            Reason::SplitHorizonOverlayToOverlay,
            Reason::TransitRouteLocal,
            Reason::TransitRouteNone,
            Reason::TransitOutputSamePort,
            Reason::NexthopSelectEmptyGroup,
            Reason::VxlanOutputUnderlayTooSmall,
            Reason::TransitOutputTooBig,
            Reason::AccessFitTooBig,
        ],
    );
}

/// That a routed packet has left in the frame that lookup has said.
#[track_caller]
fn assert_frame(world: &World, frame: &Bridged, left: Option<u32>, sent: &[u8]) {
    match split_target(frame.target.expect("the bridge knows the station")) {
        (KIND_LOCAL, circuit) => {
            assert_eq!(Some(u32::from(world.maps.circuits.get(circuit).port)), left, "{frame:?}");
        }
        (KIND_REMOTE, _) => assert_tunnel(world, frame, left, sent),
        (kind, _) => panic!("nothing is routed to an entry of kind {kind}"),
    }
}
