//! `fabricctl lookup` and the programs have to agree about every packet.

mod gateways;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use fabric_common::{
    reason::Reason,
    schema::{
        circuits::{FLAG_HAIRPIN, FLAG_ISOLATED},
        nexthops::FLAG_DOWN,
        settings::{HASH_FLOW_LABEL, HASH_INNER, HASH_SYMMETRIC},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_M, HOST_R, Mac, STRANGER, Station, VNI},
    expect::Outcome,
    leaf::{Leaf, leaf, leaf6},
    packet::{Frame, Vxlan, ether_type, outer_destination, protocol},
    random::Random,
    router::{CLIENT, IN0_MAC, VIEW, router, server},
    world::{NexthopId, Port, World},
};
use fabric_user::{
    cli::lookup::{Arrival, Bridged, Flow, Origin, Payload, bridged, routed},
    mac,
};

use crate::fuzz::assert_seen;

const SEED: u64 = 0xfab_0003;
/// Flows for each state of the nexthops and options.
const FLOWS: usize = 40;
const PROTOCOLS: [u8; 6] =
    [protocol::TCP, protocol::UDP, protocol::SCTP, protocol::ICMP, protocol::ICMPV6, 47];

/// A packet of a random flow between two stations, and the flow.
fn flow(random: &mut Random, from: &Station, to: &Station) -> (Frame, Flow) {
    let number = *random.choose(&PROTOCOLS);
    let bits = random.bits();
    // Few ports, so that flows back to back occur as well.
    let ports = [40_000 + (bits as u16 & 0x1f), 50 + (bits >> 16) as u16 % 8];
    let flow_label = (bits >> 32) as u32 & 0xf_ffff;
    if random.below(2) == 0 {
        let whole = random.below(8) > 0;
        let frame = Frame::ipv4(from, to)
            .change_ipv4(|ip| {
                ip.protocol = number;
                ip.mf = !whole;
            })
            .ports(ports);
        let [source, destination] = [from.ipv4, to.ipv4].map(|a| IpAddr::V4(Ipv4Addr::from(a)));
        let ports = whole.then_some(ports);
        (frame, Flow { source, destination, protocol: number, ports, flow_label: 0 })
    } else {
        let frame = Frame::ipv6(from, to)
            .change_ipv6(|ip| {
                ip.next_header = number;
                ip.flow_label = flow_label;
                // Not a message of neighbour discovery.
                ip.payload[0] = 128;
            })
            .ports(ports);
        let [source, destination] = [from.ipv6, to.ipv6].map(|a| IpAddr::V6(Ipv6Addr::from(a)));
        (frame, Flow { source, destination, protocol: number, ports: Some(ports), flow_label })
    }
}

/// All combinations of the options of the flow hash with the same number of nexthops dead.
fn for_all_states(world: &mut World, nexthops: [NexthopId; 2], mut test: impl FnMut(&mut World)) {
    for hash_flags in 0..=(HASH_FLOW_LABEL | HASH_INNER | HASH_SYMMETRIC) {
        world.change_settings(|settings| settings.hash_flags = hash_flags);
        for dead in [&[][..], &nexthops[..1], &nexthops[1..], &nexthops[..]] {
            for nexthop in nexthops {
                let flags = if dead.contains(&nexthop) { FLAG_DOWN } else { 0 };
                world.maps.nexthops.update(nexthop.0.into(), |entry| entry.flags = flags);
            }
            test(world);
        }
    }
}

/// The reason that was counted, and the slot of the port that the packet left through.
fn end(outcome: Outcome) -> (Reason, Option<u32>, Vec<u8>) {
    let named = |name: &str| Reason::ALL.iter().find(|reason| reason.name() == name).copied();
    let mut reasons = outcome.counted.reasons.keys().map(|(_, name)| named(name));
    let reason = reasons.next().flatten().expect("every packet has a reason");
    assert_eq!(reasons.next(), None, "a packet has one reason");
    (reason, outcome.counted.port_tx.keys().next().copied(), outcome.run.bytes)
}

#[test]
fn frames_go_where_lookup_says() {
    leaf(compare_frames);
}

#[test]
fn frames_go_where_lookup_says_over_ipv6() {
    leaf6(compare_frames);
}

