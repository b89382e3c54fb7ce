//! Mangled and random packets, compared with the model: same reason, same bytes, same counters.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use fabric_common::{
    reason::{Reason, Verdict},
    schema::{
        circuits::{FLAG_HAIRPIN, FLAG_ISOLATED},
        ports::{FLAG_ROUTE4, FLAG_ROUTE6},
        routes::{KIND_GROUP, target},
    },
};
use fabric_tests::{
    addresses::{
        HOST_A, HOST_B, HOST_M, HOST_R, HOST_T, LEAF1_VTEP, LEAF2_VTEP, OTHER_VTEP, STRANGER,
        Station, VLAN, VNI, VXLAN_PORT,
    },
    leaf::{Leaf, leaf, leaf6},
    model::repair_outer,
    packet::{Frame, Vxlan, ether_type, fix_ipv4_checksum},
    random::Random,
    router::{CLIENT, IN0_MAC, MTU, router, server},
    run::SHORTEST,
    world::Port,
};

const SEED: u64 = 0xfab_0001;
pub(crate) const PACKETS: usize = 10_000;

/// A seed of one's own choice repeats or extends a run: `FABRIC_FUZZ_SEED=7`.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("FABRIC_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(SEED);
    println!("FABRIC_FUZZ_SEED={seed}");
    seed
}

fn station(random: &mut Random) -> Station {
    *random.choose(&[HOST_A, HOST_B, HOST_T, HOST_R, HOST_M, STRANGER])
}

fn frame(random: &mut Random) -> Frame {
    let (from, to) = (station(random), station(random));
    let mut frame = match random.below(5) {
        0 | 1 => Frame::ipv4(&from, &to),
        2 | 3 => Frame::ipv6(&from, &to),
        _ => Frame::other(&from, &to, ether_type::EXPERIMENTAL),
    };
    frame = frame.tos(random.bits() as u8).ttl(random.bits() as u8);
    if random.below(3) == 0 {
        frame = frame.tag(VLAN | (random.bits() as u16 & 0xf000));
    }
    if random.below(16) == 0 {
        frame = frame.length(1_500 + random.below(32));
    }
    frame
}

/// Flips bits, overwrites, cuts, extends; more than once with falling probability.
fn mangle(random: &mut Random, packet: &mut Vec<u8>) {
    const INTERESTING: [u16; 8] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0xffff, 0x0000, 4789];
    while random.below(3) > 0 {
        let at = random.below(packet.len());
        match random.below(8) {
            0..=3 => packet[at] ^= 1 << random.below(8),
            4 => packet[at] = random.bits() as u8,
            5 => {
                let value = random.choose(&INTERESTING).to_be_bytes();
                let at = [12, 16, 20, 36, at][random.below(5)];
                if at + 2 <= packet.len() {
                    packet[at..at + 2].copy_from_slice(&value);
                }
            }
            6 => packet.truncate(at.max(SHORTEST)),
            _ => packet.resize(packet.len() + random.below(40), random.bits() as u8),
        }
    }
}

/// A mangled frame in what `around` makes of it, a third of them mangled once more, and half of these
/// repaired.
pub(crate) fn mangled(
    random: &mut Random,
    around: impl FnOnce(&[u8]) -> Vec<u8>,
    repair: impl FnOnce(&mut Vec<u8>, &mut Random),
) -> Vec<u8> {
    let mut inner = frame(random).bytes();
    mangle(random, &mut inner);
    let mut packet = around(&inner);
    if random.below(3) == 0 {
        mangle(random, &mut packet);
        if random.below(2) == 0 {
            repair(&mut packet, random);
        }
    }
    packet
}

pub(crate) fn assert_seen(seen: &BTreeMap<Reason, usize>, reasons: &[Reason]) {
    println!("{seen:?}");
    let missing: Vec<_> = reasons.iter().filter(|reason| !seen.contains_key(reason)).collect();
    assert!(missing.is_empty(), "the packets were not varied enough to see {missing:?}");
}

#[test]
fn mangled_frames_of_hosts_meet_the_fate_that_the_model_forecasts() {
    leaf(mangled_frames);
}

#[test]
fn mangled_frames_of_hosts_meet_the_fate_that_the_model_forecasts_over_ipv6() {
    leaf6(mangled_frames);
}

