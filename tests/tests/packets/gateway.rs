//! Routing from and to the networks of bridges: tags, both families of tunnels, what the counters say, and
//! what no device has to be there for.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use fabric_common::{
    reason::Reason,
    schema::{
        domains::{FLAG_OVERLAY_LEARNING, FLAG_TTL_INHERIT},
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, ROLE_ACCESS},
        routes::{KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, target},
    },
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_M, HOST_R, HOST_T, LEAF1_VTEP, Mac, STRANGER, Station, VLAN},
    expect::assert_bytes,
    leaf::{Leaf, leaf, leaf6},
    packet::{Frame, Vxlan, Vxlan6, outer_destination, protocol},
    router::{CLIENT, VIEW, router},
    run::action,
    world::{DomainId, PORT_MTU, Port},
};
use fabric_user::model::Domain;

use crate::overlay::inner_tag::{self, INNER};

pub(crate) const GATEWAY: Mac = [2, 0, 0, 9, 0, 1];
pub(crate) const OTHER_GATEWAY: Mac = [2, 0, 0, 9, 0, 2];
/// That of the VLAN with its tag inside the tunnel.
const VLANS_GATEWAY: Mac = [2, 0, 0, 9, 0, 3];
/// The tag of the only host of the other network.
pub(crate) const TAG: u16 = 7;

#[test]
pub(crate) fn a_next_hop_that_its_bridge_does_not_know_is_the_kernels() {
    router(|router| {
        let world = &mut router.world;
        let access = world.port("acc0", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 0]).expect("a port");
        let domain = world.domain(0, Domain { ageing_ms: 4 * 3_600_000, ..Domain::default() });
        let circuit = world.circuit(&access, domain, 0);
        let gateway = world.gateway(domain, GATEWAY).expect("a gateway");
        let host = world.nexthop(&gateway, HOST_B.mac, PORT_MTU);
        let way = target(KIND_NEXTHOP, host.0.into());
        world.route(VIEW, (Ipv4Addr::from(HOST_B.ipv4).into(), 32), way);
        world.route(VIEW, (Ipv6Addr::from(HOST_B.ipv6).into(), 128), way);
        for frame in [Frame::ipv4(&CLIENT, &HOST_B), Frame::ipv6(&CLIENT, &HOST_B)] {
            let frame = frame.to(router.in0.mac).ttl(9);
            router.passes(&frame.bytes(), Reason::StationLookupUnknown);
            // Its own address is nobody's to be sent to.
            router.world.learn_own(domain, HOST_B.mac);
            router.passes(&frame.bytes(), Reason::StationLookupUnknown);
            router.world.settle(circuit, &HOST_B);
            let sent = frame.clone().to(HOST_B.mac).from(GATEWAY).ttl(8);
            let outcome = router.world.send(&router.in0, &frame.bytes());
            outcome.is_routed(&access, &sent.bytes());
            router.world.forget(domain, HOST_B.mac);
        }
    });
}

/// The leaf, with a gateway of its hosts' network and one of another, in which STRANGER is behind a tag on a port of
/// its own.
pub(crate) struct Gateways<'a> {
    pub(crate) leaf: &'a mut Leaf,
    pub(crate) other: Port,
}

pub(crate) fn gateways(leaf: &mut Leaf) -> Gateways<'_> {
    let world = &mut leaf.world;
    let other = world.port("other", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 9]).expect("a port");
    let network = world.domain(0, Domain { ageing_ms: 4 * 3_600_000, ..Domain::default() });
    let circuit = world.circuit(&other, network, TAG);
    let ours = world.gateway(leaf.domain, GATEWAY).expect("a gateway");
    let theirs = world.gateway(network, OTHER_GATEWAY).expect("a gateway");
    for gateway in [&ours, &theirs] {
        world.route_on(gateway, VIEW, FLAG_ROUTE4 | FLAG_ROUTE6);
    }
    for (host, gateway) in [(HOST_A, &ours), (HOST_T, &ours), (HOST_R, &ours), (STRANGER, &theirs)]
    {
        let nexthop = world.nexthop(gateway, host.mac, PORT_MTU);
        let way = target(KIND_NEXTHOP, nexthop.0.into());
        world.route(VIEW, (Ipv4Addr::from(host.ipv4).into(), 32), way);
        world.route(VIEW, (Ipv6Addr::from(host.ipv6).into(), 128), way);
    }
    world.settle(circuit, &STRANGER);
    Gateways { leaf, other }
}