fn compare_frames(leaf: &mut Leaf) {
    let mut random = Random::new(SEED);
    let mut seen = BTreeMap::new();
    let (a, domain, circuit) = (leaf.a.clone(), leaf.domain.0, u32::from(leaf.circuit_a.0));
    for nexthop in [leaf.spine1, leaf.spine2] {
        leaf.world.maps.nexthops.update(nexthop.0.into(), |entry| entry.mtu = 1_470);
    }
    leaf.multihome(HOST_M.mac, &[1, 2]);
    let mut vteps = BTreeSet::new();
    for_all_states(&mut leaf.world, [leaf.spine1, leaf.spine2], |world| {
        for _ in 0..FLOWS {
            let to = *random.choose(&[HOST_R, HOST_R, HOST_M, HOST_M, HOST_B, HOST_A, STRANGER]);
            let (frame, payload) = if random.below(6) == 0 {
                let number = ether_type::EXPERIMENTAL + 0x100 * random.below(16) as u16;
                let payload = Payload::Other { source: mac::Mac(HOST_A.mac), ether_type: number };
                (Frame::other(&HOST_A, &to, number), payload)
            } else {
                let (frame, flow) = flow(&mut random, &HOST_A, &to);
                (frame, Payload::Ip(flow))
            };
            // About as long as the domain's longest, and as the next hops' MTU leaves room for.
            let frame = match random.below(16) {
                0 => frame.length(1_515),
                1 => frame.length(1_400 + random.below(40)),
                _ => frame,
            };
            let bytes = frame.bytes();
            let arrival =
                Arrival { port: Some(a.slot), length: Some(bytes.len() as u32 - 14), inner: None };
            let destination = mac::Mac(to.mac);
            let answer = bridged(
                &world.maps,
                domain,
                Origin::Circuit(circuit),
                &arrival,
                destination,
                &payload,
            );
            let (reason, port, sent) = end(world.send(&a, &bytes));
            assert_eq!(answer.reason, reason, "seed {SEED}: {payload:?} to {destination}");
            *seen.entry(reason).or_insert(0) += 1;
            if reason == Reason::Encapsulated {
                assert_tunnel(world, &answer, port, &sent);
                vteps.extend(answer.vtep.filter(|_| to == HOST_M));
            }
        }
    });
    assert_eq!(vteps.len(), 2, "a segment of two");
    assert_seen(
        &seen,
        &[
            Reason::Encapsulated,
            Reason::Bridged,
            Reason::BridgeLookupUnknown,
            Reason::BridgeLookupSamePort,
            Reason::NexthopSelectEmptyGroup,
            Reason::VxlanOutputTooBig,
            Reason::VxlanOutputUnderlayTooSmall,
            Reason::AccessFitTooBig,
        ],
    );
}

/// That a frame has left into the tunnel that lookup has said.
#[track_caller]
fn assert_tunnel(world: &World, answer: &Bridged, port: Option<u32>, sent: &[u8]) {
    let nexthop = answer.selection.as_ref().and_then(|selection| selection.nexthop);
    let nexthop = world.maps.nexthops.get(nexthop.expect("one was chosen"));
    assert_eq!(Some(u32::from(nexthop.port)), port, "{answer:?}");
    assert_eq!(nexthop.macs, sent[..12], "{answer:?}");
    let vtep = world.maps.vteps.get(answer.vtep.expect("one was chosen"));
    assert_eq!(outer_destination(sent), vtep.remote(), "{answer:?}");
    let udp = if sent[12..14] == [0x08, 0] { 34 } else { 54 };
    let source_port = u16::from_be_bytes([sent[udp], sent[udp + 1]]);
    assert_eq!(answer.source_port, Some(source_port), "{answer:?}");
}

#[test]
fn a_frame_goes_back_by_a_hairpin_if_lookup_says_so() {
    leaf(|leaf| {
        let (circuit, domain) = (u32::from(leaf.circuit_a.0), leaf.domain.0);
        let (frame, flow) = flow(&mut Random::new(SEED), &HOST_A, &HOST_A);
        for (flags, expected) in [
            (0, Reason::BridgeLookupSamePort),
            (FLAG_ISOLATED, Reason::BridgeLookupSamePort),
            (FLAG_HAIRPIN, Reason::Bridged),
            (FLAG_HAIRPIN | FLAG_ISOLATED, Reason::BridgeLookupIsolated),
        ] {
            leaf.world.change_circuit(leaf.circuit_a, |c| c.flags = flags);
            let arrival = Arrival { port: Some(leaf.a.slot), length: None, inner: None };
            let destination = mac::Mac(HOST_A.mac);
            let payload = Payload::Ip(flow);
            let maps = &leaf.world.maps;
            let origin = Origin::Circuit(circuit);
            let answer = bridged(maps, domain, origin, &arrival, destination, &payload);
            let (reason, ..) = end(leaf.world.send(&leaf.a, &frame.bytes()));
            assert_eq!([answer.reason, reason], [expected; 2]);
        }
    });
}

/// A server behind any kind of route, or an address that nothing leads to.
fn destination(random: &mut Random) -> Station {
    const KINDS: [u8; 17] = [
        server::NEIGHBOUR,
        server::LOCAL,
        server::BLACKHOLE,
        server::UNREACHABLE,
        server::UNRESOLVED,
        server::KERNEL,
        server::BLACKHOLE_GROUP,
        server::EMPTY_GROUP,
        server::BACK,
        server::NOWHERE,
        server::LEAK,
        server::LEAK_NOWHERE,
        server::LEAK_LOCAL,
        server::LEAK_BLACKHOLE,
        server::LEAK_TWICE,
        server::WEST,
        server::BOTH,
    ];
    let last = match random.below(3) {
        0 => *random.choose(&KINDS),
        1 => server::BOTH + random.below(128) as u8,
        _ => server::WEST + random.below(64) as u8,
    };
    server(last)
}