fn mangled_frames(leaf: &mut Leaf) {
    let mut random = Random::new(seed());
    let ports = [leaf.a.clone(), leaf.b.clone(), leaf.trunk.clone()];
    leaf.multihome(HOST_M.mac, &[3, 1, 1]);
    leaf.world.change_circuit(leaf.circuit_b, |c| c.flags |= FLAG_ISOLATED);
    leaf.world.change_circuit(leaf.circuit_t, |c| c.flags |= FLAG_ISOLATED);
    leaf.world.change_circuit(leaf.circuit_a, |c| c.flags |= FLAG_HAIRPIN);
    let seen = leaf.world.compare((0..PACKETS).map(|_| {
        let mut packet = frame(&mut random).bytes();
        mangle(&mut random, &mut packet);
        (random.choose(&ports).clone(), packet)
    }));
    assert_seen(
        &seen,
        &[
            Reason::Bridged,
            Reason::Encapsulated,
            Reason::PortInputTruncated,
            Reason::VlanClassifyNotMember,
            Reason::VlanClassifyStackedTag,
            Reason::FrameGuardMulticast,
            Reason::FrameGuardArp,
            Reason::SourceCheckUnknown,
            Reason::SourceCheckMoved,
            Reason::BridgeLookupUnknown,
            Reason::BridgeLookupSamePort,
            Reason::BridgeLookupIsolated,
            Reason::VxlanOutputTooBig,
            Reason::AccessFitTooBig,
        ],
    );
}

#[test]
fn mangled_vxlan_packets_meet_the_fate_that_the_model_forecasts() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let up0 = leaf.up0.clone();
        let valid = leaf.from_leaf2();
        let seen = leaf.world.compare((0..PACKETS).map(|_| {
            let outer = Vxlan { tos: random.bits() as u8, ..valid.clone() };
            let packet = mangled(
                &mut random,
                |inner| outer.around(inner),
                |packet, _| repair_outer(packet, &up0, VXLAN_PORT),
            );
            (up0.clone(), packet)
        }));
        assert_seen(
            &seen,
            &[
                Reason::Decapsulated,
                Reason::UnderlayInputNotVxlan,
                Reason::UnderlayInputFragment,
                Reason::UnderlayInputIpOptions,
                Reason::UnderlayInputBadChecksum,
                Reason::UnderlayInputTruncated,
                Reason::UnderlayInputOtherHost,
                Reason::VxlanInputInvalidHeader,
                Reason::VxlanInputUnknownVni,
                Reason::VxlanInputNotLocal,
                Reason::VxlanInputUnknownVtep,
                Reason::EcnDecapNotEctCe,
                Reason::InnerGuardSourceMulticast,
                Reason::InnerGuardMulticast,
                Reason::InnerGuardTagged,
                Reason::SplitHorizonOverlayToOverlay,
                Reason::BridgeDeliverUnknown,
            ],
        );
    });
}

/// A packet to any server of the router, whole or mangled, with a checksum that mostly fits.
fn routed_packet(random: &mut Random) -> Vec<u8> {
    let to = server(random.bits() as u8);
    let mut from = CLIENT;
    if random.below(16) == 0 {
        from.ipv4 = *random.choose(&[server(server::LOCAL).ipv4, [127, 0, 0, 1], [239, 1, 1, 1]]);
        from.ipv6[0] = *random.choose(&[0xff, 0xfd]);
    }
    let frame =
        if random.below(2) == 0 { Frame::ipv4(&from, &to) } else { Frame::ipv6(&from, &to) };
    let mut frame = frame.tos(random.bits() as u8).ports([random.bits() as u16, 443]);
    if random.below(4) > 0 {
        frame = frame.ttl(random.bits() as u8);
    }
    if random.below(8) == 0 {
        frame = frame.length(MTU as usize - 40 + random.below(200));
    }
    let mut packet = frame.bytes();
    if random.below(4) == 0 {
        let outer = Vxlan {
            destination_mac: IN0_MAC,
            source_mac: CLIENT.mac,
            destination_port: *random.choose(&[VXLAN_PORT, 8472, 53]),
            ..Vxlan::new(CLIENT.ipv4, to.ipv4, 7)
        };
        packet = outer.around(&packet);
    }
    if random.below(2) == 0 {
        mangle(random, &mut packet);
        if random.below(3) > 0 && packet.len() >= 34 && packet[12..15] == [8, 0, 0x45] {
            fix_ipv4_checksum(&mut packet[14..34]);
        }
    }
    packet
}