/// What a host sends to its gateway for another one, and what that gets.
fn both(from: Station, gateway: Mac, to: Station, source: Mac) -> [(Frame, Frame); 2] {
    [Frame::ipv4(&from, &to), Frame::ipv6(&from, &to)].map(|frame| {
        let frame = frame.ttl(33);
        (frame.clone().to(gateway), frame.to(to.mac).from(source).ttl(32))
    })
}

#[test]
fn packets_get_the_tag_of_the_host_that_they_are_routed_to() {
    leaf(|leaf| {
        let Gateways { leaf, other } = gateways(leaf);
        for (sent, received) in both(HOST_A, GATEWAY, STRANGER, OTHER_GATEWAY) {
            let outcome = leaf.world.send(&leaf.a, &sent.bytes());
            outcome.is_routed(&other, &received.tag(TAG).bytes());
        }
        for (sent, received) in both(HOST_T, GATEWAY, STRANGER, OTHER_GATEWAY) {
            let outcome = leaf.world.send(&leaf.trunk, &sent.tag(VLAN).bytes());
            outcome.is_routed(&other, &received.tag(TAG).bytes());
        }
        for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_A, GATEWAY) {
            let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
            outcome.is_routed(&leaf.a, &received.bytes());
        }
        for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_T, GATEWAY) {
            let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
            outcome.is_routed(&leaf.trunk, &received.tag(VLAN).bytes());
        }
    });
}

#[test]
fn packets_are_routed_into_and_out_of_a_tunnel_over_ipv4() {
    leaf(|leaf| {
        let Gateways { leaf, other } = gateways(leaf);
        for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_R, GATEWAY) {
            let inner = received.bytes();
            let (underlay, expected) =
                (leaf.underlay_of(&inner), leaf.to_leaf2(&inner).around(&inner));
            let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
            outcome.is_routed_into(&underlay, leaf.domain, leaf.leaf2, &expected);
        }
        for (sent, received) in both(HOST_R, GATEWAY, STRANGER, OTHER_GATEWAY) {
            let packet = leaf.from_leaf2().around(&sent.bytes());
            let outcome = leaf.world.send(&leaf.up0, &packet);
            let received = received.tag(TAG).bytes();
            outcome.is_routed_out_of(&other, leaf.domain, leaf.leaf2, &received);
        }
    });
}

#[test]
fn packets_are_routed_into_and_out_of_a_tunnel_over_ipv6() {
    leaf6(|leaf| {
        let Gateways { leaf, other } = gateways(leaf);
        for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_R, GATEWAY) {
            let inner = received.bytes();
            let expected = leaf.to_leaf2_over_ipv6(&inner).around(&inner);
            let underlay = leaf.underlay_of(&inner);
            let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
            outcome.is_routed_into(&underlay, leaf.domain, leaf.leaf2, &expected);
        }
        for (sent, received) in both(HOST_R, GATEWAY, STRANGER, OTHER_GATEWAY) {
            let packet = leaf.from_leaf2_over_ipv6().around(&sent.bytes());
            let outcome = leaf.world.send(&leaf.up0, &packet);
            let received = received.tag(TAG).bytes();
            outcome.is_routed_out_of(&other, leaf.domain, leaf.leaf2, &received);
        }
    });
}