/// Mostly the client; at times one from which nothing is forwarded.
fn source(random: &mut Random) -> Station {
    let mut from = CLIENT;
    from.ipv4[3] = random.bits() as u8;
    from.ipv6[15] = random.bits() as u8;
    match random.below(20) {
        0 => {
            let own = server(server::LOCAL);
            Station { mac: from.mac, ..own }
        }
        1 => Station { ipv4: [127, 0, 0, 1], ipv6: [0; 16], ..from },
        2 => {
            from.ipv6[..2].copy_from_slice(&[0xfe, 0x80]);
            Station { ipv4: [224, 0, 0, 5], ..from }
        }
        _ => from,
    }
}

/// A VXLAN packet on its way through, with a random packet inside.
fn vxlan(random: &mut Random, to: &Station) -> (Vec<u8>, Flow, Flow) {
    let (frame, inner) = flow(random, &HOST_A, &HOST_B);
    let source_port = 49_152 + random.bits() as u16 % 16;
    let outer = Vxlan {
        destination_mac: IN0_MAC,
        source_mac: CLIENT.mac,
        source_port,
        ..Vxlan::new(CLIENT.ipv4, to.ipv4, VNI)
    };
    let flow = Flow {
        source: Ipv4Addr::from(CLIENT.ipv4).into(),
        destination: Ipv4Addr::from(to.ipv4).into(),
        protocol: protocol::UDP,
        ports: Some([source_port, outer.destination_port]),
        flow_label: 0,
    };
    (outer.around(&frame.bytes()), flow, inner)
}

/// What lookup says and what the program does; the reason.
fn compare(
    world: &mut World,
    port: &Port,
    packet: &[u8],
    flow: &Flow,
    inner: Option<Flow>,
) -> Reason {
    let length = Some(packet.len() as u32 - 14);
    let arrival = Arrival { port: Some(port.slot), length, inner };
    let answer = routed(&world.maps, VIEW, &arrival, flow);
    let (reason, left, sent) = end(world.send(port, packet));
    assert_eq!(answer.reason, reason, "seed {SEED}: {flow:?}");
    if reason == Reason::Routed {
        let nexthop = world.maps.nexthops.get(answer.nexthop.expect("one was chosen"));
        assert_eq!(Some(u32::from(nexthop.port)), left, "{flow:?}");
        let macs: [Mac; 2] = [sent[..6].try_into(), sent[6..12].try_into()].map(Result::unwrap);
        assert_eq!(nexthop.macs, macs.concat()[..], "{flow:?}");
    }
    reason
}

#[test]
fn packets_are_routed_where_lookup_says() {
    router(|router| {
        let mut random = Random::new(SEED);
        let mut seen = BTreeMap::new();
        let in0 = router.in0.clone();
        for_all_states(&mut router.world, [router.west, router.east], |world| {
            for _ in 0..FLOWS {
                let to = destination(&mut random);
                let reason = if random.below(4) == 0 {
                    let to = server(server::BOTH + random.below(128) as u8);
                    let (packet, flow, inner) = vxlan(&mut random, &to);
                    compare(world, &in0, &packet, &flow, Some(inner))
                } else {
                    let from = source(&mut random);
                    let (frame, flow) = flow(&mut random, &from, &to);
                    let frame = if random.below(12) == 0 { frame.length(1_480) } else { frame };
                    compare(world, &in0, &frame.bytes(), &flow, None)
                };
                *seen.entry(reason).or_insert(0) += 1;
            }
        });
        assert_seen(
            &seen,
            &[
                Reason::Routed,
                Reason::NexthopSelectEmptyGroup,
                Reason::TransitInputMartian,
                Reason::TransitRouteLocal,
                Reason::TransitRouteNone,
                Reason::TransitRouteUnreachable,
                Reason::TransitRouteBlackhole,
                Reason::TransitRouteUnresolved,
                Reason::TransitRouteNotAccelerated,
                Reason::TransitOutputSamePort,
                Reason::TransitOutputTooBig,
            ],
        );
    });
}

#[test]
fn a_port_that_does_not_route_is_named_before_any_route() {
    router(|router| {
        let (frame, flow) = flow(&mut Random::new(SEED), &CLIENT, &server(server::NEIGHBOUR));
        let in0 = router.in0.clone();
        router.world.route_on(&in0, VIEW, 0);
        let reason = compare(&mut router.world, &in0, &frame.bytes(), &flow, None);
        assert_eq!(reason, Reason::UnderlayInputNotVxlan);
    });
}

#[test]
fn a_packet_from_a_member_of_a_bond_is_not_sent_back_by_the_bond() {
    router(|router| {
        let (bond, _) = router.behind(router.west);
        let in0 = router.in0.clone();
        router.world.maps.ports.update(in0.slot, |entry| entry.as_port = bond.slot as u16);
        let mut random = Random::new(SEED);
        for (last, expected) in [
            (server::WEST, Reason::TransitOutputSamePort),
            (server::NEIGHBOUR, Reason::Routed),
            (server::BACK, Reason::Routed),
        ] {
            let (frame, flow) = flow(&mut random, &CLIENT, &server(last));
            let reason = compare(&mut router.world, &in0, &frame.bytes(), &flow, None);
            assert_eq!(reason, expected);
        }
    });
}