#[test]
fn mangled_packets_through_a_router_meet_the_fate_that_the_model_forecasts() {
    router(|router| {
        let mut random = Random::new(seed());
        let ports = [router.in0.clone(), router.in0.clone(), router.out0.clone()];
        for hash_flags in [0, 7] {
            router.world.change_settings(|settings| settings.hash_flags = hash_flags);
            let seen = router.world.compare((0..PACKETS).map(|_| {
                let port = random.choose(&ports).clone();
                let mut packet = routed_packet(&mut random);
                if random.below(16) > 0 && packet[..6] == IN0_MAC {
                    packet[..6].copy_from_slice(&port.mac);
                }
                (port, packet)
            }));
            assert_seen(
                &seen,
                &[
                    Reason::Routed,
                    Reason::UnderlayInputNotVxlan,
                    Reason::TransitInputOtherHost,
                    Reason::NexthopSelectEmptyGroup,
                    Reason::TransitInputBadHeader,
                    Reason::TransitInputOptions,
                    Reason::TransitInputBadChecksum,
                    Reason::TransitInputTtl,
                    Reason::TransitInputMartian,
                    Reason::TransitRouteLocal,
                    Reason::TransitRouteNone,
                    Reason::TransitRouteUnreachable,
                    Reason::TransitRouteBlackhole,
                    Reason::TransitRouteUnresolved,
                    Reason::TransitRouteNotAccelerated,
                    Reason::TransitOutputSamePort,
                    Reason::TransitOutputTooBig,
                    Reason::VxlanInputUnknownVni,
                ],
            );
        }
    });
}

/// The underlay ports of a leaf route as well: VXLAN packets go either way.
#[test]
fn mangled_vxlan_packets_on_a_leaf_that_routes_meet_the_fate_that_the_model_forecasts() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let up0 = leaf.up0.clone();
        leaf.world.route_on(&up0, 1, FLAG_ROUTE4 | FLAG_ROUTE6);
        let group = target(KIND_GROUP, leaf.world.group_of(leaf.leaf2));
        leaf.world.route(1, (Ipv4Addr::UNSPECIFIED.into(), 0), group);
        leaf.world.route(1, (Ipv6Addr::UNSPECIFIED.into(), 0), group);
        leaf.world.own(1, Ipv4Addr::from(LEAF1_VTEP).into());
        let seen = leaf.world.compare((0..PACKETS).map(|_| {
            let destination = *random.choose(&[LEAF1_VTEP, LEAF1_VTEP, OTHER_VTEP]);
            let outer = Vxlan { tos: random.bits() as u8, destination, ..leaf_packet(&up0) };
            let packet = mangled(
                &mut random,
                |inner| outer.around(inner),
                |packet, _| repair_outer(packet, &up0, VXLAN_PORT),
            );
            (up0.clone(), packet)
        }));
        assert_seen(
            &seen,
            &[
                Reason::Decapsulated,
                Reason::Routed,
                Reason::UnderlayInputTruncated,
                Reason::VxlanInputInvalidHeader,
                Reason::VxlanInputUnknownVni,
                Reason::TransitInputBadChecksum,
                Reason::TransitRouteLocal,
                Reason::TransitOutputSamePort,
            ],
        );
    });
}

/// A VXLAN packet of the other leaf.
fn leaf_packet(port: &Port) -> Vxlan {
    Vxlan { destination_mac: port.mac, ttl: 62, ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI) }
}

#[test]
fn random_bytes_are_never_forwarded() {
    leaf(|leaf| {
        let mut random = Random::new(seed());
        let ports = [leaf.a.clone(), leaf.trunk.clone(), leaf.up0.clone()];
        let met = leaf.world.compare((0..PACKETS).map(|_| {
            let length = SHORTEST + random.below(200);
            let packet = (0..length).map(|_| random.bits() as u8).collect();
            (random.choose(&ports).clone(), packet)
        }));
        let forwarded = |reason: &Reason| reason.verdict() == Verdict::Redirect;
        assert!(!met.keys().any(forwarded), "noise is forwarded: {met:?}");
    });
}