/// Each VTEP of a prefix gets its flows by all ways that lead there.
#[test]
fn the_vtep_of_a_routed_packet_and_the_way_to_it_are_two_choices() {
    const FLOWS: u16 = 2_000;
    leaf(|leaf| {
        let Gateways { leaf, other } = gateways(leaf);
        let (_, vteps) = leaf.multihome(HOST_M.mac, &[1, 1]);
        let world = &mut leaf.world;
        let routed = world.gateway(leaf.domain, [2, 0, 0, 9, 0, 3]).expect("a gateway");
        let routers = [0, 1].map(|number| [2, 0, 0, 9, 1, number]);
        let members = [0, 1].map(|number| {
            world.learn_remote(leaf.domain, routers[number], vteps[number]);
            (world.nexthop(&routed, routers[number], PORT_MTU), 1)
        });
        let group = world.group(&members);
        world.route(VIEW, (Ipv4Addr::from(HOST_R.ipv4).into(), 32), target(KIND_GROUP, group));
        let mut shares: BTreeMap<(IpAddr, Mac), u16> = BTreeMap::new();
        for number in 0..FLOWS {
            let frame = Frame::ipv4(&STRANGER, &HOST_R).to(OTHER_GATEWAY).tag(TAG);
            let frame = frame.ports([number.wrapping_mul(7_919), 53]);
            let run = leaf.world.run(&other, &frame.bytes(), 0).expect("the program runs");
            assert_eq!(run.action, action::REDIRECT);
            let spine = *run.bytes.first_chunk().expect("a header");
            *shares.entry((outer_destination(&run.bytes), spine)).or_default() += 1;
        }
        assert_eq!(shares.len(), 4, "{shares:02x?}");
        assert!(shares.values().all(|flows| flows.abs_diff(FLOWS / 4) < 80), "{shares:02x?}");
    });
}

#[test]
fn packets_are_routed_into_and_out_of_a_tunnel_with_the_tag_of_a_vlan() {
    leaf(|leaf| with_the_tag_of_a_vlan(leaf, false));
    leaf6(|leaf| with_the_tag_of_a_vlan(leaf, true));
}

fn with_the_tag_of_a_vlan(leaf: &mut Leaf, is_ipv6: bool) {
    let domain = inner_tag::vlan(leaf, is_ipv6);
    let Gateways { leaf, other } = gateways(leaf);
    let world = &mut leaf.world;
    let gateway = world.gateway(domain, VLANS_GATEWAY).expect("a gateway");
    world.route_on(&gateway, VIEW, FLAG_ROUTE4 | FLAG_ROUTE6);
    let nexthop = world.nexthop(&gateway, HOST_R.mac, PORT_MTU);
    let way = target(KIND_NEXTHOP, nexthop.0.into());
    world.route(VIEW, (Ipv4Addr::from(HOST_R.ipv4).into(), 32), way);
    world.route(VIEW, (Ipv6Addr::from(HOST_R.ipv6).into(), 128), way);
    for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_R, VLANS_GATEWAY) {
        let plain = received.bytes();
        let inner = received.tag(INNER).bytes();
        let expected = match is_ipv6 {
            true => leaf.to_leaf2_over_ipv6(&plain).around(&inner),
            false => leaf.to_leaf2(&plain).around(&inner),
        };
        let underlay = leaf.underlay_of(&plain);
        let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
        outcome.is_routed_into(&underlay, domain, leaf.leaf2, &expected);
    }
    for (sent, received) in both(HOST_R, VLANS_GATEWAY, STRANGER, OTHER_GATEWAY) {
        let inner = sent.tag(INNER | inner_tag::PRIORITY).bytes();
        let packet = match is_ipv6 {
            true => leaf.from_leaf2_over_ipv6().around(&inner),
            false => leaf.from_leaf2().around(&inner),
        };
        let outcome = leaf.world.send(&leaf.up0, &packet);
        outcome.is_routed_out_of(&other, domain, leaf.leaf2, &received.tag(TAG).bytes());
    }
}

#[test]
fn flows_to_a_next_hop_behind_a_segment_are_routed_to_all_of_its_vteps() {
    leaf(routed_to_all_vteps);
}

#[test]
fn flows_to_a_next_hop_behind_a_segment_are_routed_to_all_of_its_vteps_over_ipv6() {
    leaf6(routed_to_all_vteps);
}

fn routed_to_all_vteps(leaf: &mut Leaf) {
    let Gateways { leaf, other } = gateways(leaf);
    leaf.multihome(HOST_R.mac, &[1, 1]);
    let mut ways: BTreeMap<(u16, bool), IpAddr> = BTreeMap::new();
    for port in (40_000..40_032).chain(40_000..40_032) {
        for v6 in [false, true] {
            let family = if v6 { Frame::ipv6 } else { Frame::ipv4 };
            let flow = family(&STRANGER, &HOST_R).ports([port, 443]).to(OTHER_GATEWAY).tag(TAG);
            let run = leaf.world.run(&other, &flow.bytes(), 0).expect("the program runs");
            assert_eq!(run.action, action::REDIRECT);
            let way = outer_destination(&run.bytes);
            assert_eq!(*ways.entry((port, v6)).or_insert(way), way, "a flow has one VTEP");
        }
    }
    let vteps: BTreeSet<IpAddr> = ways.into_values().collect();
    assert_eq!(vteps.len(), 2, "{vteps:?}");
}

/// The outer header inherits what the router has written, and congestion goes on with the packet (RFC 6040).
#[test]
fn the_outer_ttl_is_that_of_the_forwarded_packet_and_an_outer_mark_stays() {
    leaf(|leaf| {
        let Gateways { leaf, other } = gateways(leaf);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_TTL_INHERIT);
        for (sent, received) in both(STRANGER, OTHER_GATEWAY, HOST_R, GATEWAY) {
            let inner = received.bytes();
            let header = Vxlan { ttl: 32, ..leaf.to_leaf2(&inner) };
            let underlay = leaf.underlay_of(&inner);
            let outcome = leaf.world.send(&other, &sent.tag(TAG).bytes());
            let expected = header.around(&inner);
            outcome.is_routed_into(&underlay, leaf.domain, leaf.leaf2, &expected);
        }
        for (sent, received) in both(HOST_R, GATEWAY, STRANGER, OTHER_GATEWAY) {
            let header = Vxlan { tos: 0b11, ..leaf.from_leaf2() };
            let outcome = leaf.world.send(&leaf.up0, &header.around(&sent.tos(0b10).bytes()));
            let received = received.tos(0b11).tag(TAG).bytes();
            outcome.is_routed_out_of(&other, leaf.domain, leaf.leaf2, &received);
        }
    });
}

/// An address of the box that is no gateway's.
const OWN: Station = Station { ipv4: [10, 7, 7, 7], ..STRANGER };

/// A message that something cannot be reached, because of a packet that would have to be fragmented or for another
/// reason.
fn unreachable(from: &Station, code: u8) -> Frame {
    Frame::ipv4(from, &OWN).to(GATEWAY).change_ipv4(|ip| {
        ip.protocol = protocol::ICMP;
        (ip.payload[0], ip.payload[1]) = (3, code);
    })
}

/// Sends a packet that passes, and says whether it has left a note for the daemon.
fn leaves_note(leaf: &mut Leaf, port: &Port, packet: &[u8], reason: Reason) -> bool {
    leaf.world.change_settings(|settings| settings.path_news = 0);
    leaf.world.send(port, packet).passes(reason);
    leaf.world.maps.settings.get(0).path_news != 0
}

/// What a host or another leaf says about a way to an address of the box, the daemon hears of.
#[test]
fn messages_about_ways_leave_a_note_wherever_they_come_from() {
    leaf(|leaf| {
        let Gateways { leaf, .. } = gateways(leaf);
        leaf.world.route(VIEW, (Ipv4Addr::from(OWN.ipv4).into(), 32), target(KIND_LOCAL, 0));
        let (a, up0) = (leaf.a.clone(), leaf.up0.clone());
        for (code, noted) in [(4, true), (1, false)] {
            let from_host = unreachable(&HOST_A, code).bytes();
            assert_eq!(leaves_note(leaf, &a, &from_host, Reason::TransitRouteLocal), noted);
            let arriving = leaf.from_leaf2().around(&unreachable(&HOST_R, code).bytes());
            assert_eq!(leaves_note(leaf, &up0, &arriving, Reason::TransitRouteLocal), noted);
        }
    });
}

/// The same where the kernel gets the frame before anybody has looked at what is in it, because the bridge has to
/// learn from it.
#[test]
fn messages_about_ways_from_stations_that_are_news_leave_a_note_too() {
    leaf(|leaf| {
        let Gateways { leaf, .. } = gateways(leaf);
        leaf.world.change_domain(leaf.domain, |domain| domain.flags |= FLAG_OVERLAY_LEARNING);
        let (a, t, up0) = (leaf.a.clone(), leaf.trunk.clone(), leaf.up0.clone());
        for (code, noted) in [(4, true), (1, false)] {
            let frame = unreachable(&HOST_A, code).from([2, 0, 0, 0, 0x77, 1]);
            let unknown = Reason::SourceCheckUnknown;
            assert_eq!(leaves_note(leaf, &a, &frame.clone().bytes(), unknown), noted);
            assert_eq!(leaves_note(leaf, &t, &frame.clone().tag(VLAN).bytes(), unknown), noted);
            // It is no matter of the box.
            let bridged = frame.clone().to(HOST_B.mac).bytes();
            assert!(!leaves_note(leaf, &a, &bridged, unknown));
            let arriving = leaf.from_leaf2().around(&frame.bytes());
            assert_eq!(leaves_note(leaf, &up0, &arriving, Reason::InnerSourceUnknown), noted);
        }
    });
}

/// What the kernel gets out of a tunnel is as it came: as long as its outer headers say, and with the bits that the
/// outer checksum covers.
#[test]
fn what_is_not_routed_out_of_a_tunnel_goes_to_the_kernel_as_it_came() {
    leaf6(|leaf| {
        let Gateways { leaf, .. } = gateways(leaf);
        let up0 = leaf.up0.clone();
        // The hop limit ends, no route, back into the same network.
        let ends = [(STRANGER, 1), (HOST_B, 9), (HOST_A, 9)];
        let frames = ends.into_iter().flat_map(|(to, ttl)| {
            [Frame::ipv4(&HOST_R, &to), Frame::ipv6(&HOST_R, &to)].map(|frame| frame.ttl(ttl))
        });
        for frame in frames {
            let frame = frame.to(GATEWAY).tos(0b10);
            let header = Vxlan6 { class: 0b11, ..leaf.from_leaf2_over_ipv6() };
            let packet = header.around(&frame.bytes());
            let run = leaf.world.run(&up0, &packet, 0).expect("the program runs");
            assert_eq!(run.action, action::PASS);
            if frame.bytes()[12..14] == [0x86, 0xdd] {
                assert_bytes(&run.bytes, &packet);
            }
        }
    });
    leaf(|leaf| {
        let Gateways { leaf, .. } = gateways(leaf);
        // A border, whose way to the other VTEP is not known yet.
        let leaf3 = leaf.world.vtep(LEAF1_VTEP, [192, 0, 2, 3], &[]);
        for gateway in [GATEWAY, OTHER_GATEWAY] {
            let of = if gateway == GATEWAY { leaf.domain } else { DomainId(leaf.domain.0 + 1) };
            leaf.world.learn_remote(of, STRANGER.mac, leaf3);
        }
        let up0 = leaf.up0.clone();
        for frame in [Frame::ipv4(&HOST_R, &STRANGER), Frame::ipv6(&HOST_R, &STRANGER)] {
            let mut padded = frame.to(GATEWAY).ttl(9).bytes();
            padded.extend([0; 18]);
            let packet = leaf.from_leaf2().around(&padded);
            leaf.world.send(&up0, &packet).passes(Reason::NexthopSelectEmptyGroup);
        }
    });
}
